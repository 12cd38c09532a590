/* Rows of length one. */
#include "backend/cuda/cuda.h"

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)c;
    (void)e;
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    const int64_t *dim = c->in[0]->dim;
    return CU(e,
              k_l2norm(cuda_of(dev)->compute, dim[0], (int)dim[1], c->in[0]->data, c->out->data));
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    const int64_t *dim = c->in[0]->dim;
    if (!c->din[0])
        return 0;
    return CU(e, k_l2norm_backward(cuda_of(dev)->compute, dim[0], (int)dim[1], c->in[0]->data,
                                   c->out->data, c->dout->data, c->din[0]->data));
}

const struct kernel cuda_l2norm = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = cuda_done_plain};
