/*
 * Sums and maxima over the 32 threads of a warp, by butterflies: every thread gets the same result,
 * added in the same order on every run; and over a block, warp after warp. All threads of the warp,
 * or of the block, call them together.
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

/* Of a block of whole warps; every thread gets the sum. */
template <class T> __device__ inline T block_sum(T x)
{
    __shared__ T shared[WARP];
    x = warp_sum(x);
    __syncthreads(); /* an earlier sum has been read */
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = x;
    __syncthreads();
    T sum = 0;
    for (unsigned i = 0; i < blockDim.x / WARP; i++)
        sum += shared[i];
    return sum;
}

#endif
