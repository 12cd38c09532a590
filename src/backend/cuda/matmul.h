/*
 * Products of plain row-major matrices by cuBLASLt: C = op(A) op(B), with an optional bias and
 * ReLU. Descriptors and algorithm are settled once; running is one call.
 */
#ifndef SUPCON_BACKEND_CUDA_MATMUL_H
#define SUPCON_BACKEND_CUDA_MATMUL_H

#include "backend/cuda/cuda.h"

struct matmul_shape {
    enum dtype dtype;             /* of all three: DT_F32 or DT_BF16; sums are f32 */
    int64_t rows, columns, inner; /* C [rows, columns]; op(A) [rows, inner] */
    bool a_transposed, b_transposed;
    bool bias; /* [columns], added to every row of C */
    bool relu;
};

struct matmul {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t layout[3]; /* of B, A and C, as the library sees them */
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace_bytes;
};

struct matmul_places {
    const void *a, *b;
    const float *bias;
    void *c;
    void *workspace;
};

/* text: which algorithm was taken, for people. */
int matmul_init(struct matmul *, struct device *, const struct matmul_shape *, char *text,
                size_t text_bytes, struct err *);
void matmul_done(struct matmul *); /* a zeroed one is fine */
int matmul_run(const struct matmul *, const struct device *, const struct matmul_places *,
               struct err *);

#endif
