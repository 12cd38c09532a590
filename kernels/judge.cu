/*
 * The gradient's sum of squares, in double and in fixed order; and the judge, who sets *held where
 * a loss or a sum is not finite. Bytes per element: 4.
 *
 * Sum: at most 1056 blocks leave one number each, one block adds them; a small range has one block
 * in all. Threads of a block are added in the order of butterflies, warps and blocks in their own.
 * Elements up to the first multiple of 16 bytes, and the last ones, are taken one by one.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/warp.h"
#include "nn/loss_stat.h"

enum { QUAD = 4, QUADS_PER_THREAD = 8 };

__global__ void __launch_bounds__(BLOCK)
    judge_squares(int64_t n, int64_t head, const float *x, double *partial)
{
    grid_wait();
    int64_t first = (int64_t)blockIdx.x * BLOCK + threadIdx.x, all = (int64_t)gridDim.x * BLOCK;
    int64_t quads = (n - head) / QUAD;
    const float4 *quad = reinterpret_cast<const float4 *>(x + head);
    double sum = 0;
    for (int64_t i = first; i < quads; i += all) {
        float4 q = quad[i];
        sum += ((double)q.x * q.x + (double)q.y * q.y) + ((double)q.z * q.z + (double)q.w * q.w);
    }
    for (int64_t i = first; i < head; i += all)
        sum += (double)x[i] * x[i];
    for (int64_t i = head + quads * QUAD + first; i < n; i += all)
        sum += (double)x[i] * x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(BLOCK) judge_total(int n, const double *partial, double *out)
{
    grid_wait();
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += BLOCK)
        sum += partial[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *out = sum;
}

__global__ void __launch_bounds__(WARP)
    judge(int n_losses, const float *losses, int n_d, const double *squares, uint32_t *held)
{
    grid_wait();
    int bad = 0;
    for (int i = threadIdx.x; i < n_losses; i += WARP)
        bad |= !isfinite(losses[(int64_t)i * STAT_N + STAT_LOSS]);
    for (int i = threadIdx.x; i < n_d; i += WARP)
        bad |= !isfinite(squares[i]);
    bad = warp_max(bad);
    if (threadIdx.x == 0 && bad)
        *held |= 1;
}

static unsigned blocks_for(int64_t n)
{
    return stride_blocks(ceil_div(n, QUAD * QUADS_PER_THREAD), BLOCK, FULL_GRID);
}

size_t k_sum_squares_workspace(int64_t n)
{
    return blocks_for(n) * sizeof(double);
}

int k_sum_squares(struct CUstream_st *stream, int64_t n, const float *x, double *out,
                  void *workspace)
{
    unsigned blocks = blocks_for(n);
    double *partial = static_cast<double *>(workspace);
    int64_t head = (QUAD - (int64_t)((uintptr_t)x / sizeof(float) % QUAD)) % QUAD;
    int failed = LAUNCH(judge_squares, blocks, BLOCK, 0, stream, n, head < n ? head : n, x,
                        blocks == 1 ? out : partial);
    return failed || blocks == 1
               ? failed
               : LAUNCH(judge_total, 1, BLOCK, 0, stream, (int)blocks, partial, out);
}

int k_judge(struct CUstream_st *stream, int n_losses, const float *losses, int n_d,
            const double *squares, uint32_t *held)
{
    return LAUNCH(judge, 1, WARP, 0, stream, n_losses, losses, n_d, squares, held);
}
