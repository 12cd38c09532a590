/*
 * Cross-entropy: mean over rows of -sum_k T_k log softmax(s)_k, for labels (smoothed or not) or
 * given targets. Row v*N+n has the label of sample n. A row's class is among the k best when fewer
 * than k scores exceed its own. Rows are independent; their losses are added in index order, f64.
 */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { ROWS = 16 };

struct row { /* of the workspace: what forward finds */
    double loss;
    int32_t better; /* scores above that of the row's class */
};

static int32_t label_of(const struct call *call, int64_t row)
{
    const struct tensor *t = call->in[1];
    return ((const int32_t *)t->data)[row % t->dim[0]];
}

static const float *targets_of(const struct call *call, int64_t row)
{
    return (const float *)call->in[1]->data + row * call->in[0]->dim[1];
}

static int64_t largest(const float *x, int64_t n)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
        best = x[k] > x[best] ? k : best;
    return best;
}

static double log_sum_exp(const float *s, int64_t n)
{
    double sum = 0;
    float top = s[largest(s, n)];
    for (int64_t k = 0; k < n; k++)
        sum += (double)expf(s[k] - top);
    return (double)top + log(sum);
}

/* sum_k T_k (lse - s_k) */
static double row_loss(const struct call *call, int64_t row, const float *s, double lse)
{
    double eps = (double)call->attr.label_smoothing, sum = 0;
    int64_t n = call->in[0]->dim[1];
    if (call->attr.soft) {
        const float *t = targets_of(call, row);
        for (int64_t k = 0; k < n; k++)
            sum += (double)t[k] * (lse - (double)s[k]);
        return sum;
    }
    double own = lse - (double)s[label_of(call, row)];
    for (int64_t k = 0; k < n && eps > 0; k++)
        sum += lse - (double)s[k];
    return (1 - eps) * own + eps / (double)n * sum;
}

static void rows_forward(void *ctx, int64_t begin, int64_t end)
{
    struct call *call = ctx;
    struct row *rows = call->workspace;
    int64_t n = call->in[0]->dim[1];
    for (int64_t r = begin; r < end; r++) {
        const float *s = (const float *)call->in[0]->data + r * n;
        int64_t own = call->attr.soft ? largest(targets_of(call, r), n) : label_of(call, r);
        double lse = log_sum_exp(s, n);
        ((double *)call->saved)[r] = lse;
        rows[r] = (struct row){row_loss(call, r, s, lse), 0};
        for (int64_t k = 0; k < n; k++)
            rows[r].better +=
                s[k] > s[own] || (s[k] == s[own] && k < own); /* ties: the lower index */
    }
}

/* (softmax(s) sum T - T) / rows */
static void rows_backward(void *ctx, int64_t begin, int64_t end)
{
    struct call *call = ctx;
    int64_t n = call->in[0]->dim[1];
    double share = 1 / (double)call->in[0]->dim[0], eps = (double)call->attr.label_smoothing;
    for (int64_t r = begin; r < end; r++) {
        const float *s = (const float *)call->in[0]->data + r * n;
        const float *t = call->attr.soft ? targets_of(call, r) : NULL;
        float *ds = (float *)call->din[0]->data + r * n;
        double lse = ((double *)call->saved)[r], mass = t ? 0 : 1;
        for (int64_t k = 0; k < n && t; k++)
            mass += (double)t[k];
        for (int64_t k = 0; k < n; k++) {
            double want = t ? (double)t[k] : eps / (double)n;
            ds[k] = (float)(share * (mass * (double)expf((float)((double)s[k] - lse)) - want));
        }
        if (!t)
            ds[label_of(call, r)] -= (float)(share * (1 - eps));
    }
}

static int check_labels(const struct call *call, struct err *e)
{
    int64_t n = call->in[1]->dim[0], classes = call->in[0]->dim[1];
    for (int64_t i = 0; i < n && !call->attr.soft; i++)
        if (label_of(call, i) < 0 || label_of(call, i) >= classes)
            return err_set(e, EXIT_DATA, "%s: label %d of sample %lld; there are %lld classes",
                           call->name, label_of(call, i), (long long)i, (long long)classes);
    return 0;
}

static int prepare(struct device *dev, struct call *call, struct err *e)
{
    const struct tensor *s = call->in[0], *t = call->in[1];
    int64_t rows = call->attr.soft ? t->dim[0] : t->dim[0] * call->attr.views;
    (void)dev;
    if (s->dim[0] != rows || (call->attr.soft && t->dim[1] != s->dim[1]))
        return err_set(e, EXIT_SOFTWARE, "%s: %lld rows of scores for %lld targets", call->name,
                       (long long)s->dim[0], (long long)rows);
    call->saved_bytes = (size_t)s->dim[0] * sizeof(double);
    call->workspace_bytes = (size_t)s->dim[0] * sizeof(struct row);
    return 0;
}

static int forward(struct device *dev, struct call *call, struct err *e)
{
    const struct row *rows = call->workspace;
    int64_t n = call->in[0]->dim[0], top1 = 0, top5 = 0;
    float *stats = call->out->data;
    double loss = 0;
    if (check_labels(call, e))
        return -1;
    cpu_chunks(dev, n, ROWS, rows_forward, call);
    for (int64_t r = 0; r < n; r++) {
        loss += rows[r].loss;
        top1 += rows[r].better < 1;
        top5 += rows[r].better < 5;
    }
    memset(stats, 0, STAT_N * sizeof *stats);
    stats[STAT_LOSS] = (float)(loss / (double)n);
    stats[STAT_TOP1] = (float)top1;
    stats[STAT_TOP5] = (float)top5;
    stats[STAT_ROWS] = (float)n;
    return 0;
}

static int backward(struct device *dev, struct call *call, struct err *e)
{
    (void)e;
    if (call->din[0])
        cpu_chunks(dev, call->in[0]->dim[0], ROWS, rows_backward, call);
    return 0;
}

static void done(struct device *dev, struct call *call)
{
    (void)dev;
    (void)call;
}

const struct kernel cpu_xent = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
