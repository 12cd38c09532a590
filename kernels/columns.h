/*
 * Sums per channel within a block of threads cut as struct columns says (grid.h): every thread has
 * summed one octet of channels over its rows; here the block's rows of threads are added, in their
 * order.
 */
#ifndef SUPCON_KERNELS_COLUMNS_H
#define SUPCON_KERNELS_COLUMNS_H

#include "kernels/grid.h"
#include "kernels/octet.h"

/* Octets whose loads a thread issues before it uses the first: 64 bytes' worth. */
template <class T> struct in_flight {
    enum { N = 64 / sizeof(octet<T>) };
};

/* Where a thread stands. */
struct column_place {
    int column, row;    /* octet of channels; row of the block's threads */
    int64_t begin, end; /* rows of the matrix that the block has */
    bool active;
};

__device__ inline struct column_place column_place_of(const struct columns &c)
{
    struct column_place p;
    p.column = (int)blockIdx.x * c.width + (int)threadIdx.x % c.width;
    p.row = (int)threadIdx.x / c.width;
    p.begin = blockIdx.y * c.chunk;
    p.end = p.begin + c.chunk < c.rows ? p.begin + c.chunk : c.rows;
    p.active = p.row < c.height && p.column < c.octets;
    return p;
}

/* With this pitch, threads that read one channel each (column_total) meet no bank conflicts. */
enum { SUM_PITCH = BLOCK + 4 };

/* A thread's sums of one octet, [OCTET][SUM_PITCH] in shared memory; __syncthreads() follows. */
__device__ inline void column_leave(float *shared, const float s[OCTET])
{
    for (int k = 0; k < OCTET; k++)
        shared[k * SUM_PITCH + threadIdx.x] = s[k];
}

/* The sum over the block's rows of channel i of its tile, 0 <= i < width * OCTET. */
__device__ inline float column_total(const struct columns &c, const float *shared, int i)
{
    const float *p = shared + i % OCTET * SUM_PITCH + i / OCTET;
    float sum = 0;
    for (int row = 0; row < c.height; row++)
        sum += p[row * c.width];
    return sum;
}

/* The channel that is i-th of the block's tile; beyond the stored ones in the last tile. */
__device__ inline int column_channel(const struct columns &c, int i)
{
    return (int)blockIdx.x * c.width * OCTET + i;
}

static inline dim3 column_grid(const struct columns &c)
{
    return dim3((unsigned)c.tiles, (unsigned)c.chunks);
}

#endif
