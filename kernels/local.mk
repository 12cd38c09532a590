# Files of kernels/: CUDA sources, which nvcc compiles into the CUDA backend's module, for Ampere, for
# Hopper, and as PTX for what comes later. Beside each object lies what the assembler says of its
# kernels' resources.
cuda_kernel_sources = kernels/augment.cu kernels/bias.cu kernels/column_sum.cu kernels/contrast_backward.cu \
	kernels/contrast_forward.cu kernels/contrast_prepare.cu \
	kernels/elementwise.cu kernels/filter.cu kernels/globalpool.cu kernels/judge.cu kernels/l2norm.cu kernels/layout.cu \
	kernels/norm_backward.cu kernels/norm_commit.cu kernels/norm_forward.cu kernels/overlap.cu kernels/pool.cu kernels/update.cu kernels/xent.cu
cuda_objects = $(cuda_kernel_sources:.cu=.o)
EXTRA_DIST += $(cuda_kernel_sources) kernels/kernels.table
CLEANFILES += $(cuda_objects) $(cuda_kernel_sources:.cu=.d) $(cuda_kernel_sources:.cu=.ptxas)

cuda_architectures = -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90]
nvcc_compile = $(NVCC) -std=c++17 -O3 -Xptxas -v -Xcompiler -fPIC,-fvisibility=hidden,-Wall \
	$(cuda_architectures) -I$(top_srcdir)/src -I$(top_srcdir) -D_GNU_SOURCE $(NVCCFLAGS)
AM_V_NVCC = $(am__v_NVCC_@AM_V@)
am__v_NVCC_ = $(am__v_NVCC_@AM_DEFAULT_V@)
am__v_NVCC_0 = @echo "  NVCC    " $@;
am__v_NVCC_1 =
SUFFIXES += .cu
.cu.o:
	@$(MKDIR_P) $(@D)
	$(AM_V_NVCC)$(nvcc_compile) -MMD -MF $*.d -c -o $@ $< >$*.ptxas 2>&1 || { cat $*.ptxas >&2; exit 1; }
-include $(cuda_kernel_sources:.cu=.d)
