# Files of tests/emu/: the CUDA backend on the CPU. Its own sources, the kernels compiled as C++, and an emulation of the
# CUDA runtime, cuBLASLt and cuDNN instead of the libraries make another supcon-cuda.so. Needs the toolkit's headers.
emu_sources = tests/emu/cublaslt.cpp tests/emu/cublaslt_algorithm.cpp tests/emu/cuda_emulation.cpp \
	tests/emu/cudart.cpp tests/emu/cudnn.cpp \
	tests/emu/cudnn_attribute.cpp tests/emu/cudnn_convolution.cpp tests/emu/cudnn_program.cpp tests/emu/fiber.cpp \
	tests/emu/stream.cpp
emu_headers = tests/emu/cublaslt_emulation.h tests/emu/cuda_emulation.h tests/emu/cuda_intrinsics.h \
	tests/emu/cudnn_emulation.h tests/emu/fiber.h tests/emu/stream.h
emu_module = tests/emu/supcon-cuda.so
emu_objects = $(emu_sources:.cpp=.emu) $(cuda_kernel_sources:.cu=.emu)
EXTRA_DIST += $(emu_sources) $(emu_headers) tests/emu/selftest.cpp
dist_check_SCRIPTS += tests/emu/golden.sh tests/emu/lost.sh tests/emu/ops.sh tests/emu/selftest.sh tests/emu/train.sh
TESTS += tests/emu/golden.sh tests/emu/lost.sh tests/emu/ops.sh tests/emu/selftest.sh tests/emu/train.sh
CLEANFILES += $(emu_objects) $(emu_objects:.emu=.emu.d) tests/emu/selftest.emu tests/emu/selftest.emu.d tests/emu/selftest

emu_compile = $(CC) -x c++ -std=c++17 -DSUPCON_CUDA_EMULATION -D_GNU_SOURCE -fPIC $(CUDA_CPPFLAGS) -I$(top_srcdir)/tests/emu \
	-I$(top_srcdir)/src -I$(top_srcdir) $(CFLAGS) -ffp-contract=off \
	`echo '$(SUPCON_MODULE_CFLAGS)' | $(SED) 's/-std=[^ ]*//; s/-W[a-z]*-prototypes//g; s/-Wvla//; s/-Wshadow//'` -Wno-unknown-pragmas -Wno-maybe-uninitialized
AM_V_EMU = $(am__v_EMU_@AM_V@)
am__v_EMU_ = $(am__v_EMU_@AM_DEFAULT_V@)
am__v_EMU_0 = @echo "  EMU     " $@;
am__v_EMU_1 =
SUFFIXES += .emu .cpp
.cu.emu:
	@$(MKDIR_P) $(@D)
	$(AM_V_EMU)$(emu_compile) -MMD -MF $@.d -c -o $@ $<
.cpp.emu:
	@$(MKDIR_P) $(@D)
	$(AM_V_EMU)$(emu_compile) -MMD -MF $@.d -c -o $@ $<
-include $(emu_objects:.emu=.emu.d) tests/emu/selftest.emu.d

if CUDA
check_DATA = $(emu_module) tests/emu/selftest
EXTRA_PROGRAMS = $(emu_module)
CLEANFILES += $(emu_module)
tests_emu_supcon_cuda_so_SOURCES = $(cuda_sources)
tests_emu_supcon_cuda_so_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_emu_supcon_cuda_so_CFLAGS = $(SUPCON_MODULE_CFLAGS) -fPIC -fvisibility=hidden
tests_emu_supcon_cuda_so_LDFLAGS = -shared
tests_emu_supcon_cuda_so_LDADD = $(emu_objects) -lstdc++ -lm
tests_emu_supcon_cuda_so_DEPENDENCIES = $(emu_objects)

# The emulation itself: its errors are found, its orders differ, its streams wait.
emu_core = tests/emu/cuda_emulation.emu tests/emu/cudart.emu tests/emu/fiber.emu tests/emu/stream.emu
tests/emu/selftest: tests/emu/selftest.emu $(emu_core)
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(SUPCON_CFLAGS) $(LDFLAGS) -o $@ tests/emu/selftest.emu $(emu_core) -lstdc++ -lm
endif
EXTRA_DIST += tests/emu/absent.sh

# The kernels' launchers against plain loops; needs nothing of the backend.
kernels_test_sources = tests/emu/kernels_augment.cpp tests/emu/kernels_flat.cpp tests/emu/kernels_layout.cpp \
	tests/emu/kernels_main.cpp tests/emu/kernels_maps.cpp tests/emu/kernels_norm.cpp tests/emu/kernels_pools.cpp \
	tests/emu/kernels_rows.cpp
kernels_test_objects = $(kernels_test_sources:.cpp=.emu) $(cuda_kernel_sources:.cu=.emu)
EXTRA_DIST += $(kernels_test_sources) tests/emu/kernels_test.h
TESTS += tests/emu/kernels
CLEANFILES += $(kernels_test_sources:.cpp=.emu) $(kernels_test_sources:.cpp=.emu.d) tests/emu/kernels
-include $(kernels_test_sources:.cpp=.emu.d)
if CUDA
tests/emu/kernels: $(kernels_test_objects) $(emu_core) libsupcon.a
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(SUPCON_CFLAGS) $(LDFLAGS) -o $@ $(kernels_test_objects) $(emu_core) libsupcon.a \
		$(supcon_libs) $(LIBS) -lstdc++ -lm
else
tests/emu/kernels: tests/emu/absent.sh
	@$(MKDIR_P) $(@D)
	cp $(srcdir)/tests/emu/absent.sh $@
endif

# The contrastive loss: every method, sizes that the op cases do not reach.
contrast_test_objects = tests/emu/contrast.emu kernels/contrast_backward.emu kernels/contrast_forward.emu \
	kernels/contrast_prepare.emu
EXTRA_DIST += tests/emu/contrast.cpp
TESTS += tests/emu/contrast
CLEANFILES += tests/emu/contrast.emu tests/emu/contrast.emu.d tests/emu/contrast
-include tests/emu/contrast.emu.d
if CUDA
tests/emu/contrast: $(contrast_test_objects) $(emu_core)
	$(AM_V_CCLD)$(CC) $(CFLAGS) $(SUPCON_CFLAGS) $(LDFLAGS) -o $@ $(contrast_test_objects) $(emu_core) -lstdc++ -lm
else
tests/emu/contrast: tests/emu/absent.sh
	@$(MKDIR_P) $(@D)
	cp $(srcdir)/tests/emu/absent.sh $@
endif
