/*
 * Batch-norm forward (norm_math.h), + skip, ReLU, in three kernels: moments of chunks of rows,
 * their union, then the map itself. The last one alone computes an output again, evaluates with
 * running statistics, or starts from sums that the convolution before has made in passing.
 *
 * Bytes per element of E bytes: moments E, map 2 E (+ E for the skip, + 1/8 for the mask): 3 to 4
 * walks, one less from sums. The map takes each chunk from its end, which the moments have just
 * left in the L2 cache.
 *
 * Launch: struct columns (grid.h), 256 threads, about 4 blocks per multiprocessor; the union has a
 * block of 1024 threads for 8 channels.
 */
#include "kernels/norm.h"
#include "kernels/norm_math.h"

template <class T>
__device__ inline void add_moments(const octet<T> &o, const float pivot[OCTET], float sum[OCTET],
                                   float squares[OCTET])
{
    float v[OCTET];
    octet_widen(o, v);
    for (int k = 0; k < OCTET; k++) {
        float off = v[k] - pivot[k];
        sum[k] += off;
        squares[k] += off * off;
    }
}

template <class T>
__device__ inline void walk_moments(const struct columns &c, const struct column_place &p,
                                    const T *x, float sum[OCTET], float squares[OCTET])
{
    enum { N = in_flight<T>::N };
    float pivot[OCTET];
    octet_read(x, p.begin * c.octets + p.column, pivot);
    int64_t row = p.begin + p.row;
    for (; row + (N - 1) * c.height < p.end; row += N * c.height) {
        octet<T> o[N];
        for (int i = 0; i < N; i++)
            o[i] = octet_load(x, (row + i * c.height) * c.octets + p.column);
        for (int i = 0; i < N; i++)
            add_moments(o[i], pivot, sum, squares);
    }
    for (; row < p.end; row += c.height)
        add_moments(octet_load(x, row * c.octets + p.column), pivot, sum, squares);
}

/* partial: [chunks][2][channels], mean and m2. */
template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    norm_moments(struct columns c, const T *x, float *partial)
{
    grid_wait();
    __shared__ float shared[2][OCTET * SUM_PITCH];
    struct column_place p = column_place_of(c);
    float sum[OCTET] = {0}, squares[OCTET] = {0};
    if (p.active)
        walk_moments(c, p, x, sum, squares);
    column_leave(shared[0], sum);
    column_leave(shared[1], squares);
    __syncthreads();
    int channels = c.octets * OCTET;
    for (int i = threadIdx.x; i < c.width * OCTET; i += BLOCK) {
        int ch = column_channel(c, i);
        if (ch >= channels)
            break;
        struct moments m =
            moments_of(element_read(x, p.begin * channels + ch), column_total(c, shared[0], i),
                       column_total(c, shared[1], i), (float)(p.end - p.begin));
        float *out = partial + (int64_t)blockIdx.y * 2 * channels + ch;
        out[0] = m.mean;
        out[channels] = m.m2;
    }
}

__global__ void __launch_bounds__(JOIN_CHANNELS *JOIN_ROWS)
    norm_join(struct columns c, const float *partial, float eps, float *mean, float *rstd)
{
    grid_wait();
    int channels = c.octets * OCTET, ch = (int)(blockIdx.x * JOIN_CHANNELS + threadIdx.x);
    bool real = ch < channels;
    double origin = real ? partial[ch] : 0;
    struct joined j = {0, 0};
    for (int i = threadIdx.y; i < c.chunks && real; i += JOIN_ROWS) {
        const float *p = partial + (int64_t)i * 2 * channels + ch;
        int64_t left = c.rows - i * c.chunk;
        struct moments m = {p[0], p[channels]};
        moments_join(&j, m, (double)(left < c.chunk ? left : c.chunk), origin);
    }
    j.first = join_rows(j.first);
    j.second = join_rows(j.second);
    if (threadIdx.y == 0 && real)
        joined_statistics(j, (double)c.rows, origin, eps, &mean[ch], &rstd[ch]);
}

/* Of one octet of channels; zero for those that only pad. var NULL: n.rstd has the inverse
 * deviation already. */
__device__ inline void read_scale(const struct k_norm &n, int column, const float *mean,
                                  const float *var, struct norm_scale s[OCTET])
{
    for (int k = 0; k < OCTET; k++) {
        int ch = column * OCTET + k;
        s[k].slope = s[k].shift = 0;
        if (ch < n.map.c)
            s[k] = norm_scale_of(mean[ch], var ? 1 / sqrtf(var[ch] + n.eps) : n.rstd[ch],
                                 n.gamma[ch], n.beta[ch]);
    }
}

/* The same from sums; the blocks of the first chunk leave the statistics for the passes to come. */
__device__ inline void settle_scale(const struct k_norm &n, const struct column_place &p,
                                    double count, struct norm_scale s[OCTET])
{
    for (int k = 0; k < OCTET; k++) {
        int ch = p.column * OCTET + k;
        float mean, rstd;
        sums_statistics(n.sums[ch], n.sums[n.map.cs + ch], count, n.eps, &mean, &rstd);
        if (blockIdx.y == 0 && p.row == 0) {
            n.mean[ch] = mean;
            n.rstd[ch] = rstd;
        }
        s[k].slope = s[k].shift = 0;
        if (ch < n.map.c)
            s[k] = norm_scale_of(mean, rstd, n.gamma[ch], n.beta[ch]);
    }
}

template <class T>
__device__ inline void map_octet(const struct k_norm &n, const struct norm_scale s[OCTET],
                                 uint32_t at, const octet<T> &x, const octet<T> &skip)
{
    float v[OCTET];
    octet_widen(x, v);
    for (int k = 0; k < OCTET; k++)
        v[k] = norm_value(s[k], v[k]);
    if (n.skip) {
        float w[OCTET];
        octet_widen(skip, w);
        for (int k = 0; k < OCTET; k++)
            v[k] += w[k];
    }
    if (n.relu) {
        uint8_t bits = octet_relu(v);
        if (n.mask)
            reinterpret_cast<uint8_t *>(n.mask)[at] = bits;
    }
    octet_store(static_cast<T *>(n.y), at, v);
}

/* N rows, the first at octet `at`, one every `step` octets. */
template <class T, int N>
__device__ inline void map_rows(const struct k_norm &n, const struct norm_scale s[OCTET],
                                uint32_t at, uint32_t step)
{
    octet<T> x[N], skip[N] = {};
    for (int i = 0; i < N; i++) {
        x[i] = octet_load(static_cast<const T *>(n.x), at + i * step);
        if (n.skip)
            skip[i] = octet_load(static_cast<const T *>(n.skip), at + i * step);
    }
    for (int i = 0; i < N; i++)
        map_octet(n, s, at + i * step, x[i], skip[i]);
}

template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    norm_map(struct k_norm n, struct columns c, const float *mean, const float *var)
{
    grid_wait();
    enum { N = in_flight<T>::N / 2 };
    struct column_place p = column_place_of(c);
    struct norm_scale s[OCTET];
    if (!p.active)
        return;
    if (n.sums)
        settle_scale(n, p, (double)c.rows, s);
    else
        read_scale(n, p.column, mean, var, s);
    uint32_t step = (uint32_t)(c.height * c.octets);
    int rounds = ((int)(p.end - p.begin) - p.row + c.height - 1) / c.height;
    uint32_t at = (uint32_t)((p.begin + p.row) * c.octets + p.column);
    for (; rounds >= N; rounds -= N)
        map_rows<T, N>(n, s, at + (uint32_t)(rounds - N) * step, step);
    for (; rounds > 0; rounds--)
        map_rows<T, 1>(n, s, at + (uint32_t)(rounds - 1) * step, step);
}

size_t k_norm_workspace(const struct k_map *m)
{
    struct columns c = norm_columns(m);
    return ((size_t)c.chunks * 2 + 3) * (size_t)m->cs * sizeof(float);
}

size_t k_norm_mask_bytes(const struct k_map *m)
{
    return (size_t)round_up(norm_rows(m) * (m->cs / OCTET), 4);
}

static int map(struct CUstream_st *stream, const struct k_norm *n, const float *mean,
               const float *var)
{
    struct columns c = norm_columns(&n->map);
    if (!norm_fits(&n->map))
        return (int)cudaErrorInvalidValue;
    if (n->map.bf16)
        return LAUNCH(norm_map<bfloat16>, column_grid(c), BLOCK, 0, stream, *n, c, mean, var);
    return LAUNCH(norm_map<float>, column_grid(c), BLOCK, 0, stream, *n, c, mean, var);
}

static int moments(struct CUstream_st *stream, const struct k_norm *n, const struct columns &c)
{
    if (n->map.bf16)
        return LAUNCH(norm_moments<bfloat16>, column_grid(c), BLOCK, 0, stream, c,
                      (const bfloat16 *)n->x, norm_partial(n));
    return LAUNCH(norm_moments<float>, column_grid(c), BLOCK, 0, stream, c, (const float *)n->x,
                  norm_partial(n));
}

int k_norm_statistics(struct CUstream_st *stream, const struct k_norm *n)
{
    struct columns c = norm_columns(&n->map);
    int failed = norm_fits(&n->map) ? moments(stream, n, c) : (int)cudaErrorInvalidValue;
    return failed ? failed
                  : LAUNCH(norm_join, (unsigned)ceil_div(n->map.cs, JOIN_CHANNELS),
                           dim3(JOIN_CHANNELS, JOIN_ROWS), 0, stream, c, norm_partial(n), n->eps,
                           n->mean, n->rstd);
}

int k_norm_forward(struct CUstream_st *stream, const struct k_norm *n)
{
    int failed = n->sums ? 0 : k_norm_statistics(stream, n);
    return failed ? failed : map(stream, n, n->mean, NULL);
}

int k_norm_apply(struct CUstream_st *stream, const struct k_norm *n)
{
    return map(stream, n, n->mean, NULL);
}

int k_norm_evaluate(struct CUstream_st *stream, const struct k_norm *n, const float *mean,
                    const float *var)
{
    return map(stream, n, mean, var);
}
