/*
 * Fully connected layer, y = x w^T + b, and the ReLU that may follow it, as oneDNN inner products
 * in plain f32 layouts. Small beside the convolutions.
 */
#include "backend/cpu/dnn.h"
#include "backend/cpu/memory.h"
#include "backend/cpu/simd.h"

#include <stdio.h>
#include <stdlib.h>

struct linear {
    dnnl_memory_desc_t x, w, b, y;
    struct exec forward, data, weights;
    size_t dy_at; /* the gated gradient of y within the workspace */
};

static int init_forward(struct device *dev, struct call *c, struct linear *l, struct err *e)
{
    dnnl_inner_product_desc_t d;
    dnnl_prop_kind_t kind = c->want_backward ? dnnl_forward_training : dnnl_forward_inference;
    if (DNN(e, dnnl_inner_product_forward_desc_init(&d, kind, &l->x, &l->w, &l->b, &l->y)))
        return -1;
    return exec_init(&l->forward, dev, &d, NULL, "forward", e);
}

static int init_data(struct device *dev, struct linear *l, struct err *e)
{
    dnnl_inner_product_desc_t d;
    if (DNN(e, dnnl_inner_product_backward_data_desc_init(&d, &l->x, &l->w, &l->y)))
        return -1;
    return exec_init(&l->data, dev, &d, &l->forward, "backward-data", e);
}

static int init_weights(struct device *dev, struct linear *l, struct err *e)
{
    dnnl_inner_product_desc_t d;
    if (DNN(e, dnnl_inner_product_backward_weights_desc_init(&d, &l->x, &l->w, &l->b, &l->y)))
        return -1;
    return exec_init(&l->weights, dev, &d, &l->forward, "backward-weights", e);
}

static void describe(struct call *c, const struct linear *l)
{
    const struct exec *pass[3] = {&l->forward, &l->data, &l->weights};
    size_t scratchpad = 0;
    for (int i = 0; i < 3; i++)
        if (pass[i]->primitive) {
            snprintf(c->algorithm[i], sizeof c->algorithm[i], "%s", exec_name(pass[i]));
            if (pass[i]->scratchpad_bytes > scratchpad)
                scratchpad = pass[i]->scratchpad_bytes;
        }
    c->workspace_bytes = (scratchpad + 63) / 64 * 64;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct linear *l = c->impl = calloc(1, sizeof *l);
    if (!l)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    if (dnn_desc(&l->x, c->in[0], e) || dnn_plain(&l->w, 2, c->in[1]->dim, e) ||
        dnn_plain(&l->b, 1, c->in[2]->dim, e) || dnn_desc(&l->y, c->out, e) ||
        init_forward(dev, c, l, e) || (c->want_backward && c->din[0] && init_data(dev, l, e)) ||
        (c->want_backward && c->din[1] && init_weights(dev, l, e)))
        return err_prefix(e, "%s", c->name);
    describe(c, l);
    if (c->want_backward && c->attr.relu) {
        c->saved_bytes = (size_t)mask_bytes(tensor_count(c->out));
        l->dy_at = c->workspace_bytes;
        c->workspace_bytes += c->out->bytes;
    }
    return 0;
}

static int bind_backward(struct device *dev, struct call *c, struct linear *l, struct err *e)
{
    void *dy = c->attr.relu ? (char *)c->workspace + l->dy_at : c->dout->data;
    struct exec *d = &l->data, *w = &l->weights;
    if (d->primitive && (exec_bind(d, dev, DNNL_ARG_DIFF_DST, &l->y, dy, e) ||
                         exec_bind(d, dev, DNNL_ARG_WEIGHTS, &l->w, c->in[1]->data, e) ||
                         exec_bind(d, dev, DNNL_ARG_DIFF_SRC, &l->x, c->din[0]->data, e) ||
                         exec_bind_scratchpad(d, dev, c->workspace, e)))
        return -1;
    if (w->primitive && (exec_bind(w, dev, DNNL_ARG_DIFF_DST, &l->y, dy, e) ||
                         exec_bind(w, dev, DNNL_ARG_SRC, &l->x, c->in[0]->data, e) ||
                         exec_bind(w, dev, DNNL_ARG_DIFF_WEIGHTS, &l->w, c->din[1]->data, e) ||
                         exec_bind(w, dev, DNNL_ARG_DIFF_BIAS, &l->b, c->din[2]->data, e) ||
                         exec_bind_scratchpad(w, dev, c->workspace, e)))
        return -1;
    return 0;
}

static int bind(struct device *dev, struct call *c, struct err *e)
{
    struct linear *l = c->impl;
    struct exec *f = &l->forward;
    if (exec_bind(f, dev, DNNL_ARG_SRC, &l->x, c->in[0]->data, e) ||
        exec_bind(f, dev, DNNL_ARG_WEIGHTS, &l->w, c->in[1]->data, e) ||
        exec_bind(f, dev, DNNL_ARG_BIAS, &l->b, c->in[2]->data, e) ||
        exec_bind(f, dev, DNNL_ARG_DST, &l->y, c->out->data, e) ||
        exec_bind_scratchpad(f, dev, c->workspace, e))
        return -1;
    return c->want_backward ? bind_backward(dev, c, l, e) : 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    const struct linear *l = c->impl;
    float *y = c->out->data;
    if (exec_run(&l->forward, dev, e))
        return -1;
    if (c->attr.relu)
        cpu_of(dev)->simd->add[0](y, NULL, y, c->want_backward ? c->saved : NULL, true,
                                  tensor_count(c->out));
    return 0;
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    const struct linear *l = c->impl;
    if (c->attr.relu)
        cpu_of(dev)->simd->gate[0](c->dout->data, c->saved, (char *)c->workspace + l->dy_at,
                                   tensor_count(c->out));
    if (l->data.primitive && exec_run(&l->data, dev, e))
        return -1;
    return l->weights.primitive ? exec_run(&l->weights, dev, e) : 0;
}

static void done(struct device *dev, struct call *c)
{
    struct linear *l = c->impl;
    (void)dev;
    if (l) {
        exec_done(&l->weights);
        exec_done(&l->data);
        exec_done(&l->forward);
    }
    free(l);
    c->impl = NULL;
}

const struct kernel cpu_linear = {
    .prepare = prepare, .bind = bind, .forward = forward, .backward = backward, .done = done};
