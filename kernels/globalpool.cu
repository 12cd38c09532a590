/*
 * Global average pooling: NHWC -> f32 [N,C], and back. Bytes per element of E bytes: E in either
 * direction.
 *
 * Forward: a thread adds 8 channels of one image over its pixels, in their order. Backward: a
 * thread writes octets of one image; grid: the octets of an image by the images.
 */
#include "kernels/columns.h"
#include "kernels/kernels.h"

template <class T>
__device__ inline void add_pixels(const T *x, int64_t at, int octets, int pixels, float sum[OCTET])
{
    enum { N = in_flight<T>::N };
    int p = 0;
    for (; p + N <= pixels; p += N) {
        octet<T> o[N];
        for (int i = 0; i < N; i++)
            o[i] = octet_load(x, at + (int64_t)(p + i) * octets);
        for (int i = 0; i < N; i++) {
            float v[OCTET];
            octet_widen(o[i], v);
            for (int k = 0; k < OCTET; k++)
                sum[k] += v[k];
        }
    }
    for (; p < pixels; p++) {
        float v[OCTET];
        octet_read(x, at + (int64_t)p * octets, v);
        for (int k = 0; k < OCTET; k++)
            sum[k] += v[k];
    }
}

template <class T>
__global__ void __launch_bounds__(BLOCK) globalpool(struct k_map m, const T *x, float *y)
{
    grid_wait();
    int octets = m.cs / OCTET, pixels = m.h * m.w;
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= m.n * octets)
        return;
    int64_t n = i / octets;
    int o = (int)(i % octets);
    float sum[OCTET] = {0};
    add_pixels(x, n * pixels * octets + o, octets, pixels, sum);
    for (int k = 0; k < OCTET && o * OCTET + k < m.c; k++)
        y[n * m.c + o * OCTET + k] = sum[k] / (float)pixels;
}

template <class T>
__global__ void __launch_bounds__(BLOCK) globalpool_backward(struct k_map m, const float *dy, T *dx)
{
    grid_wait();
    int octets = m.cs / OCTET, pixels = m.h * m.w, i = (int)(blockIdx.x * BLOCK + threadIdx.x);
    int first = i % octets * OCTET; /* channel */
    float share = 1 / (float)pixels;
    if (i >= pixels * octets)
        return;
    for (int64_t n = blockIdx.y; n < m.n; n += gridDim.y) {
        float v[OCTET];
        for (int k = 0; k < OCTET; k++)
            v[k] = first + k < m.c ? dy[n * m.c + first + k] * share : 0;
        octet_store(dx, n * pixels * octets + i, v);
    }
}

int k_globalpool(struct CUstream_st *stream, const struct k_map *m, const void *x, float *y)
{
    unsigned blocks = (unsigned)ceil_div(m->n * (m->cs / OCTET), BLOCK);
    if (m->bf16)
        return LAUNCH(globalpool<bfloat16>, blocks, BLOCK, 0, stream, *m, (const bfloat16 *)x, y);
    return LAUNCH(globalpool<float>, blocks, BLOCK, 0, stream, *m, (const float *)x, y);
}

int k_globalpool_backward(struct CUstream_st *stream, const struct k_map *m, const float *dy,
                          void *dx)
{
    int64_t items = (int64_t)m->h * m->w * (m->cs / OCTET);
    int64_t images = m->n < GRID_Y_MAX ? m->n : (int64_t)GRID_Y_MAX;
    dim3 grid((unsigned)ceil_div(items, BLOCK), (unsigned)images);
    if (m->bf16)
        return LAUNCH(globalpool_backward<bfloat16>, grid, BLOCK, 0, stream, *m, dy,
                      (bfloat16 *)dx);
    return LAUNCH(globalpool_backward<float>, grid, BLOCK, 0, stream, *m, dy, (float *)dx);
}
