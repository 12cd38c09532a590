/*
 * Tiles of z in shared memory and their products, for both methods. A warp has 32 rows of the
 * block's 128; whatever the method, a thread holds of a product the elements that mma.h gives it:
 *
 *   c[i][n][2 h + e]   row 16 i + 8 h + g of the warp, column 8 n + 2 t + e,  lane = 4 g + t
 *
 * f16: the warp's rows are operand A and stay in 64 registers, from tile to tile where a row has
 * one chunk, so that only columns are read from shared memory: one load of 512 bytes for 4
 * products, by four warps 16 of its clocks beside the 26 to 32 that the tensor cores take.
 *
 * A row takes 256 bytes in shared memory (f16) or 512 (f32). Its 16-byte vectors are exchanged, v
 * with v ^ row % 8, so that eight rows at one column lie in different banks without a byte of
 * padding. Behind a tile of columns lie their terms.
 */
#ifndef SUPCON_KERNELS_CONTRAST_TILE_H
#define SUPCON_KERNELS_CONTRAST_TILE_H

#include "kernels/contrast_cut.h"
#include "kernels/kernels.h"
#include "kernels/mma.h"
#include "kernels/warp.h"

enum {
    ROW_F16 = CONTRAST_CHUNK * 2, /* bytes */
    ROW_F32 = CONTRAST_CHUNK * 4,
    TERM = sizeof(struct contrast_term),
    WARP_ROWS = 32,
    OUT_TILES = CONTRAST_CHUNK / 8,
    K_STEPS = CONTRAST_CHUNK / 16,
    HALF_STEPS = CONTRAST_STEP / 16, /* of K_STEPS; a chunk has all or half of them */
    HALF_TILES = CONTRAST_STEP / 8,
};

HD int contrast_element(int method)
{
    return method == K_CONTRAST_F32 ? 4 : 2;
}

/*
 * How a kernel walks over columns, at compile time. A step brings a tile of columns, of which PART
 * are multiplied at a time, as many as the registers hold products of. WHOLE: a row is one chunk,
 * the block's rows are loaded once; else rows come with the columns, chunk by chunk, and a step
 * brings PART columns. With two stages one is loaded while the other is multiplied. At most 99 KiB,
 * which a block may have on every GPU since sm_80.
 */
template <int METHOD_, bool WHOLE_, int PART_> struct contrast_plan {
    enum {
        F32 = METHOD_ == K_CONTRAST_F32,
        WHOLE = WHOLE_,
        PART = PART_,
        STEP = WHOLE_ ? CONTRAST_TILE : PART_,
        ELEMENT = F32 ? 4 : 2, /* bytes */
        ROW = CONTRAST_CHUNK * ELEMENT,
        STAGES = F32 ? 1 : 2,
        STAGE = STEP * (ROW + TERM),
        ROW_TERMS = CONTRAST_ROWS * TERM,
        SHARED_BYTES = ROW_TERMS + STAGES * STAGE + (WHOLE_ ? 1 : STAGES) * CONTRAST_ROWS * ROW,
    };
};

struct place {     /* of a thread */
    int row, g, t; /* row: first of its warp's in the block */
};

__device__ inline struct place contrast_place(void)
{
    int lane = (int)threadIdx.x % WARP;
    struct place p = {(int)threadIdx.x / WARP * WARP_ROWS, lane / 4, lane % 4};
    return p;
}

/* Where vector v of a row is, from the row's first byte. That of v + n, v below 2 and n even, is
 * found by exchanging bits: it is this ^ n * 16. */
HD int contrast_vector(int row, int v)
{
    return (v ^ (row & 7)) * 16;
}

/* ROWS rows from `first` on, `width` elements (64 or 128) from `at` on. All threads; the tile is
 * there after copies_done() of each and a barrier. */
template <class P, int ROWS>
__device__ inline void load_tile(unsigned char *tile, const unsigned char *z,
                                 const struct contrast_cut &cut, int first, int at, int width)
{
    const int half = ROWS * P::ROW / 16 / CONTRAST_THREADS / 2; /* of a thread's vectors */
    const int shift = (P::F32 ? 4 : 3) + (width > CONTRAST_STEP);
    const int v = (int)threadIdx.x & ((1 << shift) - 1), on = CONTRAST_THREADS >> shift;
    int row = (int)threadIdx.x >> shift;
    const int64_t pitch = (int64_t)on * cut.width * P::ELEMENT;
    const unsigned char *from = z + ((int64_t)(first + row) * cut.width + at) * P::ELEMENT + v * 16;
    unsigned char *to = tile + row * P::ROW;
    for (int n = 0; n <= (width > CONTRAST_STEP); n++)
#pragma unroll
        for (int i = 0; i < half; i++) {
            copy_16(to + contrast_vector(row, v), from);
            row += P::F32 ? on : 0; /* else a multiple of 8 */
            to += on * P::ROW;
            from += pitch;
        }
}

/* --- products of rows and columns --- */

/* 16 elements from 16 k on of the warp's rows, as operand A. */
__device__ inline void load_rows(uint32_t a[2][4], const unsigned char *rows, int k)
{
    const int lane = (int)threadIdx.x % WARP;
    const unsigned char *from = rows + (contrast_place().row + lane % 16) * ROW_F16 +
                                (contrast_vector(lane, lane / 16) ^ k * 32);
    load_matrices(a[0], from);
    load_matrices(a[1], from + 16 * ROW_F16);
}

/* c[i][0..1] += a[i] b: one product of 32 rows and 16 columns. */
__device__ inline void multiply_pair(float (*c0)[4], float (*c1)[4], const uint32_t a[2][4],
                                     const uint32_t b[4])
{
    mma_f16(c0[0], a[0], b);
    mma_f16(c0[1], a[0], b + 2);
    mma_f16(c1[0], a[1], b);
    mma_f16(c1[1], a[1], b + 2);
}

/* c += the products of the warp's rows with PART columns, half of a chunk at a time without a
 * branch inside. The rows are in `a`, or FRESH and loaded into it. */
template <int PART, bool FRESH>
__device__ inline void multiply_f16(float c[2][PART / 8][4], uint32_t a[K_STEPS][2][4],
                                    const unsigned char *rows, const unsigned char *columns,
                                    int width)
{
    const int lane = (int)threadIdx.x % WARP;
    const unsigned char *b = columns + (lane / 16 * 8 + lane % 8) * ROW_F16;
#pragma unroll
    for (int half = 0; half < K_STEPS; half += HALF_STEPS) {
        if (half * 16 >= width)
            break;
#pragma unroll
        for (int k = half; k < half + HALF_STEPS; k++) {
            if (FRESH)
                load_rows(a[k], rows, k);
#pragma unroll
            for (int n = 0; n < PART / 8; n += 2) {
                uint32_t bk[4];
                load_matrices(bk,
                              b + n * 8 * ROW_F16 + (contrast_vector(lane, lane / 8 % 2) ^ k * 32));
                multiply_pair(&c[0][n], &c[1][n], a[k], bk);
            }
        }
    }
}

__device__ inline float add_products(float sum, float4 a, float4 b)
{
    sum = fmaf(a.x, b.x, sum);
    sum = fmaf(a.y, b.y, sum);
    sum = fmaf(a.z, b.z, sum);
    return fmaf(a.w, b.w, sum);
}

template <int COLUMNS>
__device__ inline void multiply_f32(float c[2][COLUMNS / 8][4], const unsigned char *rows,
                                    const unsigned char *columns, int width)
{
    const struct place p = contrast_place();
    const unsigned char *a = rows + (p.row + p.g) * ROW_F32, *b = columns + 2 * p.t * ROW_F32;
#pragma unroll 1
    for (int k = 0; k < width; k += 4) {
        float4 x[4];
#pragma unroll
        for (int r = 0; r < 4; r++)
            x[r] = *reinterpret_cast<const float4 *>(a + r * 8 * ROW_F32 +
                                                     contrast_vector(p.g, k / 4));
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float4 y = *reinterpret_cast<const float4 *>(b + (n * 8 + e) * ROW_F32 +
                                                             contrast_vector(2 * p.t + e, k / 4));
#pragma unroll
                for (int r = 0; r < 4; r++)
                    c[r / 2][n][r % 2 * 2 + e] = add_products(c[r / 2][n][r % 2 * 2 + e], x[r], y);
            }
    }
}

/* --- weighted sums of columns --- */

/*
 * out += w z, w the weights where products were: as operand A they lie in place already. z is read
 * transposed.
 */
template <int PART>
__device__ inline void spread_f16(float out[2][OUT_TILES][4], const float w[2][PART / 8][4],
                                  const unsigned char *columns, int width)
{
    const int lane = (int)threadIdx.x % WARP;
    const unsigned char *z = columns + lane % 16 * ROW_F16;
    uint32_t a[PART / 16][2][4];
#pragma unroll
    for (int i = 0; i < PART / 16 * 8; i++) {
        const float *pair = &w[i / 4 % 2][i / 8 * 2 + i % 4 / 2][i % 2 * 2];
        a[i / 8][i / 4 % 2][i % 4] = f16_pair(pair[0], pair[1]);
    }
#pragma unroll
    for (int half = 0; half < OUT_TILES; half += HALF_TILES) {
        if (half * 8 >= width)
            break;
#pragma unroll
        for (int k = 0; k < PART / 16; k++)
#pragma unroll
            for (int n = half; n < half + HALF_TILES; n += 2) {
                uint32_t b[4];
                load_transposed(b,
                                z + k * 16 * ROW_F16 + (contrast_vector(lane, lane / 16) ^ n * 16));
                multiply_pair(&out[0][n], &out[1][n], a[k], b);
            }
    }
}

/* out += x z of one column, x the weights of the thread's four rows. */
__device__ inline void spread_column(float out[2][OUT_TILES][4], const float x[4],
                                     const unsigned char *z, int column, int t, int width)
{
#pragma unroll
    for (int half = 0; half < OUT_TILES; half += HALF_TILES) {
        if (half * 8 >= width)
            break;
#pragma unroll
        for (int n = half; n < half + HALF_TILES; n++) {
            float2 y = *reinterpret_cast<const float2 *>(
                z + contrast_vector(column, 2 * n + t / 2) + t % 2 * 8);
#pragma unroll
            for (int r = 0; r < 4; r++) {
                float *to = &out[r / 2][n][r % 2 * 2];
                to[0] = fmaf(x[r], y.x, to[0]);
                to[1] = fmaf(x[r], y.y, to[1]);
            }
        }
    }
}

/* The four weights of a column lie in one lane of each four: that lane tells the others. */
template <int PART>
__device__ inline void spread_f32(float out[2][OUT_TILES][4], const float w[2][PART / 8][4],
                                  const unsigned char *columns, int width)
{
    const struct place p = contrast_place();
#pragma unroll
    for (int k = 0; k < PART / 4; k++) {
#pragma unroll 1
        for (int owner = 0; owner < 4; owner++) {
            int column = k / 2 * 8 + owner * 2 + k % 2;
            float x[4];
#pragma unroll
            for (int r = 0; r < 4; r++)
                x[r] =
                    __shfl_sync(0xffffffffu, w[r / 2][k / 2][r % 2 * 2 + k % 2], p.g * 4 + owner);
            spread_column(out, x, columns + column * ROW_F32, column, p.t, width);
        }
    }
}

template <class P>
__device__ inline void spread(float out[2][OUT_TILES][4], const float w[2][P::PART / 8][4],
                              const unsigned char *columns, int width)
{
    if (P::F32)
        spread_f32<P::PART>(out, w, columns, width);
    else
        spread_f16<P::PART>(out, w, columns, width);
}

#endif
