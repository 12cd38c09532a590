/*
 * Augmentation of resident u8 images: a block makes one view from its drawn numbers, by the
 * arithmetic of data/augment_pixel.h, and writes it normalised, NHWC, channels padded by zeros.
 *
 * One pass over the view's pixels, one more before it where the mean grey is asked for (contrast).
 * A blurred view is made in bands of rows: pixels go to a ring of rows in shared memory, from which
 * each band is blurred along columns, then along rows; no pixel is computed twice.
 *
 * Bytes per view: the crop's u8 (again from the L1 cache in the second pass), E per element
 * written. Launch: a block of 512 threads per view; up to 96 KiB of shared memory, more only for
 * views of more than about 270 pixels a side, at most about 400.
 */
#include "kernels/kernels.h"

#include "data/augment_pixel.h"
#include "kernels/augment_band.h"
#include "kernels/octet.h"
#include "kernels/warp.h"

enum { AUGMENT_BLOCK = 512 };

struct augment_job {
    struct augment_shape shape;
    struct k_map out;
    const uint8_t *images;
    const struct view_params *params;
    struct augment_band band;
};

struct view {                        /* one block's */
    const struct view_params *drawn; /* in shared memory */
    const uint8_t *image;
    float contrast_rest;
};

__device__ inline struct pixel change(struct pixel p, int op, float amount, float contrast_rest)
{
    float rest = op == COLOUR_CONTRAST ? contrast_rest : 0;
    if (op == COLOUR_HUE)
        return augment_turn_hue(p, amount);
    if (op == COLOUR_SATURATION)
        return augment_saturate(p, amount);
    struct pixel q = {augment_blend(p.r, amount, rest), augment_blend(p.g, amount, rest),
                      augment_blend(p.b, amount, rest)};
    return q;
}

__device__ inline float sample(const struct augment_shape &s, const struct view &v, int ch, int y,
                               int x)
{
    const uint8_t *plane = v.image + (int64_t)ch * s.from_height * s.from_width;
    return augment_sample(plane, &s, v.drawn, y, x);
}

/* A pixel of a colour view after its first n colour operations. */
__device__ inline struct pixel coloured(const struct augment_shape &s, const struct view &v, int n,
                                        int y, int x)
{
    struct pixel p = {sample(s, v, 0, y, x), sample(s, v, 1, y, x), sample(s, v, 2, y, x)};
    for (int i = 0; i < n; i++)
        p = change(p, v.drawn->order[i], v.drawn->amount[i], v.contrast_rest);
    return p;
}

/* Channels first .. first + 7 of a pixel before blur and normalisation; zero beyond the last. */
__device__ inline void pixel_octet(const struct augment_shape &s, const struct view &v, int first,
                                   int y, int x, float out[OCTET])
{
    for (int k = 0; k < OCTET; k++)
        out[k] = 0;
    if (s.channels == 3) {
        struct pixel p = coloured(s, v, v.drawn->n_colour, y, x);
        float grey = augment_grey(p);
        out[0] = v.drawn->grayscale ? grey : p.r;
        out[1] = v.drawn->grayscale ? grey : p.g;
        out[2] = v.drawn->grayscale ? grey : p.b;
        return;
    }
    for (int k = 0; k < OCTET && first + k < s.channels; k++)
        out[k] = sample(s, v, first + k, y, x);
}

/* The mean grey of the view as contrast finds it. */
__device__ inline float mean_grey(const struct augment_shape &s, const struct view &v, int n_before)
{
    int pixels = s.height * s.width;
    float sum = 0;
    for (int i = threadIdx.x; i < pixels; i += AUGMENT_BLOCK)
        sum += augment_grey(coloured(s, v, n_before, i / s.width, i % s.width));
    return block_sum(sum) / (float)pixels;
}

__device__ inline void prepare_contrast(const struct augment_shape &s, struct view *v)
{
    v->contrast_rest = 0;
    for (int i = 0; i < v->drawn->n_colour && s.channels == 3; i++)
        if (v->drawn->order[i] == COLOUR_CONTRAST)
            v->contrast_rest = augment_contrast_rest(v->drawn->amount[i], mean_grey(s, *v, i));
}

/* Normalise and write channels first .. first + 7 of a pixel. */
template <class T>
__device__ inline void write_octet(const struct augment_job &j, T *view, int first, int pixel,
                                   float v[OCTET])
{
    for (int k = 0; k < OCTET; k++)
        v[k] = first + k < j.shape.channels
                   ? augment_normalise(v[k], j.shape.mean[first + k], j.shape.std[first + k])
                   : 0;
    octet_store(view, (int64_t)pixel * (j.out.cs / OCTET) + first / OCTET, v);
}

template <class T>
__device__ inline void plain_view(const struct augment_job &j, const struct view &v, int first,
                                  T *view)
{
    for (int i = threadIdx.x; i < j.shape.height * j.shape.width; i += AUGMENT_BLOCK) {
        float value[OCTET];
        pixel_octet(j.shape, v, first, i / j.shape.width, i % j.shape.width, value);
        write_octet(j, view, first, i, value);
    }
}

/* --- blur --- */

/* Weights of the taps -r .. r, in `taps`. */
__device__ inline void prepare_taps(int r, float sigma, float *taps)
{
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0;
        for (int k = -r; k <= r; k++)
            sum += taps[k + r] = augment_tap(k, sigma);
        for (int k = -r; k <= r; k++)
            taps[k + r] /= sum;
    }
    __syncthreads();
}

/* Rows begin .. end - 1 of the view into the ring. */
__device__ inline void fill_ring(const struct augment_job &j, const struct view &v, int first,
                                 int begin, int end, float *ring)
{
    int w = j.shape.width;
    for (int i = threadIdx.x; i < (end - begin) * w; i += AUGMENT_BLOCK) {
        float value[OCTET];
        int y = begin + i / w, x = i % w;
        pixel_octet(j.shape, v, first, y, x, value);
        for (int k = 0; k < OCTET; k++)
            if (k < j.band.channels)
                ring[band_ring_at(&j.band, k, y, x)] = value[k];
    }
}

/* Columns of the ring, around rows y0 .. y0 + rows - 1, into `band`. */
__device__ inline void blur_columns(const struct augment_job &j, int y0, int rows,
                                    const float *taps, const float *ring, float *band)
{
    int w = j.shape.width, r = j.band.radius;
    for (int i = threadIdx.x; i < j.band.channels * rows * w; i += AUGMENT_BLOCK) {
        int ch = i / (rows * w), y = y0 + i / w % rows, x = i % w;
        float sum = 0;
        for (int k = y < r ? -y : -r; k <= r && y + k < j.shape.height; k++)
            sum += taps[k + r] * ring[band_ring_at(&j.band, ch, y + k, x)];
        band[i] = sum;
    }
}

template <class T>
__device__ inline void blur_rows(const struct augment_job &j, int first, int y0, int rows,
                                 const float *taps, const float *band, T *view)
{
    int w = j.shape.width, r = j.band.radius;
    for (int i = threadIdx.x; i < rows * w; i += AUGMENT_BLOCK) {
        float value[OCTET] = {0};
        int x = i % w;
        for (int ch = 0; ch < OCTET; ch++)
            for (int k = x < r ? -x : -r; k <= r && x + k < w && ch < j.band.channels; k++)
                value[ch] += taps[k + r] * band[ch * rows * w + i + k];
        write_octet(j, view, first, y0 * w + i, value);
    }
}

template <class T>
__device__ inline void blurred_view(const struct augment_job &j, const struct view &v, int first,
                                    float *memory, T *view)
{
    int h = j.shape.height, r = j.band.radius, filled = 0;
    float *taps = memory, *ring = taps + band_taps(&j.band), *band = ring + band_ring(&j.band);
    prepare_taps(r, v.drawn->sigma, taps);
    for (int y0 = 0; y0 < h; y0 += j.band.rows) {
        int rows = h - y0 < j.band.rows ? h - y0 : j.band.rows;
        int need = y0 + rows + r < h ? y0 + rows + r : h;
        fill_ring(j, v, first, filled, need, ring);
        filled = need;
        __syncthreads();
        blur_columns(j, y0, rows, taps, ring, band);
        __syncthreads();
        blur_rows(j, first, y0, rows, taps, band, view); /* while the ring is filled again */
    }
}

template <class T> __device__ inline void zero_view(const struct augment_job &j, T *view)
{
    const float zero[OCTET] = {0};
    int octets = j.shape.height * j.shape.width * (j.out.cs / OCTET);
    for (int i = threadIdx.x; i < octets; i += AUGMENT_BLOCK)
        octet_store(view, i, zero);
}

template <class T>
__global__ void __launch_bounds__(AUGMENT_BLOCK, 2)
    augment(const __grid_constant__ struct augment_job j, T *y)
{
    grid_wait();
    SHARED(float, memory);
    const struct augment_shape &s = j.shape;
    T *out = y + (int64_t)blockIdx.x * s.height * s.width * j.out.cs;
    __shared__ struct view_params drawn;
    struct view v;
    if (threadIdx.x == 0)
        drawn = j.params[blockIdx.x];
    __syncthreads();
    v.drawn = &drawn;
    if (v.drawn->sample < 0) {
        zero_view(j, out);
        return;
    }
    v.image = j.images + (int64_t)v.drawn->sample * s.channels * s.from_height * s.from_width;
    prepare_contrast(s, &v);
    for (int first = 0; first < j.out.cs; first += OCTET)
        if (v.drawn->sigma > 0)
            blurred_view(j, v, first, memory, out);
        else
            plain_view(j, v, first, out);
}

template <class T>
static int launch(struct CUstream_st *stream, const struct augment_job *j, void *y)
{
    size_t bytes = band_bytes(&j->band);
    if (cudaFuncSetAttribute(augment<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes))
        return (int)cudaGetLastError();
    return LAUNCH(augment<T>, (unsigned)j->out.n, AUGMENT_BLOCK, bytes, stream, *j,
                  static_cast<T *>(y));
}

int k_augment(struct CUstream_st *stream, const struct k_augment *a)
{
    struct augment_job j = {*a->shape, a->out, a->images, a->params, {}};
    j.band = augment_band_of(a->shape);
    if (j.band.rows < 1 || a->out.h != a->shape->height || a->out.w != a->shape->width ||
        a->out.c != a->shape->channels)
        return (int)cudaErrorInvalidValue;
    return a->out.bf16 ? launch<bfloat16>(stream, &j, a->y) : launch<float>(stream, &j, a->y);
}
