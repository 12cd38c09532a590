/*
 * Tiles of z in shared memory and their products, for the three methods. A warp has 32 rows of the
 * block's 128; whatever the method, a thread holds of a product the elements that mma.h gives it:
 *
 *   c[i][n][2 h + e]   row 16 i + 8 h + g of the warp, column 8 n + 2 t + e,  lane = 4 g + t
 *
 * bf16x3: each number is hi + lo, two bf16 of which hi is the number rounded; the product is
 * hi hi + hi lo + lo hi, all with f32 sums, and what is left out is 2^-18 of it.
 *
 * A row takes 256 bytes in shared memory (bf16; lo lies behind all rows of hi) or 512 (f32). Its
 * 16-byte vectors are exchanged, v with v ^ row % 8, so that eight rows at one column lie in
 * different banks without a byte of padding: 96 KiB are what a block may have on every GPU since
 * sm_80. Two matrices of rows share each load of a column operand: 12 loads of 512 bytes for 48
 * products.
 */
#ifndef SUPCON_KERNELS_CONTRAST_TILE_H
#define SUPCON_KERNELS_CONTRAST_TILE_H

#include "kernels/contrast_cut.h"
#include "kernels/kernels.h"
#include "kernels/mma.h"
#include "kernels/warp.h"

enum {
    ROW_BF16 = CONTRAST_CHUNK * 2, /* bytes */
    ROW_F32 = CONTRAST_CHUNK * 4,
    WARP_ROWS = 32,
    OUT_TILES = CONTRAST_CHUNK / 8,
};

/* Arrays of z as the tiles read it: [planes][rows][width], bf16 or f32. */
HD int contrast_planes(int method)
{
    return method == K_CONTRAST_BF16X3 ? 2 : 1;
}

HD size_t contrast_element(int method)
{
    return method == K_CONTRAST_F32 ? 4 : 2;
}

HD int contrast_row_bytes(int method)
{
    return method == K_CONTRAST_F32 ? ROW_F32 : ROW_BF16;
}

HD int contrast_tile_bytes(int method, int rows)
{
    return contrast_planes(method) * rows * contrast_row_bytes(method);
}

struct place {     /* of a thread */
    int row, g, t; /* row: first of its warp's in the block */
};

__device__ inline struct place contrast_place(void)
{
    int lane = (int)threadIdx.x % WARP;
    struct place p = {(int)threadIdx.x / WARP * WARP_ROWS, lane / 4, lane % 4};
    return p;
}

/* Where vector v of a row is, from the row's first byte. */
HD int contrast_vector(int row, int v)
{
    return (v ^ (row & 7)) * 16;
}

/* ROWS rows from `first` on, `width` elements from `at` on, of every plane. All threads; the tile
 * is there after copies_done() of each and a barrier. */
template <int METHOD, int ROWS>
__device__ inline void load_tile(unsigned char *tile, const unsigned char *z,
                                 const struct contrast_cut &cut, int first, int at, int width)
{
    const int element = METHOD == K_CONTRAST_F32 ? 4 : 2;
    const int row_bytes = METHOD == K_CONTRAST_F32 ? ROW_F32 : ROW_BF16;
    const int planes = METHOD == K_CONTRAST_BF16X3 ? 2 : 1;
    const int vectors = width * element / 16, rows_on = CONTRAST_THREADS / vectors;
    int v = (int)threadIdx.x % vectors, row = (int)threadIdx.x / vectors; /* row: of all planes */
    while (row < planes * ROWS) {
        int64_t from = (int64_t)(row / ROWS) * cut.rows + first + row % ROWS;
        copy_16(tile + row * row_bytes + contrast_vector(row, v),
                z + (from * cut.width + at) * element + v * 16);
        row += rows_on;
        v += CONTRAST_THREADS - rows_on * vectors;
        row += v >= vectors;
        v -= v >= vectors ? vectors : 0;
    }
}

/* --- products of rows and columns --- */

/* One product of 16 columns: c[i][0..1] += a[i] b. */
__device__ inline void multiply_pair(float (*c0)[4], float (*c1)[4], const uint32_t a[2][4],
                                     const uint32_t b[4])
{
    mma_bf16(c0[0], a[0], b);
    mma_bf16(c0[1], a[0], b + 2);
    mma_bf16(c1[0], a[1], b);
    mma_bf16(c1[1], a[1], b + 2);
}

template <int METHOD, int COLUMNS>
__device__ inline void multiply_bf16(float c[2][COLUMNS / 8][4], const unsigned char *rows,
                                     const unsigned char *columns, int width)
{
    const bool split = METHOD == K_CONTRAST_BF16X3;
    const int lane = (int)threadIdx.x % WARP;
    const unsigned char *a = rows + (contrast_place().row + lane % 16) * ROW_BF16;
    const unsigned char *b = columns + (lane / 16 * 8 + lane % 8) * ROW_BF16;
    const int low_a = CONTRAST_ROWS * ROW_BF16, low_b = COLUMNS * ROW_BF16;
#pragma unroll 2
    for (int k = 0; k < width; k += 16) {
        const unsigned char *ak = a + contrast_vector(lane, k / 8 + lane / 16);
        const unsigned char *bk = b + contrast_vector(lane, k / 8 + lane / 8 % 2);
        uint32_t high[2][4], low[2][4], bh[4], bl[4];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            load_matrices(high[i], ak + i * 16 * ROW_BF16);
            if (split)
                load_matrices(low[i], ak + low_a + i * 16 * ROW_BF16);
        }
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n += 2) {
            load_matrices(bh, bk + n * 8 * ROW_BF16);
            multiply_pair(&c[0][n], &c[1][n], high, bh);
            if (!split)
                continue;
            load_matrices(bl, bk + low_b + n * 8 * ROW_BF16);
            multiply_pair(&c[0][n], &c[1][n], high, bl);
            multiply_pair(&c[0][n], &c[1][n], low, bh);
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

/* c += the products of the warp's rows with the columns, over `width` elements. */
template <int METHOD, int COLUMNS>
__device__ inline void multiply(float c[2][COLUMNS / 8][4], const unsigned char *rows,
                                const unsigned char *columns, int width)
{
    if (METHOD == K_CONTRAST_F32)
        multiply_f32<COLUMNS>(c, rows, columns, width);
    else
        multiply_bf16<METHOD, COLUMNS>(c, rows, columns, width);
}

/* --- weighted sums of columns --- */

/* x and y rounded, and what the rounding took. */
__device__ inline void split_pair(float x, float y, uint32_t *high, uint32_t *low)
{
    *high = bf16_narrow2(x, y);
    *low = bf16_narrow2(x - bits_float(*high << 16), y - bits_float(*high & 0xffff0000u));
}

/*
 * out += w z, w the weights where products were: as operand A they lie in place already. z is read
 * transposed. Tiles of 8 elements beyond `width` are left out.
 */
template <int METHOD>
__device__ inline void spread_bf16(float out[2][OUT_TILES][4],
                                   const float w[2][CONTRAST_PULL / 8][4],
                                   const unsigned char *columns, int width)
{
    const bool split = METHOD == K_CONTRAST_BF16X3;
    const int lane = (int)threadIdx.x % WARP, below = CONTRAST_PULL * ROW_BF16;
    const unsigned char *z = columns + lane % 16 * ROW_BF16;
#pragma unroll
    for (int k = 0; k < CONTRAST_PULL / 16; k++) {
        uint32_t high[2][4], low[2][4], zh[4], zl[4];
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const float *pair = &w[i][2 * k + r / 2][r % 2 * 2];
                split_pair(pair[0], pair[1], &high[i][r], &low[i][r]);
            }
#pragma unroll
        for (int n = 0; n < OUT_TILES; n += 2) {
            if (n * 8 >= width)
                break;
            const unsigned char *zn = z + k * 16 * ROW_BF16 + contrast_vector(lane, n + lane / 16);
            load_transposed(zh, zn);
            multiply_pair(&out[0][n], &out[1][n], high, zh);
            if (!split)
                continue;
            load_transposed(zl, zn + below);
            multiply_pair(&out[0][n], &out[1][n], high, zl);
            multiply_pair(&out[0][n], &out[1][n], low, zh);
        }
    }
}

/* out += x z of one column, x the weights of the thread's four rows. */
__device__ inline void spread_column(float out[2][OUT_TILES][4], const float x[4],
                                     const unsigned char *z, int column, int t, int width)
{
#pragma unroll
    for (int n = 0; n < OUT_TILES; n++) {
        if (n * 8 >= width)
            break;
        float2 y = *reinterpret_cast<const float2 *>(z + contrast_vector(column, 2 * n + t / 2) +
                                                     t % 2 * 8);
#pragma unroll
        for (int r = 0; r < 4; r++) {
            out[r / 2][n][r % 2 * 2] = fmaf(x[r], y.x, out[r / 2][n][r % 2 * 2]);
            out[r / 2][n][r % 2 * 2 + 1] = fmaf(x[r], y.y, out[r / 2][n][r % 2 * 2 + 1]);
        }
    }
}

/* The four weights of a column lie in one lane of each four: that lane tells the others. */
__device__ inline void spread_f32(float out[2][OUT_TILES][4],
                                  const float w[2][CONTRAST_PULL / 8][4],
                                  const unsigned char *columns, int width)
{
    const struct place p = contrast_place();
#pragma unroll
    for (int k = 0; k < CONTRAST_PULL / 4; k++) {
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

template <int METHOD>
__device__ inline void spread(float out[2][OUT_TILES][4], const float w[2][CONTRAST_PULL / 8][4],
                              const unsigned char *columns, int width)
{
    if (METHOD == K_CONTRAST_F32)
        spread_f32(out, w, columns, width);
    else
        spread_bf16<METHOD>(out, w, columns, width);
}

#endif
