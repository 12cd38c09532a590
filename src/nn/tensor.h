/*
 * A tensor: a logical shape, a type, and a place in memory whose layout belongs to the backend.
 * Logical order is PyTorch's: images [N,C,H,W], convolution weights [K,C,R,S], linear weights
 * [K,C]; `layout` says how the backend stores it (meaning private to the backend; LAYOUT_PLAIN is
 * row-major and known to all).
 */
#ifndef SUPCON_NN_TENSOR_H
#define SUPCON_NN_TENSOR_H

#include <stddef.h>
#include <stdint.h>

enum dtype { DT_F32, DT_BF16, DT_I32, DT_U8, DT_I64, DT_F64 };

enum { LAYOUT_PLAIN = 0 }; /* others: defined by each backend from 1 up */

struct tensor {
    char name[64];
    enum dtype dtype;
    int ndim;       /* 0 to 4 */
    int64_t dim[4]; /* unused ones are 1 */
    int layout;
    size_t bytes; /* as stored, padding included */
    void *data;   /* device memory; NULL until planned */
};

size_t dtype_size(enum dtype);               /* bytes per element */
const char *dtype_name(enum dtype);          /* "f32", "bf16", "i32", "u8", "i64", "f64" */
int64_t tensor_count(const struct tensor *); /* logical elements */

enum { SHAPE_TEXT = 96 };
/* "[64,3,32,32]" in `out`, which is returned. */
const char *shape_text(char out[SHAPE_TEXT], int ndim, const int64_t *dim);

#endif
