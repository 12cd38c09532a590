/*
 * Operations on one image, channel planes of float in 0..1 (reading u8 where said): loops over the
 * arithmetic of augment_pixel.h. They give what torchvision's tensor functions give: bilinear
 * resampling with half-pixel centres, clamped at the edges of the crop; colour factors blend with
 * black, with the mean of the grey image, and with the grey image; each clips to 0..1. Plain loops
 * that a compiler can vectorise; every result is a fixed sequence of operations, the same on every
 * machine.
 */
#ifndef SUPCON_DATA_IMAGE_H
#define SUPCON_DATA_IMAGE_H

#include "base/rng.h"
#include "data/augment.h"

/* A crop of the image as torchvision's RandomResizedCrop draws it: area uniform in [area_min,
 * area_max] of the image, log-ratio uniform in log [3/4, 4/3], up to ten tries, then the largest
 * central crop of an allowed ratio. */
struct crop_box image_draw_box(struct rng *, const struct augment_shape *, double area_min,
                               double area_max);
/* The box of the view's size in the middle of the image. */
struct crop_box image_central_box(const struct augment_shape *);

/* The crop of `in` (u8) brought to the view's size. Nothing is smoothed before: a crop is smaller
 * than the view, or less than twice as large. scratch: image_row_scratch() floats. */
void image_crop_resize(const uint8_t *in, const struct augment_shape *, struct crop_box, float *out,
                       float *scratch);
size_t image_row_scratch(const struct augment_shape *);
void image_flip(float *image, const struct augment_shape *); /* left and right change places */

/* Colour images only (3 planes of n pixels). */
void image_brightness(float *rgb, int n, float factor);
void image_contrast(float *rgb, int n, float factor);
void image_saturation(float *rgb, int n, float factor);
void image_hue(float *rgb, int n, float turns); /* turns: -0.5 .. 0.5 around the colour circle */
void image_grayscale(float *rgb, int n);

/* Gaussian blur of every plane (Chen et al. 2020, appendix A: a kernel of a tenth of the side),
 * zero outside. scratch: height * width floats and a row of taps, 2 * height * width in all. */
void image_blur(float *image, const struct augment_shape *, float sigma, float *scratch);

/* (image - mean) / std, channel by channel. */
void image_normalise(const float *image, const struct augment_shape *, float *view);

#endif
