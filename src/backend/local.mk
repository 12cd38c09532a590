# Files of src/backend/.
libsupcon_a_SOURCES += src/backend/backends.c src/backend/cuda_module.c src/backend/module.c \
	src/backend/nvml.c src/backend/tuning.c
libsupcon_a_SOURCES += src/backend/cpu/add.c src/backend/cpu/batchnorm.c src/backend/cpu/chunks.c \
	src/backend/cpu/conv.c src/backend/cpu/conv_choose.c src/backend/cpu/conv_pass.c \
	src/backend/cpu/cpu.c src/backend/cpu/dnn.c src/backend/cpu/elementwise.c \
	src/backend/cpu/globalpool.c src/backend/cpu/kernels.c src/backend/cpu/layout.c \
	src/backend/cpu/linear.c src/backend/cpu/memory.c src/backend/cpu/peak.c \
	src/backend/cpu/pool.c \
	src/backend/cpu/processor.c src/backend/cpu/relu.c src/backend/cpu/simd_avx2.c \
	src/backend/cpu/simd_avx512.c src/backend/cpu/simd_base.c
libsupcon_a_SOURCES += src/backend/cpu/contrast_avx2.c src/backend/cpu/contrast_avx512.c \
	src/backend/cpu/contrast_base.c src/backend/cpu/contrastive.c src/backend/cpu/l2norm.c \
	src/backend/cpu/traffic.c src/backend/cpu/update.c src/backend/cpu/xent.c

# The CUDA backend: a shared object that the program loads. Its kernels are nvcc's.
cuda_sources = src/backend/cuda/aside.c src/backend/cuda/batchnorm.c src/backend/cuda/check.c src/backend/cuda/contrastive.c \
	src/backend/cuda/conv.c src/backend/cuda/conv_choose.c src/backend/cuda/cudnn_engine.c \
	src/backend/cuda/cudnn_graph.c src/backend/cuda/device.c src/backend/cuda/elementwise.c \
	src/backend/cuda/globalpool.c src/backend/cuda/kernels.c src/backend/cuda/l2norm.c \
	src/backend/cuda/letters.c src/backend/cuda/linear.c src/backend/cuda/matmul.c \
	src/backend/cuda/matmul_algorithm.c src/backend/cuda/matmul_choose.c \
	src/backend/cuda/memory.c src/backend/cuda/multi.c src/backend/cuda/peak.c src/backend/cuda/plan_cache.c \
	src/backend/cuda/pool.c \
	src/backend/cuda/race.c \
	src/backend/cuda/record.c src/backend/cuda/transfer.c src/backend/cuda/update.c src/backend/cuda/xent.c
EXTRA_DIST += $(cuda_sources)
moduledir = $(pkglibdir)
module_DATA =
if CUDA
noinst_PROGRAMS = supcon-cuda.so
module_DATA += supcon-cuda.so
supcon_cuda_so_SOURCES = $(cuda_sources)
supcon_cuda_so_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
supcon_cuda_so_CFLAGS = $(SUPCON_MODULE_CFLAGS) -fPIC -fvisibility=hidden
supcon_cuda_so_LDFLAGS = -shared -Wl,--exclude-libs,ALL
supcon_cuda_so_LDADD = $(cuda_objects) $(CUDA_LIBS) -lstdc++ -lm
supcon_cuda_so_DEPENDENCIES = $(cuda_objects)
endif
