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
 * never stored; z is, as the tiles read it, from the first pass to the second. look: products, then
 * per row the largest so far, the sum relative to it, and sum and number of the positives; each
 * thread keeps its own until the end, and whatever tau and however long z, nothing overflows. pull:
 * products again, weights in the registers where the products were, which are the left operand of
 * the second product. The symmetry of s is used for w (both terms at once, so that no other block's
 * rows are written), not for halving the work.
 *
 * Two methods. f32, and f16 for tensor cores: z and the weights are rounded to half precision,
 * whose 11 bits are those of TF32; sums, exponentials and all else are f32. With u = 2^-11 a score
 * is off by at most 2 u |z_i| |z_j| / tau, 1e-2 of a logit at tau = 0.1, and by 4e-4 where the
 * errors of 128 elements are independent; the loss is a mean of such errors, 1e-5 of it, and the
 * gradient is off by 3e-4 in the L2 norm. z is stretched by (tau ln 2)^-1/2, so that products are
 * s. An element beyond 65504 (tau ln 2)^1/2, 17000 at tau = 0.1, is infinite, and then the loss or
 * the gradient is not finite.
 *
 * Cost: 2 M^2 D operations forward, 4 M^2 D backward; at M = 8192, D = 128 these are 17 and 34
 * GFLOP. An estimate for an H200 (132 multiprocessors at 1.75 GHz; nothing here is measured), with
 * mma.sync at 380 of its 989 TFLOP/s: 0.045 and 0.09 ms. Beside it, by other warps: of the 67 M
 * pairs each is 9 instructions forward and 6.5 backward, 0.02 and 0.015 ms, of which one is an
 * exponential, 0.018 ms each; of shared memory 256 clocks are taken for 64 products of four warps
 * that take the tensor cores 410 to 510; 134 MB each way from the second-level cache, 0.025 ms.
 * Four small kernels, 0.012 ms. In all 0.15 ms if everything overlaps, 0.25 if nothing does.
 *
 * Resources: 128 threads, at most 99 KiB of shared memory. f16 takes 68 KiB; forward at most 168
 * registers, three blocks per multiprocessor; backward 255 (128 gradients, 64 rows, 16 products),
 * two blocks. Everything is summed in one order: spans by their numbers, then rows in a tree.
 */
#ifndef SUPCON_KERNELS_CONTRAST_H
#define SUPCON_KERNELS_CONTRAST_H

#include "kernels/contrast_tile.h"

/* Everything a kernel needs, by value. Partial results are [spans][rows]. */
struct contrast {
    struct contrast_cut cut;
    int m, n, d, anchors;
    int weight_bits;    /* weights are taken times 2 to this power */
    float stretch;      /* of z in the tiles: products are s */
    double loss_factor; /* scale / anchors */
    float gradient_factor;
    int simclr;
    const float *z;
    const int32_t *labels;
    float *stats, *dz;
    struct contrast_term *terms; /* saved, [rows] */
    float *reach;                /* saved: largest |lse| of a row */
    unsigned char *copy;         /* saved: z as tiles read it */
    struct contrast_seen *seen;  /* forward: partial */
    double *row_loss; /* forward: per block of rows, loss, right, lonely, largest |lse| */
    float *partial;   /* backward: [spans][rows][width] */
};

/* Row of the block that a thread has as its r-th of four. */
__device__ inline int row_of(int r)
{
    struct place p = contrast_place();
    return p.row + r / 2 * 16 + r % 2 * 8 + p.g;
}

/* --- the walk of a block over its span of columns --- */

struct walk {
    unsigned char *shared;
    int row0, begin, end, last; /* last: the chunk that comes last */
};

/* The k-th chunk of the columns from `first` on. */
struct step {
    int first, k;
};

__device__ inline struct walk walk_of(const struct contrast &c, unsigned char *shared, int last)
{
    struct walk w = {shared, (int)blockIdx.x * CONTRAST_ROWS, (int)blockIdx.y * c.cut.span,
                     ((int)blockIdx.y + 1) * c.cut.span, last};
    w.end = w.end < c.cut.rows ? w.end : c.cut.rows;
    return w;
}

template <class P>
__device__ inline int chunk_of(const struct contrast &c, const struct walk &w, struct step s)
{
    return P::WHOLE ? 0 : (w.last + 1 + s.k) % c.cut.chunks;
}

template <class P>
__device__ inline int stage_of(const struct contrast &c, const struct walk &w, struct step s)
{
    int tile = (s.first - w.begin) / P::STEP;
    return (P::WHOLE ? tile : tile * c.cut.chunks + s.k) % P::STAGES;
}

/* Shared memory: the rows' terms, then the stages' columns and their terms, then rows. */
template <class P> __device__ inline unsigned char *columns_at(const struct walk &w, int stage)
{
    return w.shared + P::ROW_TERMS + stage * P::STAGE;
}

template <class P> __device__ inline unsigned char *rows_at(const struct walk &w, int stage)
{
    return w.shared + P::ROW_TERMS + P::STAGES * P::STAGE +
           (P::WHOLE ? 0 : stage) * CONTRAST_ROWS * P::ROW;
}

/* N of them from `first` on. */
template <int N>
__device__ inline void load_terms(const struct contrast &c, unsigned char *to, int first)
{
    if (threadIdx.x < N)
        copy_16(to + threadIdx.x * TERM, c.terms + first + threadIdx.x);
}

/* Starts the copies of a step, if there is one. */
template <class P>
__device__ inline void load_step(const struct contrast &c, const struct walk &w, struct step s)
{
    const int chunk = chunk_of<P>(c, w, s), stage = stage_of<P>(c, w, s);
    const int at = chunk * CONTRAST_CHUNK, width = contrast_chunk(&c.cut, chunk);
    unsigned char *columns = columns_at<P>(w, stage);
    if (s.first >= w.end)
        return;
    if (!P::WHOLE)
        load_tile<P, CONTRAST_ROWS>(rows_at<P>(w, stage), c.copy, c.cut, w.row0, at, width);
    load_tile<P, P::STEP>(columns, c.copy, c.cut, s.first, at, width);
    load_terms<P::STEP>(c, columns + P::STEP * P::ROW, s.first);
}

/* What comes once: the rows' terms, rows that are whole, with f16 into `a`; and the first of two
 * stages. */
template <class P>
__device__ inline void start(const struct contrast &c, const struct walk &w,
                             uint32_t a[K_STEPS][2][4])
{
    load_terms<CONTRAST_ROWS>(c, w.shared, w.row0);
    if (P::WHOLE)
        load_tile<P, CONTRAST_ROWS>(rows_at<P>(w, 0), c.copy, c.cut, w.row0, 0, c.cut.width);
    if (P::STAGES > 1)
        load_step<P>(c, w, {w.begin, 0});
    if (!P::WHOLE || P::F32)
        return;
    copies_done();
    __syncthreads();
#pragma unroll
    for (int k = 0; k < K_STEPS; k++)
        if (k * 16 < c.cut.width)
            load_rows(a[k], rows_at<P>(w, 0), k);
}

/*
 * The step's copies are there for all, and those of the step after it are on their way where there
 * is a second place for them: that which all have left at the barrier.
 */
template <class P>
__device__ inline void advance(const struct contrast &c, const struct walk &w, struct step s)
{
    struct step next = {s.first, s.k + 1};
    if (P::WHOLE || next.k == c.cut.chunks)
        next = {s.first + P::STEP, 0};
    if (P::STAGES == 1) {
        __syncthreads();
        load_step<P>(c, w, s);
    }
    copies_done();
    __syncthreads();
    if (P::STAGES > 1)
        load_step<P>(c, w, next);
}

/* Columns in shared memory and their terms. */
struct part {
    const unsigned char *columns;
    const struct contrast_term *terms;
};

/* c += the products of the block's rows with PART columns, which are `within` a step's. */
template <class P>
__device__ inline struct part multiply(float p[2][P::PART / 8][4], uint32_t a[K_STEPS][2][4],
                                       const struct contrast &c, const struct walk &w,
                                       struct step s)
{
    const int stage = stage_of<P>(c, w, s), within = (s.first - w.begin) % P::STEP;
    const int width = contrast_chunk(&c.cut, chunk_of<P>(c, w, s));
    const unsigned char *columns = columns_at<P>(w, stage), *rows = rows_at<P>(w, stage);
    struct part part = {columns + within * P::ROW,
                        reinterpret_cast<const struct contrast_term *>(columns + P::STEP * P::ROW) +
                            within};
    if (P::F32)
        multiply_f32<P::PART>(p, rows, part.columns, width);
    else
        multiply_f16<P::PART, !P::WHOLE>(p, a, rows, part.columns, width);
    return part;
}

/* p: the products with PART columns from `first` on, chunk by chunk. The last chunk of the columns
 * stays in shared memory until the next call, and the rows in `a` if that is all there is. */
template <class P>
__device__ inline struct part products(float p[2][P::PART / 8][4], uint32_t a[K_STEPS][2][4],
                                       const struct contrast &c, const struct walk &w, int first)
{
    struct part part = {};
#pragma unroll
    for (int i = 0; i < 2 * (P::PART / 8) * 4; i++)
        p[i / (P::PART / 2)][i / 4 % (P::PART / 8)][i % 4] = 0;
    for (int k = 0; k < (P::WHOLE ? 1 : c.cut.chunks); k++) {
        struct step s = {first, k};
        if ((first - w.begin) % P::STEP == 0)
            advance<P>(c, w, s);
        part = multiply<P>(p, a, c, w, s);
    }
    return part;
}

/* Of the row that a thread has as its r-th of four. */
__device__ inline const struct contrast_term *row_term(const struct walk &w, int r)
{
    return reinterpret_cast<const struct contrast_term *>(w.shared) + row_of(r);
}

/* Blocks on a multiprocessor, forward: what registers and shared memory allow. */
HD int contrast_look_blocks(int method, bool whole)
{
    return method == K_CONTRAST_F16 && whole ? 3 : 2;
}

enum { CONTRAST_PULL_BLOCKS = 2 };

typedef void contrast_kernel(struct contrast);

/* A kernel by method and whether a row is whole, and its bytes of shared memory. */
struct contrast_pass {
    contrast_kernel *kernel;
    int shared_bytes;
};

/* contrast_prepare.cu: places and factors of a call, for a pass of which `blocks` run on a
 * multiprocessor at once; z as the tiles read it, and the groups, before the forward pass. */
struct contrast contrast_of(const struct k_contrast *, int blocks);
int contrast_prepare(struct CUstream_st *, const struct contrast *, const struct k_contrast *);
/* Launches the method's kernel of passes[method][whole] for `depth` chunks of the result. */
int contrast_walk(struct CUstream_st *, const struct contrast *,
                  const struct contrast_pass passes[K_CONTRAST_N][2], enum k_contrast_method,
                  int depth);

#endif
