/* What the CPU backend can compute, by op. */
#include "backend/cpu/cpu.h"

const struct kernel *const cpu_kernels[OP_N] = {
    [OP_CONV] = &cpu_conv,
    [OP_BATCHNORM] = &cpu_batchnorm,
    [OP_RELU] = &cpu_relu,
    [OP_ADD] = &cpu_add,
    [OP_MAXPOOL] = &cpu_pool,
    [OP_AVGPOOL] = &cpu_pool,
    [OP_GLOBALPOOL] = &cpu_globalpool,
    [OP_LINEAR] = &cpu_linear,
    [OP_L2NORM] = &cpu_l2norm,
    [OP_XENT] = &cpu_xent,
    [OP_CONTRASTIVE] = &cpu_contrastive,
};
