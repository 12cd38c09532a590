/*
 * Fully connected layer, y = x w^T + b, and the ReLU that may follow it, in f32 by cuBLASLt with
 * bias and ReLU as its epilogue. dx = dy w, dw = dy^T x, db = column sums of dy. A ReLU is undone
 * by a copy of y, which is small: the layers are narrow.
 */
#include "backend/cuda/matmul.h"

#include <stdlib.h>

struct linear {
    struct matmul forward, data, weights;
    size_t sum_at, dy_at; /* places within the workspace, behind the products' */
};

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static bool gated(const struct call *c)
{
    return c->attr.relu && c->want_backward;
}

static int init_products(struct device *dev, struct call *c, struct linear *l, struct err *e)
{
    int64_t n = c->in[0]->dim[0], width = c->in[0]->dim[1], k = c->out->dim[1];
    const struct matmul_shape forward = {.rows = n,
                                         .columns = k,
                                         .inner = width,
                                         .b_transposed = true,
                                         .bias = true,
                                         .relu = c->attr.relu},
                              data = {.rows = n, .columns = width, .inner = k},
                              weights = {
                                  .rows = k, .columns = width, .inner = n, .a_transposed = true};
    size_t text = sizeof c->algorithm[0];
    if (matmul_init(&l->forward, dev, &forward, c->algorithm[0], text, e))
        return -1;
    if (c->want_backward && c->din[0] &&
        matmul_init(&l->data, dev, &data, c->algorithm[1], text, e))
        return -1;
    if (c->want_backward && c->din[1] &&
        matmul_init(&l->weights, dev, &weights, c->algorithm[2], text, e))
        return -1;
    return 0;
}

static void reserve(struct call *c, struct linear *l)
{
    const struct matmul *all[] = {&l->forward, &l->data, &l->weights};
    size_t bytes = 0;
    for (int i = 0; i < 3; i++)
        if (all[i]->workspace_bytes > bytes)
            bytes = all[i]->workspace_bytes;
    l->sum_at = aligned(bytes);
    l->dy_at = l->sum_at;
    if (c->want_backward && c->din[2])
        l->dy_at += aligned(k_column_sum_workspace(c->out->dim[0], (int)c->out->dim[1]));
    c->workspace_bytes = l->dy_at;
    if (gated(c)) {
        c->workspace_bytes += c->out->bytes;
        c->saved_bytes = c->out->bytes;
    }
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct linear *l = c->impl = calloc(1, sizeof *l);
    if (!l)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    if (init_products(dev, c, l, e))
        return err_prefix(e, "%s", c->name);
    reserve(c, l);
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    const struct linear *l = c->impl;
    const struct matmul_places at = {.a = c->in[0]->data,
                                     .b = c->in[1]->data,
                                     .bias = c->in[2]->data,
                                     .c = c->out->data,
                                     .workspace = c->workspace};
    if (matmul_run(&l->forward, dev, &at, e))
        return -1;
    return gated(c) ? cuda_copy(dev, c->saved, c->out->data, c->out->bytes, e) : 0;
}

/* dy where y > 0; or dy itself. */
static const float *gate(struct device *dev, struct call *c, const struct linear *l, struct err *e)
{
    float *dy = (float *)((char *)c->workspace + l->dy_at);
    if (!gated(c))
        return c->dout->data;
    return CU(e, k_relu_backward(cuda_of(dev)->compute, 0, tensor_count(c->out), c->saved,
                                 c->dout->data, dy))
               ? NULL
               : dy;
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    const struct linear *l = c->impl;
    const float *dy = gate(dev, c, l, e);
    if (!dy)
        return -1;
    struct matmul_places data = {.a = dy, .b = c->in[1]->data, .workspace = c->workspace};
    struct matmul_places weights = {.a = dy, .b = c->in[0]->data, .workspace = c->workspace};
    if (l->data.product) {
        data.c = c->din[0]->data;
        if (matmul_run(&l->data, dev, &data, e))
            return -1;
    }
    if (l->weights.product) {
        weights.c = c->din[1]->data;
        if (matmul_run(&l->weights, dev, &weights, e))
            return -1;
    }
    if (!c->din[2])
        return 0;
    return CU(e, k_column_sum(cuda_of(dev)->compute, c->out->dim[0], (int)c->out->dim[1], dy,
                              c->din[2]->data, (char *)c->workspace + l->sum_at));
}

static void done(struct device *dev, struct call *c)
{
    struct linear *l = c->impl;
    if (l) {
        matmul_done(&l->weights);
        matmul_done(&l->data);
        matmul_done(&l->forward);
    }
    cuda_done_plain(dev, c);
}

const struct kernel cuda_linear = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
