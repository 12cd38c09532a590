# Files of tests/unit/.
noinst_HEADERS += tests/unit/absent_gpu.h tests/unit/temp.h

# base
check_PROGRAMS += tests/unit/conf
tests_unit_conf_SOURCES = tests/unit/conf.c
tests_unit_conf_LDADD = $(test_libs)
TESTS += tests/unit/conf
check_PROGRAMS += tests/unit/safetensors
tests_unit_safetensors_SOURCES = tests/unit/safetensors.c
tests_unit_safetensors_LDADD = $(test_libs)
TESTS += tests/unit/safetensors

# optimizer, schedules, objectives
check_PROGRAMS += tests/unit/optim tests/unit/schedule tests/unit/objective
tests_unit_optim_SOURCES = tests/unit/optim.c
tests_unit_optim_LDADD = $(test_libs)
tests_unit_schedule_SOURCES = tests/unit/schedule.c
tests_unit_schedule_LDADD = $(test_libs)
tests_unit_objective_SOURCES = tests/unit/objective.c
tests_unit_objective_LDADD = $(test_libs)
TESTS += tests/unit/optim tests/unit/schedule tests/unit/objective

# base, threads and files; all settings
check_PROGRAMS += tests/unit/rng tests/unit/queue tests/unit/ring tests/unit/file tests/unit/settings
tests_unit_rng_SOURCES = tests/unit/rng.c
tests_unit_rng_LDADD = $(test_libs)
tests_unit_queue_SOURCES = tests/unit/queue.c
tests_unit_queue_LDADD = $(test_libs)
tests_unit_ring_SOURCES = tests/unit/ring.c
tests_unit_ring_LDADD = $(test_libs)
tests_unit_file_SOURCES = tests/unit/file.c
tests_unit_file_LDADD = $(test_libs)
tests_unit_settings_SOURCES = tests/unit/settings.c
tests_unit_settings_LDADD = $(test_libs)
TESTS += tests/unit/rng tests/unit/queue tests/unit/ring tests/unit/file tests/unit/settings
tsan_tests += tests/unit/queue tests/unit/ring
dist_tests += tests/unit/queue tests/unit/file tests/unit/conf tests/unit/settings

# the CPU backend
check_PROGRAMS += tests/unit/tuning tests/unit/cpu_backend
tests_unit_tuning_SOURCES = tests/unit/tuning.c
tests_unit_tuning_LDADD = $(test_libs)
tests_unit_cpu_backend_SOURCES = tests/unit/cpu_backend.c
tests_unit_cpu_backend_LDADD = $(test_libs)
TESTS += tests/unit/tuning tests/unit/cpu_backend

# the nn core
noinst_HEADERS += tests/unit/fake_device.h
check_PROGRAMS += tests/unit/graph tests/unit/nn_schedule tests/unit/memplan tests/unit/params
tests_unit_graph_SOURCES = tests/unit/graph.c
tests_unit_graph_LDADD = $(test_libs)
tests_unit_nn_schedule_SOURCES = tests/unit/nn_schedule.c
tests_unit_nn_schedule_LDADD = $(test_libs)
tests_unit_memplan_SOURCES = tests/unit/memplan.c
tests_unit_memplan_LDADD = $(test_libs)
tests_unit_params_SOURCES = tests/unit/params.c
tests_unit_params_LDADD = $(test_libs)
TESTS += tests/unit/graph tests/unit/nn_schedule tests/unit/memplan tests/unit/params

# files beside the executable
check_PROGRAMS += tests/unit/place
tests_unit_place_SOURCES = tests/unit/place.c
tests_unit_place_LDADD = $(test_libs)
TESTS += tests/unit/place

# loading a backend's module; the modules it loads, and a library that one of them needs
check_PROGRAMS += tests/unit/module tests/unit/modules/supcon-fits.so tests/unit/modules/supcon-stranger.so \
	tests/unit/modules/supcon-needy.so tests/unit/modules/libraries/libcudnn.so.0
test_module_cflags = $(SUPCON_MODULE_CFLAGS) $(JANSSON_CFLAGS) -fPIC
tests_unit_module_SOURCES = tests/unit/module.c
tests_unit_module_LDADD = $(test_libs)
tests_unit_modules_supcon_fits_so_SOURCES = tests/unit/modules/backend.c
tests_unit_modules_supcon_fits_so_CFLAGS = $(test_module_cflags)
tests_unit_modules_supcon_fits_so_LDFLAGS = -shared
tests_unit_modules_supcon_stranger_so_SOURCES = tests/unit/modules/backend.c
tests_unit_modules_supcon_stranger_so_CPPFLAGS = $(AM_CPPFLAGS) -DSTRANGER
tests_unit_modules_supcon_stranger_so_CFLAGS = $(test_module_cflags)
tests_unit_modules_supcon_stranger_so_LDFLAGS = -shared
tests_unit_modules_supcon_needy_so_SOURCES = tests/unit/modules/backend.c
tests_unit_modules_supcon_needy_so_CPPFLAGS = $(AM_CPPFLAGS) -DNEEDY
tests_unit_modules_supcon_needy_so_CFLAGS = $(test_module_cflags)
tests_unit_modules_supcon_needy_so_LDFLAGS = -shared
tests_unit_modules_supcon_needy_so_LDADD = tests/unit/modules/libraries/libcudnn.so.0
tests_unit_modules_libraries_libcudnn_so_0_SOURCES = tests/unit/modules/library.c
tests_unit_modules_libraries_libcudnn_so_0_CFLAGS = $(test_module_cflags)
tests_unit_modules_libraries_libcudnn_so_0_LDFLAGS = -shared -Wl,-soname,libcudnn.so.0
TESTS += tests/unit/module
check_PROGRAMS += tests/unit/nvml tests/unit/modules/libraries/libnvidia-ml.so.1
tests_unit_nvml_SOURCES = tests/unit/nvml.c
tests_unit_nvml_LDADD = $(test_libs)
tests_unit_modules_libraries_libnvidia_ml_so_1_SOURCES = tests/unit/modules/nvml.c
tests_unit_modules_libraries_libnvidia_ml_so_1_CFLAGS = $(test_module_cflags)
tests_unit_modules_libraries_libnvidia_ml_so_1_LDFLAGS = -shared -Wl,-soname,libnvidia-ml.so.1
TESTS += tests/unit/nvml

# cuDNN's plans for GPUs that are not here
if CUDA
check_PROGRAMS += tests/unit/cuda_plans
tests_unit_cuda_plans_SOURCES = tests/unit/cuda_plans.c src/backend/cuda/check.c src/backend/cuda/cudnn_engine.c \
	src/backend/cuda/cudnn_graph.c src/backend/cuda/plan_cache.c
tests_unit_cuda_plans_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_cuda_plans_LDADD = $(test_libs) $(CUDA_LIBS)
# the same where kernels are compiled, with a stand-in for the driver's library
check_PROGRAMS += tests/unit/cuda_fused tests/unit/modules/libcuda.so.1
tests_unit_cuda_fused_SOURCES = tests/unit/cuda_fused.c src/backend/cuda/check.c src/backend/cuda/cudnn_engine.c \
	src/backend/cuda/cudnn_graph.c src/backend/cuda/plan_cache.c
tests_unit_cuda_fused_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_cuda_fused_LDADD = $(test_libs) $(CUDA_LIBS)
tests_unit_modules_libcuda_so_1_SOURCES = tests/unit/modules/driver.c
tests_unit_modules_libcuda_so_1_CFLAGS = $(test_module_cflags)
tests_unit_modules_libcuda_so_1_LDFLAGS = -shared -Wl,-soname,libcuda.so.1
tests_unit_modules_libcuda_so_1_LDADD =
if !SANITIZED
TESTS += tests/unit/cuda_plans tests/unit/cuda_fused # cuDNN does not free all it takes
endif
endif

# the CUDA kernels' arithmetic
check_PROGRAMS += tests/unit/kernel_math
tests_unit_kernel_math_SOURCES = tests/unit/kernel_math.c
tests_unit_kernel_math_LDADD = $(test_libs)
TESTS += tests/unit/kernel_math

# the CUDA device, emulated
check_PROGRAMS += tests/unit/cuda_device tests/unit/cuda_products
tests_unit_cuda_device_SOURCES = tests/unit/cuda_device.c
tests_unit_cuda_device_LDADD = $(test_libs)
tests_unit_cuda_products_SOURCES = tests/unit/cuda_products.c
tests_unit_cuda_products_LDADD = $(test_libs)
TESTS += tests/unit/cuda_device tests/unit/cuda_products
