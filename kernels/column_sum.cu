/*
 * Sums of the columns of f32 [rows, k]: the gradient of a linear layer's bias. Chunks of rows, then
 * the chunks' sums in double; both in fixed order. Few rows are their own chunks. Bytes per
 * element: 4.
 *
 * Launch: struct columns with single columns for octets: 32 columns by 8 rows of threads a block.
 */
#include "kernels/columns.h"
#include "kernels/join.h"
#include "kernels/kernels.h"

enum { ROWS_AT_ONCE = 16 * JOIN_ROWS }; /* about the time of one launch more: estimate */

/* partial: [chunks][k]. */
__global__ void __launch_bounds__(BLOCK)
    column_sum_chunks(struct columns c, const float *x, float *partial)
{
    grid_wait();
    __shared__ float shared[BLOCK];
    struct column_place p = column_place_of(c);
    float sum = 0;
    for (int64_t row = p.begin + p.row; row < p.end && p.active; row += c.height)
        sum += x[row * c.octets + p.column];
    shared[threadIdx.x] = sum;
    __syncthreads();
    if (p.row != 0 || !p.active)
        return;
    for (int row = 1; row < c.height; row++)
        sum += shared[row * c.width + threadIdx.x];
    partial[(int64_t)blockIdx.y * c.octets + p.column] = sum;
}

__global__ void __launch_bounds__(JOIN_CHANNELS *JOIN_ROWS)
    column_sum_join(int chunks, int stride, int n, const float *partial, float *out)
{
    grid_wait();
    int ch = (int)(blockIdx.x * JOIN_CHANNELS + threadIdx.x);
    double sum = 0;
    for (int i = threadIdx.y; i < chunks && ch < n; i += JOIN_ROWS)
        sum += partial[(int64_t)i * stride + ch];
    sum = join_rows(sum);
    if (threadIdx.y == 0 && ch < n)
        out[ch] = (float)sum;
}

int column_sums_join(struct CUstream_st *stream, int chunks, int stride, int n,
                     const float *partial, float *out)
{
    return LAUNCH(column_sum_join, (unsigned)ceil_div(n, JOIN_CHANNELS),
                  dim3(JOIN_CHANNELS, JOIN_ROWS), 0, stream, chunks, stride, n, partial, out);
}

size_t k_column_sum_workspace(int64_t rows, int k)
{
    return rows <= ROWS_AT_ONCE ? 0
                                : (size_t)columns_of(rows, k).chunks * (size_t)k * sizeof(float);
}

int k_column_sum(struct CUstream_st *stream, int64_t rows, int k, const float *dy, float *db,
                 void *workspace)
{
    if (rows <= ROWS_AT_ONCE)
        return column_sums_join(stream, (int)rows, k, k, dy, db);
    struct columns c = columns_of(rows, k);
    float *partial = static_cast<float *>(workspace);
    int failed = LAUNCH(column_sum_chunks, column_grid(c), BLOCK, 0, stream, c, dy, partial);
    return failed ? failed : column_sums_join(stream, c.chunks, k, k, partial, db);
}
