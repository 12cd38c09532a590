/* Global average pooling: an activation [N,C,H,W] to plain f32 [N,C]. */
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
    struct k_map m = cuda_map(c->in[0]);
    return CU(e, k_globalpool(cuda_of(dev)->compute, &m, c->in[0]->data, c->out->data));
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    struct k_map m = cuda_map(c->in[0]);
    if (!c->din[0])
        return 0;
    return CU(e, k_globalpool_backward(cuda_of(dev)->compute, &m, c->dout->data, c->din[0]->data));
}

const struct kernel cuda_globalpool = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = cuda_done_plain};
