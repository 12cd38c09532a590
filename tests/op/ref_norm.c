/*
 * Batch-norm (Ioffe and Szegedy 2015) and row normalisation in double. Batch-norm in training uses
 * the batch's biased variance and its running statistics take the unbiased one; the backward pass
 * is the textbook's: dx = gamma/sigma (g - mean(g) - xhat mean(g xhat)).
 */
#include "op_test.h"
#include <math.h>

struct stats {
    double mean, var;
};

static int64_t at(const struct ref_tensor *t, int64_t ch, int64_t m)
{
    int64_t hw = t->dim[2] * t->dim[3];
    return (m / hw * t->dim[1] + ch) * hw + m % hw;
}

static struct stats batch_stats(const struct ref_tensor *x, int64_t ch)
{
    struct stats s = {0, 0};
    int64_t m = x->count / x->dim[1];
    for (int64_t i = 0; i < m; i++)
        s.mean += x->v[at(x, ch, i)] / (double)m;
    for (int64_t i = 0; i < m; i++)
        s.var += pow(x->v[at(x, ch, i)] - s.mean, 2) / (double)m;
    return s;
}

static struct stats used_stats(const struct ref_call *c, int64_t ch)
{
    if (c->attr.training)
        return batch_stats(&c->in[0], ch);
    return (struct stats){c->in[3].v[ch], c->in[4].v[ch]};
}

static void batchnorm_forward(struct ref_call *c)
{
    const struct ref_tensor *x = &c->in[0];
    for (int64_t ch = 0; ch < x->dim[1]; ch++) {
        struct stats s = used_stats(c, ch);
        double inv = 1 / sqrt(s.var + c->attr.eps);
        for (int64_t m = 0; m < x->count / x->dim[1]; m++) {
            int64_t i = at(x, ch, m);
            double y = (x->v[i] - s.mean) * inv * c->in[1].v[ch] + c->in[2].v[ch];
            y += c->n_in > 5 ? c->in[5].v[i] : 0;
            c->out.v[i] = c->attr.relu && y < 0 ? 0 : y;
        }
    }
}

static double masked(const struct ref_call *c, int64_t i)
{
    return c->attr.relu && c->out.v[i] <= 0 ? 0 : c->out.d[i];
}

static void batchnorm_backward(struct ref_call *c)
{
    const struct ref_tensor *x = &c->in[0];
    int64_t n = x->count / x->dim[1];
    for (int64_t ch = 0; ch < x->dim[1]; ch++) {
        struct stats s = used_stats(c, ch);
        double inv = 1 / sqrt(s.var + c->attr.eps), sum = 0, dot = 0;
        for (int64_t m = 0; m < n; m++) {
            int64_t i = at(x, ch, m);
            sum += masked(c, i);
            dot += masked(c, i) * (x->v[i] - s.mean) * inv;
        }
        c->in[1].d[ch] = dot;
        c->in[2].d[ch] = sum;
        for (int64_t m = 0; m < n; m++) {
            int64_t i = at(x, ch, m);
            double xhat = (x->v[i] - s.mean) * inv;
            c->in[0].d[i] = c->in[1].v[ch] * inv * (masked(c, i) - (sum + xhat * dot) / (double)n);
            if (c->n_in > 5)
                c->in[5].d[i] = masked(c, i);
        }
    }
}

static void batchnorm_commit(struct ref_call *c)
{
    double m = c->attr.momentum, n = (double)(c->in[0].count / c->in[0].dim[1]);
    for (int64_t ch = 0; ch < c->in[0].dim[1]; ch++) {
        struct stats s = batch_stats(&c->in[0], ch);
        c->in[3].v[ch] = (1 - m) * c->in[3].v[ch] + m * s.mean;
        c->in[4].v[ch] = (1 - m) * c->in[4].v[ch] + m * s.var * n / (n - 1);
    }
}

static double row_length(const double *x, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++)
        sum += x[j] * x[j];
    return sqrt(sum);
}

static void l2norm_forward(struct ref_call *c)
{
    int64_t d = c->in[0].dim[1];
    for (int64_t i = 0; i < c->out.count; i++)
        c->out.v[i] = c->in[0].v[i] / fmax(row_length(c->in[0].v + i / d * d, d), 1e-12);
}

/* dx = (dz - z (z . dz)) / |x|; below the floor the length is a constant. */
static void l2norm_backward(struct ref_call *c)
{
    int64_t d = c->in[0].dim[1];
    for (int64_t i = 0; i < c->out.count; i++) {
        const double *x = c->in[0].v + i / d * d, *dz = c->out.d + i / d * d;
        double length = row_length(x, d), dot = 0;
        for (int64_t j = 0; j < d && length > 1e-12; j++)
            dot += x[j] / length * dz[j];
        c->in[0].d[i] =
            length > 1e-12 ? (c->out.d[i] - x[i % d] / length * dot) / length : c->out.d[i] / 1e-12;
    }
}

const struct ref_class ref_batchnorm = {batchnorm_forward, batchnorm_backward, batchnorm_commit};
const struct ref_class ref_l2norm = {l2norm_forward, l2norm_backward, NULL};
