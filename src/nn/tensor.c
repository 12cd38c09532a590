/* Element types and shapes as text; see tensor.h. */
#include "nn/tensor.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [DT_F32] = {"f32", 4}, [DT_BF16] = {"bf16", 2}, [DT_I32] = {"i32", 4},
    [DT_U8] = {"u8", 1},   [DT_I64] = {"i64", 8},   [DT_F64] = {"f64", 8},
};

size_t dtype_size(enum dtype dtype)
{
    return dtypes[dtype].bytes;
}

const char *dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

int64_t tensor_count(const struct tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->ndim; i++)
        n *= t->dim[i];
    return n;
}

const char *shape_text(char out[SHAPE_TEXT], int ndim, const int64_t *dim)
{
    int at = snprintf(out, SHAPE_TEXT, "[");
    for (int i = 0; i < ndim && at < SHAPE_TEXT; i++)
        at +=
            snprintf(out + at, (size_t)(SHAPE_TEXT - at), i ? ",%lld" : "%lld", (long long)dim[i]);
    if (at < SHAPE_TEXT - 1)
        snprintf(out + at, (size_t)(SHAPE_TEXT - at), "]");
    return out;
}
