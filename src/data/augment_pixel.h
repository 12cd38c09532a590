/*
 * The arithmetic of augmentation, pixel by pixel, in functions that a CPU loop and a GPU kernel
 * share: given the drawn numbers of a view (struct view_params), what is the value at (channel, y,
 * x)? Only float arithmetic in a fixed order; drawing, which wants double and happens once per
 * view, is on the CPU alone (augment.h). Images are u8 planes [C,H,W]; intermediate values are
 * 0..1.
 *
 * A view is made in this order: crop and resize (with flip), the colour operations in their drawn
 * order, grayscale, blur, normalisation. Compiled by the C compiler and by nvcc.
 */
#ifndef SUPCON_DATA_AUGMENT_PIXEL_H
#define SUPCON_DATA_AUGMENT_PIXEL_H

#include <math.h>
#include <stdint.h>

#include "base/hd.h"

/* Sizes of a view and of the image that it is made from. */
struct augment_shape {
    int channels, height, width; /* of the view */
    float mean[3], std[3];
    int from_height, from_width; /* of the image: as large as the view at least */
};

/* Rows top .. top+height-1 and so on of the image; what lies outside the image is black. */
struct crop_box {
    int32_t top, left, height, width;
};

enum colour_op { COLOUR_BRIGHTNESS, COLOUR_CONTRAST, COLOUR_SATURATION, COLOUR_HUE, N_COLOUR_OPS };

/* Everything that was drawn for one view. 48 bytes without padding: goes to a device as it is. */
struct view_params {
    int32_t
        sample; /* whose image: as the holder of the parameters says; below 0: a view of zeros */
    struct crop_box box;
    uint8_t flip, grayscale;     /* 0 or 1 */
    uint8_t n_colour, reserved;  /* colour operations to do: 0 or all */
    uint8_t order[N_COLOUR_OPS]; /* i-th operation is order[i], enum colour_op, ... */
    float amount[N_COLOUR_OPS];  /* ... by amount[i]: a factor, or turns of hue */
    float sigma;                 /* of the blur, in pixels of the view; 0: none */
};

struct pixel {
    float r, g, b;
};

HD float augment_clip(float x)
{
    x = x < 0 ? 0 : x;
    return x > 1 ? 1 : x;
}

HD float augment_mix(float from, float to, float weight)
{
    return from + weight * (to - from);
}

/* Where position i of n falls in m: lower neighbour, and the weight of the next one. Half-pixel
 * centres, clamped at both ends. */
HD int augment_source(int i, int m, int n, float *weight)
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

/* One byte of a plane, black outside. */
HD float augment_texel(const uint8_t *plane, const struct augment_shape *s, int y, int x)
{
    int inside = y >= 0 && y < s->from_height && x >= 0 && x < s->from_width;
    return inside ? (float)plane[(int64_t)y * s->from_width + x] : 0;
}

/* Value at (y, x) of the cropped, resized and flipped view; plane: of this channel. Rows are mixed
 * first, then columns. */
HD float augment_sample(const uint8_t *plane, const struct augment_shape *s,
                        const struct view_params *p, int y, int x)
{
    float wy, wx;
    int y0 = augment_source(y, p->box.height, s->height, &wy);
    int x0 = augment_source(p->flip ? s->width - 1 - x : x, p->box.width, s->width, &wx);
    int y1 = y0 + 1 < p->box.height ? y0 + 1 : y0, x1 = x0 + 1 < p->box.width ? x0 + 1 : x0;
    int top = p->box.top + y0, bottom = p->box.top + y1;
    int left = p->box.left + x0, right = p->box.left + x1;
    float a =
        augment_mix(augment_texel(plane, s, top, left), augment_texel(plane, s, bottom, left), wy);
    float b = augment_mix(augment_texel(plane, s, top, right),
                          augment_texel(plane, s, bottom, right), wy);
    return augment_mix(a / 255, b / 255, wx);
}

HD float augment_grey(struct pixel p)
{
    return .299f * p.r + .587f * p.g + .114f * p.b;
}

/* factor * x + rest; rest is 0 for brightness, (1 - factor) * mean grey of the image for contrast,
 * (1 - factor) * grey of the pixel for saturation. */
HD float augment_blend(float x, float factor, float rest)
{
    return augment_clip(factor * x + rest);
}

HD float augment_contrast_rest(float factor, float mean_grey)
{
    return (1 - factor) * mean_grey;
}

HD struct pixel augment_saturate(struct pixel p, float factor)
{
    float rest = (1 - factor) * augment_grey(p);
    struct pixel q = {augment_blend(p.r, factor, rest), augment_blend(p.g, factor, rest),
                      augment_blend(p.b, factor, rest)};
    return q;
}

/* Amount of chroma to take from the value, for k = n + h not yet reduced: -4 < k < 14. */
HD float augment_take(float k)
{
    k = k < 0 ? k + 6 : k;
    k = k >= 6 ? k - 6 : k;
    k = k >= 6 ? k - 6 : k;
    return augment_clip(k < 4 - k ? k : 4 - k);
}

/* Over hexcone coordinates: with value v, chroma c and hue h in sixths of a turn, channel n in
 * {5, 3, 1} is v - c * clamp(min(k, 4 - k), 0, 1), k = (n + h) mod 6. */
HD struct pixel augment_turn_hue(struct pixel p, float turns)
{
    float max = p.r > p.g ? p.r : p.g, min = p.r < p.g ? p.r : p.g;
    max = max > p.b ? max : p.b;
    min = min < p.b ? min : p.b;
    float chroma = max - min, inverse = 1 / (chroma > 0 ? chroma : 1);
    float on_b = 4 + (p.r - p.g) * inverse, on_g = 2 + (p.b - p.r) * inverse;
    float on_r = (p.g - p.b) * inverse;
    float h = (max == p.r ? on_r : max == p.g ? on_g : on_b) + 6 * turns;
    struct pixel q = {augment_clip(max - chroma * augment_take(5 + h)),
                      augment_clip(max - chroma * augment_take(3 + h)),
                      augment_clip(max - chroma * augment_take(1 + h))};
    return q;
}

/* The blur is separable and sees zero outside the view: taps -r .. r with weight
 * augment_tap(k, sigma) / (their sum), r = augment_blur_radius. */
HD int augment_blur_radius(int side)
{
    return side / 10 / 2 > 0 ? side / 10 / 2 : 1;
}

HD float augment_tap(int k, float sigma)
{
    float x = (float)k / sigma;
    return expf(-.5f * x * x);
}

HD float augment_normalise(float x, float mean, float std)
{
    return (x - mean) / std;
}

#endif
