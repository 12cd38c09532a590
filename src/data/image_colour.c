/* Colours of one image. Each operation is one pass without branches, so that it vectorises. */
#include "data/image.h"

static inline struct pixel pixel_at(const float *rgb, int n, int i)
{
    return (struct pixel){rgb[i], rgb[n + i], rgb[2 * n + i]};
}

static inline void pixel_put(float *rgb, int n, int i, struct pixel p)
{
    rgb[i] = p.r;
    rgb[n + i] = p.g;
    rgb[2 * n + i] = p.b;
}

void image_brightness(float *rgb, int n, float factor)
{
#pragma omp simd
    for (int i = 0; i < 3 * n; i++)
        rgb[i] = augment_blend(rgb[i], factor, 0);
}

void image_contrast(float *rgb, int n, float factor)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++)
        sum += augment_grey(pixel_at(rgb, n, i));
    float rest = augment_contrast_rest(factor, sum / (float)n);
#pragma omp simd
    for (int i = 0; i < 3 * n; i++)
        rgb[i] = augment_blend(rgb[i], factor, rest);
}

void image_saturation(float *rgb, int n, float factor)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        pixel_put(rgb, n, i, augment_saturate(pixel_at(rgb, n, i), factor));
}

void image_hue(float *rgb, int n, float turns)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        pixel_put(rgb, n, i, augment_turn_hue(pixel_at(rgb, n, i), turns));
}

void image_grayscale(float *rgb, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        float grey = augment_grey(pixel_at(rgb, n, i));
        pixel_put(rgb, n, i, (struct pixel){grey, grey, grey});
    }
}
