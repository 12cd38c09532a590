/*
 * Algorithms of the emulated cuBLASLt: a few that differ in what their numbers are, in what they
 * can do, and in whether they can be run at all. Those that a careful program leaves out are the
 * fastest. An algorithm is its id and its attributes; whoever forgets one of them gets other bits.
 * The one that rounds to TF32 has something more, which only its bytes hold: its number alone makes
 * nothing.
 *
 * SUPCON_EMULATION_EPILOGUES=off   no algorithm has masks or gradients of the bias
 */
#include "cublaslt_emulation.h"

#include <cstdlib>
#include <cstring>
#include <map>

namespace
{
const uint64_t magic = 0x6C746D756C5F656D;
const size_t plain_workspace = 4096;

const uint64_t exact = CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA |
                       CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F |
                       CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F;
const uint64_t rounding = CUBLASLT_NUMERICAL_IMPL_FLAGS_HMMA |
                          CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F |
                          CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32;

const algorithm_kind kinds[] = {
    {40, exact, CUBLASLT_REDUCTION_SCHEME_NONE, false, true, false, 0},
    {25, exact, CUBLASLT_REDUCTION_SCHEME_INPLACE, false, true, true, 0},
    {21, rounding, CUBLASLT_REDUCTION_SCHEME_NONE, true, true, true, 400},
    {24, exact, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, false, true, true, 1200},
    {7, exact, CUBLASLT_REDUCTION_SCHEME_NONE, false, false, true, 3000},
};

/* What the heuristic recommends, in this order. */
struct recommendation {
    uint32_t id, tile, split, custom;
};
const recommendation recommended[] = {
    {7, 18, 1, 0}, {7, 18, 1, 1}, {40, 20, 1, 0}, {25, 20, 3, 0}, {21, 24, 1, 0}, {24, 20, 2, 1},
};

struct preference {
    size_t workspace;
    uint32_t alignment[4];
};

const algorithm_kind *kind_of(uint32_t id)
{
    for (const algorithm_kind &k : kinds)
        if (k.id == id)
            return &k;
    return nullptr;
}

size_t size_of(cublasLtMatmulAlgoConfigAttributes_t name)
{
    return name < CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID      ? 4
           : name <= CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID ? 2
                                                           : 0;
}

bool extras_are_off()
{
    const char *value = getenv("SUPCON_EMULATION_EPILOGUES");
    return value && strcmp(value, "off") == 0;
}

algorithm fresh(uint32_t id, cublasComputeType_t compute, cudaDataType_t type)
{
    algorithm a = {magic, id, compute, type, 0, {}};
    a.config[CUBLASLT_ALGO_CONFIG_ID] = id;
    a.config[CUBLASLT_ALGO_CONFIG_SPLITK_NUM] = 1;
    return a;
}

algorithm configured(const recommendation &r, const product &p, const layout &d)
{
    algorithm a = fresh(r.id, p.compute, d.type);
    a.config[CUBLASLT_ALGO_CONFIG_TILE_ID] = r.tile;
    a.config[CUBLASLT_ALGO_CONFIG_SPLITK_NUM] = r.split;
    a.config[CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION] = r.custom;
    a.config[CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID] = 2;
    a.hidden = kind_of(r.id)->tf32;
    if (r.split > 1)
        a.config[CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME] = kind_of(r.id)->reduction;
    return a;
}
} // namespace

const algorithm_kind *emu_algorithm(const cublasLtMatmulAlgo_t *algo, algorithm *out)
{
    static_assert(sizeof *out <= sizeof *algo, "an algorithm fits the library's struct");
    memcpy(out, algo, sizeof *out);
    return out->magic == magic ? kind_of(out->id) : nullptr;
}

cublasStatus_t emu_check_algorithm(const algorithm &a, const product &p, const layout &d)
{
    const algorithm_kind *kind = kind_of(a.id);
    uint32_t split = a.config[CUBLASLT_ALGO_CONFIG_SPLITK_NUM];
    uint32_t reduction = a.config[CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME];
    if (!kind || a.compute != p.compute || a.type != d.type)
        return CUBLAS_STATUS_INVALID_VALUE;
    if ((emu_has_mask(p) || emu_has_gradient(p)) && (!kind->extras || extras_are_off()))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (a.hidden != kind->tf32 || a.config[CUBLASLT_ALGO_CONFIG_TILE_ID] == 0 || split < 1 ||
        split > 8 || a.config[CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION] > 1 ||
        a.config[CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID] != 2)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    bool splits = split > 1;
    return (splits ? kind->reduction && reduction == kind->reduction : reduction == 0)
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_NOT_SUPPORTED;
}

size_t emu_algorithm_workspace(const algorithm &a, const layout &d)
{
    size_t parts = a.config[CUBLASLT_ALGO_CONFIG_SPLITK_NUM];
    return parts > 1 ? plain_workspace + parts * (size_t)(d.rows * d.columns) * sizeof(float)
                     : plain_workspace;
}

/* --- algorithms by number --- */

cublasStatus_t cublasLtMatmulAlgoInit(cublasLtHandle_t h, cublasComputeType_t compute,
                                      cudaDataType_t scale, cudaDataType_t a, cudaDataType_t b,
                                      cudaDataType_t c, cudaDataType_t d, int id,
                                      cublasLtMatmulAlgo_t *out)
{
    if (!h || scale != CUDA_R_32F || a != b || a != c || a != d || !kind_of((uint32_t)id))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (kind_of((uint32_t)id)->tf32)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    algorithm made = fresh((uint32_t)id, compute, a);
    memset(out, 0, sizeof *out);
    memcpy(out, &made, sizeof made);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t name,
                                                    void *value, size_t bytes, size_t *written)
{
    algorithm a;
    if (!emu_algorithm(algo, &a) || bytes == 0 || bytes != size_of(name))
        return emu_blas_bad("an attribute of an algorithm has another size, or there is none");
    memcpy(value, &a.config[name], bytes);
    *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigSetAttribute(cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t name,
                                                    const void *value, size_t bytes)
{
    algorithm a;
    if (!emu_algorithm(algo, &a) || name == CUBLASLT_ALGO_CONFIG_ID || bytes != size_of(name))
        return emu_blas_bad("an attribute of an algorithm cannot be set so");
    a.config[name] = 0;
    memcpy(&a.config[name], value, bytes);
    memcpy(algo, &a, sizeof a);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCapGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                 cublasLtMatmulAlgoCapAttributes_t name,
                                                 void *value, size_t bytes, size_t *written)
{
    algorithm a;
    const algorithm_kind *kind = emu_algorithm(algo, &a);
    if (!kind || name != CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS || bytes != sizeof kind->flags)
        return emu_blas_bad("a capability of an algorithm that is not emulated");
    uint64_t flags = kind->flags;
    if (a.type == CUDA_R_16BF) {
        flags &= ~CUBLASLT_NUMERICAL_IMPL_FLAGS_OP_INPUT_TYPE_MASK;
        flags |= CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF;
    }
    memcpy(value, &flags, sizeof flags);
    *written = sizeof flags;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t h, cublasLtMatmulDesc_t d,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t out,
                                       const cublasLtMatmulAlgo_t *algo,
                                       cublasLtMatmulHeuristicResult_t *result)
{
    algorithm chosen;
    if (!h || !emu_algorithm(algo, &chosen))
        return CUBLAS_STATUS_INVALID_VALUE;
    cublasStatus_t status = emu_check_shapes(*of(d), *of(a), *of(b), *of(out));
    if (status == CUBLAS_STATUS_SUCCESS)
        status = emu_check_algorithm(chosen, *of(d), *of(out));
    result->state = status;
    result->workspaceSize = emu_algorithm_workspace(chosen, *of(out));
    result->wavesCount = 1;
    return status;
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
    if (field == fields.end() || field->second.second != bytes)
        return emu_blas_bad("a preference that is not emulated, or of another size");
    memcpy(field->second.first, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t out,
                                              cublasLtMatmulPreference_t pref, int room,
                                              cublasLtMatmulHeuristicResult_t *results, int *n)
{
    const preference *p = reinterpret_cast<const preference *>(pref);
    cublasStatus_t status = emu_check_shapes(*of(d), *of(a), *of(b), *of(out));
    *n = 0;
    if (!h || status != CUBLAS_STATUS_SUCCESS)
        return h ? status : CUBLAS_STATUS_NOT_INITIALIZED;
    for (uint32_t alignment : p->alignment)
        if (alignment > 16)
            return emu_blas_bad("addresses are not promised to be more than 16 bytes aligned");
    for (const recommendation &r : recommended) {
        algorithm made = configured(r, *of(d), *of(out));
        size_t workspace = emu_algorithm_workspace(made, *of(out));
        if (*n == room || workspace > p->workspace ||
            emu_check_algorithm(made, *of(d), *of(out)) != CUBLAS_STATUS_SUCCESS)
            continue;
        cublasLtMatmulHeuristicResult_t *result = &results[(*n)++];
        memset(result, 0, sizeof *result);
        memcpy(&result->algo, &made, sizeof made);
        result->workspaceSize = workspace;
        result->wavesCount = 1;
    }
    return *n ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}
