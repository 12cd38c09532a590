/* The small kernels that join what chunks of rows have left: 32 channels a block, 32 threads for
 * each, in double and in fixed order. */
#ifndef SUPCON_KERNELS_JOIN_H
#define SUPCON_KERNELS_JOIN_H

#include "kernels/launch.h"

enum { JOIN_CHANNELS = 32, JOIN_ROWS = 32 };

/* Adds what the 32 threads of a channel bring, in their order; the thread of row 0 has the total.
 * All threads of the block call it. */
__device__ inline double join_rows(double x)
{
    __shared__ double shared[JOIN_ROWS][JOIN_CHANNELS];
    double sum = 0;
    __syncthreads();
    shared[threadIdx.y][threadIdx.x] = x;
    __syncthreads();
    for (int row = 0; row < JOIN_ROWS && threadIdx.y == 0; row++)
        sum += shared[row][threadIdx.x];
    return sum;
}

/* out[i] = the sum over chunks of partial[chunk][i], i < n <= stride. */
int column_sums_join(struct CUstream_st *, int chunks, int stride, int n, const float *partial,
                     float *out);

#endif
