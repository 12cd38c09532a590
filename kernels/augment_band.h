/*
 * How a view is blurred within a block's shared memory: the taps, a ring of rows, and one band of
 * rows that have been blurred along columns. C and C++.
 */
#ifndef SUPCON_KERNELS_AUGMENT_BAND_H
#define SUPCON_KERNELS_AUGMENT_BAND_H

#include "data/augment_pixel.h"
#include <stddef.h>

/* Of the 227 KiB that a block may have on Hopper, 1 KiB is for the kernel's own variables. */
enum { BAND_BYTES = 96 << 10, BAND_BYTES_MAX = 226 << 10 };

struct augment_band {
    int channels, width, radius;
    int rows; /* of a band; 0: a view too large */
};

HD int band_taps(const struct augment_band *b)
{
    return 2 * b->radius + 1;
}

HD int band_ring_rows(const struct augment_band *b)
{
    return b->rows + 2 * b->radius;
}

/* Floats of the ring. */
HD int band_ring(const struct augment_band *b)
{
    return b->channels * band_ring_rows(b) * b->width;
}

/* Row y of the view, as long as it is in the ring. */
HD int band_ring_at(const struct augment_band *b, int channel, int y, int x)
{
    int rows = band_ring_rows(b);
    return (channel * rows + y % rows) * b->width + x;
}

HD size_t band_bytes(const struct augment_band *b)
{
    return sizeof(float) * (size_t)(band_taps(b) + band_ring(b) + b->channels * b->rows * b->width);
}

/* The most rows that fit: all of them, or what BAND_BYTES holds, so that two blocks share a
 * multiprocessor; one, if that fits at all. */
HD struct augment_band augment_band_of(const struct augment_shape *s)
{
    struct augment_band b;
    b.channels = s->channels < 8 ? s->channels : 8;
    b.width = s->width;
    b.radius = augment_blur_radius(s->height < s->width ? s->height : s->width);
    for (b.rows = s->height; b.rows > 1 && band_bytes(&b) > BAND_BYTES;)
        b.rows--;
    if (band_bytes(&b) > BAND_BYTES_MAX)
        b.rows = 0;
    return b;
}

#endif
