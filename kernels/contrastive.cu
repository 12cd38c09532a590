/*
 * The contrastive loss: SupCon L_out (Khosla et al. 2020, Eq. 2) and NT-Xent (Chen et al. 2020),
 * which is the same with the sample's number for its label. With s = z z^T / (tau ln 2):
 *
 *   L_i = ln 2 (lse_i - 1/|P_i| sum_{p in P_i} s_ip),   lse_i = log2 sum_{a != i} exp2 s_ia
 *   dL/dz_i = c sum_j w_ij z_j,   c = scale / (tau anchors)
 *   w_ij = exp2(s_ij - lse_i) + exp2(s_ij - lse_j) - [y_i = y_j] (1/|P_i| + 1/|P_j|)
 *
 * where rows that are no anchors or have no positives contribute 0 instead of their terms.
 *
 * Two passes over tiles of 128 rows by some columns (FlashAttention, Dao 2023); the M x M matrix is
 * never stored. look: products, then per row the largest so far, the sum relative to it, and sum
 * and number of the positives; each thread keeps its own until the end, and whatever tau and
 * however long z, nothing overflows. pull: products again, weights in the registers where the
 * products were, which are the left operand of the second product. The symmetry of s is used for w
 * (both terms at once, so that no other block's rows are written), not for halving the work.
 *
 * Cost: 2 M^2 D operations forward, 4 M^2 D backward, three times that for bf16x3. At M = 8192,
 * D = 128 these are 155 GFLOP, 0.3 ms at half of an H100's peak; one to two exponentials per pair,
 * 0.06 ms, run beside them. A column tile of 32 KiB (hi and lo) is read for 12.6 MFLOP, 270 MB in
 * all, from the second-level cache.
 *
 * Resources: 128 threads of at most 255 registers (backward, 128 of them hold gradients and 32
 * products), 105 KiB of shared memory: two blocks per multiprocessor, one loads while the other
 * multiplies. Everything is summed in one order: spans by their numbers, then rows in a tree.
 */
#include "kernels/contrast_tile.h"
#include "nn/loss_stat.h"

enum { PREPARE_THREADS = 256, FINISH_THREADS = 128 };

#define LOG2E 1.4426950408889634
#define LN2 0.6931471805599453

/* Everything a kernel needs, by value. Partial results are [spans][rows]. */
struct contrast {
    struct contrast_cut cut;
    int m, n, d, anchors;
    float scale;        /* log2(e) / tau */
    double loss_factor; /* scale / anchors */
    float gradient_factor;
    int simclr;
    const float *z;
    const int32_t *labels;
    float *stats, *dz;
    float *lse, *share;         /* saved, [rows]: of s; 1 / |P| */
    unsigned char *planes;      /* z as tiles read it */
    int32_t *group;             /* [rows]: what positives have in common */
    struct contrast_seen *seen; /* forward: partial */
    double *row_loss;           /* forward: per block of rows, loss, right, lonely */
    float *partial;             /* backward: [spans][rows][width] */
};

/* --- z as the tiles read it --- */

/* Eight elements of a row, zeros beyond it. */
__device__ inline void read_octet(const struct contrast &c, int row, int at, float v[8])
{
#pragma unroll
    for (int k = 0; k < 8; k++)
        v[k] = row < c.m && at + k < c.d ? c.z[(int64_t)row * c.d + at + k] : 0;
}

__device__ inline void write_f32(const struct contrast &c, int64_t octet, const float v[8])
{
    float4 *to = reinterpret_cast<float4 *>(c.planes) + 2 * octet;
    to[0] = make_float4(v[0], v[1], v[2], v[3]);
    to[1] = make_float4(v[4], v[5], v[6], v[7]);
}

__device__ inline void write_bf16(const struct contrast &c, int64_t octet, const float v[8],
                                  bool split)
{
    uint4 *to = reinterpret_cast<uint4 *>(c.planes), high, low;
    split_pair(v[0], v[1], &high.x, &low.x);
    split_pair(v[2], v[3], &high.y, &low.y);
    split_pair(v[4], v[5], &high.z, &low.z);
    split_pair(v[6], v[7], &high.w, &low.w);
    to[octet] = high;
    if (split)
        to[(int64_t)c.cut.rows * c.cut.width / 8 + octet] = low;
}

static __global__ void contrast_prepare(struct contrast c, int method)
{
    int64_t octet = (int64_t)blockIdx.x * PREPARE_THREADS + threadIdx.x;
    int octets = c.cut.width / 8, row = (int)(octet / octets), at = (int)(octet % octets) * 8;
    float v[8];
    if (row >= c.cut.rows)
        return;
    read_octet(c, row, at, v);
    if (method == K_CONTRAST_F32)
        write_f32(c, octet, v);
    else
        write_bf16(c, octet, v, method == K_CONTRAST_BF16X3);
    if (at == 0)
        c.group[row] = row >= c.m ? -1 : c.simclr ? row % c.n : c.labels[row % c.n];
}

/* --- forward --- */

/* What the 16 columns a thread has of a tile are to its row. `edge`: some are no pairs. */
__device__ inline void see(struct contrast_seen *s, const float (*x)[4], int half, int row,
                           int first, int group, const int32_t *groups, const struct contrast &c,
                           bool edge)
{
    float y[CONTRAST_LOOK / 4], top = s->top;
    int nearest = s->nearest;
#pragma unroll
    for (int k = 0; k < CONTRAST_LOOK / 4; k++) {
        int column = k / 2 * 8 + k % 2;
        bool pair = !edge || (first + column != row && first + column < c.m);
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

/* The products of the block's rows with the tile's columns, chunk by chunk; the chunk of number
 * `last` stays in shared memory. Rows stay too where there is only one. */
template <int METHOD, int COLUMNS>
__device__ inline void products(float p[2][COLUMNS / 8][4], unsigned char *rows,
                                unsigned char *columns, const struct contrast &c, int row0,
                                int column0, bool fresh, int last)
{
#pragma unroll
    for (int i = 0; i < 2 * (COLUMNS / 8) * 4; i++)
        p[i / (COLUMNS / 2)][i / 4 % (COLUMNS / 8)][i % 4] = 0;
    for (int k = 0; k < c.cut.chunks; k++) {
        int chunk = (last + 1 + k) % c.cut.chunks;
        int at = chunk * CONTRAST_CHUNK, width = contrast_chunk(&c.cut, chunk);
        if (k > 0)
            __syncthreads();
        if (fresh || c.cut.chunks > 1)
            load_tile<METHOD, CONTRAST_ROWS>(rows, c.planes, c.cut, row0, at, width);
        load_tile<METHOD, COLUMNS>(columns, c.planes, c.cut, column0, at, width);
        __syncthreads();
        multiply<METHOD, COLUMNS>(p, rows, columns, width);
    }
}

/* Row of the block that a thread has as its r-th of four. */
__device__ inline int row_of(int r)
{
    struct place p = contrast_place();
    return p.row + r / 2 * 16 + r % 2 * 8 + p.g;
}

template <int METHOD>
static __global__ void __launch_bounds__(CONTRAST_THREADS, 2) contrast_look(struct contrast c)
{
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
#pragma unroll
        for (int r = 0; r < 4; r++)
            see(&seen[r], p[r / 2], r % 2, row0 + row_of(r), first + 2 * t, group[r],
                groups + 2 * t, c, edge);
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

/* --- backward --- */

/* The columns' side of the weights. */
struct column_terms {
    float lse[CONTRAST_PULL], share[CONTRAST_PULL];
    int32_t group[CONTRAST_PULL];
};

/* Products become weights, for one row of a thread. */
__device__ inline void weigh(float (*x)[4], int half, int row, int first, float lse, float share,
                             int group, const struct column_terms *terms, int t,
                             const struct contrast &c, bool edge)
{
#pragma unroll
    for (int k = 0; k < CONTRAST_PULL / 4; k++) {
        int at = k / 2 * 8 + 2 * t + k % 2, column = first + at;
        float s = x[k / 2][half * 2 + k % 2] * c.scale;
        float w = fast_exp2(s - lse) + fast_exp2(s - terms->lse[at]);
        w -= terms->group[at] == group ? share + terms->share[at] : 0;
        bool pair = !edge || (column != row && column < c.m);
        x[k / 2][half * 2 + k % 2] = pair ? w : 0;
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
    SHARED(unsigned char, rows);
    __shared__ struct column_terms terms;
    unsigned char *columns = rows + contrast_tile_bytes(METHOD, CONTRAST_ROWS);
    const int row0 = (int)blockIdx.x * CONTRAST_ROWS, t = contrast_place().t;
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
            weigh(p[r / 2], r % 2, row, first, c.lse[row], c.share[row], c.group[row], &terms, t, c,
                  edge);
        }
        spread<METHOD>(out, p, columns, width);
    }
    store_gradient(c, out, row0, chunk * CONTRAST_CHUNK, width);
}

static __global__ void contrast_gather(struct contrast c)
{
    int64_t i = (int64_t)blockIdx.x * PREPARE_THREADS + threadIdx.x;
    int row = (int)(i / c.d), at = (int)(i % c.d);
    float sum = 0;
    if (row >= c.m)
        return;
    for (int span = 0; span < c.cut.spans; span++)
        sum += c.partial[((int64_t)span * c.cut.rows + row) * c.cut.width + at];
    c.dz[i] = c.gradient_factor * sum;
}

/* --- launchers --- */

static void *carve(uintptr_t *at, size_t bytes)
{
    uintptr_t here = *at;
    *at += (bytes + 255) / 256 * 256;
    return reinterpret_cast<void *>(here);
}

static size_t place_saved(struct contrast *c, void *base)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(base);
    c->lse = static_cast<float *>(carve(&at, (size_t)c->cut.rows * sizeof(float)));
    c->share = static_cast<float *>(carve(&at, (size_t)c->cut.rows * sizeof(float)));
    return at - reinterpret_cast<uintptr_t>(base);
}

/* The results of the two passes are never there at once and share their place. */
static size_t place_workspace(struct contrast *c, enum k_contrast_method method, void *base)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(base);
    size_t rows = (size_t)c->cut.rows, elements = rows * (size_t)c->cut.width;
    size_t planes = (size_t)contrast_planes(method) * contrast_element(method);
    c->planes = static_cast<unsigned char *>(carve(&at, planes * elements));
    c->group = static_cast<int32_t *>(carve(&at, rows * sizeof(int32_t)));
    uintptr_t forward = at, backward = at;
    size_t spans = (size_t)c->cut.spans;
    c->seen = static_cast<struct contrast_seen *>(
        carve(&forward, spans * rows * sizeof(struct contrast_seen)));
    c->row_loss =
        static_cast<double *>(carve(&forward, (size_t)c->cut.row_blocks * 3 * sizeof(double)));
    c->partial = static_cast<float *>(carve(&backward, spans * elements * sizeof(float)));
    return (forward > backward ? forward : backward) - reinterpret_cast<uintptr_t>(base);
}

static struct contrast contrast_of(const struct k_contrast *k)
{
    struct contrast c = {};
    int64_t m = k->n * k->views;
    c.cut = contrast_cut_of(m, k->d);
    c.m = (int)m;
    c.n = (int)k->n;
    c.d = k->d;
    c.anchors = k->anchors_one ? c.n : c.m;
    c.scale = (float)(LOG2E / (double)k->temperature);
    c.loss_factor = (double)k->scale / c.anchors;
    c.gradient_factor = (float)((double)k->scale / (double)k->temperature / c.anchors);
    c.simclr = k->simclr;
    c.z = k->z;
    c.labels = k->labels;
    c.stats = k->stats;
    c.dz = k->dz;
    (void)place_saved(&c, k->saved);
    (void)place_workspace(&c, k->method, k->workspace);
    return c;
}

size_t k_contrast_saved(const struct k_contrast *k)
{
    struct contrast c = contrast_of(k);
    return place_saved(&c, nullptr);
}

size_t k_contrast_workspace(const struct k_contrast *k)
{
    struct contrast c = contrast_of(k);
    return place_workspace(&c, k->method, nullptr);
}

typedef void contrast_kernel(struct contrast);

static contrast_kernel *const look_kernels[K_CONTRAST_N] = {contrast_look<K_CONTRAST_F32>,
                                                            contrast_look<K_CONTRAST_BF16X3>,
                                                            contrast_look<K_CONTRAST_BF16>};
static contrast_kernel *const pull_kernels[K_CONTRAST_N] = {contrast_pull<K_CONTRAST_F32>,
                                                            contrast_pull<K_CONTRAST_BF16X3>,
                                                            contrast_pull<K_CONTRAST_BF16>};

static int prepare(struct CUstream_st *stream, const struct contrast *c, const struct k_contrast *k)
{
    int64_t octets = (int64_t)c->cut.rows * c->cut.width / 8;
    if (k->n < 1 || k->n * k->views > 1 << 24)
        return cudaErrorInvalidValue;
    return LAUNCH(contrast_prepare, (unsigned)ceil_div(octets, PREPARE_THREADS), PREPARE_THREADS, 0,
                  stream, *c, (int)k->method);
}

/* A pass over tiles of `columns`, each multiprocessor having shared memory for two blocks. */
static int walk(struct CUstream_st *stream, const struct contrast *c, contrast_kernel *kernel,
                enum k_contrast_method method, int columns, int depth)
{
    int bytes = contrast_tile_bytes(method, CONTRAST_ROWS) + contrast_tile_bytes(method, columns);
    int rc = cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel),
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (rc)
        return rc;
    dim3 grid((unsigned)c->cut.row_blocks, (unsigned)c->cut.spans, (unsigned)depth);
    return LAUNCH(kernel, grid, CONTRAST_THREADS, (size_t)bytes, stream, *c);
}

int k_contrast_forward(struct CUstream_st *stream, const struct k_contrast *k)
{
    struct contrast c = contrast_of(k);
    int rc = prepare(stream, &c, k);
    if (rc == 0)
        rc = walk(stream, &c, look_kernels[k->method], k->method, CONTRAST_LOOK, 1);
    if (rc == 0)
        rc = LAUNCH(contrast_rows, (unsigned)c.cut.row_blocks, FINISH_THREADS, 0, stream, c);
    return rc ? rc : LAUNCH(contrast_statistics, 1, FINISH_THREADS, 0, stream, c);
}

int k_contrast_backward(struct CUstream_st *stream, const struct k_contrast *k)
{
    struct contrast c = contrast_of(k);
    int rc = prepare(stream, &c, k);
    if (rc == 0)
        rc = walk(stream, &c, pull_kernels[k->method], k->method, CONTRAST_PULL, c.cut.chunks);
    if (rc)
        return rc;
    return LAUNCH(contrast_gather, (unsigned)ceil_div((int64_t)c.m * c.d, PREPARE_THREADS),
                  PREPARE_THREADS, 0, stream, c);
}
