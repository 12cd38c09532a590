/*
 * Operations on one image, channel planes of float in 0..1 (reading u8 where said). They give what
 * torchvision's tensor functions give: bilinear resampling with half-pixel centres, clamped at the
 * edges of the crop; colour factors blend with black, with the mean of the grey image, and with the
 * grey image; each clips to 0..1. Plain loops that a compiler can vectorise; every result is a
 * fixed sequence of operations, the same on every machine.
 */
#ifndef SUPCON_DATA_IMAGE_H
#define SUPCON_DATA_IMAGE_H

#include "base/rng.h"
#include "data/augment.h"

struct crop_box {
    int top, left, height, width;
};

/* A crop as torchvision's RandomResizedCrop draws it: area uniform in [area_min, area_max] of the
 * image, log-ratio uniform in log [3/4, 4/3], up to ten tries, then the largest central crop of an
 * allowed ratio. */
struct crop_box image_draw_box(struct rng *, const struct augment_shape *, double area_min,
                               double area_max);

/* The crop of `in` (u8) enlarged to the full size. A crop is never larger than the image, so
 * antialiasing would change nothing. scratch: 3 * width floats. */
void image_crop_resize(const uint8_t *in, const struct augment_shape *, struct crop_box, float *out,
                       float *scratch);
/* `in` (u8) moved by (dy, dx); what comes in from outside is black. */
void image_shift(const uint8_t *in, const struct augment_shape *, int dy, int dx, float *out);
void image_flip(float *image, const struct augment_shape *); /* left and right change places */

/* Colour images only (3 planes of n pixels). */
void image_brightness(float *rgb, int n, float factor);
void image_contrast(float *rgb, int n, float factor);
void image_saturation(float *rgb, int n, float factor);
void image_hue(float *rgb, int n, float turns); /* turns: -0.5 .. 0.5 around the colour circle */
void image_grayscale(float *rgb, int n);

/* (image - mean) / std, channel by channel. */
void image_normalise(const float *image, const struct augment_shape *, float *view);

#endif
