/*
 * The losses in double, as their papers write them. Cross-entropy with soft targets: mean over rows
 * of -sum_k T_k log softmax(s)_k. Contrastive: L_out of Khosla et al. 2020 (Eq. 2), and NT-Xent of
 * Chen et al. 2020 as the same with the sample's number for its label. The gradients follow from
 * G_ij = p_ij - [j in P(i)] / |P(i)|, anchor by anchor, in both roles of each row.
 */
#include "op_test.h"
#include <math.h>

static double target(const struct ref_call *c, int64_t row, int64_t k)
{
    int64_t classes = c->in[0].dim[1];
    if (c->attr.soft)
        return c->in[1].v[row * classes + k];
    int64_t label = c->in[1].i[row % c->in[1].dim[0]];
    return (k == label ? 1 - c->attr.label_smoothing : 0) +
           c->attr.label_smoothing / (double)classes;
}

static double log_sum_exp(const double *s, int64_t n)
{
    double top = s[0], sum = 0;
    for (int64_t k = 0; k < n; k++)
        top = fmax(top, s[k]);
    for (int64_t k = 0; k < n; k++)
        sum += exp(s[k] - top);
    return top + log(sum);
}

/* How many scores come before that of the row's class (the target's largest entry when soft). */
static int64_t better(const struct ref_call *c, int64_t row)
{
    int64_t classes = c->in[0].dim[1], best = 0, n = 0;
    const double *s = c->in[0].v + row * classes;
    for (int64_t k = 1; k < classes; k++)
        best = target(c, row, k) > target(c, row, best) ? k : best;
    for (int64_t k = 0; k < classes; k++)
        n += s[k] > s[best] || (s[k] == s[best] && k < best); /* ties: the lower index */
    return n;
}

static void xent_forward(struct ref_call *c)
{
    int64_t rows = c->in[0].dim[0], classes = c->in[0].dim[1];
    double loss = 0, top1 = 0, top5 = 0;
    for (int64_t r = 0; r < rows; r++) {
        const double *s = c->in[0].v + r * classes;
        double lse = log_sum_exp(s, classes);
        for (int64_t k = 0; k < classes; k++)
            loss -= target(c, r, k) * (s[k] - lse) / (double)rows;
        top1 += better(c, r) < 1;
        top5 += better(c, r) < 5;
    }
    double stats[STAT_N] = {
        [STAT_LOSS] = loss, [STAT_TOP1] = top1, [STAT_TOP5] = top5, [STAT_ROWS] = (double)rows};
    for (int i = 0; i < STAT_N; i++)
        c->out.v[i] = stats[i];
}

static void xent_backward(struct ref_call *c)
{
    int64_t rows = c->in[0].dim[0], classes = c->in[0].dim[1];
    for (int64_t i = 0; i < rows * classes; i++) {
        int64_t r = i / classes, k = i % classes;
        double mass = 0, lse = log_sum_exp(c->in[0].v + r * classes, classes);
        for (int64_t j = 0; j < classes; j++)
            mass += target(c, r, j);
        c->in[0].d[i] = (mass * exp(c->in[0].v[i] - lse) - target(c, r, k)) / (double)rows;
    }
}

static double similarity(const struct ref_call *c, int64_t i, int64_t j)
{
    double s = 0;
    int64_t d = c->in[0].dim[1];
    for (int64_t k = 0; k < d; k++)
        s += c->in[0].v[i * d + k] * c->in[0].v[j * d + k];
    return s / c->attr.temperature;
}

static bool positive(const struct ref_call *c, int64_t i, int64_t j)
{
    int64_t n = c->in[1].dim[0];
    if (i == j)
        return false;
    return c->attr.simclr ? i % n == j % n : c->in[1].i[i % n] == c->in[1].i[j % n];
}

struct anchor { /* what the loss of one anchor needs to know of its row */
    double lse, sum_positive;
    int64_t n_positive, nearest;
};

static struct anchor look(const struct ref_call *c, int64_t i)
{
    int64_t rows = c->in[0].dim[0];
    struct anchor a = {-INFINITY, 0, 0, -1};
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < rows; j++) {
        double s = j == i ? -INFINITY : similarity(c, i, j);
        a.nearest = s > top ? j : a.nearest;
        top = fmax(top, s);
        a.sum_positive += positive(c, i, j) ? s : 0;
        a.n_positive += positive(c, i, j);
    }
    for (int64_t j = 0; j < rows; j++)
        sum += j == i ? 0 : exp(similarity(c, i, j) - top);
    a.lse = top + log(sum);
    return a;
}

static int64_t anchors(const struct ref_call *c)
{
    return c->attr.anchors_one ? c->in[1].dim[0] : c->in[0].dim[0];
}

static void contrastive_forward(struct ref_call *c)
{
    double stats[STAT_N] = {[STAT_ROWS] = (double)anchors(c)};
    for (int64_t i = 0; i < anchors(c); i++) {
        struct anchor a = look(c, i);
        stats[STAT_TOP1] += a.nearest >= 0 && positive(c, i, a.nearest);
        stats[STAT_LONELY] += a.n_positive == 0;
        if (a.n_positive)
            stats[STAT_LOSS] += a.lse - a.sum_positive / (double)a.n_positive;
    }
    stats[STAT_LOSS] *= c->attr.scale / stats[STAT_ROWS];
    for (int i = 0; i < STAT_N; i++)
        c->out.v[i] = stats[i];
}

static void contrastive_backward(struct ref_call *c)
{
    int64_t rows = c->in[0].dim[0], d = c->in[0].dim[1];
    double *dz = c->in[0].d, *z = c->in[0].v;
    for (int64_t i = 0; i < rows * d; i++)
        dz[i] = 0;
    for (int64_t i = 0; i < anchors(c); i++) {
        struct anchor a = look(c, i);
        for (int64_t j = 0; j < rows && a.n_positive; j++) {
            if (j == i)
                continue;
            double g = exp(similarity(c, i, j) - a.lse) -
                       (positive(c, i, j) ? 1 / (double)a.n_positive : 0);
            g *= c->attr.scale / c->attr.temperature / (double)anchors(c);
            for (int64_t k = 0; k < d; k++) {
                dz[i * d + k] += g * z[j * d + k];
                dz[j * d + k] += g * z[i * d + k];
            }
        }
    }
}

const struct ref_class ref_xent = {xent_forward, xent_backward, NULL};
const struct ref_class ref_contrastive = {contrastive_forward, contrastive_backward, NULL};
