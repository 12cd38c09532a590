/*
 * See matmul.h. cuBLASLt thinks in columns: a row-major matrix [m, n] is to it a column-major one
 * [n, m] in the same memory. So C = op(A) op(B) is asked for as C' = op(B)' op(A)', with B first
 * and A second; a matrix that is transposed for us is transposed for the library too. A bias of our
 * columns is then one of its rows, which is what its epilogue adds; sums of our op(A) along `inner`
 * are its gradient of a bias by the second matrix.
 *
 * The mask that its ReLU leaves has a bit per element, eight to a byte from the lowest, and rows of
 * a multiple of 128 bits: where C has such rows, it is the mask that k_mask() reads.
 */
#include "backend/cuda/matmul.h"

enum { MASK_COLUMNS = 128 };

static int set(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name, const void *value,
               size_t bytes, struct err *e)
{
    return BLAS(e, cublasLtMatmulDescSetAttribute(d, name, value, bytes));
}

static cublasLtEpilogue_t epilogue_of(const struct matmul *m)
{
    const struct matmul_shape *s = &m->shape;
    int relu = s->undone && m->fused ? CUBLASLT_EPILOGUE_RELU_AUX : CUBLASLT_EPILOGUE_RELU;
    int all = (s->bias ? CUBLASLT_EPILOGUE_BIAS : 0) | (s->relu ? relu : 0);
    if (s->sums && m->fused)
        return CUBLASLT_EPILOGUE_BGRADB;
    return all ? (cublasLtEpilogue_t)all : CUBLASLT_EPILOGUE_DEFAULT;
}

bool matmul_can_fuse(const struct matmul_shape *s)
{
    return s->sums || (s->undone && s->columns % MASK_COLUMNS == 0);
}

/* --- making it -------------------------------------------------------------------------------- */

/* What the epilogue reads and writes beside C. Before bind() the library looks at the alignment
 * alone. */
static int set_addresses(struct matmul *m, const void *vector, const void *mask, struct err *e)
{
    const struct matmul_shape *s = &m->shape;
    if ((s->bias || (s->sums && m->fused)) &&
        set(m->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &vector, sizeof vector, e))
        return -1;
    if (!s->undone || !m->fused)
        return 0;
    return set(m->product, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &mask, sizeof mask, e);
}

static int init_product(struct matmul *m, struct err *e)
{
    const struct matmul_shape *s = &m->shape;
    const cublasOperation_t first = s->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t second = s->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasLtEpilogue_t epilogue = epilogue_of(m);
    const void *somewhere = (const void *)(uintptr_t)256;
    if (BLAS(e, cublasLtMatmulDescCreate(&m->product, m->compute, CUDA_R_32F)) ||
        set(m->product, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first, e) ||
        set(m->product, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second, e) ||
        set(m->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue, e))
        return -1;
    if (s->undone && m->fused &&
        set(m->product, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &s->columns, sizeof s->columns, e))
        return -1;
    return set_addresses(m, somewhere, somewhere, e);
}

/* Our [rows, columns], the library's [columns, rows]. */
static int init_layout(cublasLtMatrixLayout_t *l, enum dtype dtype, int64_t rows, int64_t columns,
                       bool transposed, struct err *e)
{
    int64_t width = transposed ? rows : columns, height = transposed ? columns : rows;
    cudaDataType_t type = dtype == DT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    return BLAS(e, cublasLtMatrixLayoutCreate(l, type, (uint64_t)width, (uint64_t)height, width));
}

int matmul_describe(struct matmul *m, struct device *dev, const struct matmul_shape *s, bool fused,
                    struct err *e)
{
    *m = (struct matmul){.shape = *s, .fused = fused, .compute = CUBLAS_COMPUTE_32F};
    if (cuda_of(dev)->tf32 && s->dtype == DT_F32)
        m->compute = CUBLAS_COMPUTE_32F_FAST_TF32;
    if (init_product(m, e) == 0 &&
        init_layout(&m->layout[0], s->dtype, s->inner, s->columns, s->b_transposed, e) == 0 &&
        init_layout(&m->layout[1], s->dtype, s->rows, s->inner, s->a_transposed, e) == 0 &&
        init_layout(&m->layout[2], s->dtype, s->rows, s->columns, false, e) == 0)
        return 0;
    matmul_done(m);
    return -1;
}

void matmul_done(struct matmul *m)
{
    for (int i = 0; i < 3; i++)
        if (m->layout[i])
            (void)cublasLtMatrixLayoutDestroy(m->layout[i]);
    if (m->product)
        (void)cublasLtMatmulDescDestroy(m->product);
    *m = (struct matmul){0};
}

size_t matmul_kept_bytes(const struct matmul *m)
{
    const struct matmul_shape *s = &m->shape;
    size_t elements = (size_t)s->rows * (size_t)s->columns;
    if (!s->undone)
        return 0;
    return m->fused ? elements / 8 : elements * sizeof(float);
}

size_t matmul_apart_workspace(const struct matmul *m)
{
    const struct matmul_shape *s = &m->shape;
    return s->sums && !m->fused ? k_column_sum_workspace(s->inner, (int)s->rows) : 0;
}

int matmul_bind(struct matmul *m, const struct matmul_places *at, struct err *e)
{
    m->at = *at;
    return set_addresses(m, m->shape.sums ? at->sums : at->bias, at->kept, e);
}

/* --- running it ------------------------------------------------------------------------------- */

static int run_apart(const struct matmul *m, struct device *dev, struct err *e)
{
    const struct matmul_shape *s = &m->shape;
    const struct matmul_places *at = &m->at;
    if (s->undone && cuda_copy(dev, at->kept, at->c, matmul_kept_bytes(m), e))
        return -1;
    if (!s->sums)
        return 0;
    return CU(e, k_column_sum(cuda_of(dev)->compute, s->inner, (int)s->rows, at->a, at->sums,
                              at->workspace));
}

int matmul_run(const struct matmul *m, struct device *dev, struct err *e)
{
    const struct cuda *c = cuda_of(dev);
    const struct matmul_places *at = &m->at;
    const float one = 1, zero = 0;
    if (BLAS(e, cublasLtMatmul(c->blas, m->product, &one, at->b, m->layout[0], at->a, m->layout[1],
                               &zero, at->c, m->layout[2], at->c, m->layout[2], &m->algorithm,
                               at->workspace, m->workspace_bytes, c->compute)))
        return -1;
    return m->fused ? 0 : run_apart(m, dev, e);
}

int matmul_undo_relu(const struct matmul *m, struct device *dev, const float *dy, float *dx,
                     struct err *e)
{
    cudaStream_t stream = cuda_of(dev)->compute;
    int64_t n = m->shape.rows * m->shape.columns;
    return m->fused ? CU(e, k_mask(stream, 0, n, dy, m->at.kept, dx))
                    : CU(e, k_relu_backward(stream, 0, n, m->at.kept, dy, dx));
}
