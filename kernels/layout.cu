/*
 * Images at the edges: f32 [N,C,H,W] <-> NHWC with channels padded by zeros. A thread has 8
 * channels of a pixel; the planes' side is read or written along pixels, the other in octets. Bytes
 * per element: 4 + E. Grid: the items of an image by the images.
 */
#include "kernels/kernels.h"

#include "kernels/layout_math.h"
#include "kernels/octet.h"

template <class T>
__global__ void __launch_bounds__(BLOCK) layout_to_nhwc(struct k_map m, const float *planes, T *y)
{
    grid_wait();
    int pixels = m.h * m.w, octets = m.cs / OCTET, i = (int)(blockIdx.x * BLOCK + threadIdx.x);
    struct layout_item t = layout_item_of(i, pixels);
    if (t.octet >= octets)
        return;
    for (int64_t n = blockIdx.y; n < m.n; n += gridDim.y) {
        float v[OCTET];
        for (int k = 0; k < OCTET; k++) {
            int ch = t.octet * OCTET + k;
            v[k] = ch < m.c ? planes[plane_at(n, m.c, ch, pixels, t.pixel)] : 0;
        }
        octet_store(y, (n * pixels + t.pixel) * octets + t.octet, v);
    }
}

template <class T>
__global__ void __launch_bounds__(BLOCK) layout_from_nhwc(struct k_map m, const T *x, float *planes)
{
    grid_wait();
    int pixels = m.h * m.w, octets = m.cs / OCTET, i = (int)(blockIdx.x * BLOCK + threadIdx.x);
    struct layout_item t = layout_item_of(i, pixels);
    if (t.octet >= octets)
        return;
    for (int64_t n = blockIdx.y; n < m.n; n += gridDim.y) {
        float v[OCTET];
        octet_read(x, (n * pixels + t.pixel) * octets + t.octet, v);
        for (int k = 0; k < OCTET && t.octet * OCTET + k < m.c; k++)
            planes[plane_at(n, m.c, t.octet * OCTET + k, pixels, t.pixel)] = v[k];
    }
}

static dim3 image_grid(const struct k_map *m)
{
    int64_t items = (int64_t)m->h * m->w * (m->cs / OCTET);
    int64_t images = m->n < 1 ? 1 : m->n < GRID_Y_MAX ? m->n : (int64_t)GRID_Y_MAX;
    return dim3((unsigned)ceil_div(items, BLOCK), (unsigned)images);
}

int k_to_nhwc(struct CUstream_st *stream, const struct k_map *m, const float *nchw, void *nhwc)
{
    if (m->bf16)
        return LAUNCH(layout_to_nhwc<bfloat16>, image_grid(m), BLOCK, 0, stream, *m, nchw,
                      (bfloat16 *)nhwc);
    return LAUNCH(layout_to_nhwc<float>, image_grid(m), BLOCK, 0, stream, *m, nchw, (float *)nhwc);
}

int k_from_nhwc(struct CUstream_st *stream, const struct k_map *m, const void *nhwc, float *nchw)
{
    if (m->bf16)
        return LAUNCH(layout_from_nhwc<bfloat16>, image_grid(m), BLOCK, 0, stream, *m,
                      (const bfloat16 *)nhwc, nchw);
    return LAUNCH(layout_from_nhwc<float>, image_grid(m), BLOCK, 0, stream, *m, (const float *)nhwc,
                  nchw);
}
