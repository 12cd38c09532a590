/*
 * The contrastive loss: SupCon L_out (Khosla et al. 2020, Eq. 2) and NT-Xent (Chen et al. 2020),
 * which is the same with the sample's number for its label. With s = z z^T / (tau ln 2):
 *
 *   L_i = ln 2 (lse_i - 1/|P_i| sum_{p in P_i} s_ip),   lse_i = log2 sum_{a != i} exp2 s_ia
 *   dL/dz_i = c sum_j w_ij z_j,   c = scale / (tau anchors)
 *   w_ij = exp2(s_ij - lse_i) + exp2(s_ij - lse_j) - [y_i = y_j] (1/|P_i| + 1/|P_j|)
 *
 * where rows that are no anchors or have no positives contribute 0 instead of their terms.
 *
 * Two passes over tiles of 128 rows by some columns (FlashAttention, Dao 2023); the M x M matrix is
 * never stored. look: products, then per row the largest so far, the sum relative to it, and sum
 * and number of the positives; each thread keeps its own until the end, and whatever tau and
 * however long z, nothing overflows. pull: products again, weights in the registers where the
 * products were, which are the left operand of the second product. The symmetry of s is used for w
 * (both terms at once, so that no other block's rows are written), not for halving the work.
 *
 * Cost: 2 M^2 D operations forward, 4 M^2 D backward, three times that for bf16x3. At M = 8192,
 * D = 128 these are 155 GFLOP, 0.3 ms at half of an H100's peak; one to two exponentials per pair,
 * 0.06 ms, run beside them. A column tile of 32 KiB (hi and lo) is read for 12.6 MFLOP, 270 MB in
 * all, from the second-level cache.
 *
 * Resources: 128 threads of at most 255 registers (backward, 128 of them hold gradients and 32
 * products), 96 KiB of shared memory: two blocks per multiprocessor, one loads while the other
 * multiplies. Everything is summed in one order: spans by their numbers, then rows in a tree.
 */
#ifndef SUPCON_KERNELS_CONTRAST_H
#define SUPCON_KERNELS_CONTRAST_H

#include "kernels/contrast_tile.h"

/* Everything a kernel needs, by value. Partial results are [spans][rows]. */
struct contrast {
    struct contrast_cut cut;
    int m, n, d, anchors;
    float scale;        /* log2(e) / tau */
    double loss_factor; /* scale / anchors */
    float gradient_factor;
    int simclr;
    const float *z;
    const int32_t *labels;
    float *stats, *dz;
    float *lse, *share;         /* saved, [rows]: of s; 1 / |P| */
    unsigned char *planes;      /* z as tiles read it */
    int32_t *group;             /* [rows]: what positives have in common */
    struct contrast_seen *seen; /* forward: partial */
    double *row_loss;           /* forward: per block of rows, loss, right, lonely */
    float *partial;             /* backward: [spans][rows][width] */
};

/* The products of the block's rows with the tile's columns, chunk by chunk; the chunk of number
 * `last` stays in shared memory. Rows stay too where there is only one. */
template <int METHOD, int COLUMNS>
__device__ inline void products(float p[2][COLUMNS / 8][4], unsigned char *rows,
                                unsigned char *columns, const struct contrast &c, int row0,
                                int column0, bool fresh, int last)
{
#pragma unroll
    for (int i = 0; i < 2 * (COLUMNS / 8) * 4; i++)
        p[i / (COLUMNS / 2)][i / 4 % (COLUMNS / 8)][i % 4] = 0;
    for (int k = 0; k < c.cut.chunks; k++) {
        int chunk = (last + 1 + k) % c.cut.chunks;
        int at = chunk * CONTRAST_CHUNK, width = contrast_chunk(&c.cut, chunk);
        if (k > 0)
            __syncthreads();
        if (fresh || c.cut.chunks > 1)
            load_tile<METHOD, CONTRAST_ROWS>(rows, c.planes, c.cut, row0, at, width);
        load_tile<METHOD, COLUMNS>(columns, c.planes, c.cut, column0, at, width);
        copies_done();
        __syncthreads();
        multiply<METHOD, COLUMNS>(p, rows, columns, width);
    }
}

/* Row of the block that a thread has as its r-th of four. */
__device__ inline int row_of(int r)
{
    struct place p = contrast_place();
    return p.row + r / 2 * 16 + r % 2 * 8 + p.g;
}

typedef void contrast_kernel(struct contrast);

/* contrast_prepare.cu: places and factors of a call; z as the tiles read it, and the groups. */
struct contrast contrast_of(const struct k_contrast *);
int contrast_prepare(struct CUstream_st *, const struct contrast *, const struct k_contrast *);
/* A pass over tiles of `columns`, `depth` chunks of the result. */
int contrast_walk(struct CUstream_st *, const struct contrast *, contrast_kernel *,
                  enum k_contrast_method, int columns, int depth);

#endif
