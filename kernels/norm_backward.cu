/*
 * Batch-norm backward (norm_math.h): sums over chunks of rows of g and g (x - mean), their totals
 * with dgamma, dbeta and three coefficients per channel, then dx and dskip. g is dy where the
 * ReLU's mask is set.
 *
 * Bytes per element of E bytes: sums 2 E, map 3 E (+ E for dskip), and 1/8 for the mask in each.
 * As forward, the map takes each chunk from its end. Launch: as forward.
 */
#include "kernels/norm.h"
#include "kernels/norm_math.h"

template <class T> struct norm_in { /* what both walks read of an octet */
    octet<T> x, dy;
    uint8_t bits;
};

template <class T> __device__ inline norm_in<T> norm_load(const struct k_norm &n, uint32_t at)
{
    norm_in<T> in;
    in.x = octet_load(static_cast<const T *>(n.x), at);
    in.dy = octet_load(static_cast<const T *>(n.dy), at);
    in.bits = n.mask ? reinterpret_cast<const uint8_t *>(n.mask)[at] : 0xff;
    return in;
}

template <class T> __device__ inline void norm_widen(const norm_in<T> &in, float g[], float x[])
{
    octet_widen(in.dy, g);
    octet_gate(g, in.bits);
    octet_widen(in.x, x);
}

template <class T>
__device__ inline void add_sums(const norm_in<T> &in, const float mean[OCTET], float sum[OCTET],
                                float product[OCTET])
{
    float g[OCTET], x[OCTET];
    norm_widen(in, g, x);
    for (int k = 0; k < OCTET; k++) {
        sum[k] += g[k];
        product[k] += g[k] * (x[k] - mean[k]);
    }
}

template <class T>
__device__ inline void walk_sums(const struct k_norm &n, const struct columns &c,
                                 const struct column_place &p, float sum[OCTET],
                                 float product[OCTET])
{
    enum { N = in_flight<T>::N / 2 };
    float mean[OCTET];
    for (int k = 0; k < OCTET; k++)
        mean[k] = n.mean[p.column * OCTET + k];
    int64_t row = p.begin + p.row;
    for (; row + (N - 1) * c.height < p.end; row += N * c.height) {
        norm_in<T> in[N];
        for (int i = 0; i < N; i++)
            in[i] = norm_load<T>(n, (row + i * c.height) * c.octets + p.column);
        for (int i = 0; i < N; i++)
            add_sums(in[i], mean, sum, product);
    }
    for (; row < p.end; row += c.height)
        add_sums(norm_load<T>(n, row * c.octets + p.column), mean, sum, product);
}

/* partial: [chunks][2][channels]. */
template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    norm_sums(struct k_norm n, struct columns c, float *partial)
{
    grid_wait();
    __shared__ float shared[2][OCTET * SUM_PITCH];
    struct column_place p = column_place_of(c);
    float sum[OCTET] = {0}, product[OCTET] = {0};
    if (p.active)
        walk_sums<T>(n, c, p, sum, product);
    column_leave(shared[0], sum);
    column_leave(shared[1], product);
    __syncthreads();
    int channels = c.octets * OCTET;
    for (int i = threadIdx.x; i < c.width * OCTET; i += BLOCK) {
        int ch = column_channel(c, i);
        if (ch >= channels)
            break;
        float *out = partial + (int64_t)blockIdx.y * 2 * channels + ch;
        out[0] = column_total(c, shared[0], i);
        out[channels] = column_total(c, shared[1], i);
    }
}

/* gradients: [3][channels]. */
__global__ void __launch_bounds__(JOIN_CHANNELS *JOIN_ROWS)
    norm_total(struct k_norm n, struct columns c, const float *partial, float *gradients)
{
    grid_wait();
    int channels = c.octets * OCTET, ch = (int)(blockIdx.x * JOIN_CHANNELS + threadIdx.x);
    double sum = 0, product = 0;
    for (int i = threadIdx.y; i < c.chunks && ch < channels; i += JOIN_ROWS) {
        const float *p = partial + (int64_t)i * 2 * channels + ch;
        sum += p[0];
        product += p[channels];
    }
    sum = join_rows(sum);
    product = join_rows(product);
    if (threadIdx.y != 0 || ch >= channels)
        return;
    bool real = ch < n.map.c;
    struct norm_gradient d = norm_gradient_of(real ? n.gamma[ch] : 0, n.mean[ch], n.rstd[ch], sum,
                                              product, (double)c.rows);
    gradients[ch] = d.slope;
    gradients[channels + ch] = d.fall;
    gradients[2 * channels + ch] = d.shift;
    if (real && n.dbeta)
        n.dbeta[ch] = (float)sum;
    if (real && n.dgamma)
        n.dgamma[ch] = (float)(product * n.rstd[ch]);
}

template <class T>
__device__ inline void map_octet(const struct k_norm &n, const struct norm_gradient d[OCTET],
                                 uint32_t at, const norm_in<T> &in)
{
    float g[OCTET], x[OCTET];
    norm_widen(in, g, x);
    if (n.dskip)
        octet_store(static_cast<T *>(n.dskip), at, g);
    if (!n.dx)
        return;
    for (int k = 0; k < OCTET; k++)
        x[k] = norm_dx(d[k], g[k], x[k]);
    octet_store(static_cast<T *>(n.dx), at, x);
}

/* N rows, the first at octet `at`, one every `step` octets. */
template <class T, int N>
__device__ inline void map_rows(const struct k_norm &n, const struct norm_gradient d[OCTET],
                                uint32_t at, uint32_t step)
{
    norm_in<T> in[N];
    for (int i = 0; i < N; i++)
        in[i] = norm_load<T>(n, at + i * step);
    for (int i = 0; i < N; i++)
        map_octet(n, d, at + i * step, in[i]);
}

template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    norm_gradient_map(struct k_norm n, struct columns c, const float *gradients)
{
    grid_wait();
    enum { N = in_flight<T>::N / 2 };
    struct column_place p = column_place_of(c);
    struct norm_gradient d[OCTET];
    if (!p.active)
        return;
    for (int k = 0; k < OCTET; k++) {
        const float *g = gradients + p.column * OCTET + k;
        d[k].slope = g[0];
        d[k].fall = g[c.octets * OCTET];
        d[k].shift = g[2 * c.octets * OCTET];
    }
    uint32_t step = (uint32_t)(c.height * c.octets);
    int rounds = ((int)(p.end - p.begin) - p.row + c.height - 1) / c.height;
    uint32_t at = (uint32_t)((p.begin + p.row) * c.octets + p.column);
    for (; rounds >= N; rounds -= N)
        map_rows<T, N>(n, d, at + (uint32_t)(rounds - N) * step, step);
    for (; rounds > 0; rounds--)
        map_rows<T, 1>(n, d, at + (uint32_t)(rounds - 1) * step, step);
}

static int sums(struct CUstream_st *stream, const struct k_norm *n, const struct columns &c)
{
    if (n->map.bf16)
        return LAUNCH(norm_sums<bfloat16>, column_grid(c), BLOCK, 0, stream, *n, c,
                      norm_partial(n));
    return LAUNCH(norm_sums<float>, column_grid(c), BLOCK, 0, stream, *n, c, norm_partial(n));
}

static int gradient_map(struct CUstream_st *stream, const struct k_norm *n, const struct columns &c)
{
    if (n->map.bf16)
        return LAUNCH(norm_gradient_map<bfloat16>, column_grid(c), BLOCK, 0, stream, *n, c,
                      norm_gradients(n, c));
    return LAUNCH(norm_gradient_map<float>, column_grid(c), BLOCK, 0, stream, *n, c,
                  norm_gradients(n, c));
}

int k_norm_backward(struct CUstream_st *stream, const struct k_norm *n)
{
    struct columns c = norm_columns(&n->map);
    int failed = norm_fits(&n->map) ? sums(stream, n, c) : (int)cudaErrorInvalidValue;
    if (!failed)
        failed = LAUNCH(norm_total, (unsigned)ceil_div(n->map.cs, JOIN_CHANNELS),
                        dim3(JOIN_CHANNELS, JOIN_ROWS), 0, stream, *n, c, norm_partial(n),
                        norm_gradients(n, c));
    if (failed || !(n->dx || n->dskip))
        return failed;
    return gradient_map(stream, n, c);
}
