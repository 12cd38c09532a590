/*
 * Octets: 8 consecutive elements, the unit that a thread loads and stores. 16 bytes of bf16 in one
 * access, 32 bytes of f32 in two. Stored channels are a multiple of 8, so an octet lies within one
 * pixel, and the ReLU's mask of an octet is one byte.
 *
 * A kernel first issues the loads of several octets (struct octet<T>, bits as they are), then
 * widens: loads in flight are what hides the latency of memory.
 */
#ifndef SUPCON_KERNELS_OCTET_H
#define SUPCON_KERNELS_OCTET_H

#include "kernels/element.h"
#include "kernels/launch.h"

enum { OCTET = 8 };

template <class T> struct octet;

template <> struct octet<float> {
    float4 low, high;
};

template <> struct octet<bfloat16> {
    uint4 bits;
};

/* The i-th octet of an array that begins at a multiple of 16 bytes. */
template <class T> __device__ inline octet<T> octet_load(const T *p, int64_t i);
template <class T> __device__ inline void octet_store(T *p, int64_t i, const float v[OCTET]);

template <> __device__ inline octet<float> octet_load(const float *p, int64_t i)
{
    const float4 *q = reinterpret_cast<const float4 *>(p) + 2 * i;
    octet<float> o;
    o.low = q[0];
    o.high = q[1];
    return o;
}

template <> __device__ inline octet<bfloat16> octet_load(const bfloat16 *p, int64_t i)
{
    octet<bfloat16> o;
    o.bits = reinterpret_cast<const uint4 *>(p)[i];
    return o;
}

__device__ inline void octet_widen(const octet<float> &o, float v[OCTET])
{
    v[0] = o.low.x;
    v[1] = o.low.y;
    v[2] = o.low.z;
    v[3] = o.low.w;
    v[4] = o.high.x;
    v[5] = o.high.y;
    v[6] = o.high.z;
    v[7] = o.high.w;
}

__device__ inline void octet_widen(const octet<bfloat16> &o, float v[OCTET])
{
    const uint32_t word[4] = {o.bits.x, o.bits.y, o.bits.z, o.bits.w};
    for (int i = 0; i < 4; i++) {
        v[2 * i] = bits_float(word[i] << 16);
        v[2 * i + 1] = bits_float(word[i] & 0xffff0000u);
    }
}

template <> __device__ inline void octet_store(float *p, int64_t i, const float v[OCTET])
{
    float4 *q = reinterpret_cast<float4 *>(p) + 2 * i;
    q[0] = make_float4(v[0], v[1], v[2], v[3]);
    q[1] = make_float4(v[4], v[5], v[6], v[7]);
}

template <> __device__ inline void octet_store(bfloat16 *p, int64_t i, const float v[OCTET])
{
    reinterpret_cast<uint4 *>(p)[i] =
        make_uint4(bf16_narrow2(v[0], v[1]), bf16_narrow2(v[2], v[3]), bf16_narrow2(v[4], v[5]),
                   bf16_narrow2(v[6], v[7]));
}

template <class T> __device__ inline void octet_read(const T *p, int64_t i, float v[OCTET])
{
    octet_widen(octet_load(p, i), v);
}

/* One element. */
__device__ inline float element_read(const float *p, int64_t i)
{
    return p[i];
}

__device__ inline float element_read(const bfloat16 *p, int64_t i)
{
    return bf16_widen(p[i]);
}

__device__ inline void element_write(float *p, int64_t i, float v)
{
    p[i] = v;
}

__device__ inline void element_write(bfloat16 *p, int64_t i, float v)
{
    p[i] = bf16_narrow(v);
}

/* The i-th octet of n elements; beyond the end: zeros, and nothing is written. */
template <class T>
__device__ inline void part_read(const T *p, int64_t i, int64_t n, float v[OCTET])
{
    if ((i + 1) * OCTET <= n)
        return octet_read(p, i, v);
    for (int k = 0; k < OCTET; k++)
        v[k] = i * OCTET + k < n ? element_read(p, i * OCTET + k) : 0;
}

template <class T>
__device__ inline void part_write(T *p, int64_t i, int64_t n, const float v[OCTET])
{
    if ((i + 1) * OCTET <= n)
        return octet_store(p, i, v);
    for (int k = 0; k < OCTET && i * OCTET + k < n; k++)
        element_write(p, i * OCTET + k, v[k]);
}

/* ReLU of an octet; returns the bits of what is positive. */
__device__ inline uint8_t octet_relu(float v[OCTET])
{
    unsigned bits = 0;
    for (int k = 0; k < OCTET; k++) {
        bits |= (unsigned)(v[k] > 0) << k;
        v[k] = relu_of(v[k]);
    }
    return (uint8_t)bits;
}

/* Zero where the bit is not set. */
__device__ inline void octet_gate(float v[OCTET], unsigned bits)
{
    for (int k = 0; k < OCTET; k++)
        v[k] = bits >> k & 1 ? v[k] : 0;
}

#endif
