/*
 * The part of cuBLASLt that the backend uses: products of column-major f32 or bf16 matrices with
 * f32 sums, and the epilogues ReLU, bias, and both. The workspace is overwritten, a heuristic's
 * answer is good for its own product only, and what is missing or does not fit is an error.
 */
#include "stream.h"

#include <cublasLt.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace
{
const size_t need_workspace = 4096;

struct product {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    int32_t trans[2];
    cublasLtEpilogue_t epilogue;
    const void *bias;
};

struct layout {
    cudaDataType_t type;
    int64_t rows, columns, ld;
};

struct preference {
    size_t workspace;
    uint32_t alignment[4];
};

struct algorithm { /* what stands in a cublasLtMatmulAlgo_t */
    uint64_t magic, shape;
    int32_t id;
};

const uint64_t magic = 0x6C746D756C5F656D;

cublasStatus_t bad(const char *why)
{
    fprintf(stderr, "cuda emulation: cuBLASLt: %s\n", why);
    return CUBLAS_STATUS_INVALID_VALUE;
}

product *of(cublasLtMatmulDesc_t d)
{
    return reinterpret_cast<product *>(d);
}

const layout *of(cublasLtMatrixLayout_t l)
{
    return reinterpret_cast<const layout *>(l);
}

size_t element(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

bool known(cudaDataType_t type)
{
    return type == CUDA_R_32F || type == CUDA_R_16BF;
}

bool has_bias(const product &p)
{
    return p.epilogue == CUBLASLT_EPILOGUE_BIAS || p.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

bool has_relu(const product &p)
{
    return p.epilogue == CUBLASLT_EPILOGUE_RELU || p.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

int64_t rows_of(const layout &l, int32_t trans)
{
    return trans == CUBLAS_OP_N ? l.rows : l.columns;
}

int64_t columns_of(const layout &l, int32_t trans)
{
    return trans == CUBLAS_OP_N ? l.columns : l.rows;
}

uint64_t hash(const product &p, const layout &a, const layout &b, const layout &d)
{
    uint64_t h = 14695981039346656037u;
    const int64_t all[] = {p.trans[0],
                           p.trans[1],
                           (int64_t)p.compute,
                           (int64_t)p.epilogue,
                           a.rows,
                           a.columns,
                           a.ld,
                           b.rows,
                           b.columns,
                           b.ld,
                           d.rows,
                           d.columns,
                           d.ld};
    for (int64_t x : all)
        h = (h ^ (uint64_t)x) * 1099511628211u;
    return h;
}

cublasStatus_t check_shapes(const product &p, const layout &a, const layout &b, const layout &d)
{
    if (rows_of(a, p.trans[0]) != d.rows || columns_of(b, p.trans[1]) != d.columns ||
        columns_of(a, p.trans[0]) != rows_of(b, p.trans[1]))
        return bad("shapes of A, B and D do not go together");
    for (const layout *l : {&a, &b, &d})
        if (l->ld < l->rows || !known(l->type))
            return bad("leading dimension below the rows, or an unknown type");
    if (has_bias(p) && !p.bias)
        return bad("the epilogue needs a bias pointer");
    return CUBLAS_STATUS_SUCCESS;
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
};

void multiply(const job &j)
{
    bool rounds = j.p.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    int64_t inner = columns_of(j.a, j.p.trans[0]);
    std::vector<float> a = gather(j.pa, j.a, j.p.trans[0] != CUBLAS_OP_N, rounds);
    std::vector<float> b = gather(j.pb, j.b, j.p.trans[1] == CUBLAS_OP_N, rounds);
    memset(j.workspace, 0xFF, j.workspace_bytes);
    for (int64_t column = 0; column < j.d.columns; column++)
        for (int64_t row = 0; row < j.d.rows; row++) {
            const float *x = &a[(size_t)(row * inner)], *y = &b[(size_t)(column * inner)];
            float sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += x[k] * y[k];
            sum *= j.alpha;
            if (j.beta < 0 || j.beta > 0)
                sum += j.beta * load(j.pc, j.c.type, column * j.c.ld + row);
            if (has_bias(j.p))
                sum += load(j.p.bias, j.d.type, row);
            store(j.pd, j.d.type, column * j.d.ld + row, has_relu(j.p) && sum < 0 ? 0 : sum);
        }
}

bool in_memory(const void *p, const layout &l)
{
    size_t n = (size_t)((l.columns - 1) * l.ld + l.rows) * element(l.type);
    return (uintptr_t)p % 16 == 0 && emu_is_device(p, n);
}

cublasStatus_t check_places(const job &j)
{
    if (!in_memory(j.pa, j.a) || !in_memory(j.pb, j.b) || !in_memory(j.pd, j.d))
        return bad("A, B or D is no device memory of its size, aligned to 16 bytes");
    if (j.workspace_bytes < need_workspace || !emu_is_device(j.workspace, j.workspace_bytes) ||
        (uintptr_t)j.workspace % 16)
        return bad("the workspace is not what the algorithm asked for");
    if (has_bias(j.p) && !emu_is_device(j.p.bias, (size_t)j.d.rows * element(j.d.type)))
        return bad("the bias is no device memory of its size");
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t put(void *field, size_t size, const void *value, size_t given)
{
    if (size != given)
        return bad("an attribute has another size");
    memcpy(field, value, size);
    return CUBLAS_STATUS_SUCCESS;
}
} // namespace

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
    product *p = new product{compute, scale, {CUBLAS_OP_N, CUBLAS_OP_N}, {}, nullptr};
    p->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    *out = reinterpret_cast<cublasLtMatmulDesc_t>(p);
    if (compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_FAST_TF32)
        return bad("only sums in f32");
    return scale == CUDA_R_32F ? CUBLAS_STATUS_SUCCESS : bad("alpha and beta are f32");
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
        {CUBLASLT_MATMUL_DESC_BIAS_POINTER, {&p->bias, sizeof p->bias}},
    };
    auto field = fields.find(name);
    if (field == fields.end())
        return bad("an attribute of a product that is not emulated");
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

/* --- heuristics --- */

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    *out = reinterpret_cast<cublasLtMatmulPreference_t>(new preference{0, {256, 256, 256, 256}});
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    delete reinterpret_cast<preference *>(p);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t bytes)
{
    preference *p = reinterpret_cast<preference *>(pref);
    const std::map<int, std::pair<void *, size_t>> fields = {
        {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, {&p->workspace, sizeof p->workspace}},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, {&p->alignment[0], sizeof(uint32_t)}},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, {&p->alignment[1], sizeof(uint32_t)}},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, {&p->alignment[2], sizeof(uint32_t)}},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, {&p->alignment[3], sizeof(uint32_t)}},
    };
    auto field = fields.find(name);
    if (field == fields.end())
        return bad("a preference that is not emulated");
    return put(field->second.first, field->second.second, value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t out,
                                              cublasLtMatmulPreference_t pref, int room,
                                              cublasLtMatmulHeuristicResult_t *results, int *n)
{
    const preference *p = reinterpret_cast<const preference *>(pref);
    cublasStatus_t status = check_shapes(*of(d), *of(a), *of(b), *of(out));
    *n = 0;
    if (!h || status != CUBLAS_STATUS_SUCCESS)
        return h ? status : CUBLAS_STATUS_NOT_INITIALIZED;
    for (uint32_t alignment : p->alignment)
        if (alignment > 16)
            return bad("addresses are not promised to be more than 16 bytes aligned");
    if (room < 1 || p->workspace < need_workspace)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    algorithm algo = {magic, hash(*of(d), *of(a), *of(b), *of(out)), 21};
    memset(results, 0, sizeof *results);
    memcpy(&results->algo, &algo, sizeof algo);
    results->workspaceSize = need_workspace;
    results->wavesCount = 1;
    *n = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t name,
                                                    void *value, size_t bytes, size_t *written)
{
    algorithm a;
    memcpy(&a, algo, sizeof a);
    if (name != CUBLASLT_ALGO_CONFIG_ID || bytes != sizeof a.id || a.magic != magic)
        return bad("an attribute of an algorithm that is not emulated");
    memcpy(value, &a.id, sizeof a.id);
    *written = sizeof a.id;
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
    job j = {*of(d), *of(a), *of(b),    *of(c),          *of(out), A, B,
             C,      D,      workspace, workspace_bytes, 0,        0};
    algorithm chosen = {};
    memcpy(&j.alpha, alpha, sizeof j.alpha);
    memcpy(&j.beta, beta, sizeof j.beta);
    if (algo)
        memcpy(&chosen, algo, sizeof chosen);
    cublasStatus_t status = check_shapes(j.p, j.a, j.b, j.d);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = check_places(j);
    if (!h || status != CUBLAS_STATUS_SUCCESS)
        return h ? status : CUBLAS_STATUS_NOT_INITIALIZED;
    if (algo && (chosen.magic != magic || chosen.shape != hash(j.p, j.a, j.b, j.d)))
        return bad("the algorithm was chosen for another product");
    return emu_enqueue(stream, [j] { multiply(j); }) == cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}
