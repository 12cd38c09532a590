/*
 * Maps over whole activations, whatever their shape: y = relu(x); y = a + b, ReLU; y += x; and
 * their gradients.
 *
 * A thread takes an octet at a time in a grid-stride loop over at most 8 blocks of 256 threads per
 * multiprocessor. Bytes per element of E bytes: relu 2 E, gradient by y 3 E, add 3 E (+ 1/8 for
 * the mask), gradient by mask 2 E + 1/8, accumulate 3 E.
 */
#include "kernels/kernels.h"

#include "kernels/grid.h"
#include "kernels/octet.h"

__device__ inline int64_t first_item()
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ inline int64_t all_items()
{
    return (int64_t)gridDim.x * blockDim.x;
}

template <class T>
__global__ void __launch_bounds__(BLOCK) elementwise_relu(int64_t n, const T *x, T *y)
{
    grid_wait();
    for (int64_t i = first_item(); i * OCTET < n; i += all_items()) {
        float v[OCTET];
        part_read(x, i, n, v);
        octet_relu(v);
        part_write(y, i, n, v);
    }
}

template <class T>
__global__ void __launch_bounds__(BLOCK)
    elementwise_relu_backward(int64_t n, const T *y, const T *dy, T *dx)
{
    grid_wait();
    for (int64_t i = first_item(); i * OCTET < n; i += all_items()) {
        float v[OCTET], d[OCTET];
        part_read(y, i, n, v);
        part_read(dy, i, n, d);
        octet_gate(d, octet_relu(v));
        part_write(dx, i, n, d);
    }
}

template <class T>
__global__ void __launch_bounds__(BLOCK)
    elementwise_add(int64_t n, const T *a, const T *b, T *y, uint8_t *mask, int is_relu)
{
    grid_wait();
    for (int64_t i = first_item(); i * OCTET < n; i += all_items()) {
        float v[OCTET], w[OCTET];
        part_read(a, i, n, v);
        part_read(b, i, n, w);
        for (int k = 0; k < OCTET; k++)
            v[k] += w[k];
        if (is_relu) {
            uint8_t bits = octet_relu(v);
            if (mask)
                mask[i] = bits;
        }
        part_write(y, i, n, v);
    }
}

template <class T>
__global__ void __launch_bounds__(BLOCK)
    elementwise_gate(int64_t n, const T *dy, const uint8_t *mask, T *dx)
{
    grid_wait();
    for (int64_t i = first_item(); i * OCTET < n; i += all_items()) {
        float v[OCTET];
        part_read(dy, i, n, v);
        octet_gate(v, mask[i]);
        part_write(dx, i, n, v);
    }
}

static unsigned blocks(int64_t n)
{
    return stride_blocks(ceil_div(n, OCTET), BLOCK, FULL_GRID);
}

int k_relu(struct CUstream_st *stream, int bf16, int64_t n, const void *x, void *y)
{
    if (bf16)
        return LAUNCH(elementwise_relu<bfloat16>, blocks(n), BLOCK, 0, stream, n,
                      (const bfloat16 *)x, (bfloat16 *)y);
    return LAUNCH(elementwise_relu<float>, blocks(n), BLOCK, 0, stream, n, (const float *)x,
                  (float *)y);
}

int k_relu_backward(struct CUstream_st *stream, int bf16, int64_t n, const void *y, const void *dy,
                    void *dx)
{
    if (bf16)
        return LAUNCH(elementwise_relu_backward<bfloat16>, blocks(n), BLOCK, 0, stream, n,
                      (const bfloat16 *)y, (const bfloat16 *)dy, (bfloat16 *)dx);
    return LAUNCH(elementwise_relu_backward<float>, blocks(n), BLOCK, 0, stream, n,
                  (const float *)y, (const float *)dy, (float *)dx);
}

int k_add(struct CUstream_st *stream, int bf16, int is_relu, int64_t n, const void *a,
          const void *b, void *y, uint32_t *mask)
{
    if (bf16)
        return LAUNCH(elementwise_add<bfloat16>, blocks(n), BLOCK, 0, stream, n,
                      (const bfloat16 *)a, (const bfloat16 *)b, (bfloat16 *)y, (uint8_t *)mask,
                      is_relu);
    return LAUNCH(elementwise_add<float>, blocks(n), BLOCK, 0, stream, n, (const float *)a,
                  (const float *)b, (float *)y, (uint8_t *)mask, is_relu);
}

int k_mask(struct CUstream_st *stream, int bf16, int64_t n, const void *dy, const uint32_t *mask,
           void *dx)
{
    if (bf16)
        return LAUNCH(elementwise_gate<bfloat16>, blocks(n), BLOCK, 0, stream, n,
                      (const bfloat16 *)dy, (const uint8_t *)mask, (bfloat16 *)dx);
    return LAUNCH(elementwise_gate<float>, blocks(n), BLOCK, 0, stream, n, (const float *)dy,
                  (const uint8_t *)mask, (float *)dx);
}

int k_accumulate(struct CUstream_st *stream, int bf16, int64_t n, void *y, const void *x)
{
    return k_add(stream, bf16, 0, n, y, x, y, NULL);
}
