/*
 * Maximum and average pooling. A thread has 8 channels of one output place, or, backward, of one
 * input place, for which it gathers from the windows that cover it: nothing is added atomically.
 * The maximum keeps the winning tap, u8; of equal values the first wins. An average counts the
 * padding.
 *
 * Bytes per element of E bytes, stride 2: maximum forward E (input) + E + 1 (output); backward the
 * same; average without the tap. Overlapping windows are the L1 cache's.
 *
 * Grid: the octets of an image by the images.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/octet.h"
#include "kernels/pool_math.h"

enum { TAPS_MAX = 256 }; /* what u8 can tell apart */

struct pool_place {
    int y, x, octet;
    bool inside;
};

__device__ inline struct pool_place place_in(const struct k_map &m)
{
    int octets = m.cs / OCTET, i = (int)(blockIdx.x * BLOCK + threadIdx.x), pixel = i / octets;
    struct pool_place p = {pixel / m.w, pixel % m.w, i % octets, pixel < m.h * m.w};
    return p;
}

/* Within an image. */
__device__ inline int octet_of(const struct k_map &m, int y, int x, int octet)
{
    return (y * m.w + x) * (m.cs / OCTET) + octet;
}

template <class T> __device__ inline T *image_of(const struct k_map &m, T *p, int64_t n)
{
    return p + n * (m.h * m.w * m.cs);
}

template <class T>
__device__ inline void maximum(const struct k_pool &p, const struct pool_place &at, const T *x,
                               float best[OCTET], uint8_t tap[OCTET])
{
    struct span rows = pool_taps(at.y, p.in.h, p.window, p.stride, p.pad);
    struct span cols = pool_taps(at.x, p.in.w, p.window, p.stride, p.pad);
    for (int k = 0; k < OCTET; k++)
        tap[k] = (uint8_t)(rows.begin * p.window + cols.begin);
    for (int r = rows.begin; r < rows.end; r++)
        for (int c = cols.begin; c < cols.end; c++) {
            float v[OCTET];
            octet_read(
                x,
                octet_of(p.in, at.y * p.stride - p.pad + r, at.x * p.stride - p.pad + c, at.octet),
                v);
            for (int k = 0; k < OCTET; k++)
                if (pool_is_larger(v[k], best[k])) {
                    best[k] = v[k];
                    tap[k] = (uint8_t)(r * p.window + c);
                }
        }
}

template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    pool_max(struct k_pool p, const T *x, T *y, uint8_t *index)
{
    grid_wait();
    struct pool_place at = place_in(p.out);
    for (int64_t n = blockIdx.y; n < p.out.n && at.inside; n += gridDim.y) {
        float best[OCTET];
        uint8_t tap[OCTET];
        for (int k = 0; k < OCTET; k++)
            best[k] = -INFINITY;
        maximum(p, at, image_of(p.in, x, n), best, tap);
        int i = octet_of(p.out, at.y, at.x, at.octet);
        octet_store(image_of(p.out, y, n), i, best);
        if (index)
            memcpy(image_of(p.out, index, n) + i * OCTET, tap, sizeof tap);
    }
}

template <class T>
__device__ inline void gather_max(const struct k_pool &p, const struct pool_place &at, const T *dy,
                                  const uint8_t *index, float sum[OCTET])
{
    struct span rows = pool_covering(at.y, p.out.h, p.window, p.stride, p.pad);
    struct span cols = pool_covering(at.x, p.out.w, p.window, p.stride, p.pad);
    for (int r = rows.begin; r < rows.end; r++)
        for (int c = cols.begin; c < cols.end; c++) {
            int i = octet_of(p.out, r, c, at.octet);
            int own = (at.y + p.pad - r * p.stride) * p.window + at.x + p.pad - c * p.stride;
            uint8_t tap[OCTET];
            float v[OCTET];
            memcpy(tap, index + i * OCTET, sizeof tap);
            octet_read(dy, i, v);
            for (int k = 0; k < OCTET; k++)
                sum[k] += tap[k] == own ? v[k] : 0;
        }
}

template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    pool_max_backward(struct k_pool p, const T *dy, const uint8_t *index, T *dx)
{
    grid_wait();
    struct pool_place at = place_in(p.in);
    for (int64_t n = blockIdx.y; n < p.in.n && at.inside; n += gridDim.y) {
        float sum[OCTET] = {0};
        gather_max(p, at, image_of(p.out, dy, n), image_of(p.out, index, n), sum);
        octet_store(image_of(p.in, dx, n), octet_of(p.in, at.y, at.x, at.octet), sum);
    }
}

/* Adds the octets of m in rows x cols. */
template <class T>
__device__ inline void add_octets(const struct k_map &m, struct span rows, struct span cols,
                                  int octet, const T *x, float sum[OCTET])
{
    for (int r = rows.begin; r < rows.end; r++)
        for (int c = cols.begin; c < cols.end; c++) {
            float v[OCTET];
            octet_read(x, octet_of(m, r, c, octet), v);
            for (int k = 0; k < OCTET; k++)
                sum[k] += v[k];
        }
}

__device__ inline struct span moved(struct span s, int by)
{
    struct span t = {s.begin + by, s.end + by};
    return t;
}

/* Of each place of `target`: the sum over what it reaches in `source`, divided by all taps. */
template <class T>
__global__ void __launch_bounds__(BLOCK, 4)
    pool_average(struct k_pool p, struct k_map source, struct k_map target, int backward,
                 const T *from, T *to)
{
    grid_wait();
    struct pool_place at = place_in(target);
    float share = 1 / (float)(p.window * p.window);
    struct span rows, cols;
    if (backward) {
        rows = pool_covering(at.y, source.h, p.window, p.stride, p.pad);
        cols = pool_covering(at.x, source.w, p.window, p.stride, p.pad);
    } else {
        rows = moved(pool_taps(at.y, source.h, p.window, p.stride, p.pad), at.y * p.stride - p.pad);
        cols = moved(pool_taps(at.x, source.w, p.window, p.stride, p.pad), at.x * p.stride - p.pad);
    }
    for (int64_t n = blockIdx.y; n < target.n && at.inside; n += gridDim.y) {
        float sum[OCTET] = {0};
        add_octets(source, rows, cols, at.octet, image_of(source, from, n), sum);
        for (int k = 0; k < OCTET; k++)
            sum[k] *= share;
        octet_store(image_of(target, to, n), octet_of(target, at.y, at.x, at.octet), sum);
    }
}

static dim3 grid_over(const struct k_map *m)
{
    int64_t items = (int64_t)m->h * m->w * (m->cs / OCTET);
    int64_t images = m->n < GRID_Y_MAX ? m->n : (int64_t)GRID_Y_MAX;
    return dim3((unsigned)ceil_div(items, BLOCK), (unsigned)images);
}

int k_maxpool(struct CUstream_st *stream, const struct k_pool *p, const void *x, void *y,
              uint8_t *index)
{
    if (p->window * p->window > TAPS_MAX)
        return (int)cudaErrorInvalidValue;
    if (p->in.bf16)
        return LAUNCH(pool_max<bfloat16>, grid_over(&p->out), BLOCK, 0, stream, *p,
                      (const bfloat16 *)x, (bfloat16 *)y, index);
    return LAUNCH(pool_max<float>, grid_over(&p->out), BLOCK, 0, stream, *p, (const float *)x,
                  (float *)y, index);
}

int k_maxpool_backward(struct CUstream_st *stream, const struct k_pool *p, const void *dy,
                       const uint8_t *index, void *dx)
{
    if (p->in.bf16)
        return LAUNCH(pool_max_backward<bfloat16>, grid_over(&p->in), BLOCK, 0, stream, *p,
                      (const bfloat16 *)dy, index, (bfloat16 *)dx);
    return LAUNCH(pool_max_backward<float>, grid_over(&p->in), BLOCK, 0, stream, *p,
                  (const float *)dy, index, (float *)dx);
}

static int average(struct CUstream_st *stream, const struct k_pool *p, int backward,
                   const void *from, void *to)
{
    const struct k_map *source = backward ? &p->out : &p->in, *target = backward ? &p->in : &p->out;
    if (p->in.bf16)
        return LAUNCH(pool_average<bfloat16>, grid_over(target), BLOCK, 0, stream, *p, *source,
                      *target, backward, (const bfloat16 *)from, (bfloat16 *)to);
    return LAUNCH(pool_average<float>, grid_over(target), BLOCK, 0, stream, *p, *source, *target,
                  backward, (const float *)from, (float *)to);
}

int k_avgpool(struct CUstream_st *stream, const struct k_pool *p, const void *x, void *y)
{
    return average(stream, p, 0, x, y);
}

int k_avgpool_backward(struct CUstream_st *stream, const struct k_pool *p, const void *dy, void *dx)
{
    return average(stream, p, 1, dy, dx);
}
