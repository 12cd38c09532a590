/*
 * Algorithms of cuBLASLt as texts; see matmul.h. The library describes an algorithm by a number and
 * eight attributes, from which it makes it again. It promises as well that the bytes of an
 * algorithm can be stored and restored by the same version: they serve where the attributes do not
 * tell all.
 */
#include "backend/cuda/matmul.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct attribute {
    cublasLtMatmulAlgoConfigAttributes_t name;
    size_t bytes;
};

static const struct attribute attributes[] = {
    {CUBLASLT_ALGO_CONFIG_TILE_ID, 4},          {CUBLASLT_ALGO_CONFIG_SPLITK_NUM, 4},
    {CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, 4}, {CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, 4},
    {CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, 4},    {CUBLASLT_ALGO_CONFIG_STAGES_ID, 4},
    {CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, 2},   {CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, 2},
};
enum {
    N_ATTRIBUTES = sizeof attributes / sizeof *attributes,
    N_WORDS = sizeof(cublasLtMatmulAlgo_t) / sizeof(uint64_t),
};

/* As the library sets it up: the attributes have their default values. */
static int init(const struct matmul *m, struct device *dev, int id, cublasLtMatmulAlgo_t *out,
                struct err *e)
{
    cudaDataType_t type = m->shape.dtype == DT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    memset(out, 0, sizeof *out);
    return BLAS(e, cublasLtMatmulAlgoInit(cuda_of(dev)->blas, m->compute, CUDA_R_32F, type, type,
                                          type, type, id, out));
}

/* Attributes are little-endian numbers of two or four bytes; -1: this one has no such attribute. */
static int64_t get(const cublasLtMatmulAlgo_t *a, const struct attribute *at)
{
    uint32_t value = 0;
    size_t written = 0;
    if (cublasLtMatmulAlgoConfigGetAttribute(a, at->name, &value, at->bytes, &written) !=
            CUBLAS_STATUS_SUCCESS ||
        written != at->bytes)
        return -1;
    return value;
}

static int number_of(const cublasLtMatmulAlgo_t *a)
{
    const struct attribute number = {CUBLASLT_ALGO_CONFIG_ID, sizeof(int32_t)};
    return (int)get(a, &number);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_bytes(const cublasLtMatmulAlgo_t *a, char text[MATMUL_TEXT])
{
    int n = snprintf(text, MATMUL_TEXT, "%d=", number_of(a));
    for (size_t i = 0; i < N_WORDS; i++)
        n += snprintf(text + n, (size_t)(MATMUL_TEXT - n), "%016" PRIx64, a->data[i]);
}

/* *plain becomes what the text makes again. */
static void write_attributes(cublasLtMatmulAlgo_t *plain, const cublasLtMatmulAlgo_t *a,
                             char text[MATMUL_TEXT])
{
    char separator = ':';
    int n = snprintf(text, MATMUL_TEXT, "%d", number_of(a));
    for (int i = 0; i < N_ATTRIBUTES && n < MATMUL_TEXT; i++) {
        int64_t value = get(a, &attributes[i]);
        if (value < 0 || value == get(plain, &attributes[i]))
            continue;
        (void)cublasLtMatmulAlgoConfigSetAttribute(plain, attributes[i].name, &value,
                                                   attributes[i].bytes);
        n += snprintf(text + n, (size_t)(MATMUL_TEXT - n), "%c%d=%lld", separator,
                      attributes[i].name, (long long)value);
        separator = ',';
    }
}

/* What its number alone does not make is written byte by byte too. */
void matmul_algorithm_write(const struct matmul *m, struct device *dev,
                            const cublasLtMatmulAlgo_t *a, char text[MATMUL_TEXT])
{
    cublasLtMatmulAlgo_t again;
    struct err ignored = {0};
    bool made = init(m, dev, number_of(a), &again, &ignored) == 0;
    if (made)
        write_attributes(&again, a, text);
    if (!made || memcmp(&again, a, sizeof again) != 0)
        write_bytes(a, text);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int refuse(struct err *e)
{
    return err_set(e, EXIT_DATA, "it is no algorithm");
}

/* A number at *at that `bytes` can hold; *at is moved behind it. */
static int take_number(const char **at, size_t bytes, uint32_t *out)
{
    char *end;
    if (!isdigit((unsigned char)**at))
        return -1;
    unsigned long long value = strtoull(*at, &end, 10);
    *at = end;
    *out = (uint32_t)value;
    return value <= (bytes == 2 ? UINT16_MAX : INT32_MAX) ? 0 : -1;
}

static const struct attribute *find(uint32_t name)
{
    for (int i = 0; i < N_ATTRIBUTES; i++)
        if ((uint32_t)attributes[i].name == name)
            return &attributes[i];
    return NULL;
}

/* ":NAME=VALUE,NAME=VALUE" up to the end of the text. */
static int set_all(cublasLtMatmulAlgo_t *a, const char *at, struct err *e)
{
    for (char separator = ':'; *at; separator = ',') {
        uint32_t name, value;
        const struct attribute *found;
        if (*at++ != separator || take_number(&at, 4, &name) || !(found = find(name)) ||
            *at++ != '=' || take_number(&at, found->bytes, &value))
            return refuse(e);
        if (BLAS(e, cublasLtMatmulAlgoConfigSetAttribute(a, found->name, &value, found->bytes)))
            return -1;
    }
    return 0;
}

/* The digits of all bytes, and nothing behind them. */
static int read_bytes(cublasLtMatmulAlgo_t *a, const char *at, struct err *e)
{
    enum { DIGITS = 16 };
    if (strlen(at) != N_WORDS * DIGITS || strspn(at, "0123456789abcdef") != N_WORDS * DIGITS)
        return refuse(e);
    for (size_t i = 0; i < N_WORDS; i++) {
        char word[DIGITS + 1] = "";
        memcpy(word, at + i * DIGITS, DIGITS);
        a->data[i] = strtoull(word, NULL, 16);
    }
    return 0;
}

int matmul_algorithm_read(struct matmul *m, struct device *dev, const char *text, struct err *e)
{
    cublasLtMatmulHeuristicResult_t result = {0};
    cublasLtMatmulAlgo_t a;
    uint32_t id;
    const char *at = text;
    if (take_number(&at, 4, &id))
        return refuse(e);
    if (*at == '=' ? read_bytes(&a, at + 1, e) : init(m, dev, (int)id, &a, e) || set_all(&a, at, e))
        return -1;
    if (number_of(&a) != (int)id)
        return refuse(e);
    if (BLAS(e, cublasLtMatmulAlgoCheck(cuda_of(dev)->blas, m->product, m->layout[0], m->layout[1],
                                        m->layout[2], m->layout[2], &a, &result)))
        return -1;
    size_t apart = matmul_apart_workspace(m);
    m->algorithm = a;
    m->workspace_bytes = result.workspaceSize > apart ? result.workspaceSize : apart;
    return 0;
}
