/*
 * Convolution: shapes and places of its operands, and up to three passes by cuDNN whose plans are
 * chosen by timing (conv_choose.c). The packed weights are made once per step and serve the forward
 * pass and the gradient of the data; the gradient of the weights is unpacked into the store; all
 * layers of a plan do both together (multi.h), and the gradients of the weights run aside
 * (aside.c). A gradient that nobody wants is not computed.
 */
#include "backend/cuda/conv.h"
#include "backend/cuda/multi.h"

#include <stdlib.h>

struct conv {
    struct dnn_shape shape;
    struct conv_pass_plan pass[N_CONV_PASSES];
    struct k_filter filter;
    size_t sums_at;                                /* within saved */
    size_t dw_at, bias_at, plan_at[N_CONV_PASSES]; /* places: of the packed gradient of the weights,
                                       see gradient(); the others within the scratch of the backward
                                       pass */
};

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static bool wanted(const struct call *c, enum conv_pass pass)
{
    if (pass == CONV_FORWARD)
        return true;
    return c->want_backward && c->din[pass == CONV_DATA ? 0 : 1];
}

static bool bias_wanted(const struct call *c)
{
    return c->n_in > 2 && c->want_backward && c->din[2];
}

static void init_shape(struct conv *v, const struct call *c)
{
    struct k_map x = cuda_map(c->in[0]), y = cuda_map(c->out);
    const int64_t *w = c->in[1]->dim;
    cudnnDataType_t type = x.bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    v->shape = (struct dnn_shape){.n = x.n,
                                  .c = x.cs,
                                  .h = x.h,
                                  .w = x.w,
                                  .k = y.cs,
                                  .p = y.h,
                                  .q = y.w,
                                  .r = w[2],
                                  .s = w[3],
                                  .stride = c->attr.stride,
                                  .pad = c->attr.pad,
                                  .sums = c->wants_sums,
                                  .adds = c->adds,
                                  .type = {type, type, type}};
    v->filter = (struct k_filter){
        .k = y.c, .ks = y.cs, .c = x.c, .cs = x.cs, .r = (int)w[2], .s = (int)w[3], .bf16 = x.bf16};
}

/* "cuda NVIDIA H200|...|bf16|conv forward|x 64x3x32x32 w 64x3x3x3 stride 1 pad 1" */
static void make_key(char *out, size_t size, const struct device *dev, const struct call *c,
                     enum conv_pass pass)
{
    const int64_t *x = c->in[0]->dim, *w = c->in[1]->dim;
    snprintf(out, size,
             "%s|%s|conv %s%s|x %lldx%lldx%lldx%lld w %lldx%lldx%lldx%lld stride %d pad %d",
             cuda_of(dev)->tuning_prefix, dtype_name(c->in[0]->dtype), conv_pass_names[pass],
             pass == CONV_DATA && c->adds            ? ", added"
             : pass == CONV_FORWARD && c->wants_sums ? ", sums"
                                                     : "",
             (long long)x[0], (long long)x[1], (long long)x[2], (long long)x[3], (long long)w[0],
             (long long)w[1], (long long)w[2], (long long)w[3], c->attr.stride, c->attr.pad);
}

static int prepare_pass(struct device *dev, struct call *c, struct conv *v, enum conv_pass pass,
                        struct err *e)
{
    char key[384];
    make_key(key, sizeof key, dev, c, pass);
    if (conv_choose(&v->pass[pass], dev, &v->shape, pass, key, &c->ms[pass], c->algorithm[pass],
                    sizeof c->algorithm[pass], e))
        return err_prefix(e, "%s: %s", c->name, conv_pass_names[pass]);
    return 0;
}

static size_t sums_bytes(const struct dnn_shape *s)
{
    return (size_t)s->k * sizeof(float);
}

static void reserve(struct call *c, struct conv *v)
{
    const struct conv_pass_plan *weights = &v->pass[CONV_WEIGHTS];
    struct k_map y = cuda_map(c->out);
    c->scratch_bytes[0] = v->pass[CONV_FORWARD].plan.workspace_bytes;
    struct dnn_shape wide = v->shape;
    wide.type[DNN_W] = CUDNN_DATA_FLOAT;
    size_t packed = aligned(dnn_bytes(&v->shape, DNN_W));
    size_t dw = weights->plan.plan ? aligned(dnn_bytes(&wide, DNN_W)) : 0;
    c->saved_whole = c->multi;
    v->sums_at = packed;
    if (v->pass[CONV_FORWARD].graph.sums)
        packed += 2 * sums_bytes(&v->shape);
    c->saved_bytes = packed + (c->multi ? dw : 0);
    v->dw_at = c->multi ? packed : 0;
    v->bias_at = c->multi ? 0 : dw;
    v->plan_at[CONV_DATA] =
        v->bias_at + (bias_wanted(c) ? aligned(k_bias_backward_workspace(&y)) : 0);
    v->plan_at[CONV_WEIGHTS] =
        v->plan_at[CONV_DATA] + aligned(v->pass[CONV_DATA].plan.workspace_bytes);
    c->scratch_bytes[1] = v->plan_at[CONV_WEIGHTS] + weights->plan.workspace_bytes;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    struct conv *v = c->impl = calloc(1, sizeof *v);
    if (!v)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    init_shape(v, c);
    for (int pass = 0; pass < N_CONV_PASSES; pass++)
        if (wanted(c, (enum conv_pass)pass) && prepare_pass(dev, c, v, (enum conv_pass)pass, e))
            return -1;
    reserve(c, v);
    return 0;
}

static void *at(void *base, size_t offset)
{
    return base ? (char *)base + offset : NULL;
}

/* The packed gradient of the weights: kept to the end of the pass where all layers unpack theirs
 * together, else in scratch. */
static void *gradient(const struct call *c)
{
    const struct conv *v = c->impl;
    return at(c->multi ? c->saved : c->scratch[1], v->dw_at);
}

static int bind(struct device *dev, struct call *c, struct err *e)
{
    struct conv *v = c->impl;
    (void)dev;
    void *x = c->in[0]->data, *x_again = c->bin[0] ? c->bin[0]->data : x;
    void *dx = c->din[0] ? c->din[0]->data : NULL, *dy = c->dout ? c->dout->data : NULL;
    float *sums = v->pass[CONV_FORWARD].graph.sums ? at(c->saved, v->sums_at) : NULL;
    c->sums = sums;
    void *const data[N_CONV_PASSES][DNN_ALL] = {
        [CONV_FORWARD] = {x, c->saved, c->out->data, sums, sums ? sums + v->shape.k : NULL},
        [CONV_DATA] = {dx, c->saved, dy},
        [CONV_WEIGHTS] = {x_again, gradient(c), dy},
    };
    for (int pass = 0; pass < N_CONV_PASSES; pass++)
        if (v->pass[pass].plan.plan &&
            dnn_plan_bind(
                &v->pass[pass].plan, data[pass],
                pass == CONV_FORWARD ? c->scratch[0] : at(c->scratch[1], v->plan_at[pass]), e))
            return err_prefix(e, "%s", c->name);
    return 0;
}

/* --- weights, packed and unpacked ------------------------------------------------------------- */

bool conv_pack_job(const struct call *c, struct k_filter_job *job)
{
    const struct conv *v = c->impl;
    *job = (struct k_filter_job){.filter = v->filter, .from = c->in[1]->data, .to = c->saved};
    if (v->pass[CONV_FORWARD].graph.sums) { /* which are added to */
        job->zero = at(c->saved, v->sums_at);
        job->n_zero = 2 * (int)v->shape.k;
    }
    return true;
}

bool conv_unpack_job(const struct call *c, struct k_filter_job *job)
{
    const struct conv *v = c->impl;
    if (!v->pass[CONV_WEIGHTS].plan.plan)
        return false;
    *job = (struct k_filter_job){.filter = v->filter, .from = gradient(c), .to = c->din[1]->data};
    job->filter.bf16 = v->pass[CONV_WEIGHTS].narrow;
    return true;
}

static int pack(struct device *dev, const struct call *c, struct err *e)
{
    struct k_filter_job job;
    if (c->multi || !conv_pack_job(c, &job))
        return 0;
    return CU(e, k_pack_filters(cuda_of(dev)->compute, &job, 1));
}

static int unpack(struct device *dev, const struct call *c, struct err *e)
{
    struct k_filter_job job;
    if (c->multi || !conv_unpack_job(c, &job))
        return 0;
    return CU(e, k_unpack_filters(cuda_of(dev)->compute, &job, 1));
}

/* --- passes ----------------------------------------------------------------------------------- */

static int forward(struct device *dev, struct call *c, struct err *e)
{
    const struct conv *v = c->impl;
    struct k_map y = cuda_map(c->out);
    if (pack(dev, c, e) || dnn_plan_run(&v->pass[CONV_FORWARD].plan, dev, e))
        return -1;
    return c->n_in > 2 ? CU(e, k_bias(cuda_of(dev)->compute, &y, c->out->data, c->in[2]->data)) : 0;
}

/* Nothing waits for it where all layers unpack theirs in the end. */
static bool goes_aside(const struct device *dev, const struct call *c)
{
    return c->multi && cuda_of(dev)->forks;
}

static int gradient_of_weights(struct device *dev, const struct call *c, struct err *e)
{
    const struct dnn_plan *plan = &((const struct conv *)c->impl)->pass[CONV_WEIGHTS].plan;
    if (!plan->plan)
        return 0;
    if (!goes_aside(dev, c))
        return dnn_plan_run(plan, dev, e) || unpack(dev, c, e) ? -1 : 0;
    if (cuda_aside_begin(cuda_of(dev), e))
        return -1;
    struct err ignored;
    int rc = dnn_plan_run(plan, dev, e);
    return cuda_aside_end(cuda_of(dev), rc ? &ignored : e) || rc ? -1 : 0;
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    const struct conv *v = c->impl;
    struct k_map y = cuda_map(c->out);
    if (goes_aside(dev, c) && (cuda_join(cuda_of(dev), e) || cuda_fork(cuda_of(dev), e)))
        return -1;
    if (v->pass[CONV_DATA].plan.plan && dnn_plan_run(&v->pass[CONV_DATA].plan, dev, e))
        return -1;
    if (gradient_of_weights(dev, c, e))
        return -1;
    if (!bias_wanted(c))
        return 0;
    return CU(e, k_bias_backward(cuda_of(dev)->compute, &y, c->dout->data, c->din[2]->data,
                                 at(c->scratch[1], v->bias_at)));
}

static void done(struct device *dev, struct call *c)
{
    struct conv *v = c->impl;
    for (int pass = 0; v && pass < N_CONV_PASSES; pass++)
        conv_pass_plan_done(&v->pass[pass]);
    cuda_done_plain(dev, c);
}

const struct kernel cuda_conv = {.can_add = true,
                                 .lingers = true,
                                 .prepare = prepare,
                                 .bind = bind,
                                 .forward = forward,
                                 .backward = backward,
                                 .done = done};
