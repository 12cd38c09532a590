/*
 * What the two files of the emulated cuBLASLt share: descriptors, and algorithms as they stand in a
 * cublasLtMatmulAlgo_t.
 */
#ifndef SUPCON_TESTS_CUBLASLT_EMULATION_H
#define SUPCON_TESTS_CUBLASLT_EMULATION_H

#include <cublasLt.h>

#include <cstdint>

struct product {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    int32_t trans[2];
    cublasLtEpilogue_t epilogue;
    const void *vector; /* a bias, or where its gradient goes */
    void *mask;
    int64_t mask_ld; /* in bits */
};

struct layout {
    cudaDataType_t type;
    int64_t rows, columns, ld;
};

/* One of emu_algorithms, by its id, with values of the attributes by their numbers. */
struct algorithm {
    uint64_t magic;
    uint32_t id;
    cublasComputeType_t compute;
    cudaDataType_t type;
    uint32_t hidden; /* what no attribute tells */
    uint32_t config[CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID + 1];
};

struct algorithm_kind {
    uint32_t id;
    uint64_t flags;
    uint32_t reduction; /* the one it has when it splits */
    bool tf32;          /* inputs are rounded */
    bool extras;        /* masks and gradients of the bias */
    bool runs;
    int microseconds; /* that a product takes beside its arithmetic */
};

inline product *of(cublasLtMatmulDesc_t d)
{
    return reinterpret_cast<product *>(d);
}

inline const layout *of(cublasLtMatrixLayout_t l)
{
    return reinterpret_cast<const layout *>(l);
}

/* What a matrix [rows, columns] is after its transposition. */
inline int64_t rows_of(const layout &l, int32_t trans)
{
    return trans == CUBLAS_OP_N ? l.rows : l.columns;
}

inline int64_t columns_of(const layout &l, int32_t trans)
{
    return trans == CUBLAS_OP_N ? l.columns : l.rows;
}

cublasStatus_t emu_blas_bad(const char *why);
/* The epilogue has this part; one whose parts are unknown has none. */
bool emu_has_bias(const product &);
bool emu_has_relu(const product &);
bool emu_has_mask(const product &);
bool emu_has_gradient(const product &);
cublasStatus_t emu_check_shapes(const product &, const layout &a, const layout &b, const layout &d);

/* NULL: it is none. */
const algorithm_kind *emu_algorithm(const cublasLtMatmulAlgo_t *, algorithm *out);
/* CUBLAS_STATUS_SUCCESS, or why the algorithm cannot make the product. */
cublasStatus_t emu_check_algorithm(const algorithm &, const product &, const layout &d);
size_t emu_algorithm_workspace(const algorithm &, const layout &d);

#endif
