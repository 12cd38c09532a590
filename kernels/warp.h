/*
 * Sums and maxima over the 32 threads of a warp, by butterflies: every thread gets the same result,
 * added in the same order on every run. All 32 threads call them together.
 */
#ifndef SUPCON_KERNELS_WARP_H
#define SUPCON_KERNELS_WARP_H

#include "kernels/launch.h"

enum { WARP = 32 };

template <class T> __device__ inline T warp_sum(T x)
{
    for (int reach = WARP / 2; reach > 0; reach /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, reach);
    return x;
}

template <class T> __device__ inline T warp_max(T x)
{
    for (int reach = WARP / 2; reach > 0; reach /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, x, reach);
        x = other > x ? other : x;
    }
    return x;
}

#endif
