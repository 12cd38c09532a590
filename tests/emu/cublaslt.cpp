/*
 * The part of cuBLASLt that the backend uses: products of column-major f32 or bf16 matrices with
 * f32 sums, and epilogues of ReLU with or without its mask, bias, both, and the gradient of a bias
 * by the second matrix. The workspace is overwritten, and what is missing or does not fit is an
 * error. How the sums go is the algorithm's (cublaslt_algorithm.cpp).
 */
#include "cublaslt_emulation.h"
#include "stream.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

namespace
{
size_t element(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

bool known(cudaDataType_t type)
{
    return type == CUDA_R_32F || type == CUDA_R_16BF;
}

/* Epilogues as their parts, which the library numbers as bits. */
bool has(const product &p, int part)
{
    const int parts = CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
    if (p.epilogue == CUBLASLT_EPILOGUE_BGRADB)
        return part == CUBLASLT_EPILOGUE_BGRADB;
    return (p.epilogue & ~parts) == 0 && (p.epilogue & part) == part;
}

bool known_epilogue(const product &p)
{
    return p.epilogue == CUBLASLT_EPILOGUE_DEFAULT || p.epilogue == CUBLASLT_EPILOGUE_BGRADB ||
           has(p, CUBLASLT_EPILOGUE_RELU) || p.epilogue == CUBLASLT_EPILOGUE_BIAS;
}

/* --- numbers --- */

float load(const void *p, cudaDataType_t type, int64_t i)
{
    uint32_t bits;
    if (type == CUDA_R_32F)
        return static_cast<const float *>(p)[i];
    bits = (uint32_t) static_cast<const uint16_t *>(p)[i] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void store(void *p, cudaDataType_t type, int64_t i, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (type == CUDA_R_32F)
        static_cast<float *>(p)[i] = x;
    else
        static_cast<uint16_t *>(p)[i] = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float tf32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & 0xFFFFE000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* op(matrix) as dense rows of `inner`: [outer][inner]. */
std::vector<float> gather(const void *p, const layout &l, bool inner_is_row, bool rounds)
{
    int64_t outer = inner_is_row ? l.columns : l.rows, inner = inner_is_row ? l.rows : l.columns;
    std::vector<float> dense((size_t)(outer * inner));
    for (int64_t i = 0; i < outer; i++)
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = inner_is_row ? i * l.ld + k : k * l.ld + i;
            float x = load(p, l.type, at);
            dense[(size_t)(i * inner + k)] = rounds ? tf32(x) : x;
        }
    return dense;
}

struct job {
    product p;
    layout a, b, c, d;
    const void *pa, *pb, *pc;
    void *pd, *workspace;
    size_t workspace_bytes;
    float alpha, beta;
    algorithm how;
    const algorithm_kind *kind;
};

/* The sum of a part of the inner dimension, in the order that the custom option says. */
float dot(const float *x, const float *y, int64_t from, int64_t to, bool backward)
{
    float sum = 0;
    for (int64_t k = from; k < to; k++) {
        int64_t i = backward ? to - 1 - (k - from) : k;
        sum += x[i] * y[i];
    }
    return sum;
}

/* Parts are added in their order, or, in place, from another one at every product. */
float split_dot(const job &j, const float *x, const float *y, int64_t inner, uint32_t first)
{
    uint32_t parts = j.how.config[CUBLASLT_ALGO_CONFIG_SPLITK_NUM];
    bool backward = j.how.config[CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION];
    float sum = 0;
    for (uint32_t i = 0; i < parts; i++) {
        int64_t part = (i + first) % parts;
        sum += dot(x, y, inner * part / parts, inner * (part + 1) / parts, backward);
    }
    return sum;
}

void set_bit(void *mask, int64_t at, bool value)
{
    uint8_t *byte = static_cast<uint8_t *>(mask) + at / 8, bit = (uint8_t)(1u << at % 8);
    *byte = value ? *byte | bit : *byte & (uint8_t)~bit;
}

void finish(const job &j, int64_t row, int64_t column, float sum)
{
    sum *= j.alpha;
    if (j.beta < 0 || j.beta > 0)
        sum += j.beta * load(j.pc, j.c.type, column * j.c.ld + row);
    if (emu_has_bias(j.p))
        sum += load(j.p.vector, j.d.type, row);
    if (emu_has_mask(j.p))
        set_bit(j.p.mask, column * j.p.mask_ld + row, sum > 0);
    store(j.pd, j.d.type, column * j.d.ld + row, emu_has_relu(j.p) && sum < 0 ? 0 : sum);
}

/* b: op(B) as [columns][inner]. */
void sum_columns(const job &j, const std::vector<float> &b, int64_t inner)
{
    for (int64_t column = 0; column < j.d.columns; column++) {
        float sum = 0;
        for (int64_t k = 0; k < inner; k++)
            sum += b[(size_t)(column * inner + k)];
        store(const_cast<void *>(j.p.vector), j.d.type, column, sum);
    }
}

void multiply(const job &j)
{
    static uint32_t turn;
    bool rounds = j.kind->tf32 && j.a.type == CUDA_R_32F;
    uint32_t scheme = j.how.config[CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME];
    uint32_t first = scheme == CUBLASLT_REDUCTION_SCHEME_INPLACE ? turn++ : 0;
    int64_t inner = columns_of(j.a, j.p.trans[0]);
    std::vector<float> a = gather(j.pa, j.a, j.p.trans[0] != CUBLAS_OP_N, rounds);
    std::vector<float> b = gather(j.pb, j.b, j.p.trans[1] == CUBLAS_OP_N, rounds);
    memset(j.workspace, 0xFF, j.workspace_bytes);
    for (int64_t column = 0; column < j.d.columns; column++)
        for (int64_t row = 0; row < j.d.rows; row++) {
            const float *x = &a[(size_t)(row * inner)], *y = &b[(size_t)(column * inner)];
            finish(j, row, column, split_dot(j, x, y, inner, first));
        }
    if (emu_has_gradient(j.p))
        sum_columns(j, b, inner);
    emu_take(j.kind->microseconds);
}

bool in_memory(const void *p, const layout &l)
{
    size_t n = (size_t)((l.columns - 1) * l.ld + l.rows) * element(l.type);
    return (uintptr_t)p % 16 == 0 && emu_is_device(p, n);
}

cublasStatus_t check_places(const job &j)
{
    int64_t elements = emu_has_gradient(j.p) ? j.d.columns : j.d.rows;
    if (!in_memory(j.pa, j.a) || !in_memory(j.pb, j.b) || !in_memory(j.pd, j.d))
        return emu_blas_bad("A, B or D is no device memory of its size, aligned to 16 bytes");
    if (j.workspace_bytes < emu_algorithm_workspace(j.how, j.d) ||
        !emu_is_device(j.workspace, j.workspace_bytes) || (uintptr_t)j.workspace % 16)
        return emu_blas_bad("the workspace is not what the algorithm asked for");
    if ((emu_has_bias(j.p) || emu_has_gradient(j.p)) &&
        !emu_is_device(j.p.vector, (size_t)elements * element(j.d.type)))
        return emu_blas_bad("the bias is no device memory of its size");
    if (emu_has_mask(j.p) && (!emu_is_device(j.p.mask, (size_t)(j.p.mask_ld * j.d.columns / 8)) ||
                              (uintptr_t)j.p.mask % 16))
        return emu_blas_bad("the mask is no device memory of its size, aligned to 16 bytes");
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t put(void *field, size_t size, const void *value, size_t given)
{
    if (size != given)
        return emu_blas_bad("an attribute has another size");
    memcpy(field, value, size);
    return CUBLAS_STATUS_SUCCESS;
}
} // namespace

cublasStatus_t emu_blas_bad(const char *why)
{
    fprintf(stderr, "cuda emulation: cuBLASLt: %s\n", why);
    return CUBLAS_STATUS_INVALID_VALUE;
}

bool emu_has_bias(const product &p)
{
    return has(p, CUBLASLT_EPILOGUE_BIAS);
}

bool emu_has_relu(const product &p)
{
    return has(p, CUBLASLT_EPILOGUE_RELU);
}

bool emu_has_mask(const product &p)
{
    return has(p, CUBLASLT_EPILOGUE_RELU_AUX);
}

bool emu_has_gradient(const product &p)
{
    return has(p, CUBLASLT_EPILOGUE_BGRADB);
}

cublasStatus_t emu_check_shapes(const product &p, const layout &a, const layout &b, const layout &d)
{
    if (rows_of(a, p.trans[0]) != d.rows || columns_of(b, p.trans[1]) != d.columns ||
        columns_of(a, p.trans[0]) != rows_of(b, p.trans[1]))
        return emu_blas_bad("shapes of A, B and D do not go together");
    for (const layout *l : {&a, &b, &d})
        if (l->ld < l->rows || !known(l->type))
            return emu_blas_bad("leading dimension below the rows, or an unknown type");
    if (!known_epilogue(p))
        return emu_blas_bad("an epilogue that is not emulated");
    if ((emu_has_bias(p) || emu_has_gradient(p)) && !p.vector)
        return emu_blas_bad("the epilogue needs a bias pointer");
    if (emu_has_mask(p) && (!p.mask || p.mask_ld % 128 || p.mask_ld < d.rows))
        return emu_blas_bad("the epilogue needs a mask with rows of a multiple of 128 bits");
    return CUBLAS_STATUS_SUCCESS;
}

/* --- handles and descriptors --- */

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    *out = reinterpret_cast<cublasLtHandle_t>(new int(1));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
    delete reinterpret_cast<int *>(h);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS ? "success"
           : status == CUBLAS_STATUS_INVALID_VALUE
               ? "an unsupported value or parameter was passed to the function"
               : "failed";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    product *p = new product{compute, scale, {CUBLAS_OP_N, CUBLAS_OP_N}, {}, nullptr, nullptr, 0};
    p->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    *out = reinterpret_cast<cublasLtMatmulDesc_t>(p);
    if (compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_FAST_TF32)
        return emu_blas_bad("only sums in f32");
    return scale == CUDA_R_32F ? CUBLAS_STATUS_SUCCESS : emu_blas_bad("alpha and beta are f32");
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    delete of(d);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void *value, size_t bytes)
{
    product *p = of(d);
    const std::map<int, std::pair<void *, size_t>> fields = {
        {CUBLASLT_MATMUL_DESC_TRANSA, {&p->trans[0], sizeof p->trans[0]}},
        {CUBLASLT_MATMUL_DESC_TRANSB, {&p->trans[1], sizeof p->trans[1]}},
        {CUBLASLT_MATMUL_DESC_EPILOGUE, {&p->epilogue, sizeof p->epilogue}},
        {CUBLASLT_MATMUL_DESC_BIAS_POINTER, {&p->vector, sizeof p->vector}},
        {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, {&p->mask, sizeof p->mask}},
        {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, {&p->mask_ld, sizeof p->mask_ld}},
    };
    auto field = fields.find(name);
    if (field == fields.end())
        return emu_blas_bad("an attribute of a product that is not emulated");
    return put(field->second.first, field->second.second, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t ld)
{
    layout *l = new layout{type, (int64_t)rows, (int64_t)columns, ld};
    *out = reinterpret_cast<cublasLtMatrixLayout_t>(l);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    delete of(l);
    return CUBLAS_STATUS_SUCCESS;
}

/* --- the product --- */

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t d, const void *alpha,
                              const void *A, cublasLtMatrixLayout_t a, const void *B,
                              cublasLtMatrixLayout_t b, const void *beta, const void *C,
                              cublasLtMatrixLayout_t c, void *D, cublasLtMatrixLayout_t out,
                              const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    job j = {*of(d), *of(a),    *of(b),          *of(c), *of(out), A,  B,      C,
             D,      workspace, workspace_bytes, 0,      0,        {}, nullptr};
    memcpy(&j.alpha, alpha, sizeof j.alpha);
    memcpy(&j.beta, beta, sizeof j.beta);
    j.kind = algo ? emu_algorithm(algo, &j.how) : nullptr;
    if (!h || !j.kind)
        return h ? emu_blas_bad("no algorithm is given") : CUBLAS_STATUS_NOT_INITIALIZED;
    cublasStatus_t status = emu_check_shapes(j.p, j.a, j.b, j.d);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = emu_check_algorithm(j.how, j.p, j.d);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = check_places(j);
    if (status != CUBLAS_STATUS_SUCCESS || !j.kind->runs)
        return status == CUBLAS_STATUS_SUCCESS ? CUBLAS_STATUS_EXECUTION_FAILED : status;
    return emu_enqueue(stream, [j] { multiply(j); }) == cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}
