/*
 * Cross-entropy, the mean over rows of -sum_k T_k log softmax(s)_k, with T one-hot, smoothed, or
 * given; ds = (softmax(s) sum T - T) / rows. Row v*N+n has the label of sample n. A row's class is
 * among the k best when fewer than k scores come before its own; of equal scores the lower class
 * comes first. A label that is no class makes the row's loss and gradient NaN, so that the step is
 * held back.
 *
 * A warp has a row, its lanes the classes; then one block adds the rows in double, in fixed order.
 * Bytes per element: 4 read (three times, from the L1 cache after the first), backward 4 written.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/warp.h"
#include "nn/loss_stat.h"

struct xent_row { /* of the workspace */
    double loss;
    int32_t before; /* scores that come before that of the row's class */
};

__device__ inline int64_t row_of_warp()
{
    return (int64_t)blockIdx.x * (BLOCK / WARP) + threadIdx.x / WARP;
}

__device__ inline int lane()
{
    return (int)(threadIdx.x % WARP);
}

__device__ inline float row_max(const float *s, int k)
{
    float top = -INFINITY;
    for (int i = lane(); i < k; i += WARP)
        top = s[i] > top ? s[i] : top;
    return warp_max(top);
}

/* log sum exp(s - top) */
__device__ inline float log_sum(const float *s, int k, float top)
{
    float sum = 0;
    for (int i = lane(); i < k; i += WARP)
        sum += expf(s[i] - top);
    return logf(warp_sum(sum));
}

/* The first of the largest; k where all are NaN. */
__device__ inline int first_of(const float *t, int k, float top)
{
    int first = k;
    for (int i = lane(); i < k; i += WARP)
        first = t[i] == top && i < first ? i : first;
    return -warp_max(-first);
}

__device__ inline int class_of(const struct k_xent &x, int64_t row)
{
    if (!x.soft)
        return x.labels[row % x.n];
    const float *t = x.soft + row * x.k;
    return first_of(t, x.k, row_max(t, x.k));
}

/* sum_k T_k (lse - s_k); lse = top + rest. */
__device__ inline double row_loss(const struct k_xent &x, int64_t row, int own, float top,
                                  float rest)
{
    const float *s = x.s + row * x.k;
    float sum = 0;
    if (x.soft) {
        for (int i = lane(); i < x.k; i += WARP)
            sum += x.soft[row * x.k + i] * ((top - s[i]) + rest);
        return warp_sum(sum);
    }
    double loss = (double)(top - s[own]) + (double)rest;
    if (x.smoothing > 0) {
        for (int i = lane(); i < x.k; i += WARP)
            sum += (top - s[i]) + rest;
        loss = (1 - (double)x.smoothing) * loss +
               (double)x.smoothing / (double)x.k * (double)warp_sum(sum);
    }
    return loss;
}

__device__ inline int count_before(const float *s, int k, int own)
{
    int before = 0;
    for (int i = lane(); i < k; i += WARP)
        before += s[i] > s[own] || (s[i] == s[own] && i < own);
    return warp_sum(before);
}

__global__ void __launch_bounds__(BLOCK)
    xent_rows(struct k_xent x, int64_t rows, struct xent_row *out)
{
    grid_wait();
    int64_t row = row_of_warp();
    if (row >= rows)
        return;
    const float *s = x.s + row * x.k;
    float top = row_max(s, x.k), rest = log_sum(s, x.k, top);
    int own = class_of(x, row);
    struct xent_row r = {NAN, x.k};
    if (own >= 0 && own < x.k) {
        r.loss = row_loss(x, row, own, top, rest);
        r.before = count_before(s, x.k, own);
    }
    if (lane() == 0)
        out[row] = r;
}

__global__ void __launch_bounds__(BLOCK)
    xent_stats(int64_t rows, const struct xent_row *row, float *stats)
{
    grid_wait();
    double loss = 0, top1 = 0, top5 = 0;
    for (int64_t i = threadIdx.x; i < rows; i += BLOCK) {
        loss += row[i].loss;
        top1 += row[i].before < 1;
        top5 += row[i].before < 5;
    }
    loss = block_sum(loss);
    top1 = block_sum(top1);
    top5 = block_sum(top5);
    if (threadIdx.x != 0)
        return;
    for (int i = 0; i < STAT_N; i++)
        stats[i] = 0;
    stats[STAT_LOSS] = (float)(loss / (double)rows);
    stats[STAT_TOP1] = (float)top1;
    stats[STAT_TOP5] = (float)top5;
    stats[STAT_ROWS] = (float)rows;
}

__device__ inline float row_mass(const float *t, int k)
{
    float sum = 0;
    for (int i = lane(); i < k; i += WARP)
        sum += t[i];
    return warp_sum(sum);
}

__global__ void __launch_bounds__(BLOCK) xent_backward(struct k_xent x, int64_t rows)
{
    grid_wait();
    int64_t row = row_of_warp();
    if (row >= rows)
        return;
    const float *s = x.s + row * x.k, *t = x.soft ? x.soft + row * x.k : NULL;
    float top = row_max(s, x.k), rest = log_sum(s, x.k, top), mass = t ? row_mass(t, x.k) : 1;
    int own = t ? 0 : x.labels[row % x.n];
    if (own < 0 || own >= x.k)
        mass = NAN;
    for (int i = lane(); i < x.k; i += WARP) {
        float want = t ? t[i] : x.smoothing / (float)x.k + (i == own ? 1 - x.smoothing : 0);
        x.ds[row * x.k + i] = (mass * expf((s[i] - top) - rest) - want) / (float)rows;
    }
}

static int64_t rows_of(const struct k_xent *x)
{
    return x->n * x->views;
}

static unsigned blocks_of(int64_t rows)
{
    return (unsigned)ceil_div(rows, BLOCK / WARP);
}

size_t k_xent_workspace(const struct k_xent *x)
{
    return (size_t)rows_of(x) * sizeof(struct xent_row);
}

int k_xent_forward(struct CUstream_st *stream, const struct k_xent *x)
{
    int64_t rows = rows_of(x);
    struct xent_row *row = static_cast<struct xent_row *>(x->workspace);
    int failed = LAUNCH(xent_rows, blocks_of(rows), BLOCK, 0, stream, *x, rows, row);
    return failed ? failed : LAUNCH(xent_stats, 1, BLOCK, 0, stream, rows, row, x->stats);
}

int k_xent_backward(struct CUstream_st *stream, const struct k_xent *x)
{
    return LAUNCH(xent_backward, blocks_of(rows_of(x)), BLOCK, 0, stream, *x, rows_of(x));
}
