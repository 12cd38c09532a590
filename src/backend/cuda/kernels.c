/* What the CUDA backend can compute, by op. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>

const struct kernel *const cuda_kernels[OP_N] = {
    [OP_CONV] = &cuda_conv,
    [OP_BATCHNORM] = &cuda_batchnorm,
    [OP_RELU] = &cuda_relu,
    [OP_ADD] = &cuda_add,
    [OP_MAXPOOL] = &cuda_maxpool,
    [OP_AVGPOOL] = &cuda_avgpool,
    [OP_GLOBALPOOL] = &cuda_globalpool,
    [OP_LINEAR] = &cuda_linear,
    [OP_L2NORM] = &cuda_l2norm,
    [OP_XENT] = &cuda_xent,
    [OP_CONTRASTIVE] = &cuda_contrastive,
};

void cuda_done_plain(struct device *dev, struct call *c)
{
    (void)dev;
    free(c->impl);
    c->impl = NULL;
}
