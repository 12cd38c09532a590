/*
 * Maximum and average pooling by oneDNN. The places of the maxima are kept for the backward pass;
 * an average counts the padding.
 */
#include "backend/cpu/dnn.h"

#include <stdio.h>
#include <stdlib.h>

struct pool {
    dnnl_memory_desc_t x, y;
    struct exec forward, backward;
};

static int init_forward(struct device *dev, struct call *c, struct pool *p, struct err *e)
{
    dnnl_pooling_desc_t d;
    dnnl_dims_t stride = {c->attr.stride, c->attr.stride};
    dnnl_dims_t window = {c->attr.window, c->attr.window};
    dnnl_dims_t pad = {c->attr.pad, c->attr.pad}, far = {0};
    for (int i = 0; i < 2; i++) /* what the last window reaches beyond the image */
        far[i] = (c->out->dim[2 + i] - 1) * stride[i] + window[i] - c->in[0]->dim[2 + i] - pad[i];
    if (DNN(e, dnnl_pooling_forward_desc_init(
                   &d, c->want_backward ? dnnl_forward_training : dnnl_forward_inference,
                   c->op == OP_MAXPOOL ? dnnl_pooling_max : dnnl_pooling_avg_include_padding, &p->x,
                   &p->y, stride, window, pad, far)))
        return -1;
    return exec_init(&p->forward, dev, &d, NULL, "forward", e);
}

static int init_backward(struct device *dev, struct call *c, struct pool *p, struct err *e)
{
    dnnl_pooling_desc_t d;
    dnnl_dims_t stride = {c->attr.stride, c->attr.stride};
    dnnl_dims_t window = {c->attr.window, c->attr.window};
    dnnl_dims_t pad = {c->attr.pad, c->attr.pad}, far = {0};
    for (int i = 0; i < 2; i++)
        far[i] = (c->out->dim[2 + i] - 1) * stride[i] + window[i] - c->in[0]->dim[2 + i] - pad[i];
    if (DNN(e, dnnl_pooling_backward_desc_init(
                   &d, c->op == OP_MAXPOOL ? dnnl_pooling_max : dnnl_pooling_avg_include_padding,
                   &p->x, &p->y, stride, window, pad, far)))
        return -1;
    return exec_init(&p->backward, dev, &d, &p->forward, "backward", e);
}

static size_t max_bytes(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct pool *p = c->impl = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    bool backward = c->want_backward && c->din[0];
    if (dnn_desc(&p->x, c->in[0], e) || dnn_desc(&p->y, c->out, e) || init_forward(dev, c, p, e) ||
        (backward && init_backward(dev, c, p, e)))
        return err_prefix(e, "%s", c->name);
    snprintf(c->algorithm[0], sizeof c->algorithm[0], "%s", exec_name(&p->forward));
    if (backward)
        snprintf(c->algorithm[1], sizeof c->algorithm[1], "%s", exec_name(&p->backward));
    c->saved_bytes = exec_md_bytes(&p->forward, dnnl_query_workspace_md, 0);
    c->workspace_bytes = max_bytes(p->forward.scratchpad_bytes, p->backward.scratchpad_bytes);
    return 0;
}

/* The places of the maxima, where there are any. */
static int bind_places(struct device *dev, struct call *c, struct exec *x, struct err *e)
{
    const struct pool *p = c->impl;
    if (c->saved_bytes == 0)
        return 0;
    return exec_bind(x, dev, DNNL_ARG_WORKSPACE, exec_md(&p->forward, dnnl_query_workspace_md, 0),
                     c->saved, e);
}

static int bind(struct device *dev, struct call *c, struct err *e)
{
    struct pool *p = c->impl;
    struct exec *f = &p->forward, *b = &p->backward;
    if (exec_bind(f, dev, DNNL_ARG_SRC, &p->x, c->in[0]->data, e) ||
        exec_bind(f, dev, DNNL_ARG_DST, &p->y, c->out->data, e) || bind_places(dev, c, f, e) ||
        exec_bind_scratchpad(f, dev, c->workspace, e))
        return -1;
    if (!b->primitive)
        return 0;
    return exec_bind(b, dev, DNNL_ARG_DIFF_DST, &p->y, c->dout->data, e) ||
                   exec_bind(b, dev, DNNL_ARG_DIFF_SRC, &p->x, c->din[0]->data, e) ||
                   bind_places(dev, c, b, e) || exec_bind_scratchpad(b, dev, c->workspace, e)
               ? -1
               : 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    const struct pool *p = c->impl;
    return exec_run(&p->forward, dev, e);
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    const struct pool *p = c->impl;
    return p->backward.primitive ? exec_run(&p->backward, dev, e) : 0;
}

static void done(struct device *dev, struct call *c)
{
    struct pool *p = c->impl;
    (void)dev;
    if (p) {
        exec_done(&p->backward);
        exec_done(&p->forward);
    }
    free(p);
    c->impl = NULL;
}

const struct kernel cpu_pool = {
    .prepare = prepare, .bind = bind, .forward = forward, .backward = backward, .done = done};
