/*
 * From a line of the case table to tensors with values. Values come from the case's name, are
 * rounded to what the device will store, and the references are computed from the rounded ones, so
 * that a tolerance covers arithmetic alone.
 */
#include "op_test.h"
#include "base/rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct ref_class *const ref_classes[OP_N] = {
    [OP_CONV] = &ref_conv,
    [OP_BATCHNORM] = &ref_batchnorm,
    [OP_RELU] = &ref_relu,
    [OP_ADD] = &ref_add,
    [OP_MAXPOOL] = &ref_maxpool,
    [OP_AVGPOOL] = &ref_avgpool,
    [OP_GLOBALPOOL] = &ref_globalpool,
    [OP_LINEAR] = &ref_linear,
    [OP_L2NORM] = &ref_l2norm,
    [OP_XENT] = &ref_xent,
    [OP_CONTRASTIVE] = &ref_contrastive,
};

static void *memory(int64_t n, size_t size)
{
    void *p = calloc((size_t)(n ? n : 1), size);
    if (!p)
        abort();
    return p;
}

static double rounded(double x, enum dtype dtype)
{
    float f = (float)x;
    uint32_t bits;
    if (dtype != DT_BF16)
        return f;
    memcpy(&bits, &f, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u; /* nearest, ties to even */
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void shape(struct ref_tensor *t, enum dtype dtype, int ndim, const int64_t *dim)
{
    t->dtype = dtype;
    t->ndim = ndim;
    t->count = 1;
    for (int i = 0; i < 4; i++) {
        t->dim[i] = i < ndim ? dim[i] : 1;
        t->count *= t->dim[i];
    }
    t->v = memory(t->count, sizeof *t->v);
}

static void parameter(struct ref_tensor *t, int ndim, const int64_t *dim, bool trainable)
{
    shape(t, DT_F32, ndim, dim);
    t->parameter = true;
    if (trainable)
        t->d = memory(t->count, sizeof *t->d);
}

static struct rng stream(const struct op_case *c, uint32_t what)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *p = c->what; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    return rng_at(hash, RNG_NOISE, (uint32_t)c->op, 0, what, 0);
}

/* Uniform with the given mean and standard deviation. */
static void fill(struct ref_tensor *t, struct rng r, double mean, double deviation)
{
    for (int64_t i = 0; i < t->count; i++)
        t->v[i] = rounded(mean + deviation * sqrt(3) * (2 * rng_float(&r) - 1), t->dtype);
}

/* Whole numbers, all different within a map of at most 256 places: exact in bf16, no ties. */
static void fill_distinct(struct ref_tensor *t, struct rng r)
{
    int64_t hw = t->dim[2] * t->dim[3];
    for (int64_t i = 0; i < t->count; i++) {
        int64_t j = i / hw * hw + rng_below(&r, (uint32_t)(i % hw + 1));
        t->v[i] = t->v[j];
        t->v[j] = (double)(i % hw - hw / 2);
    }
}

static void fill_labels(struct ref_tensor *t, struct rng r, int classes)
{
    t->i = memory(t->count, sizeof *t->i);
    for (int64_t i = 0; i < t->count; i++)
        t->i[i] = classes ? (int32_t)rng_below(&r, (uint32_t)classes) : (int32_t)i;
}

static void image(const struct op_case *c, struct ref_tensor *t)
{
    shape(t, c->dtype, 4, (int64_t[]){c->n, c->c, c->h, c->w});
    fill(t, stream(c, 0), c->mean, 1);
    if (!c->no_dx)
        t->d = memory(t->count, sizeof *t->d);
}

static int64_t slid(const struct op_case *c, int64_t side, int64_t window)
{
    return (side + 2 * c->attr.pad - window) / c->attr.stride + 1;
}

static void build_conv(const struct op_case *c, struct ref_call *r)
{
    double fan_in = (double)c->c * c->size * c->size;
    image(c, &r->in[0]);
    parameter(&r->in[1], 4, (int64_t[]){c->k, c->c, c->size, c->size}, true);
    fill(&r->in[1], stream(c, 1), 0, sqrt(2 / fan_in));
    r->n_in = 2;
    if (c->extra) {
        parameter(&r->in[2], 1, (int64_t[]){c->k}, true);
        fill(&r->in[2], stream(c, 2), 0, 0.5);
        r->n_in = 3;
    }
    shape(&r->out, c->dtype, 4,
          (int64_t[]){c->n, c->k, slid(c, c->h, c->size), slid(c, c->w, c->size)});
}

static void build_batchnorm(const struct op_case *c, struct ref_call *r)
{
    static const double mean[] = {0, 1, 0.1, 0.2, 2}, deviation[] = {0, 0.3, 0.5, 0.5, 0.6};
    image(c, &r->in[0]);
    for (int i = 1; i < 5; i++) {
        parameter(&r->in[i], 1, (int64_t[]){c->c}, i < 3);
        fill(&r->in[i], stream(c, (uint32_t)i), mean[i], deviation[i]);
    }
    r->n_in = 5;
    if (c->extra) {
        image(c, &r->in[5]);
        fill(&r->in[5], stream(c, 5), 0, 1);
        r->n_in = 6;
    }
    shape(&r->out, c->dtype, 4, r->in[0].dim);
}

static void build_unary(const struct op_case *c, struct ref_call *r)
{
    image(c, &r->in[0]);
    r->n_in = 1;
    shape(&r->out, c->dtype, 4, r->in[0].dim);
}

static void build_add(const struct op_case *c, struct ref_call *r)
{
    build_unary(c, r);
    image(c, &r->in[1]);
    fill(&r->in[1], stream(c, 1), 0, 1);
    r->n_in = 2;
}

static void build_pool(const struct op_case *c, struct ref_call *r)
{
    image(c, &r->in[0]);
    if (c->op == OP_MAXPOOL)
        fill_distinct(&r->in[0], stream(c, 0));
    r->n_in = 1;
    shape(&r->out, c->dtype, 4,
          (int64_t[]){c->n, c->c, slid(c, c->h, c->attr.window), slid(c, c->w, c->attr.window)});
}

static void build_globalpool(const struct op_case *c, struct ref_call *r)
{
    image(c, &r->in[0]);
    r->n_in = 1;
    shape(&r->out, DT_F32, 2, (int64_t[]){c->n, c->c});
}

/* x [rows, width] f32, with a gradient. */
static void matrix(const struct op_case *c, struct ref_tensor *t, int64_t rows, int64_t width,
                   double deviation)
{
    shape(t, DT_F32, 2, (int64_t[]){rows, width});
    fill(t, stream(c, 0), c->mean, deviation);
    if (!c->no_dx)
        t->d = memory(t->count, sizeof *t->d);
}

static void build_linear(const struct op_case *c, struct ref_call *r)
{
    matrix(c, &r->in[0], c->n, c->c, 1);
    parameter(&r->in[1], 2, (int64_t[]){c->k, c->c}, true);
    parameter(&r->in[2], 1, (int64_t[]){c->k}, true);
    fill(&r->in[1], stream(c, 1), 0, 1 / sqrt(c->c));
    fill(&r->in[2], stream(c, 2), 0, 0.5);
    r->n_in = 3;
    shape(&r->out, DT_F32, 2, (int64_t[]){c->n, c->k});
}

static void build_l2norm(const struct op_case *c, struct ref_call *r)
{
    matrix(c, &r->in[0], c->n, c->c, 1);
    for (int j = 0; c->extra && j < c->c; j++) /* one row of zeros */
        r->in[0].v[j] = 0;
    r->n_in = 1;
    shape(&r->out, DT_F32, 2, r->in[0].dim);
}

static void build_xent(const struct op_case *c, struct ref_call *r)
{
    int64_t rows = (int64_t)c->n * c->attr.views;
    matrix(c, &r->in[0], rows, c->k, 3);
    r->n_in = 2;
    shape(&r->out, DT_F32, 1, (int64_t[]){STAT_N});
    if (!c->attr.soft) {
        shape(&r->in[1], DT_I32, 1, (int64_t[]){c->n});
        fill_labels(&r->in[1], stream(c, 1), c->k);
        return;
    }
    shape(&r->in[1], DT_F32, 2, r->in[0].dim);
    struct rng g = stream(c, 1);
    for (int64_t row = 0; row < rows; row++) { /* two classes share each row, as Mixup does */
        double lambda = 0.5 + 0.5 * rng_float(&g);
        double *t = r->in[1].v + row * c->k;
        t[rng_below(&g, (uint32_t)c->k)] += rounded(lambda, DT_F32);
        t[rng_below(&g, (uint32_t)c->k)] += rounded(1 - lambda, DT_F32);
    }
}

/* Rows of length 1 + stretch * i / rows. */
static void build_contrastive(const struct op_case *c, struct ref_call *r)
{
    int64_t rows = (int64_t)c->n * c->attr.views;
    matrix(c, &r->in[0], rows, c->k, 1);
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0, *z = r->in[0].v + i * c->k;
        for (int k = 0; k < c->k; k++)
            sum += z[k] * z[k];
        for (int k = 0; k < c->k; k++)
            z[k] = rounded(z[k] / sqrt(sum) * (1 + c->stretch * (double)i / (double)rows), DT_F32);
    }
    shape(&r->in[1], DT_I32, 1, (int64_t[]){c->n});
    fill_labels(&r->in[1], stream(c, 1), c->c);
    r->n_in = 2;
    shape(&r->out, DT_F32, 1, (int64_t[]){STAT_N});
}

static void (*const builders[OP_N])(const struct op_case *, struct ref_call *) = {
    [OP_CONV] = build_conv,
    [OP_BATCHNORM] = build_batchnorm,
    [OP_RELU] = build_unary,
    [OP_ADD] = build_add,
    [OP_MAXPOOL] = build_pool,
    [OP_AVGPOOL] = build_pool,
    [OP_LINEAR] = build_linear,
    [OP_GLOBALPOOL] = build_globalpool,
    [OP_L2NORM] = build_l2norm,
    [OP_XENT] = build_xent,
    [OP_CONTRASTIVE] = build_contrastive,
};

void case_build(const struct op_case *c, struct ref_call *r)
{
    *r = (struct ref_call){.attr = c->attr};
    builders[c->op](c, r);
    ref_classes[c->op]->forward(r);
    if (c->forward_only)
        return;
    if (c->op != OP_XENT && c->op != OP_CONTRASTIVE) {
        struct ref_tensor d = r->out;
        d.v = r->out.d = memory(d.count, sizeof *d.v);
        fill(&d, stream(c, 9), 0.1, 1);
    }
    ref_classes[c->op]->backward(r);
}

void case_free(struct ref_call *r)
{
    for (int i = 0; i < r->n_in; i++) {
        free(r->in[i].v);
        free(r->in[i].d);
        free(r->in[i].i);
    }
    free(r->out.v);
    free(r->out.d);
}
