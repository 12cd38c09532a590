/*
 * The contrastive loss, see contrast.h: the forward pass. look: what all columns are to each row;
 * then rows are put together, and the loss and its statistics are summed.
 */
#include "kernels/contrast.h"
#include "nn/loss_stat.h"

enum { FINISH_THREADS = CONTRAST_ROWS };

#define LN2 0.6931471805599453

/* --- tiles --- */

/* What the 16 columns a thread has of a tile are to its row. EDGE: some are no pairs. */
template <bool EDGE>
__device__ inline void see(struct contrast_seen *s, const float (*x)[4], int half, int row,
                           int first, int group, const int32_t *groups, const struct contrast &c)
{
    float y[CONTRAST_LOOK / 4], top = s->top;
    int nearest = s->nearest;
#pragma unroll
    for (int k = 0; k < CONTRAST_LOOK / 4; k++) {
        int column = k / 2 * 8 + k % 2;
        bool pair = !EDGE || (first + column != row && first + column < c.m);
        bool positive = pair && groups[column] == group;
        y[k] = pair ? x[k / 2][half * 2 + k % 2] : CONTRAST_NO_PAIR;
        s->positive += positive ? y[k] : 0;
        s->count += positive;
        nearest = y[k] > top ? first + column : nearest;
        top = y[k] > top ? y[k] : top;
    }
    s->sum *= fast_exp2((s->top - top) * c.scale);
#pragma unroll
    for (int k = 0; k < CONTRAST_LOOK / 4; k++)
        s->sum += fast_exp2((y[k] - top) * c.scale);
    s->top = top;
    s->nearest = nearest;
}

template <bool EDGE>
__device__ inline void see_rows(struct contrast_seen seen[4],
                                const float p[2][CONTRAST_LOOK / 8][4], int row0, int first,
                                const int group[4], const int32_t *groups, const struct contrast &c)
{
    const int t = contrast_place().t;
#pragma unroll
    for (int r = 0; r < 4; r++)
        see<EDGE>(&seen[r], p[r / 2], r % 2, row0 + row_of(r), first + 2 * t, group[r],
                  groups + 2 * t, c);
}

/* Of the lane `reach` away. */
__device__ inline struct contrast_seen exchange(const struct contrast_seen &s, int reach)
{
    struct contrast_seen o;
    o.top = __shfl_xor_sync(0xffffffffu, s.top, reach);
    o.sum = __shfl_xor_sync(0xffffffffu, s.sum, reach);
    o.positive = __shfl_xor_sync(0xffffffffu, s.positive, reach);
    o.nearest = __shfl_xor_sync(0xffffffffu, s.nearest, reach);
    o.count = __shfl_xor_sync(0xffffffffu, s.count, reach);
    return o;
}

template <int METHOD>
static __global__ void __launch_bounds__(CONTRAST_THREADS, 2) contrast_look(struct contrast c)
{
    grid_wait();
    SHARED(unsigned char, rows);
    __shared__ int32_t groups[CONTRAST_LOOK];
    unsigned char *columns = rows + contrast_tile_bytes(METHOD, CONTRAST_ROWS);
    const int row0 = (int)blockIdx.x * CONTRAST_ROWS, t = contrast_place().t;
    const int begin = (int)blockIdx.y * c.cut.span;
    const int end = begin + c.cut.span < c.cut.rows ? begin + c.cut.span : c.cut.rows;
    float p[2][CONTRAST_LOOK / 8][4];
    struct contrast_seen seen[4];
    int group[4];
#pragma unroll
    for (int r = 0; r < 4; r++) {
        seen[r] = contrast_nothing();
        group[r] = c.group[row0 + row_of(r)];
    }
    for (int first = begin; first < end; first += CONTRAST_LOOK) {
        bool edge = first + CONTRAST_LOOK > c.m ||
                    (first < row0 + CONTRAST_ROWS && row0 < first + CONTRAST_LOOK);
        __syncthreads();
        if (threadIdx.x < CONTRAST_LOOK)
            groups[threadIdx.x] = c.group[first + (int)threadIdx.x];
        products<METHOD, CONTRAST_LOOK>(p, rows, columns, c, row0, first, first == begin,
                                        c.cut.chunks - 1);
        if (edge)
            see_rows<true>(seen, p, row0, first, group, groups, c);
        else
            see_rows<false>(seen, p, row0, first, group, groups, c);
    }
#pragma unroll
    for (int r = 0; r < 4; r++) {
        seen[r] = contrast_join(seen[r], exchange(seen[r], 1), c.scale);
        seen[r] = contrast_join(seen[r], exchange(seen[r], 2), c.scale);
        if (t == 0)
            c.seen[(int64_t)blockIdx.y * c.cut.rows + row0 + row_of(r)] = seen[r];
    }
}

/* --- rows --- */

/* Sums over a block of FINISH_THREADS, by halving; in thread 0. */
__device__ inline void block_sum(double v[3], double (*part)[3])
{
    for (int k = 0; k < 3; k++)
        part[threadIdx.x][k] = v[k];
    for (unsigned n = FINISH_THREADS / 2; n > 0; n /= 2) {
        __syncthreads();
        for (int k = 0; k < 3 && threadIdx.x < n; k++)
            part[threadIdx.x][k] += part[threadIdx.x + n][k];
    }
    __syncthreads();
    for (int k = 0; k < 3; k++)
        v[k] = part[0][k];
}

/* Loss, whether the nearest is a positive, whether there are none: of one anchor. */
__device__ inline void judge_row(const struct contrast &c, int row, const struct contrast_seen &s,
                                 double v[3])
{
    double lse = (double)s.top * (double)c.scale + log2((double)s.sum);
    double positive = (double)s.positive * (double)c.scale;
    bool anchor = row < c.anchors;
    v[0] = v[1] = v[2] = 0;
    if (anchor && s.count)
        v[0] = LN2 * (lse - positive / s.count);
    else if (anchor && !(s.sum >= 0)) /* NaN stays NaN */
        v[0] = (double)s.sum;
    v[1] = anchor && s.nearest >= 0 && c.group[s.nearest] == c.group[row];
    v[2] = anchor && s.count == 0;
    c.lse[row] = anchor && s.count ? (float)lse : CONTRAST_NEVER;
    c.share[row] = anchor && s.count ? 1 / (float)s.count : 0;
}

static __global__ void contrast_rows(struct contrast c)
{
    grid_wait();
    __shared__ double part[FINISH_THREADS][3];
    int row = (int)blockIdx.x * FINISH_THREADS + (int)threadIdx.x;
    struct contrast_seen s = c.seen[row];
    double v[3];
    for (int span = 1; span < c.cut.spans; span++)
        s = contrast_join(s, c.seen[(int64_t)span * c.cut.rows + row], c.scale);
    judge_row(c, row, s, v);
    block_sum(v, part);
    for (int k = 0; k < 3 && threadIdx.x == 0; k++)
        c.row_loss[blockIdx.x * 3 + k] = v[k];
}

static __global__ void contrast_statistics(struct contrast c)
{
    grid_wait();
    __shared__ double part[FINISH_THREADS][3];
    double v[3] = {0, 0, 0};
    for (int i = (int)threadIdx.x; i < c.cut.row_blocks; i += FINISH_THREADS)
        for (int k = 0; k < 3; k++)
            v[k] += c.row_loss[i * 3 + k];
    block_sum(v, part);
    if (threadIdx.x >= STAT_N)
        return;
    float value = threadIdx.x == STAT_LOSS     ? (float)(v[0] * c.loss_factor)
                  : threadIdx.x == STAT_TOP1   ? (float)v[1]
                  : threadIdx.x == STAT_LONELY ? (float)v[2]
                  : threadIdx.x == STAT_ROWS   ? (float)c.anchors
                                               : 0;
    c.stats[threadIdx.x] = value;
}

/* --- launches --- */

static contrast_kernel *const look_kernels[K_CONTRAST_N] = {contrast_look<K_CONTRAST_F32>,
                                                            contrast_look<K_CONTRAST_BF16X3>,
                                                            contrast_look<K_CONTRAST_BF16>};
int k_contrast_forward(struct CUstream_st *stream, const struct k_contrast *k)
{
    struct contrast c = contrast_of(k);
    int rc = contrast_prepare(stream, &c, k);
    if (rc == 0)
        rc = contrast_walk(stream, &c, look_kernels[k->method], k->method, CONTRAST_LOOK, 1);
    if (rc == 0)
        rc = LAUNCH(contrast_rows, (unsigned)c.cut.row_blocks, FINISH_THREADS, 0, stream, c);
    return rc ? rc : LAUNCH(contrast_statistics, 1, FINISH_THREADS, 0, stream, c);
}
