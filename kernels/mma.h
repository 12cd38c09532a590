/*
 * Tensor cores by warp: products of 16 x 16 by 16 x 8 tiles of half precision (IEEE 754, 11 bits of
 * mantissa) with f32 sums, and the loads from shared memory that bring their operands into place
 * (PTX ISA, "Warp-level matrix instructions"; sm_80 and later). Who holds what, for lane = 4 g + t:
 *
 *   A [16][16]  a[0] row g, a[1] row g + 8, columns 2t and 2t + 1; a[2], a[3] the same 8 columns on
 *   B [16][8]   b[0] rows 2t and 2t + 1, b[1] 8 rows on, column g
 *   C [16][8]   c[0], c[1] row g, columns 2t and 2t + 1; c[2], c[3] row g + 8
 *
 * Two neighbours share a word, the first in its lower half. The tests run the second half of this
 * file, in which the lanes of a warp meet and one multiplies for all.
 */
#ifndef SUPCON_KERNELS_MMA_H
#define SUPCON_KERNELS_MMA_H

#include "kernels/element.h"
#include "kernels/launch.h"

#ifndef SUPCON_CUDA_EMULATION

/* x and y rounded to half precision, to nearest even; what is too large becomes infinite. */
__device__ inline uint32_t f16_pair(float x, float y)
{
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(y), "f"(x));
    return pair;
}

/* c += a b. */
__device__ inline void mma_f16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/* Four 8 x 8 matrices; lane 8 i + j gives the address of row j of matrix i, 16 bytes. Each lane
 * gets of matrix i, in r[i], columns 2t and 2t + 1 of row g. */
__device__ inline void load_matrices(uint32_t r[4], const void *row)
{
    uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* The same of the transposed matrices: rows 2t and 2t + 1 of column g. */
__device__ inline void load_transposed(uint32_t r[4], const void *row)
{
    uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* 16 bytes of global memory to shared memory, on their way until copies_done(). */
__device__ inline void copy_16(void *to, const void *from)
{
    uint32_t address = (uint32_t)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
}

/* Those of this thread; others see them after a barrier. */
__device__ inline void copies_done(void)
{
    asm volatile("cp.async.wait_all;" ::: "memory");
}

/* 2^x to 2 units in the last place; 0 below 2^-126. */
__device__ inline float fast_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

#else

struct mma_lane {
    float *c;
    const uint32_t *a, *b;
};

inline uint32_t f16_narrow(float x)
{
    uint32_t u = float_bits(x), sign = u >> 16 & 0x8000;
    float size = fabsf(x);
    if (x != x)
        return 0x7fff;
    if (size >= 65520)
        return sign | 0x7c00;
    if (size < 0x1p-14f)
        return sign | (uint32_t)nearbyintf(size * 0x1p24f);
    return sign | ((u & 0x7fffffff) - (112u << 23) + 0xfff + (u >> 13 & 1)) >> 13;
}

inline uint32_t f16_pair(float x, float y)
{
    return f16_narrow(x) | f16_narrow(y) << 16;
}

inline float mma_half(uint32_t word, int upper)
{
    uint32_t h = upper ? word >> 16 : word & 0xffff;
    float size = bits_float((h & 0x7fff) << 13) * 0x1p112f;
    if ((h & 0x7c00) == 0x7c00)
        size = h & 0x3ff ? NAN : INFINITY;
    return h & 0x8000 ? -size : size;
}

/* Element [row][k] of A and [k][column] of B, from the lanes that hold them. */
inline float mma_element_a(void **lanes, int row, int k)
{
    const mma_lane *lane = static_cast<mma_lane *>(lanes[row % 8 * 4 + k % 8 / 2]);
    return mma_half(lane->a[row / 8 + k / 8 * 2], k % 2);
}

inline float mma_element_b(void **lanes, int k, int column)
{
    const mma_lane *lane = static_cast<mma_lane *>(lanes[column * 4 + k % 8 / 2]);
    return mma_half(lane->b[k / 8], k % 2);
}

/* Tensor cores round sums towards zero (Fasi et al. 2021, "Numerical behavior of NVIDIA tensor
 * cores"). */
inline float mma_truncated(double x)
{
    float y = (float)x;
    return fabs((double)y) > fabs(x) ? nextafterf(y, 0) : y;
}

inline void mma_warp(void **lanes, unsigned)
{
    float a[16][16], b[8][16];
    for (int k = 0; k < 16; k++) {
        for (int row = 0; row < 16; row++)
            a[row][k] = mma_element_a(lanes, row, k);
        for (int column = 0; column < 8; column++)
            b[column][k] = mma_element_b(lanes, k, column);
    }
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            mma_lane *lane = static_cast<mma_lane *>(lanes[row % 8 * 4 + column / 2]);
            float *c = &lane->c[row / 8 * 2 + column % 2];
            double sum = (double)*c;
            for (int k = 0; k < 16; k++)
                sum += (double)a[row][k] * (double)b[column][k];
            *c = mma_truncated(sum);
        }
}

inline void mma_f16(float c[4], const uint32_t a[4], const uint32_t b[2])
{
    mma_lane mine = {c, a, b};
    emu_meet(EMU_HERE("mma_f16"), 0xffffffffu, &mine, mma_warp);
}

struct matrix_lane {
    const unsigned char *row;
    uint32_t *r;
};

inline uint32_t matrix_element(void **lanes, int matrix, int row, int column)
{
    const unsigned char *p = static_cast<matrix_lane *>(lanes[matrix * 8 + row])->row;
    uint16_t bits;
    if ((uintptr_t)p % 16)
        __builtin_trap(); /* a device faults */
    memcpy(&bits, p + 2 * column, sizeof bits);
    return bits;
}

template <bool TRANSPOSED> inline void matrices_warp(void **lanes, unsigned)
{
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++) {
            int g = lane / 4, t = lane % 4 * 2;
            uint32_t first =
                TRANSPOSED ? matrix_element(lanes, i, t, g) : matrix_element(lanes, i, g, t);
            uint32_t second = TRANSPOSED ? matrix_element(lanes, i, t + 1, g)
                                         : matrix_element(lanes, i, g, t + 1);
            static_cast<matrix_lane *>(lanes[lane])->r[i] = first | second << 16;
        }
}

inline void load_matrices(uint32_t r[4], const void *row)
{
    matrix_lane mine = {static_cast<const unsigned char *>(row), r};
    emu_meet(EMU_HERE("load_matrices"), 0xffffffffu, &mine, matrices_warp<false>);
}

inline void load_transposed(uint32_t r[4], const void *row)
{
    matrix_lane mine = {static_cast<const unsigned char *>(row), r};
    emu_meet(EMU_HERE("load_transposed"), 0xffffffffu, &mine, matrices_warp<true>);
}

inline void copy_16(void *to, const void *from)
{
    emu_copy_later(to, from, 16);
}

inline void copies_done()
{
    emu_copies_done();
}

inline float fast_exp2(float x)
{
    return x < -126 ? 0 : exp2f(x);
}

#endif

#endif
