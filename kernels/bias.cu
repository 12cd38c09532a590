/*
 * The bias of a convolution: y += b per channel, and its gradient, the sum of dy over images and
 * pixels. Bytes per element of E bytes: forward 2 E, backward E.
 *
 * Launch: struct columns, 256 threads. Padding channels stay zero.
 */
#include "kernels/columns.h"
#include "kernels/join.h"
#include "kernels/kernels.h"

template <class T>
__global__ void __launch_bounds__(BLOCK) bias_add(struct columns c, int real, T *y, const float *b)
{
    grid_wait();
    struct column_place p = column_place_of(c);
    float v[OCTET], add[OCTET];
    if (!p.active)
        return;
    for (int k = 0; k < OCTET; k++)
        add[k] = p.column * OCTET + k < real ? b[p.column * OCTET + k] : 0;
    for (int64_t row = p.begin + p.row; row < p.end; row += c.height) {
        octet_read(y, row * c.octets + p.column, v);
        for (int k = 0; k < OCTET; k++)
            v[k] += add[k];
        octet_store(y, row * c.octets + p.column, v);
    }
}

/* partial: [chunks][channels]. */
template <class T>
__global__ void __launch_bounds__(BLOCK) bias_sums(struct columns c, const T *dy, float *partial)
{
    grid_wait();
    __shared__ float shared[OCTET * SUM_PITCH];
    struct column_place p = column_place_of(c);
    float sum[OCTET] = {0};
    for (int64_t row = p.begin + p.row; row < p.end && p.active; row += c.height) {
        float v[OCTET];
        octet_read(dy, row * c.octets + p.column, v);
        for (int k = 0; k < OCTET; k++)
            sum[k] += v[k];
    }
    column_leave(shared, sum);
    __syncthreads();
    int channels = c.octets * OCTET;
    for (int i = threadIdx.x; i < c.width * OCTET && column_channel(c, i) < channels; i += BLOCK)
        partial[(int64_t)blockIdx.y * channels + column_channel(c, i)] = column_total(c, shared, i);
}

static struct columns columns_in(const struct k_map *m)
{
    return columns_of(m->n * m->h * m->w, m->cs / OCTET);
}

int k_bias(struct CUstream_st *stream, const struct k_map *m, void *y, const float *b)
{
    struct columns c = columns_in(m);
    if (m->bf16)
        return LAUNCH(bias_add<bfloat16>, column_grid(c), BLOCK, 0, stream, c, m->c, (bfloat16 *)y,
                      b);
    return LAUNCH(bias_add<float>, column_grid(c), BLOCK, 0, stream, c, m->c, (float *)y, b);
}

size_t k_bias_backward_workspace(const struct k_map *m)
{
    return (size_t)columns_in(m).chunks * (size_t)m->cs * sizeof(float);
}

int k_bias_backward(struct CUstream_st *stream, const struct k_map *m, const void *dy, float *db,
                    void *workspace)
{
    struct columns c = columns_in(m);
    float *partial = static_cast<float *>(workspace);
    int failed;
    if (m->bf16)
        failed = LAUNCH(bias_sums<bfloat16>, column_grid(c), BLOCK, 0, stream, c,
                        (const bfloat16 *)dy, partial);
    else
        failed = LAUNCH(bias_sums<float>, column_grid(c), BLOCK, 0, stream, c, (const float *)dy,
                        partial);
    return failed ? failed : column_sums_join(stream, c.chunks, m->cs, m->c, partial, db);
}
