/*
 * Elements in memory: f32, or bf16 = the upper half of an f32, rounded to nearest even. All
 * arithmetic is f32. C and C++.
 */
#ifndef SUPCON_KERNELS_ELEMENT_H
#define SUPCON_KERNELS_ELEMENT_H

#include "base/hd.h"
#include <stdint.h>
#include <string.h>
#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

struct bfloat16 {
    uint16_t bits;
};

HD uint32_t float_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

HD float bits_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

HD float bf16_widen(struct bfloat16 x)
{
    return bits_float((uint32_t)x.bits << 16);
}

/* NaN stays NaN. */
HD struct bfloat16 bf16_narrow(float x)
{
    struct bfloat16 y;
#ifdef __CUDA_ARCH__
    y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
    uint32_t u = float_bits(x);
    y.bits = x != x ? (uint16_t)(u >> 16 | 0x40) : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
#endif
    return y;
}

/* Two neighbours in one word, the first in the lower half. */
HD uint32_t bf16_narrow2(float a, float b)
{
#ifdef __CUDA_ARCH__
    __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
    uint32_t u;
    memcpy(&u, &pair, sizeof u);
    return u;
#else
    return (uint32_t)bf16_narrow(a).bits | (uint32_t)bf16_narrow(b).bits << 16;
#endif
}

/* max(x, 0); NaN stays NaN, so that it is seen in the loss. */
HD float relu_of(float x)
{
    return x < 0 ? 0 : x;
}

#endif
