/*
 * The contrastive loss, see contrast.h: the backward pass. pull: weights of all columns for each
 * row, and the weighted sums of z, per span; then the spans are added.
 */
#include "kernels/contrast.h"

enum { GATHER_THREADS = 256 };

/* The columns' side of the weights. */
struct column_terms {
    float lse[CONTRAST_PULL], share[CONTRAST_PULL];
    int32_t group[CONTRAST_PULL];
};

/* Products become weights, for one row of a thread. */
__device__ inline void weigh(float (*x)[4], int half, float lse, float share, int group,
                             const struct column_terms *terms, const struct contrast &c)
{
    const int t = contrast_place().t;
#pragma unroll
    for (int k = 0; k < CONTRAST_PULL / 4; k++) {
        int at = k / 2 * 8 + 2 * t + k % 2;
        float s = x[k / 2][half * 2 + k % 2] * c.scale;
        float w = fast_exp2(s - lse) + fast_exp2(s - terms->lse[at]);
        w -= terms->group[at] == group ? share + terms->share[at] : 0;
        x[k / 2][half * 2 + k % 2] = w;
    }
}

/* No weight for a row in its own gradient, nor for padding. */
__device__ inline void clear_no_pairs(float w[2][CONTRAST_PULL / 8][4], int row0, int first,
                                      const struct contrast &c)
{
#pragma unroll
    for (int i = 0; i < CONTRAST_PULL; i++) {
        int r = i / (CONTRAST_PULL / 4), k = i % (CONTRAST_PULL / 4);
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

template <int METHOD>
static __global__ void __launch_bounds__(CONTRAST_THREADS, 2) contrast_pull(struct contrast c)
{
    grid_wait();
    SHARED(unsigned char, rows);
    __shared__ struct column_terms terms;
    unsigned char *columns = rows + contrast_tile_bytes(METHOD, CONTRAST_ROWS);
    const int row0 = (int)blockIdx.x * CONTRAST_ROWS;
    const int begin = (int)blockIdx.y * c.cut.span, chunk = (int)blockIdx.z;
    const int end = begin + c.cut.span < c.cut.rows ? begin + c.cut.span : c.cut.rows;
    const int width = contrast_chunk(&c.cut, chunk);
    float p[2][CONTRAST_PULL / 8][4], out[2][OUT_TILES][4];
#pragma unroll
    for (int i = 0; i < 2 * OUT_TILES * 4; i++)
        out[i / (OUT_TILES * 4)][i / 4 % OUT_TILES][i % 4] = 0;
    for (int first = begin; first < end; first += CONTRAST_PULL) {
        bool edge = first + CONTRAST_PULL > c.m ||
                    (first < row0 + CONTRAST_ROWS && row0 < first + CONTRAST_PULL);
        __syncthreads();
        if (threadIdx.x < CONTRAST_PULL) {
            terms.lse[threadIdx.x] = c.lse[first + (int)threadIdx.x];
            terms.share[threadIdx.x] = c.share[first + (int)threadIdx.x];
            terms.group[threadIdx.x] = c.group[first + (int)threadIdx.x];
        }
        products<METHOD, CONTRAST_PULL>(p, rows, columns, c, row0, first, first == begin, chunk);
#pragma unroll
        for (int r = 0; r < 4; r++) {
            int row = row0 + row_of(r);
            weigh(p[r / 2], r % 2, c.lse[row], c.share[row], c.group[row], &terms, c);
        }
        if (edge)
            clear_no_pairs(p, row0, first, c);
        spread<METHOD>(out, p, columns, width);
    }
    store_gradient(c, out, row0, chunk * CONTRAST_CHUNK, width);
}

static __global__ void contrast_gather(struct contrast c)
{
    grid_wait();
    int64_t i = (int64_t)blockIdx.x * GATHER_THREADS + threadIdx.x;
    int row = (int)(i / c.d), at = (int)(i % c.d);
    float sum = 0;
    if (row >= c.m)
        return;
    for (int span = 0; span < c.cut.spans; span++)
        sum += c.partial[((int64_t)span * c.cut.rows + row) * c.cut.width + at];
    c.dz[i] = c.gradient_factor * sum;
}

/* --- launches --- */

static contrast_kernel *const pull_kernels[K_CONTRAST_N] = {contrast_pull<K_CONTRAST_F32>,
                                                            contrast_pull<K_CONTRAST_BF16X3>,
                                                            contrast_pull<K_CONTRAST_BF16>};

int k_contrast_backward(struct CUstream_st *stream, const struct k_contrast *k)
{
    struct contrast c = contrast_of(k);
    int rc = contrast_prepare(stream, &c, k);
    if (rc == 0)
        rc = contrast_walk(stream, &c, pull_kernels[k->method], k->method, CONTRAST_PULL,
                           c.cut.chunks);
    if (rc)
        return rc;
    return LAUNCH(contrast_gather, (unsigned)ceil_div((int64_t)c.m * c.d, GATHER_THREADS),
                  GATHER_THREADS, 0, stream, c);
}
