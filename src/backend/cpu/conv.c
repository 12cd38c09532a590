/*
 * Convolution: shapes and places of its operands, and up to three passes (conv_pass.c) whose
 * algorithms are chosen by timing (conv_choose.c). A gradient that nobody wants is not computed:
 * the first layer has no backward-data pass, a frozen one no backward-weights pass.
 */
#include "backend/cpu/conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conv {
    struct conv_shape shape;
    struct conv_pass pass[N_PASSES];
};

static bool wanted(const struct call *c, enum pass pass)
{
    if (pass == PASS_FORWARD)
        return true;
    if (!c->want_backward)
        return false;
    return pass == PASS_DATA ? c->din[0] != NULL : c->din[1] || (c->n_in > 2 && c->din[2]);
}

static int init_shape(struct conv_shape *s, const struct call *c, struct err *e)
{
    s->has_bias = c->n_in > 2;
    s->training = c->want_backward;
    s->stride = c->attr.stride;
    s->pad = c->attr.pad;
    if (dnn_desc(&s->md[OPERAND_X], c->in[0], e) || dnn_desc(&s->md[OPERAND_Y], c->out, e) ||
        dnn_plain(&s->md[OPERAND_W], 4, c->in[1]->dim, e))
        return -1;
    return s->has_bias ? dnn_plain(&s->bias, 1, c->in[2]->dim, e) : 0;
}

/* "cpu AMD EPYC ...|f32|conv forward|x 64x3x32x32 w 64x3x3x3 stride 1 pad 1" */
static void make_key(char *out, size_t size, const struct device *dev, const struct call *c,
                     enum pass pass)
{
    const int64_t *x = c->in[0]->dim, *w = c->in[1]->dim;
    snprintf(out, size,
             "%s|%s|conv %s|x %lldx%lldx%lldx%lld w %lldx%lldx%lldx%lld stride %d pad %d%s",
             cpu_of(dev)->tuning_prefix, dtype_name(c->in[0]->dtype), conv_pass_names[pass],
             (long long)x[0], (long long)x[1], (long long)x[2], (long long)x[3], (long long)w[0],
             (long long)w[1], (long long)w[2], (long long)w[3], c->attr.stride, c->attr.pad,
             c->n_in > 2 ? " bias" : "");
}

static int prepare_pass(struct device *dev, struct call *c, struct conv *conv, enum pass pass,
                        struct err *e)
{
    char key[384];
    struct conv_pass *p = &conv->pass[pass];
    make_key(key, sizeof key, dev, c, pass);
    if (conv_pass_choose(p, dev, &conv->shape, pass, key, &c->ms[pass], e))
        return err_prefix(e, "%s: %s", c->name, conv_pass_names[pass]);
    const char *algorithm = tuning_get(dev->tuning, key, NULL);
    snprintf(c->algorithm[pass], sizeof c->algorithm[pass], "%s %s", algorithm,
             exec_name(&p->main));
    size_t *scratch = &c->scratch_bytes[pass != PASS_FORWARD];
    if (p->workspace_bytes > *scratch)
        *scratch = p->workspace_bytes;
    return 0;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct conv *conv = c->impl = calloc(1, sizeof *conv);
    if (!conv)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    if (init_shape(&conv->shape, c, e))
        return err_prefix(e, "%s", c->name);
    for (int pass = 0; pass < N_PASSES; pass++)
        if (wanted(c, (enum pass)pass) && prepare_pass(dev, c, conv, (enum pass)pass, e))
            return -1;
    return 0;
}

static void *data_of(const struct tensor *t)
{
    return t ? t->data : NULL;
}

static int bind(struct device *dev, struct call *c, struct err *e)
{
    struct conv *conv = c->impl;
    bool has_bias = c->n_in > 2;
    void *x = c->in[0]->data, *x_again = c->bin[0] ? c->bin[0]->data : x, *w = c->in[1]->data,
         *b = has_bias ? c->in[2]->data : NULL;
    void *dx = data_of(c->din[0]), *dw = data_of(c->din[1]), *dy = data_of(c->dout);
    void *db = has_bias ? data_of(c->din[2]) : NULL;
    const struct conv_places places[N_PASSES] = {
        [PASS_FORWARD] = {{x, w, c->out->data}, b, c->scratch[0]},
        [PASS_DATA] = {{dx, w, dy}, NULL, c->scratch[1]},
        [PASS_WEIGHTS] = {{x_again, dw, dy}, db, c->scratch[1]},
    };
    cpu_scratch_drop(dev); /* every choice has been made */
    for (int pass = 0; pass < N_PASSES; pass++)
        if (conv->pass[pass].main.primitive &&
            conv_pass_bind(&conv->pass[pass], dev, &conv->shape, &places[pass], e))
            return err_prefix(e, "%s", c->name);
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    struct conv *conv = c->impl;
    return conv_pass_run(&conv->pass[PASS_FORWARD], dev, e);
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    struct conv *conv = c->impl;
    for (int pass = PASS_DATA; pass < N_PASSES; pass++)
        if (conv->pass[pass].main.primitive && conv_pass_run(&conv->pass[pass], dev, e))
            return -1;
    return 0;
}

static void done(struct device *dev, struct call *c)
{
    struct conv *conv = c->impl;
    (void)dev;
    for (int pass = 0; conv && pass < N_PASSES; pass++)
        conv_pass_done(&conv->pass[pass]);
    free(conv);
    c->impl = NULL;
}

const struct kernel cpu_conv = {
    .prepare = prepare, .bind = bind, .forward = forward, .backward = backward, .done = done};
