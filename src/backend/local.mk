# Files of src/backend/.
libsupcon_a_SOURCES += src/backend/backends.c src/backend/cuda_absent.c src/backend/tuning.c
libsupcon_a_SOURCES += src/backend/cpu/add.c src/backend/cpu/batchnorm.c src/backend/cpu/chunks.c \
	src/backend/cpu/conv.c src/backend/cpu/conv_choose.c src/backend/cpu/conv_pass.c \
	src/backend/cpu/cpu.c src/backend/cpu/dnn.c src/backend/cpu/elementwise.c \
	src/backend/cpu/globalpool.c src/backend/cpu/kernels.c src/backend/cpu/layout.c \
	src/backend/cpu/linear.c src/backend/cpu/memory.c src/backend/cpu/pool.c \
	src/backend/cpu/processor.c src/backend/cpu/relu.c src/backend/cpu/simd_avx2.c \
	src/backend/cpu/simd_avx512.c src/backend/cpu/simd_base.c
libsupcon_a_SOURCES += src/backend/cpu/contrast_avx2.c src/backend/cpu/contrast_avx512.c \
	src/backend/cpu/contrast_base.c src/backend/cpu/contrastive.c src/backend/cpu/l2norm.c \
	src/backend/cpu/traffic.c src/backend/cpu/update.c src/backend/cpu/xent.c
