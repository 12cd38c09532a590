/*
 * Fully connected layer, y = x w^T + b, and the ReLU that may follow it, in f32 by cuBLASLt: bias
 * and ReLU are the epilogue of its product, and where that is faster so are the bits that undo the
 * ReLU and the gradient of the bias (matmul.h). dx = dy w, dw = dy^T x, db = column sums of dy.
 */
#include "backend/cuda/matmul.h"

#include <stdlib.h>

struct linear {
    struct matmul forward, data, weights;
    size_t sums_at, dy_at; /* places within the workspace, behind the products' */
};

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static bool gated(const struct call *c)
{
    return c->attr.relu && c->want_backward;
}

/* The gradient of the bias, if it is wanted and that of the weights is not. */
static bool sums_alone(const struct call *c)
{
    return c->want_backward && c->din[2] && !c->din[1];
}

/* pass: forward, backward-data or backward-weights, as call.algorithm has them. */
static int init_product(struct matmul *m, struct device *dev, struct call *c, int pass,
                        const struct matmul_shape *s, struct err *e)
{
    if (matmul_init(m, dev, s, e))
        return err_prefix(e, "%s", c->name);
    snprintf(c->algorithm[pass], sizeof c->algorithm[pass], "cublasLt %.30s", m->text);
    c->ms[pass] = m->ms;
    return 0;
}

static int init_products(struct device *dev, struct call *c, struct linear *l, struct err *e)
{
    int64_t n = c->in[0]->dim[0], width = c->in[0]->dim[1], k = c->out->dim[1];
    const struct matmul_shape forward = {.rows = n,
                                         .columns = k,
                                         .inner = width,
                                         .b_transposed = true,
                                         .bias = true,
                                         .relu = c->attr.relu,
                                         .undone = gated(c)},
                              data = {.rows = n, .columns = width, .inner = k},
                              weights = {.rows = k,
                                         .columns = width,
                                         .inner = n,
                                         .a_transposed = true,
                                         .sums = c->din[2] != NULL};
    if (init_product(&l->forward, dev, c, 0, &forward, e))
        return -1;
    if (c->want_backward && c->din[0] && init_product(&l->data, dev, c, 1, &data, e))
        return -1;
    if (c->want_backward && c->din[1] && init_product(&l->weights, dev, c, 2, &weights, e))
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
    l->sums_at = aligned(bytes);
    l->dy_at = l->sums_at;
    if (sums_alone(c))
        l->dy_at += aligned(k_column_sum_workspace(c->out->dim[0], (int)c->out->dim[1]));
    c->workspace_bytes = l->dy_at + (gated(c) ? c->out->bytes : 0);
    c->saved_bytes = matmul_kept_bytes(&l->forward);
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct linear *l = c->impl = calloc(1, sizeof *l);
    if (!l)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    if (init_products(dev, c, l, e))
        return -1;
    reserve(c, l);
    return 0;
}

/* dy where the ReLU let pass; or dy itself. */
static float *gated_dy(const struct call *c)
{
    const struct linear *l = c->impl;
    return gated(c) ? (float *)((char *)c->workspace + l->dy_at) : c->dout->data;
}

static int bind_forward(struct call *c, struct err *e)
{
    struct linear *l = c->impl;
    const struct matmul_places at = {.a = c->in[0]->data,
                                     .b = c->in[1]->data,
                                     .bias = c->in[2]->data,
                                     .c = c->out->data,
                                     .kept = c->saved,
                                     .workspace = c->workspace};
    return matmul_bind(&l->forward, &at, e);
}

static int bind(struct device *dev, struct call *c, struct err *e)
{
    struct linear *l = c->impl;
    (void)dev;
    if (bind_forward(c, e))
        return err_prefix(e, "%s", c->name);
    if (!c->want_backward)
        return 0;
    struct matmul_places data = {.a = gated_dy(c), .b = c->in[1]->data, .workspace = c->workspace};
    struct matmul_places weights = {.a = data.a, .b = c->in[0]->data, .workspace = c->workspace};
    if (l->data.product) {
        data.c = c->din[0]->data;
        if (matmul_bind(&l->data, &data, e))
            return err_prefix(e, "%s", c->name);
    }
    if (l->weights.product) {
        weights.c = c->din[1]->data;
        weights.sums = c->din[2] ? c->din[2]->data : NULL;
        if (matmul_bind(&l->weights, &weights, e))
            return err_prefix(e, "%s", c->name);
    }
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    const struct linear *l = c->impl;
    return matmul_run(&l->forward, dev, e);
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    const struct linear *l = c->impl;
    float *dy = gated_dy(c);
    if (gated(c) && matmul_undo_relu(&l->forward, dev, c->dout->data, dy, e))
        return -1;
    if (l->data.product && matmul_run(&l->data, dev, e))
        return -1;
    if (l->weights.product && matmul_run(&l->weights, dev, e))
        return -1;
    if (!sums_alone(c))
        return 0;
    return CU(e, k_column_sum(cuda_of(dev)->compute, c->out->dim[0], (int)c->out->dim[1], dy,
                              c->din[2]->data, (char *)c->workspace + l->sums_at));
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
    .prepare = prepare, .bind = bind, .forward = forward, .backward = backward, .done = done};
