/*
 * See matmul.h. cuBLASLt thinks in columns: a row-major matrix [m, n] is to it a column-major one
 * [n, m] in the same memory. So C = op(A) op(B) is asked for as C' = op(B)' op(A)', with B first
 * and A second; a matrix that is transposed for us is transposed for the library too. A bias of our
 * columns is then one of its rows, which is what its epilogue adds.
 *
 * The first algorithm of the heuristic is taken: it depends on library, device and shape alone, so
 * repeating a run computes the same bits.
 */
#include "backend/cuda/matmul.h"

enum { WORKSPACE_MAX = 32 << 20, ALIGNMENT = 16 };

static int set(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name, const void *value,
               size_t bytes, struct err *e)
{
    return BLAS(e, cublasLtMatmulDescSetAttribute(d, name, value, bytes));
}

static int init_product(struct matmul *m, struct device *dev, const struct matmul_shape *s,
                        struct err *e)
{
    const cublasComputeType_t compute = cuda_of(dev)->tf32 && s->dtype == DT_F32
                                            ? CUBLAS_COMPUTE_32F_FAST_TF32
                                            : CUBLAS_COMPUTE_32F;
    const cublasOperation_t first = s->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t second = s->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasLtEpilogue_t epilogue = s->bias && s->relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                        : s->bias          ? CUBLASLT_EPILOGUE_BIAS
                                        : s->relu          ? CUBLASLT_EPILOGUE_RELU
                                                           : CUBLASLT_EPILOGUE_DEFAULT;
    if (BLAS(e, cublasLtMatmulDescCreate(&m->product, compute, CUDA_R_32F)) ||
        set(m->product, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first, e) ||
        set(m->product, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second, e))
        return -1;
    if (set(m->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue, e))
        return -1;
    /* The heuristic looks at the alignment alone; the address itself comes with each run. */
    const uintptr_t somewhere = 256;
    return s->bias
               ? set(m->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &somewhere, sizeof somewhere, e)
               : 0;
}

/* Our [rows, columns], the library's [columns, rows]. */
static int init_layout(cublasLtMatrixLayout_t *l, enum dtype dtype, int64_t rows, int64_t columns,
                       bool transposed, struct err *e)
{
    int64_t width = transposed ? rows : columns, height = transposed ? columns : rows;
    cudaDataType_t type = dtype == DT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    return BLAS(e, cublasLtMatrixLayoutCreate(l, type, (uint64_t)width, (uint64_t)height, width));
}

static int prefer(cublasLtMatmulPreference_t p, struct err *e)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const size_t workspace = WORKSPACE_MAX;
    const uint32_t alignment = ALIGNMENT;
    if (BLAS(e, cublasLtMatmulPreferenceSetAttribute(p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                     &workspace, sizeof workspace)))
        return -1;
    for (int i = 0; i < 4; i++)
        if (BLAS(e, cublasLtMatmulPreferenceSetAttribute(p, alignments[i], &alignment,
                                                         sizeof alignment)))
            return -1;
    return 0;
}

static int ask(struct matmul *m, struct device *dev, cublasLtMatmulPreference_t p, struct err *e)
{
    cublasLtMatmulHeuristicResult_t best;
    int n = 0;
    if (prefer(p, e) || BLAS(e, cublasLtMatmulAlgoGetHeuristic(
                                    cuda_of(dev)->blas, m->product, m->layout[0], m->layout[1],
                                    m->layout[2], m->layout[2], p, 1, &best, &n)))
        return -1;
    if (n < 1)
        return err_set(e, EXIT_UNAVAILABLE, "cuBLASLt has no algorithm for this product");
    m->algorithm = best.algo;
    m->workspace_bytes = best.workspaceSize;
    return 0;
}

static int choose(struct matmul *m, struct device *dev, char *text, size_t text_bytes,
                  struct err *e)
{
    cublasLtMatmulPreference_t p;
    int32_t id = -1;
    size_t written;
    if (BLAS(e, cublasLtMatmulPreferenceCreate(&p)))
        return -1;
    int rc = ask(m, dev, p, e);
    (void)cublasLtMatmulPreferenceDestroy(p);
    if (rc == 0)
        rc = BLAS(e, cublasLtMatmulAlgoConfigGetAttribute(&m->algorithm, CUBLASLT_ALGO_CONFIG_ID,
                                                          &id, sizeof id, &written));
    snprintf(text, text_bytes, "cublasLt %d", id);
    return rc;
}

int matmul_init(struct matmul *m, struct device *dev, const struct matmul_shape *s, char *text,
                size_t text_bytes, struct err *e)
{
    *m = (struct matmul){0};
    if (init_product(m, dev, s, e) == 0 &&
        init_layout(&m->layout[0], s->dtype, s->inner, s->columns, s->b_transposed, e) == 0 &&
        init_layout(&m->layout[1], s->dtype, s->rows, s->inner, s->a_transposed, e) == 0 &&
        init_layout(&m->layout[2], s->dtype, s->rows, s->columns, false, e) == 0 &&
        choose(m, dev, text, text_bytes, e) == 0)
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

int matmul_run(const struct matmul *m, const struct device *dev, const struct matmul_places *at,
               struct err *e)
{
    const struct cuda *c = cuda_of(dev);
    const float one = 1, zero = 0;
    if (at->bias &&
        set(m->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &at->bias, sizeof at->bias, e))
        return -1;
    return BLAS(e, cublasLtMatmul(c->blas, m->product, &one, at->b, m->layout[0], at->a,
                                  m->layout[1], &zero, at->c, m->layout[2], at->c, m->layout[2],
                                  &m->algorithm, at->workspace, m->workspace_bytes, c->compute));
}
