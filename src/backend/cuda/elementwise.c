/*
 * ReLU, and the sum of two activations with the ReLU that may follow it. A lone ReLU goes backward
 * by its output, a fused one by one bit per element; both gradients of a sum are the same numbers,
 * written twice.
 */
#include "backend/cuda/cuda.h"

static int is_bf16(const struct tensor *t)
{
    return t->dtype == DT_BF16;
}

/* --- relu ------------------------------------------------------------------------------------- */

static int prepare_relu(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)c;
    (void)e;
    return 0;
}

static int forward_relu(struct device *dev, struct call *c, struct err *e)
{
    return CU(e, k_relu(cuda_of(dev)->compute, is_bf16(c->out), cuda_stored(c->out), c->in[0]->data,
                        c->out->data));
}

static int backward_relu(struct device *dev, struct call *c, struct err *e)
{
    if (!c->din[0])
        return 0;
    return CU(e, k_relu_backward(cuda_of(dev)->compute, is_bf16(c->out), cuda_stored(c->out),
                                 c->out->data, c->dout->data, c->din[0]->data));
}

/* --- add -------------------------------------------------------------------------------------- */

static bool keeps_mask(const struct call *c)
{
    return c->want_backward && c->attr.relu;
}

static int prepare_add(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)e;
    if (keeps_mask(c))
        c->saved_bytes = (size_t)((cuda_stored(c->out) + 31) / 32) * sizeof(uint32_t);
    return 0;
}

static int forward_add(struct device *dev, struct call *c, struct err *e)
{
    return CU(e,
              k_add(cuda_of(dev)->compute, is_bf16(c->out), c->attr.relu, cuda_stored(c->out),
                    c->in[0]->data, c->in[1]->data, c->out->data, keeps_mask(c) ? c->saved : NULL));
}

static int backward_add(struct device *dev, struct call *c, struct err *e)
{
    for (int i = 0; i < 2; i++) {
        if (!c->din[i])
            continue;
        int rc = keeps_mask(c)
                     ? CU(e, k_mask(cuda_of(dev)->compute, is_bf16(c->out), cuda_stored(c->out),
                                    c->dout->data, c->saved, c->din[i]->data))
                     : cuda_copy(dev, c->din[i]->data, c->dout->data, c->dout->bytes, e);
        if (rc)
            return rc;
    }
    return 0;
}

const struct kernel cuda_relu = {.prepare = prepare_relu,
                                 .forward = forward_relu,
                                 .backward = backward_relu,
                                 .done = cuda_done_plain};

const struct kernel cuda_add = {.prepare = prepare_add,
                                .forward = forward_add,
                                .backward = backward_add,
                                .done = cuda_done_plain};
