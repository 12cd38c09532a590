/*
 * Bringing a decoded image to its stored size. Each output column (then row) is a weighted sum of
 * the input pixels under a triangle around its centre, as wide as the reduction; only the columns
 * and rows of the kept middle are made.
 */
#include "data/decode_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Along one axis: output i is the sum of weight[i * taps + k] * input[first[i] + k]. */
struct axis {
    int n, taps;
    int *first, *count;
    float *weight;
};

static void axis_done(struct axis *a)
{
    free(a->first);
    free(a->count);
    free(a->weight);
}

/* `side` of `out` positions in the middle of an axis of `in` pixels; the image ends at `extent`,
 * not after `in`, as the last pixel may be there in part only. */
static int axis_init(struct axis *a, int in, double extent, int out, int side)
{
    double scale = extent / out, support = scale > 1 ? scale : 1;
    int skip = (int)rint((out - side) / 2.); /* half to even */
    a->n = side;
    a->taps = 2 * (int)ceil(support) + 1;
    a->first = malloc(sizeof *a->first * (size_t)side);
    a->count = malloc(sizeof *a->count * (size_t)side);
    a->weight = calloc((size_t)side * (size_t)a->taps, sizeof *a->weight);
    if (!a->first || !a->count || !a->weight)
        return -1;
    for (int i = 0; i < side; i++) {
        double centre = (i + skip + .5) * scale, sum = 0;
        int low = (int)(centre - support + .5), high = (int)(centre + support + .5);
        float *w = a->weight + (size_t)i * (size_t)a->taps;
        low = low < 0 ? 0 : low;
        high = high > in ? in : high;
        a->first[i] = low;
        a->count[i] = high - low;
        for (int k = 0; k < high - low; k++) {
            double far = fabs((low + k + .5 - centre) / support);
            w[k] = far < 1 ? (float)(1 - far) : 0;
            sum += w[k];
        }
        for (int k = 0; k < high - low; k++)
            w[k] = (float)(w[k] / sum);
    }
    return 0;
}

static uint8_t to_byte(float x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x + .5f);
}

/* Rows of `in` to rows of [side, 3]. */
static void fit_columns(const struct bitmap *in, const struct axis *x, int from, int to,
                        uint8_t *out)
{
    for (int y = from; y < to; y++) {
        const uint8_t *row = in->rgb + 3 * (size_t)in->width * (size_t)y;
        for (int i = 0; i < x->n; i++) {
            const uint8_t *p = row + 3 * (size_t)x->first[i];
            const float *w = x->weight + (size_t)i * (size_t)x->taps;
            float r = 0, g = 0, b = 0;
            for (int k = 0; k < x->count[i]; k++, p += 3) {
                r += w[k] * p[0];
                g += w[k] * p[1];
                b += w[k] * p[2];
            }
            *out++ = to_byte(r);
            *out++ = to_byte(g);
            *out++ = to_byte(b);
        }
    }
}

/* `in`: [rows, side, 3], rows counted from `from`. */
static void fit_rows(const uint8_t *in, int from, const struct axis *y, float *sum, uint8_t *planes)
{
    int side = y->n;
    for (int i = 0; i < side; i++) {
        const float *w = y->weight + (size_t)i * (size_t)y->taps;
        memset(sum, 0, sizeof *sum * 3 * (size_t)side);
        for (int k = 0; k < y->count[i]; k++) {
            const uint8_t *row = in + 3 * (size_t)side * (size_t)(y->first[i] + k - from);
            for (int x = 0; x < 3 * side; x++)
                sum[x] += w[k] * row[x];
        }
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < side; x++)
                planes[((size_t)c * side + (size_t)i) * side + x] = to_byte(sum[3 * x + c]);
    }
}

static void copy_planes(const struct bitmap *in, uint8_t *planes)
{
    size_t n = (size_t)in->width * (size_t)in->height;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            planes[c * n + i] = in->rgb[3 * i + c];
}

/* One axis of the image, when the shorter one becomes `side`. */
static int axis_of(struct axis *a, const struct bitmap *in, int pixels, int full, int side)
{
    int shorter = in->full_width < in->full_height ? in->full_width : in->full_height;
    int64_t out = (int64_t)full * side / shorter;
    out = out > INT32_MAX / 2 ? INT32_MAX / 2 : out;
    return axis_init(a, pixels, (double)full / in->by, (int)out, side);
}

int image_fit(const struct bitmap *in, int side, uint8_t *planes)
{
    struct axis x = {0}, y = {0};
    uint8_t *narrow = NULL;
    float *sum = malloc(sizeof *sum * 3 * (size_t)side);
    int failed = -1;
    if (in->full_width == side && in->full_height == side) {
        copy_planes(in, planes);
        failed = 0;
        goto out;
    }
    if (!sum || axis_of(&x, in, in->width, in->full_width, side) ||
        axis_of(&y, in, in->height, in->full_height, side))
        goto out;
    int from = y.first[0], to = y.first[side - 1] + y.count[side - 1];
    narrow = malloc(3 * (size_t)side * (size_t)(to - from));
    if (!narrow)
        goto out;
    fit_columns(in, &x, from, to, narrow);
    fit_rows(narrow, from, &y, sum, planes);
    failed = 0;
out:
    axis_done(&x);
    axis_done(&y);
    free(narrow);
    free(sum);
    return failed;
}
