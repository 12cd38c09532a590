/*
 * The contrastive loss, see contrast.h: the backward pass. pull: weights of all columns for each
 * row, and the weighted sums of z, per span; then the spans are added.
 */
#include "kernels/contrast.h"

enum { GATHER_THREADS = 256 };

/* Products become weights. CALM: exp2(s - lse_i) + exp2(s - lse_j) is
 * exp2(s) (exp2(-lse_i) + exp2(-lse_j)), one exponential instead of two. */
template <class P, bool CALM>
__device__ inline void weigh(float x[2][P::PART / 8][4], const struct walk &w,
                             const struct part &part)
{
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const struct contrast_term row = *row_term(w, r);
#pragma unroll
        for (int k = 0; k < P::PART / 4; k++) {
            const struct contrast_term *column =
                &part.terms[k / 2 * 8 + 2 * contrast_place().t + k % 2];
            float *s = &x[r / 2][k / 2][r % 2 * 2 + k % 2];
            float weight = CALM ? fast_exp2(*s) * (row.pull + column->pull)
                                : fast_exp2(*s - row.lse) + fast_exp2(*s - column->lse);
            if (column->group == row.group)
                weight -= row.share + column->share;
            *s = weight;
        }
    }
}

/* No weight for a row in its own gradient, nor for padding. */
template <class P>
__device__ inline void clear_no_pairs(float w[2][P::PART / 8][4], int row0, int first,
                                      const struct contrast &c)
{
#pragma unroll
    for (int i = 0; i < P::PART; i++) {
        int r = i / (P::PART / 4), k = i % (P::PART / 4);
        int column = first + k / 2 * 8 + 2 * contrast_place().t + k % 2;
        if (column == row0 + row_of(r) || column >= c.m)
            w[r / 2][k / 2][r % 2 * 2 + k % 2] = 0;
    }
}

__device__ inline void store_gradient(const struct contrast &c, const float out[2][OUT_TILES][4],
                                      int row0, int at, int width)
{
    const int t = contrast_place().t;
#pragma unroll
    for (int r = 0; r < 4; r++) {
        int64_t row = (int64_t)blockIdx.y * c.cut.rows + row0 + row_of(r);
        float *to = c.partial + row * c.cut.width + at + 2 * t;
#pragma unroll
        for (int n = 0; n < OUT_TILES; n++)
            if (n * 8 < width)
                *reinterpret_cast<float2 *>(to + n * 8) =
                    make_float2(out[r / 2][n][r % 2 * 2], out[r / 2][n][r % 2 * 2 + 1]);
    }
}

template <class P>
static __global__ void __launch_bounds__(CONTRAST_THREADS, CONTRAST_PULL_BLOCKS)
    contrast_pull(struct contrast c)
{
    grid_wait();
    SHARED(unsigned char, shared);
    const struct walk w = walk_of(c, shared, P::WHOLE ? 0 : (int)blockIdx.z);
    const int width = P::WHOLE ? c.cut.width : contrast_chunk(&c.cut, w.last);
    const bool calm = !P::F32 && *c.reach <= CONTRAST_CALM;
    float p[2][P::PART / 8][4], out[2][OUT_TILES][4];
    uint32_t a[K_STEPS][2][4];
#pragma unroll
    for (int i = 0; i < 2 * OUT_TILES * 4; i++)
        out[i / (OUT_TILES * 4)][i / 4 % OUT_TILES][i % 4] = 0;
    start<P>(c, w, a);
    for (int first = w.begin; first < w.end; first += P::PART) {
        bool edge =
            first + P::PART > c.m || (first < w.row0 + CONTRAST_ROWS && w.row0 < first + P::PART);
        struct part part = products<P>(p, a, c, w, first);
        if (calm)
            weigh<P, true>(p, w, part);
        else
            weigh<P, false>(p, w, part);
        if (edge)
            clear_no_pairs<P>(p, w.row0, first, c);
        spread<P>(out, p, part.columns, width);
    }
    store_gradient(c, out, w.row0, w.last * CONTRAST_CHUNK, width);
}

/* Four elements of a row. */
static __global__ void contrast_gather(struct contrast c)
{
    grid_wait();
    int64_t i = (int64_t)blockIdx.x * GATHER_THREADS + threadIdx.x;
    int vectors = c.cut.width / 4, row = (int)(i / vectors), at = (int)(i % vectors) * 4;
    float sum[4] = {0, 0, 0, 0};
    if (row >= c.m)
        return;
    for (int span = 0; span < c.cut.spans; span++) {
        int64_t from = ((int64_t)span * c.cut.rows + row) * c.cut.width + at;
        float4 x = *reinterpret_cast<const float4 *>(c.partial + from);
        sum[0] += x.x;
        sum[1] += x.y;
        sum[2] += x.z;
        sum[3] += x.w;
    }
    for (int k = 0; k < 4 && at + k < c.d; k++)
        c.dz[(int64_t)row * c.d + at + k] = c.gradient_factor * sum[k];
}

/* --- launches --- */

template <int METHOD, bool WHOLE, int PART> static struct contrast_pass pull(void)
{
    typedef struct contrast_plan<METHOD, WHOLE, PART> plan;
    struct contrast_pass pass = {contrast_pull<plan>, plan::SHARED_BYTES};
    return pass;
}

int k_contrast_backward(struct CUstream_st *stream, const struct k_contrast *k)
{
    const struct contrast_pass passes[K_CONTRAST_N][2] = {
        {pull<K_CONTRAST_F32, false, 32>(), pull<K_CONTRAST_F32, true, 32>()},
        {pull<K_CONTRAST_F16, false, 16>(), pull<K_CONTRAST_F16, true, 16>()}};
    struct contrast c = contrast_of(k, CONTRAST_PULL_BLOCKS);
    int rc = contrast_walk(stream, &c, passes, k->method, c.cut.chunks);
    if (rc)
        return rc;
    return LAUNCH(contrast_gather,
                  (unsigned)ceil_div((int64_t)c.m * c.cut.width / 4, GATHER_THREADS),
                  GATHER_THREADS, 0, stream, c);
}
