/*
 * The contrastive loss, see contrast.h: the forward pass. look: what all columns are to each row;
 * then rows are put together, and the loss and its statistics are summed.
 */
#include "kernels/contrast.h"
#include "nn/loss_stat.h"

enum { FINISH_THREADS = CONTRAST_ROWS };

#define LN2 0.6931471805599453

/* --- tiles --- */

/* What the columns that a thread has of a part are to its row; EDGE: some are no pairs. */
template <class P, bool EDGE>
__device__ inline void see(struct contrast_seen *s, const float (*x)[4], int half, int row,
                           int first, int group, const struct contrast_term *terms,
                           const struct contrast &c)
{
    float top = s->top, sum = 0;
    int nearest = -1;
#pragma unroll
    for (int k = 0; k < P::PART / 4; k++) {
        const int column = k / 2 * 8 + k % 2;
        const float y = x[k / 2][half * 2 + k % 2];
        bool pair = !EDGE || (first + column != row && first + column < c.m);
        bool positive = pair & (terms[column].group == group), nearer = pair & (y > top);
        if (positive) {
            s->positive += y;
            s->count += 1;
        }
        nearest = nearer ? column : nearest;
        top = nearer ? y : top;
    }
#pragma unroll
    for (int k = 0; k < P::PART / 4; k++) {
        const int column = k / 2 * 8 + k % 2;
        bool pair = !EDGE || (first + column != row && first + column < c.m);
        float e = fast_exp2(x[k / 2][half * 2 + k % 2] - top);
        sum += pair ? e : 0;
    }
    s->sum = fmaf(s->sum, fast_exp2(s->top - top), sum);
    s->top = top;
    s->nearest = nearest < 0 ? s->nearest : first + nearest;
}

template <class P, bool EDGE>
__device__ inline void see_rows(struct contrast_seen seen[4], const float p[2][P::PART / 8][4],
                                const struct walk &w, int first, const struct part &part,
                                const struct contrast &c)
{
    const int t = contrast_place().t;
#pragma unroll
    for (int r = 0; r < 4; r++)
        see<P, EDGE>(&seen[r], p[r / 2], r % 2, w.row0 + row_of(r), first + 2 * t,
                     row_term(w, r)->group, part.terms + 2 * t, c);
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

template <class P>
static __global__ void __launch_bounds__(CONTRAST_THREADS, !P::F32 && P::WHOLE ? 3 : 2)
    contrast_look(struct contrast c)
{
    grid_wait();
    SHARED(unsigned char, shared);
    const struct walk w = walk_of(c, shared, c.cut.chunks - 1);
    float p[2][P::PART / 8][4];
    uint32_t a[K_STEPS][2][4];
    struct contrast_seen seen[4];
#pragma unroll
    for (int r = 0; r < 4; r++)
        seen[r] = contrast_nothing();
    start<P>(c, w, a);
    for (int first = w.begin; first < w.end; first += P::PART) {
        bool edge =
            first + P::PART > c.m || (first < w.row0 + CONTRAST_ROWS && w.row0 < first + P::PART);
        struct part part = products<P>(p, a, c, w, first);
        if (edge)
            see_rows<P, true>(seen, p, w, first, part, c);
        else
            see_rows<P, false>(seen, p, w, first, part, c);
    }
#pragma unroll
    for (int r = 0; r < 4; r++) {
        seen[r] = contrast_join(seen[r], exchange(seen[r], 1));
        seen[r] = contrast_join(seen[r], exchange(seen[r], 2));
        if (contrast_place().t == 0)
            c.seen[(int64_t)blockIdx.y * c.cut.rows + w.row0 + row_of(r)] = seen[r];
    }
}

/* --- rows --- */

/* Of a row, or of many: loss, whether the nearest is a positive, whether there are none: sums; and
 * the largest |lse|. */
enum { LOSS, RIGHT, LONELY, REACH, FOUND_N };

__device__ inline void find_more(double v[FOUND_N], const double more[FOUND_N])
{
    for (int k = 0; k < REACH; k++)
        v[k] += more[k];
    v[REACH] = more[REACH] > v[REACH] ? more[REACH] : v[REACH];
}

/* Over a block of FINISH_THREADS, by halving; in part[0]. */
__device__ inline void find_all(const double v[FOUND_N], double (*part)[FOUND_N])
{
    for (int k = 0; k < FOUND_N; k++)
        part[threadIdx.x][k] = v[k];
    for (unsigned n = FINISH_THREADS / 2; n > 0; n /= 2) {
        __syncthreads();
        if (threadIdx.x < n)
            find_more(part[threadIdx.x], part[threadIdx.x + n]);
    }
    __syncthreads();
}

__device__ inline void judge_row(const struct contrast &c, int row, const struct contrast_seen &s,
                                 double v[FOUND_N])
{
    struct contrast_term *term = &c.terms[row];
    double lse = (double)s.top + log2((double)s.sum);
    bool anchor = row < c.anchors, counts = anchor && s.count > 0;
    v[LOSS] = v[RIGHT] = v[LONELY] = v[REACH] = 0;
    if (counts)
        v[LOSS] = LN2 * (lse - (double)s.positive / (double)s.count);
    else if (anchor && !(s.sum >= 0)) /* NaN stays NaN */
        v[LOSS] = (double)s.sum;
    v[RIGHT] = anchor && s.nearest >= 0 && c.terms[s.nearest].group == term->group;
    v[LONELY] = anchor && s.count == 0;
    if (row < c.m && s.nearest >= 0)
        v[REACH] = fabs(lse);
    term->lse = counts ? (float)(lse - c.weight_bits) : CONTRAST_NEVER;
    term->share = counts ? (float)(1 << c.weight_bits) / s.count : 0;
    term->pull = counts ? exp2f(-term->lse) : 0;
}

static __global__ void contrast_rows(struct contrast c)
{
    grid_wait();
    __shared__ double part[FINISH_THREADS][FOUND_N];
    int row = (int)blockIdx.x * FINISH_THREADS + (int)threadIdx.x;
    struct contrast_seen s = c.seen[row];
    double v[FOUND_N];
    for (int span = 1; span < c.cut.spans; span++)
        s = contrast_join(s, c.seen[(int64_t)span * c.cut.rows + row]);
    judge_row(c, row, s, v);
    find_all(v, part);
    for (int k = 0; k < FOUND_N && threadIdx.x == 0; k++)
        c.row_loss[blockIdx.x * FOUND_N + k] = part[0][k];
}

static __global__ void contrast_statistics(struct contrast c)
{
    grid_wait();
    __shared__ double part[FINISH_THREADS][FOUND_N];
    double v[FOUND_N] = {0, 0, 0, 0};
    for (int i = (int)threadIdx.x; i < c.cut.row_blocks; i += FINISH_THREADS)
        find_more(v, &c.row_loss[i * FOUND_N]);
    find_all(v, part);
    if (threadIdx.x == 0)
        *c.reach = (float)part[0][REACH];
    if (threadIdx.x >= STAT_N)
        return;
    float value = threadIdx.x == STAT_LOSS     ? (float)(part[0][LOSS] * c.loss_factor)
                  : threadIdx.x == STAT_TOP1   ? (float)part[0][RIGHT]
                  : threadIdx.x == STAT_LONELY ? (float)part[0][LONELY]
                  : threadIdx.x == STAT_ROWS   ? (float)c.anchors
                                               : 0;
    c.stats[threadIdx.x] = value;
}

/* --- launches --- */

template <int METHOD, bool WHOLE, int PART> static struct contrast_pass look(void)
{
    typedef struct contrast_plan<METHOD, WHOLE, PART> plan;
    struct contrast_pass pass = {contrast_look<plan>, plan::SHARED_BYTES};
    return pass;
}

int k_contrast_forward(struct CUstream_st *stream, const struct k_contrast *k)
{
    const struct contrast_pass passes[K_CONTRAST_N][2] = {
        {look<K_CONTRAST_F32, false, 64>(), look<K_CONTRAST_F32, true, 64>()},
        {look<K_CONTRAST_F16, false, 32>(), look<K_CONTRAST_F16, true, 32>()}};
    struct contrast c = contrast_of(k, contrast_look_blocks(k->method, k->d <= CONTRAST_CHUNK));
    int rc = contrast_prepare(stream, &c, k);
    if (rc == 0)
        rc = contrast_walk(stream, &c, passes, k->method, 1);
    if (rc == 0)
        rc = LAUNCH(contrast_rows, (unsigned)c.cut.row_blocks, FINISH_THREADS, 0, stream, c);
    return rc ? rc : LAUNCH(contrast_statistics, 1, FINISH_THREADS, 0, stream, c);
}
