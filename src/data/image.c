/* Geometry and normalisation of one image; colours are in image_colour.c. */
#include "data/image.h"

#include <math.h>
#include <string.h>

/* Half to even, as Python's round. */
static int round_int(double x)
{
    return (int)rint(x);
}

static struct crop_box largest_central_box(int height, int width)
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
        double area =
            s->from_height * s->from_width * (area_min + (area_max - area_min) * rng_float(r));
        double ratio = exp(log_ratio * (2. * rng_float(r) - 1));
        int w = round_int(sqrt(area * ratio)), h = round_int(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > s->from_width || h > s->from_height)
            continue;
        int top = (int)rng_below(r, (uint32_t)(s->from_height - h + 1));
        int left = (int)rng_below(r, (uint32_t)(s->from_width - w + 1));
        return (struct crop_box){top, left, h, w};
    }
    return largest_central_box(s->from_height, s->from_width);
}

struct crop_box image_central_box(const struct augment_shape *s)
{
    return (struct crop_box){(s->from_height - s->height) / 2, (s->from_width - s->width) / 2,
                             s->height, s->width};
}

/* What the rows of one crop need: where columns come from, which part of a row of the crop lies
 * inside the image, and a black row for what lies above and below. */
struct rows {
    const struct augment_shape *shape;
    struct crop_box box;
    int first, last; /* columns first .. last-1 of the crop lie inside the image */
    float *row, *weight_x;
    int32_t *at_x;
    uint8_t *black;
};

size_t image_row_scratch(const struct augment_shape *s)
{
    size_t widest = (size_t)(s->width > s->from_width ? s->width : s->from_width);
    return 3 * widest + (widest + sizeof(float) - 1) / sizeof(float);
}

static struct rows rows_at(const struct augment_shape *s, struct crop_box box, float *scratch)
{
    size_t widest = (size_t)(s->width > s->from_width ? s->width : s->from_width);
    int right = s->from_width - box.left;
    struct rows r = {.shape = s,
                     .box = box,
                     .first = box.left < 0 ? -box.left : 0,
                     .last = right < box.width ? right : box.width,
                     .row = scratch,
                     .weight_x = scratch + widest,
                     .at_x = (int32_t *)(scratch + 2 * widest),
                     .black = (uint8_t *)(scratch + 3 * widest)};
    memset(r.black, 0, widest);
    memset(r.row, 0, sizeof *r.row * widest);
    for (int x = 0; x < s->width; x++)
        r.at_x[x] = augment_source(x, box.width, s->width, &r.weight_x[x]);
    return r;
}

/* Row y of the crop. */
static const uint8_t *row_of(const struct rows *r, const uint8_t *plane, int y)
{
    y += r->box.top;
    return y < 0 || y >= r->shape->from_height ? r->black
                                               : plane + (size_t)y * r->shape->from_width;
}

/* Two rows of the image mixed into `row`, as wide as the crop. */
static void mix_rows(const struct rows *r, const uint8_t *a, const uint8_t *b, float weight)
{
    float *restrict row = r->row;
    int left = r->box.left;
#pragma omp simd
    for (int x = r->first; x < r->last; x++)
        row[x] = augment_mix((float)a[left + x], (float)b[left + x], weight) / 255;
}

void image_crop_resize(const uint8_t *in, const struct augment_shape *s, struct crop_box box,
                       float *out, float *scratch)
{
    struct rows r = rows_at(s, box, scratch);
    for (int c = 0; c < s->channels; c++) {
        const uint8_t *plane = in + (size_t)c * s->from_height * s->from_width;
        for (int y = 0; y < s->height; y++, out += s->width) {
            float weight_y;
            int y0 = augment_source(y, box.height, s->height, &weight_y);
            int y1 = y0 + 1 < box.height ? y0 + 1 : y0;
            mix_rows(&r, row_of(&r, plane, y0), row_of(&r, plane, y1), weight_y);
            for (int x = 0; x < s->width; x++) {
                int x0 = r.at_x[x], x1 = x0 + 1 < box.width ? x0 + 1 : x0;
                out[x] = augment_mix(r.row[x0], r.row[x1], r.weight_x[x]);
            }
        }
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
            view[i] = augment_normalise(image[i], mean, std);
    }
}
