/* Maximum and average pooling. The maximum keeps where it was found, one byte per output. */
#include "backend/cuda/cuda.h"

static struct k_pool pool_of(const struct call *c)
{
    return (struct k_pool){.in = cuda_map(c->in[0]),
                           .out = cuda_map(c->out),
                           .window = c->attr.window,
                           .stride = c->attr.stride,
                           .pad = c->attr.pad};
}

static int prepare_max(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    if (c->attr.window > 15)
        return err_set(e, EXIT_UNAVAILABLE, "%s: a window of %d; the CUDA backend has up to 15",
                       c->name, c->attr.window);
    c->saved_bytes = (size_t)cuda_stored(c->out);
    return 0;
}

static int forward_max(struct device *dev, struct call *c, struct err *e)
{
    struct k_pool p = pool_of(c);
    return CU(e, k_maxpool(cuda_of(dev)->compute, &p, c->in[0]->data, c->out->data, c->saved));
}

static int backward_max(struct device *dev, struct call *c, struct err *e)
{
    struct k_pool p = pool_of(c);
    if (!c->din[0])
        return 0;
    return CU(
        e, k_maxpool_backward(cuda_of(dev)->compute, &p, c->dout->data, c->saved, c->din[0]->data));
}

static int prepare_average(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)c;
    (void)e;
    return 0;
}

static int forward_average(struct device *dev, struct call *c, struct err *e)
{
    struct k_pool p = pool_of(c);
    return CU(e, k_avgpool(cuda_of(dev)->compute, &p, c->in[0]->data, c->out->data));
}

static int backward_average(struct device *dev, struct call *c, struct err *e)
{
    struct k_pool p = pool_of(c);
    if (!c->din[0])
        return 0;
    return CU(e, k_avgpool_backward(cuda_of(dev)->compute, &p, c->dout->data, c->din[0]->data));
}

const struct kernel cuda_maxpool = {.prepare = prepare_max,
                                    .forward = forward_max,
                                    .backward = backward_max,
                                    .done = cuda_done_plain};

const struct kernel cuda_avgpool = {.prepare = prepare_average,
                                    .forward = forward_average,
                                    .backward = backward_average,
                                    .done = cuda_done_plain};
