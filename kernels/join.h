/* The small kernels that join what chunks of rows have left: 8 channels a block (32 bytes, what a
 * read of memory brings at least), 128 threads for each, in double and in fixed order. Many blocks
 * and short chains, since a network waits for each of them. */
#ifndef SUPCON_KERNELS_JOIN_H
#define SUPCON_KERNELS_JOIN_H

#include "kernels/launch.h"

enum { JOIN_CHANNELS = 8, JOIN_ROWS = 128 };

/* Adds what the threads of a channel bring, in a tree; the thread of row 0 has the total. All
 * threads of the block call it. */
__device__ inline double join_rows(double x)
{
    __shared__ double shared[JOIN_ROWS][JOIN_CHANNELS];
    int row = (int)threadIdx.y, ch = (int)threadIdx.x;
    __syncthreads();
    shared[row][ch] = x;
    for (int half = JOIN_ROWS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (row < half)
            shared[row][ch] += shared[row + half][ch];
    }
    return shared[row][ch];
}

/* out[i] = the sum over chunks of partial[chunk][i], i < n <= stride. */
int column_sums_join(struct CUstream_st *, int chunks, int stride, int n, const float *partial,
                     float *out);

#endif
