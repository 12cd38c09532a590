/* Tensor data out of safetensors files, as it is or converted in pieces of a fixed size. */
#include "base/safetensors_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

static int read_at(const struct st_file *f, const struct st_tensor *t, uint64_t from, void *out,
                   size_t n, struct err *e)
{
    char *p = out;
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(f->fd, p + at, n - at, (off_t)(t->begin + from + at));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, EXIT_IO, errno, "%s: cannot read tensor %s", f->path, t->name);
        if (got == 0)
            return err_set(e, EXIT_DATA,
                           "%s: offset %" PRIu64 ": the file ends within tensor %s; it was cut "
                           "short while being read",
                           f->path, t->begin + from + at, t->name);
        at += (size_t)got;
    }
    return 0;
}

int st_read(const struct st_file *f, const struct st_tensor *t, void *out, struct err *e)
{
    return read_at(f, t, 0, out, t->bytes, e);
}

static float from_f16(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    float sign = h & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexpf((float)fraction, -24);
    return sign * ldexpf((float)(1024 + fraction), exponent - 25);
}

static float from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* One converter per dtype: element i of `in` as double (exact but for large 64-bit integers). */
#define LOAD(name, type, expr)                                                                     \
    static double load_##name(const void *in, size_t i)                                            \
    {                                                                                              \
        type v;                                                                                    \
        memcpy(&v, (const char *)in + i * sizeof v, sizeof v);                                     \
        return (double)(expr);                                                                     \
    }
LOAD(bool, uint8_t, v != 0)
LOAD(u8, uint8_t, v)
LOAD(i8, int8_t, v)
LOAD(i16, int16_t, v)
LOAD(u16, uint16_t, v)
LOAD(f16, uint16_t, from_f16(v))
LOAD(bf16, uint16_t, from_bf16(v))
LOAD(i32, int32_t, v)
LOAD(u32, uint32_t, v)
LOAD(f32, float, v)
LOAD(f64, double, v)
LOAD(i64, int64_t, v)
LOAD(u64, uint64_t, v)

static double (*const load[ST_N_DTYPES])(const void *, size_t) = {
    [ST_BOOL] = load_bool, [ST_U8] = load_u8,   [ST_I8] = load_i8,     [ST_I16] = load_i16,
    [ST_U16] = load_u16,   [ST_F16] = load_f16, [ST_BF16] = load_bf16, [ST_I32] = load_i32,
    [ST_U32] = load_u32,   [ST_F32] = load_f32, [ST_F64] = load_f64,   [ST_I64] = load_i64,
    [ST_U64] = load_u64,
};

/* Stores v at element i; false when it does not fit. */
typedef bool store_fn(void *out, int64_t i, double v);

static bool store_f32(void *out, int64_t i, double v)
{
    ((float *)out)[i] = (float)v;
    return true;
}

static bool store_f64(void *out, int64_t i, double v)
{
    ((double *)out)[i] = v;
    return true;
}

static bool store_i32(void *out, int64_t i, double v)
{
    if (!(v >= INT32_MIN && v <= INT32_MAX) || v != floor(v))
        return false;
    ((int32_t *)out)[i] = (int32_t)v;
    return true;
}

static int convert(const struct st_file *f, const struct st_tensor *t, void *out, store_fn *store,
                   struct err *e)
{
    size_t size = st_dtype_size(t->dtype);
    int64_t step = (int64_t)(PIECE / size);
    char *piece = malloc(PIECE);
    int r = piece ? 0 : err_set(e, EXIT_OS, "%s: out of memory", f->path);
    for (int64_t from = 0; r == 0 && from < t->count; from += step) {
        int64_t n = t->count - from < step ? t->count - from : step;
        r = read_at(f, t, (uint64_t)from * size, piece, (size_t)n * size, e);
        for (int64_t i = 0; r == 0 && i < n; i++)
            if (!store(out, from + i, load[t->dtype](piece, (size_t)i)))
                r = err_set(e, EXIT_DATA,
                            "%s: tensor %s: element %" PRId64 " is %g, a whole number of 32 bits "
                            "was expected",
                            f->path, t->name, from + i, load[t->dtype](piece, (size_t)i));
    }
    free(piece);
    return r;
}

int st_read_f32(const struct st_file *f, const struct st_tensor *t, float *out, struct err *e)
{
    return t->dtype == ST_F32 ? st_read(f, t, out, e) : convert(f, t, out, store_f32, e);
}

int st_read_f64(const struct st_file *f, const struct st_tensor *t, double *out, struct err *e)
{
    return t->dtype == ST_F64 ? st_read(f, t, out, e) : convert(f, t, out, store_f64, e);
}

int st_read_i32(const struct st_file *f, const struct st_tensor *t, int32_t *out, struct err *e)
{
    return t->dtype == ST_I32 ? st_read(f, t, out, e) : convert(f, t, out, store_i32, e);
}
