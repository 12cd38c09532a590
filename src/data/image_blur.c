/* Gaussian blur: along rows into scratch, then along columns back; zero outside the image. */
#include "data/image.h"

#include <string.h>

/* to += weight * from moved right by k, over one row of n; what comes in from outside is zero. */
static void add_moved(float *restrict to, const float *restrict from, int n, int k, float weight)
{
    int first = k > 0 ? k : 0, last = k < 0 ? n + k : n;
#pragma omp simd
    for (int x = first; x < last; x++)
        to[x] += weight * from[x - k];
}

static void blur_plane(float *plane, const struct augment_shape *s, const float *taps, int r,
                       float *rows)
{
    int h = s->height, w = s->width;
    size_t bytes = sizeof *plane * (size_t)h * (size_t)w;
    memset(rows, 0, bytes);
    for (int y = 0; y < h; y++)
        for (int k = -r; k <= r; k++)
            add_moved(rows + (size_t)y * w, plane + (size_t)y * w, w, k, taps[k + r]);
    memset(plane, 0, bytes);
    for (int y = 0; y < h; y++)
        for (int k = -r; k <= r; k++)
            if (y - k >= 0 && y - k < h)
                add_moved(plane + (size_t)y * w, rows + (size_t)(y - k) * w, w, 0, taps[k + r]);
}

void image_blur(float *image, const struct augment_shape *s, float sigma, float *scratch)
{
    int r = augment_blur_radius(s->height < s->width ? s->height : s->width);
    float *rows = scratch, *taps = scratch + (size_t)s->height * s->width, sum = 0;
    for (int k = -r; k <= r; k++)
        sum += taps[k + r] = augment_tap(k, sigma);
    for (int k = -r; k <= r; k++)
        taps[k + r] /= sum;
    for (int c = 0; c < s->channels; c++)
        blur_plane(image + (size_t)c * s->height * s->width, s, taps, r, rows);
}
