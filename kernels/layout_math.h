/* Where things lie in the layouts of kernels.h. C and C++. */
#ifndef SUPCON_KERNELS_LAYOUT_MATH_H
#define SUPCON_KERNELS_LAYOUT_MATH_H

#include "base/hd.h"
#include "kernels/grid.h"

/* One thread's part of an image: 8 channels of one pixel. Items count pixels fastest, so that
 * neighbours read neighbours of the channel planes. */
struct layout_item {
    int pixel, octet;
};

HD struct layout_item layout_item_of(int i, int pixels)
{
    struct layout_item t = {i % pixels, i / pixels};
    return t;
}

/* Channel `ch`, pixel `pixel` of image n in planes [N][C][pixels]. */
HD int64_t plane_at(int64_t n, int c, int ch, int pixels, int pixel)
{
    return (n * c + ch) * pixels + pixel;
}

/* A filter [K][C][taps] in tiles of one k and some channels, which fit FILTER_TILE floats: how many
 * channels, a multiple of 8. */
enum { FILTER_TILE = 2048, FILTER_TAPS_MAX = 1024 };

HD int filter_channels(int taps, int stored_channels)
{
    int n = FILTER_TILE / taps / 8 * 8;
    n = n < 8 ? 8 : n;
    return n < stored_channels ? n : stored_channels;
}

#endif
