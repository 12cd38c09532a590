/*
 * Layouts at the edges: images f32 [N,C,H,W] <-> NHWC with channels padded by zeros, and filters
 * f32 [K,C,R,S] <-> [Ks,R,S,Cs].
 *
 * Images: a thread has 8 channels of a pixel; the planes' side is read or written along pixels, the
 * other in octets. Bytes per element: 4 + E. Grid: the items of an image by the images.
 *
 * Filters: a block brings the taps of some channels of one k through shared memory, so that both
 * sides are consecutive. Bytes per element: 4 + E. Grid: tiles of channels by k.
 */
#include "kernels/kernels.h"

#include "kernels/layout_math.h"
#include "kernels/octet.h"

template <class T>
__global__ void __launch_bounds__(BLOCK)
    layout_to_nhwc(struct k_map m, const float *__restrict__ planes, T *__restrict__ y)
{
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
__global__ void __launch_bounds__(BLOCK)
    layout_from_nhwc(struct k_map m, const T *__restrict__ x, float *__restrict__ planes)
{
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

/* --- filters --- */

template <class T>
__global__ void __launch_bounds__(BLOCK)
    layout_pack(struct k_filter f, int tile, const float *__restrict__ w, T *__restrict__ packed)
{
    SHARED(float, taps);
    int n_taps = f.r * f.s, k = (int)blockIdx.y, first = (int)blockIdx.x * tile;
    int real = k >= f.k || first >= f.c ? 0 : f.c - first < tile ? f.c - first : tile;
    const float *from = w + ((int64_t)k * f.c + first) * n_taps;
    for (int i = threadIdx.x; i < tile * n_taps; i += BLOCK)
        taps[i] = i < real * n_taps ? from[i] : 0;
    __syncthreads();
    for (int i = threadIdx.x; i < tile * n_taps; i += BLOCK) {
        int ch = i % tile, tap = i / tile;
        if (first + ch < f.cs)
            element_write(packed, ((int64_t)k * n_taps + tap) * f.cs + first + ch,
                          taps[ch * n_taps + tap]);
    }
}

__global__ void __launch_bounds__(BLOCK)
    layout_unpack(struct k_filter f, int tile, const float *__restrict__ packed,
                  float *__restrict__ w)
{
    SHARED(float, taps);
    int n_taps = f.r * f.s, k = (int)blockIdx.y, first = (int)blockIdx.x * tile;
    int real = f.c - first < tile ? f.c - first : tile;
    for (int i = threadIdx.x; i < tile * n_taps; i += BLOCK) {
        int ch = i % tile, tap = i / tile;
        if (ch < real)
            taps[ch * n_taps + tap] = packed[((int64_t)k * n_taps + tap) * f.cs + first + ch];
    }
    __syncthreads();
    float *to = w + ((int64_t)k * f.c + first) * n_taps;
    for (int i = threadIdx.x; i < real * n_taps; i += BLOCK)
        to[i] = taps[i];
}

static int tile_of(const struct k_filter *f)
{
    return filter_channels(f->r * f->s, f->cs);
}

static size_t tile_bytes(const struct k_filter *f)
{
    return (size_t)tile_of(f) * f->r * f->s * sizeof(float);
}

int k_pack_filter(struct CUstream_st *stream, const struct k_filter *f, const float *kcrs,
                  void *krsc)
{
    dim3 grid((unsigned)ceil_div(f->cs, tile_of(f)), (unsigned)f->ks);
    if (f->r * f->s > FILTER_TAPS_MAX)
        return (int)cudaErrorInvalidValue;
    if (f->bf16)
        return LAUNCH(layout_pack<bfloat16>, grid, BLOCK, tile_bytes(f), stream, *f, tile_of(f),
                      kcrs, (bfloat16 *)krsc);
    return LAUNCH(layout_pack<float>, grid, BLOCK, tile_bytes(f), stream, *f, tile_of(f), kcrs,
                  (float *)krsc);
}

int k_unpack_filter(struct CUstream_st *stream, const struct k_filter *f, const float *krsc,
                    float *kcrs)
{
    dim3 grid((unsigned)ceil_div(f->c, tile_of(f)), (unsigned)f->k);
    if (f->r * f->s > FILTER_TAPS_MAX)
        return (int)cudaErrorInvalidValue;
    return LAUNCH(layout_unpack, grid, BLOCK, tile_bytes(f), stream, *f, tile_of(f), krsc, kcrs);
}
