/*
 * safetensors files: u64 LE header length, JSON header, raw little-endian data. The reader trusts
 * nothing: lengths, offsets (contiguous, no holes or overlaps, nothing trailing), shapes, names and
 * duplicate keys are checked before any data is read, and every message names the file and the
 * tensor. Data is read with pread into the caller's memory. Limits: header 100 000 000 bytes, rank
 * 8, name 512.
 */
#ifndef SUPCON_BASE_SAFETENSORS_H
#define SUPCON_BASE_SAFETENSORS_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum st_dtype {
    ST_BOOL,
    ST_U8,
    ST_I8,
    ST_I16,
    ST_U16,
    ST_F16,
    ST_BF16,
    ST_I32,
    ST_U32,
    ST_F32,
    ST_F64,
    ST_I64,
    ST_U64,
    ST_N_DTYPES
};

struct st_tensor {
    char name[513];
    enum st_dtype dtype;
    int ndim;
    int64_t dim[8];
    int64_t count;
    uint64_t begin, bytes; /* begin: file offset */
};

struct st_file {
    char *path;
    int fd;
    struct st_tensor *tensors; /* in file order */
    int n;
    void *metadata; /* json_t object of strings, or NULL */
};

int st_open(struct st_file *, const char *path,
            struct err *); /* EXIT_NOINPUT if absent, EXIT_DATA if malformed */
void st_close(struct st_file *);
const struct st_tensor *st_find(const struct st_file *, const char *name);
const char *st_metadata(const struct st_file *, const char *key); /* NULL if absent */
/* Raw bytes as they are: t->bytes. */
int st_read(const struct st_file *, const struct st_tensor *t, void *out, struct err *);
/* Converted: from F16, BF16, F32, F64, and integers. t->count elements. Narrowing to i32 of a value
 * that does not fit is EXIT_DATA. */
int st_read_f32(const struct st_file *, const struct st_tensor *t, float *out, struct err *);
int st_read_f64(const struct st_file *, const struct st_tensor *t, double *out, struct err *);
int st_read_i32(const struct st_file *, const struct st_tensor *t, int32_t *out, struct err *);
size_t st_dtype_size(enum st_dtype);
const char *st_dtype_name(enum st_dtype);

/* Writing: describe all tensors, then the file is written in one go (dtype size descending, then
 * name order, as the reference writer), fsynced, in slices of 32 MiB. Data is borrowed until
 * st_write returns. */
struct st_out {
    const char *name;
    enum st_dtype dtype;
    int ndim;
    int64_t dim[8];
    const void *data;
};
/* metadata: NULL, or pairs of strings ending with NULL. The file is created (O_EXCL is not used)
 * and complete on return 0. */
int st_write(const char *path, const struct st_out *, int n, const char *const *metadata,
             struct err *);

#endif
