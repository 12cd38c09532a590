/* Geometry and normalisation of one image; colours are in image_colour.c. */
#include "data/image.h"

#include <math.h>
#include <string.h>

/* Half to even, as Python's round. */
static int round_int(double x)
{
    return (int)rint(x);
}

static struct crop_box central_box(int height, int width)
{
    const double narrowest = 3. / 4, widest = 4. / 3;
    double ratio = (double)width / height;
    struct crop_box b = {0, 0, height, width};
    if (ratio < narrowest)
        b.height = round_int(width / narrowest);
    else if (ratio > widest)
        b.width = round_int(height * widest);
    b.top = (height - b.height) / 2;
    b.left = (width - b.width) / 2;
    return b;
}

struct crop_box image_draw_box(struct rng *r, const struct augment_shape *s, double area_min,
                               double area_max)
{
    const double log_ratio = log(4. / 3);
    for (int i = 0; i < 10; i++) {
        double area = s->height * s->width * (area_min + (area_max - area_min) * rng_float(r));
        double ratio = exp(log_ratio * (2. * rng_float(r) - 1));
        int w = round_int(sqrt(area * ratio)), h = round_int(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > s->width || h > s->height)
            continue;
        int top = (int)rng_below(r, (uint32_t)(s->height - h + 1));
        int left = (int)rng_below(r, (uint32_t)(s->width - w + 1));
        return (struct crop_box){top, left, h, w};
    }
    return central_box(s->height, s->width);
}

/* Where output position i of n falls in a crop of m: lower neighbour, and the weight of the next
 * one. */
static inline int source(int i, int m, int n, float *weight)
{
    float at = ((float)i + .5f) * ((float)m / (float)n) - .5f;
    if (at < 0)
        at = 0;
    int low = (int)at;
    if (low >= m - 1) {
        *weight = 0;
        return m - 1;
    }
    *weight = at - (float)low;
    return low;
}

/* One output row: two input rows mixed into `row`, then resampled along x. */
static void resize_row(const uint8_t *a, const uint8_t *b, float weight, const struct crop_box *box,
                       float *restrict row)
{
#pragma omp simd
    for (int x = 0; x < box->width; x++) {
        float low = (float)a[x], high = (float)b[x];
        row[x] = (low + weight * (high - low)) / 255;
    }
}

void image_crop_resize(const uint8_t *in, const struct augment_shape *s, struct crop_box box,
                       float *out, float *scratch)
{
    float *row = scratch, *weight_x = scratch + s->width;
    int32_t *at_x = (int32_t *)(scratch + 2 * s->width);
    for (int x = 0; x < s->width; x++)
        at_x[x] = source(x, box.width, s->width, &weight_x[x]);
    for (int c = 0; c < s->channels; c++) {
        const uint8_t *plane = in + (size_t)c * s->height * s->width + box.left;
        for (int y = 0; y < s->height; y++, out += s->width) {
            float weight_y;
            int y0 = source(y, box.height, s->height, &weight_y);
            const uint8_t *a = plane + (size_t)(box.top + y0) * s->width;
            resize_row(a, y0 + 1 < box.height ? a + s->width : a, weight_y, &box, row);
            for (int x = 0; x < s->width; x++) {
                int x0 = at_x[x], x1 = x0 + 1 < box.width ? x0 + 1 : x0;
                out[x] = row[x0] + weight_x[x] * (row[x1] - row[x0]);
            }
        }
    }
}

void image_shift(const uint8_t *in, const struct augment_shape *s, int dy, int dx, float *out)
{
    int x_from = dx > 0 ? dx : 0, x_to = dx < 0 ? s->width + dx : s->width;
    memset(out, 0, sizeof *out * (size_t)s->channels * s->height * s->width);
    for (int c = 0; c < s->channels; c++)
        for (int y = 0; y < s->height; y++) {
            if (y - dy < 0 || y - dy >= s->height)
                continue;
            const uint8_t *from = in + ((size_t)c * s->height + y - dy) * s->width;
            float *to = out + ((size_t)c * s->height + y) * s->width;
            for (int x = x_from; x < x_to; x++)
                to[x] = (float)from[x - dx] / 255;
        }
}

void image_flip(float *image, const struct augment_shape *s)
{
    for (int y = 0; y < s->channels * s->height; y++, image += s->width)
        for (int a = 0, b = s->width - 1; a < b; a++, b--) {
            float keep = image[a];
            image[a] = image[b];
            image[b] = keep;
        }
}

void image_normalise(const float *image, const struct augment_shape *s, float *restrict view)
{
    int n = s->height * s->width;
    for (int c = 0; c < s->channels; c++, image += n, view += n) {
        float mean = s->mean[c], std = s->std[c];
#pragma omp simd
        for (int i = 0; i < n; i++)
            view[i] = (image[i] - mean) / std;
    }
}
