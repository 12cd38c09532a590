/*
 * Products of plain row-major matrices by cuBLASLt: C = op(A) op(B), with what a layer adds to it.
 * Descriptors and algorithm are settled once, addresses when they are known; running is one call.
 *
 * Two additions can be had in two ways: what undoing the ReLU needs, and the sums of op(A). Fused,
 * the product's epilogue makes them in passing; apart, a copy or a kernel of our own makes them
 * behind it. Which way is taken is part of the choice, and its text says so.
 */
#ifndef SUPCON_BACKEND_CUDA_MATMUL_H
#define SUPCON_BACKEND_CUDA_MATMUL_H

#include "backend/cuda/cuda.h"

struct matmul_shape {
    enum dtype dtype;             /* of all three: DT_F32 or DT_BF16; sums are f32 */
    int64_t rows, columns, inner; /* C [rows, columns]; op(A) [rows, inner] */
    bool a_transposed, b_transposed;
    bool bias;         /* [columns], added to every row of C */
    bool relu, undone; /* undone: matmul_undo_relu() will be called; f32 */
    bool sums;         /* of op(A) along `inner`, [rows]; A is f32 and transposed */
    bool untimed;      /* take what the library recommends first, and put nothing on record */
};

struct matmul_places {
    const void *a, *b;
    const float *bias;
    void *c, *kept; /* kept: matmul_kept_bytes(), from the product to undoing its ReLU */
    float *sums;
    void *workspace;
};

enum { MATMUL_TEXT = 152 };

struct matmul {
    struct matmul_shape shape;
    struct matmul_places at;
    cublasComputeType_t compute;
    cublasLtMatmulDesc_t product;     /* NULL: there is no such product */
    cublasLtMatrixLayout_t layout[3]; /* of B, A and C, as the library sees them */
    cublasLtMatmulAlgo_t algorithm;
    bool fused;
    size_t workspace_bytes;
    double ms;              /* its time on record; 0: it was not timed */
    char text[MATMUL_TEXT]; /* of the choice, as on record */
};

/* Takes the algorithm on record for such a product, or the fastest, which is then recorded. Without
 * TF32, f32 is multiplied as f32; under `deterministic` no algorithm adds partial sums into C. */
int matmul_init(struct matmul *, struct device *, const struct matmul_shape *, struct err *);
void matmul_done(struct matmul *);               /* a zeroed one is fine */
size_t matmul_kept_bytes(const struct matmul *); /* 0 unless the ReLU will be undone */
/* Once, before the first run: descriptors hold addresses. */
int matmul_bind(struct matmul *, const struct matmul_places *, struct err *);
int matmul_run(const struct matmul *, struct device *, struct err *);
/* dx[rows, columns] = dy where the ReLU of the last run let pass, else 0. */
int matmul_undo_relu(const struct matmul *, struct device *, const float *dy, float *dx,
                     struct err *);

/* --- between the files of matmul_*.c ---------------------------------------------------------- */

/* All but the algorithm and its workspace. */
int matmul_describe(struct matmul *, struct device *, const struct matmul_shape *, bool fused,
                    struct err *);
bool matmul_can_fuse(const struct matmul_shape *);
size_t matmul_apart_workspace(const struct matmul *); /* of what is made behind the product */

/*
 * The text of an algorithm: its number, then what in its configuration is not as cublasLt sets it
 * up, "21:1=18,6=13", with attributes numbered as in the library's header. Where that does not make
 * the same algorithm again, all of its bytes follow instead, "21=" and 128 hexadecimal digits. The
 * text is less than MATMUL_TEXT by a way's mark. read() takes it into *m, with the workspace that
 * it needs, and refuses what does not fit the product.
 */
void matmul_algorithm_write(const struct matmul *, struct device *, const cublasLtMatmulAlgo_t *,
                            char text[MATMUL_TEXT]);
int matmul_algorithm_read(struct matmul *, struct device *, const char *text, struct err *);

#endif
