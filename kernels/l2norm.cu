/*
 * Rows of length one: z = x / max(|x|, 1e-12), and dx = (dz - (dz . z) z) / |x|; of a row shorter
 * than the floor the divisor is a constant, dx = dz / 1e-12. f32.
 *
 * A warp has a row; sums run over lanes, then by butterflies. Bytes per element: forward 12 (x
 * twice, mostly from the L1 cache), backward 16.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/warp.h"

__device__ inline int64_t row_of_warp()
{
    return (int64_t)blockIdx.x * (BLOCK / WARP) + threadIdx.x / WARP;
}

__device__ inline float row_dot(const float *a, const float *b, int d)
{
    float sum = 0;
    for (int k = threadIdx.x % WARP; k < d; k += WARP)
        sum += a[k] * b[k];
    return warp_sum(sum);
}

static const float floor_length = 1e-12f;

__global__ void __launch_bounds__(BLOCK)
    l2norm(int64_t rows, int d, float least, const float *x, float *z)
{
    grid_wait();
    int64_t row = row_of_warp();
    if (row >= rows)
        return;
    const float *from = x + row * d;
    float length = sqrtf(row_dot(from, from, d)), divisor = length < least ? least : length;
    for (int k = threadIdx.x % WARP; k < d; k += WARP)
        z[row * d + k] = from[k] / divisor;
}

__global__ void __launch_bounds__(BLOCK)
    l2norm_backward(int64_t rows, int d, float least, const float *x, const float *z,
                    const float *dz, float *dx)
{
    grid_wait();
    int64_t row = row_of_warp();
    if (row >= rows)
        return;
    int64_t at = row * d;
    float length = sqrtf(row_dot(x + at, x + at, d)), radial = row_dot(z + at, dz + at, d);
    float divisor = length < least ? least : length;
    radial = length < least ? 0 : radial;
    for (int k = threadIdx.x % WARP; k < d; k += WARP)
        dx[at + k] = (dz[at + k] - z[at + k] * radial) / divisor;
}

static unsigned blocks_of(int64_t rows)
{
    return (unsigned)ceil_div(rows, BLOCK / WARP);
}

int k_l2norm(struct CUstream_st *stream, int64_t rows, int d, const float *x, float *z)
{
    return LAUNCH(l2norm, blocks_of(rows), BLOCK, 0, stream, rows, d, floor_length, x, z);
}

int k_l2norm_backward(struct CUstream_st *stream, int64_t rows, int d, const float *x,
                      const float *z, const float *dz, float *dx)
{
    return LAUNCH(l2norm_backward, blocks_of(rows), BLOCK, 0, stream, rows, d, floor_length, x, z,
                  dz, dx);
}
