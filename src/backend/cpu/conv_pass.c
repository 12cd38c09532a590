/*
 * One pass of a convolution; see conv.h. Every operand has a place outside (the tensor) and a form
 * the primitive wants inside; where the two differ, a reorder before (inputs) or after (outputs)
 * converts through the workspace. So weights stay plain f32 in the parameter store, and an
 * algorithm may compute in another type than the activations have.
 */
#include "backend/cpu/conv.h"

#include <stdio.h>
#include <string.h>

const char *const conv_pass_names[N_PASSES] = {"forward", "backward-data", "backward-weights"};

const struct conv_algorithm conv_algorithms[] = {
    {"direct", dnnl_convolution_direct, false},
    {"winograd", dnnl_convolution_winograd, false},
    {"winograd-f32", dnnl_convolution_winograd, true},
    {NULL, dnnl_alg_kind_undef, false},
};

/* How oneDNN names the operands of each pass. */
static const struct role {
    int arg;
    dnnl_query_t query;
} roles[N_PASSES][N_OPERANDS] = {
    [PASS_FORWARD] = {{DNNL_ARG_SRC, dnnl_query_src_md},
                      {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
                      {DNNL_ARG_DST, dnnl_query_dst_md}},
    [PASS_DATA] = {{DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md},
                   {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
                   {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md}},
    [PASS_WEIGHTS] = {{DNNL_ARG_SRC, dnnl_query_src_md},
                      {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md},
                      {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md}},
};
static const enum operand results[N_PASSES] = {OPERAND_Y, OPERAND_X, OPERAND_W};

static int describe(dnnl_convolution_desc_t *d, const struct conv_shape *s, enum pass pass,
                    const struct conv_algorithm *a, struct err *e)
{
    bool bf16 = s->md[OPERAND_X].data_type == dnnl_bf16 && !a->f32;
    dnnl_memory_desc_t x = s->md[OPERAND_X], y = s->md[OPERAND_Y];
    dnnl_memory_desc_t w =
        dnn_any(&s->md[OPERAND_W], bf16 && pass != PASS_WEIGHTS ? dnnl_bf16 : dnnl_f32);
    dnnl_dims_t strides = {s->stride, s->stride}, pad = {s->pad, s->pad};
    if (a->f32) {
        x.data_type = y.data_type = dnnl_f32;
    }
    if (pass == PASS_FORWARD)
        return DNN(e, dnnl_convolution_forward_desc_init(
                          d, s->training ? dnnl_forward_training : dnnl_forward_inference, a->kind,
                          &x, &w, s->has_bias ? &s->bias : NULL, &y, strides, pad, pad));
    if (pass == PASS_DATA)
        return DNN(
            e, dnnl_convolution_backward_data_desc_init(d, a->kind, &x, &w, &y, strides, pad, pad));
    return DNN(e, dnnl_convolution_backward_weights_desc_init(
                      d, a->kind, &x, &w, s->has_bias ? &s->bias : NULL, &y, strides, pad, pad));
}

static size_t reserve(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 63) / 64 * 64;
    return at;
}

static int init_operand(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                        enum operand o, struct err *e)
{
    dnnl_query_t query = roles[p->pass][o].query;
    const dnnl_memory_desc_t *inside = exec_md(&p->main, query, 0), *outside = &s->md[o];
    bool result = results[p->pass] == o;
    p->at[o] = reserve(&p->workspace_bytes, exec_md_bytes(&p->main, query, 0));
    if (dnnl_memory_desc_equal(inside, outside)) {
        if (o != OPERAND_W) /* an unwanted weight gradient still needs a place */
            p->workspace_bytes = p->at[o];
        return 0;
    }
    return exec_init_reorder(&p->convert[o], dev, result ? inside : outside,
                             result ? outside : inside, e);
}

int conv_pass_init(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                   enum pass pass, const struct conv_algorithm *a, const struct exec *hint,
                   struct err *e)
{
    dnnl_convolution_desc_t d;
    memset(p, 0, sizeof *p);
    p->pass = pass;
    int rc = describe(&d, s, pass, a, e);
    if (rc == 0)
        rc = exec_init(&p->main, dev, &d, hint, a->name, e);
    size_t scratchpad = rc ? 0 : p->main.scratchpad_bytes;
    for (int o = 0; rc == 0 && o < N_OPERANDS; o++)
        rc = init_operand(p, dev, s, (enum operand)o, e);
    for (int o = 0; o < N_OPERANDS; o++) /* one after the other, so they share */
        if (p->convert[o].scratchpad_bytes > scratchpad)
            scratchpad = p->convert[o].scratchpad_bytes;
    p->scratchpad_at = reserve(&p->workspace_bytes, scratchpad);
    if (rc)
        conv_pass_done(p);
    return rc;
}

void conv_pass_done(struct conv_pass *p)
{
    for (int o = 0; o < N_OPERANDS; o++)
        exec_done(&p->convert[o]);
    exec_done(&p->main);
}

static int bind_operand(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                        enum operand o, const struct conv_places *at, struct err *e)
{
    const struct role *role = &roles[p->pass][o];
    const dnnl_memory_desc_t *inside = exec_md(&p->main, role->query, 0);
    struct exec *convert = &p->convert[o];
    void *outside = at->operand[o], *within = (char *)at->workspace + p->at[o];
    if (!outside || !convert->primitive)
        return exec_bind(&p->main, dev, role->arg, inside, outside ? outside : within, e);
    bool result = results[p->pass] == o;
    if (exec_bind(&p->main, dev, role->arg, inside, within, e) ||
        exec_bind(convert, dev, result ? DNNL_ARG_FROM : DNNL_ARG_TO, inside, within, e) ||
        exec_bind(convert, dev, result ? DNNL_ARG_TO : DNNL_ARG_FROM, &s->md[o], outside, e))
        return -1;
    return exec_bind_scratchpad(convert, dev, (char *)at->workspace + p->scratchpad_at, e);
}

static void unbind(struct conv_pass *p)
{
    exec_unbind(&p->main);
    for (int o = 0; o < N_OPERANDS; o++)
        exec_unbind(&p->convert[o]);
}

int conv_pass_bind(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                   const struct conv_places *at, struct err *e)
{
    unbind(p);
    for (int o = 0; o < N_OPERANDS; o++)
        if (bind_operand(p, dev, s, (enum operand)o, at, e))
            return -1;
    if (s->has_bias && p->pass != PASS_DATA &&
        exec_bind(&p->main, dev, p->pass == PASS_FORWARD ? DNNL_ARG_BIAS : DNNL_ARG_DIFF_BIAS,
                  &s->bias, at->bias, e))
        return -1;
    return exec_bind_scratchpad(&p->main, dev, (char *)at->workspace + p->scratchpad_at, e);
}

int conv_pass_run(const struct conv_pass *p, const struct device *dev, struct err *e)
{
    enum operand result = results[p->pass];
    for (int o = 0; o < N_OPERANDS; o++)
        if (o != (int)result && p->convert[o].n && exec_run(&p->convert[o], dev, e))
            return -1;
    if (exec_run(&p->main, dev, e))
        return -1;
    return p->convert[result].n ? exec_run(&p->convert[result], dev, e) : 0;
}
