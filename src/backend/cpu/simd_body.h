/*
 * The loops of simd.h for one instruction set: the including file chooses the target and defines
 * SIMD_TABLE, the name of its table. Vectors are the compiler's own (16 floats, split where the
 * machine has shorter ones), so only the bit mask needs intrinsics.
 *
 * A run that is no multiple of 16 ends with a partial vector; the lanes beyond it read as zero and
 * are not written.
 */
#include "backend/cpu/simd.h"

#include <string.h>

#if defined __AVX2__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(64)));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef uint16_t hvec __attribute__((vector_size(32)));

/* Everything below passes vectors by address: by value, the calling convention would depend on the
 * target. */

INLINE void load_n(vec *v, const void *p, int64_t i, int n, bool bf16)
{
    if (bf16) {
        hvec h = {0};
        memcpy(&h, (const uint16_t *)p + i, (size_t)n * 2);
        *v = (vec)(__builtin_convertvector(h, ivec) << 16);
    } else {
        *v = (vec){0};
        memcpy(v, (const float *)p + i, (size_t)n * 4);
    }
}

INLINE void round_bf16(hvec *h, const vec *v)
{
#if defined __AVX512BF16__
    *h = (hvec)_mm512_cvtneps_pbh((__m512)*v);
#else
    ivec bits = (ivec)*v, odd = (bits >> 16) & 1;
    ivec nan = (ivec)(*v != *v);
    ivec rounded = (bits + 0x7fff + odd) >> 16;
    ivec quiet = (bits >> 16) | 0x40;
    *h = __builtin_convertvector((nan & quiet) | (~nan & rounded), hvec);
#endif
}

INLINE void store_n(const vec *v, void *p, int64_t i, int n, bool bf16)
{
    if (bf16) {
        hvec h;
        round_bf16(&h, v);
        memcpy((uint16_t *)p + i, &h, (size_t)n * 2);
    } else {
        memcpy((float *)p + i, v, (size_t)n * 4);
    }
}

/* v = v > 0 ? v : 0 and the bits of v > 0. NaN stays NaN, so that it is seen in the loss. */
INLINE uint16_t relu(vec *v)
{
    uint16_t bits = 0;
#if defined __AVX512F__
    bits = _mm512_cmp_ps_mask((__m512)*v, _mm512_setzero_ps(), _CMP_GT_OQ);
    *v = (vec)_mm512_max_ps(_mm512_setzero_ps(), (__m512)*v);
#else
    ivec positive = (ivec)(*v > 0), keep = (ivec)(*v > 0) | (ivec)(*v != *v);
#if defined __AVX2__
    __m256 half[2];
    memcpy(half, &positive, sizeof half);
    bits = (uint16_t)(_mm256_movemask_ps(half[0]) | _mm256_movemask_ps(half[1]) << 8);
#else
    for (int l = 0; l < LANES; l++)
        bits |= (uint16_t)((positive[l] & 1) << l);
#endif
    *v = (vec)((ivec)*v & keep);
#endif
    return bits;
}

INLINE void apply_mask(vec *v, uint16_t bits)
{
#if defined __AVX512F__
    *v = (vec)_mm512_maskz_mov_ps(bits, (__m512)*v);
#else
    const ivec bit = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    ivec set = (((ivec){0} + bits) & bit) == bit;
    *v = (vec)((ivec)*v & set);
#endif
}

/* for whole vectors, then once for the rest: STEP(i, n) */
#define RUN(n, STEP)                                                                               \
    do {                                                                                           \
        int64_t whole_ = (n) / LANES * LANES;                                                      \
        for (int64_t i_ = 0; i_ < whole_; i_ += LANES)                                             \
            STEP(i_, LANES);                                                                       \
        if (whole_ < (n))                                                                          \
            STEP(whole_, (int)((n)-whole_));                                                       \
    } while (0)

INLINE void moments_step(const void *x, int64_t i, int n, bool bf16, const vec *center, vec s[2])
{
    vec v;
    load_n(&v, x, i, n, bf16);
    v -= *center;
    if (n < LANES)
        for (int l = n; l < LANES; l++)
            v[l] = 0;
    s[0] += v;
    s[1] += v * v;
}

/* Four sums at a time hide the latency of addition; they are added in a fixed order. */
INLINE void moments(const void *x, int64_t n, const float *center, float out[2][LANES], bool bf16)
{
    vec c, s[4][2];
    memset(s, 0, sizeof s);
    load_n(&c, center, 0, LANES, false);
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++)
            moments_step(x, i + k * LANES, LANES, bf16, &c, s[k]);
    for (; i < n; i += LANES)
        moments_step(x, i, (int)(n - i < LANES ? n - i : LANES), bf16, &c, s[0]);
    for (int k = 0; k < 2; k++) {
        vec sum = (s[0][k] + s[1][k]) + (s[2][k] + s[3][k]);
        memcpy(out[k], &sum, sizeof sum);
    }
}

INLINE void forward_step(const struct norm_forward *f, const vec c[3], int64_t i, int n, bool bf16)
{
    vec v, skip;
    load_n(&v, f->x, i, n, bf16);
    v = (v - c[0]) * c[1] + c[2];
    if (f->skip) {
        load_n(&skip, f->skip, i, n, bf16);
        v += skip;
    }
    if (f->relu) {
        uint16_t bits = relu(&v);
        if (f->mask)
            f->mask[i / LANES] = bits;
    }
    store_n(&v, f->y, i, n, bf16);
}

INLINE void norm_forward(const struct norm_forward *arg, int64_t n, bool bf16)
{
    const struct norm_forward f = *arg;
    vec c[3];
    load_n(&c[0], f.mean, 0, LANES, false);
    load_n(&c[1], f.slope, 0, LANES, false);
    load_n(&c[2], f.shift, 0, LANES, false);
#define STEP(i, m) forward_step(&f, c, i, m, bf16)
    RUN(n, STEP);
#undef STEP
}

INLINE void gated(vec *g, const struct norm_backward *b, int64_t i, int n, bool bf16)
{
    load_n(g, b->dy, i, n, bf16);
    if (b->mask)
        apply_mask(g, b->mask[i / LANES]);
}

INLINE void sums_step(const struct norm_backward *b, const vec *mean, int64_t i, int n, bool bf16,
                      vec s[2])
{
    vec g, v;
    gated(&g, b, i, n, bf16);
    load_n(&v, b->x, i, n, bf16);
    s[0] += g;
    s[1] += g * (v - *mean); /* beyond the end g is 0 */
}

INLINE void norm_sums(const struct norm_backward *arg, int64_t n, float out[2][LANES], bool bf16)
{
    const struct norm_backward b = *arg;
    vec mean, s[4][2];
    memset(s, 0, sizeof s);
    load_n(&mean, b.mean, 0, LANES, false);
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++)
            sums_step(&b, &mean, i + k * LANES, LANES, bf16, s[k]);
    for (; i < n; i += LANES)
        sums_step(&b, &mean, i, (int)(n - i < LANES ? n - i : LANES), bf16, s[0]);
    for (int k = 0; k < 2; k++) {
        vec sum = (s[0][k] + s[1][k]) + (s[2][k] + s[3][k]);
        memcpy(out[k], &sum, sizeof sum);
    }
}

INLINE void backward_step(const struct norm_backward *b, const vec c[4], int64_t i, int n,
                          bool bf16)
{
    vec g, v;
    gated(&g, b, i, n, bf16);
    if (b->dskip)
        store_n(&g, b->dskip, i, n, bf16);
    if (!b->dx)
        return;
    load_n(&v, b->x, i, n, bf16);
    v = c[1] * g - c[2] * (v - c[0]) - c[3];
    store_n(&v, b->dx, i, n, bf16);
}

INLINE void norm_backward(const struct norm_backward *arg, int64_t n, bool bf16)
{
    const struct norm_backward b = *arg;
    vec c[4];
    load_n(&c[0], b.mean, 0, LANES, false);
    load_n(&c[1], b.slope, 0, LANES, false);
    load_n(&c[2], b.fall, 0, LANES, false);
    load_n(&c[3], b.level, 0, LANES, false);
#define STEP(i, m) backward_step(&b, c, i, m, bf16)
    RUN(n, STEP);
#undef STEP
}

INLINE void add(const void *a, const void *b, void *y, uint16_t *mask, bool act, int64_t n,
                bool bf16)
{
#define STEP(i, m)                                                                                 \
    do {                                                                                           \
        vec v_, w_;                                                                                \
        load_n(&v_, a, i, m, bf16);                                                                \
        if (b) {                                                                                   \
            load_n(&w_, b, i, m, bf16);                                                            \
            v_ += w_;                                                                              \
        }                                                                                          \
        uint16_t bits_ = act ? relu(&v_) : 0;                                                      \
        if (mask)                                                                                  \
            mask[(i) / LANES] = bits_;                                                             \
        store_n(&v_, y, i, m, bf16);                                                               \
    } while (0)
    RUN(n, STEP);
#undef STEP
}

INLINE void gate(const void *x, const uint16_t *mask, void *y, int64_t n, bool bf16)
{
#define STEP(i, m)                                                                                 \
    do {                                                                                           \
        vec v_;                                                                                    \
        load_n(&v_, x, i, m, bf16);                                                                \
        if (mask)                                                                                  \
            apply_mask(&v_, mask[(i) / LANES]);                                                    \
        store_n(&v_, y, i, m, bf16);                                                               \
    } while (0)
    RUN(n, STEP);
#undef STEP
}

INLINE void fill(void *y, const float *value, int64_t n, bool bf16)
{
    vec v;
    load_n(&v, value, 0, LANES, false);
#define STEP(i, m) store_n(&v, y, i, m, bf16)
    RUN(n, STEP);
#undef STEP
}

/* --- one function per type of element --------------------------------------------------------- */

#define BOTH(name, params, f32_args, bf16_args)                                                    \
    static void name##_f32 params                                                                  \
    {                                                                                              \
        name f32_args;                                                                             \
    }                                                                                              \
    static void name##_bf16 params                                                                 \
    {                                                                                              \
        name bf16_args;                                                                            \
    }

BOTH(moments, (const void *x, int64_t n, const float *center, float s[2][LANES]),
     (x, n, center, s, false), (x, n, center, s, true))
BOTH(norm_forward, (const struct norm_forward *f, int64_t n), (f, n, false), (f, n, true))
BOTH(norm_sums, (const struct norm_backward *b, int64_t n, float s[2][LANES]), (b, n, s, false),
     (b, n, s, true))
BOTH(norm_backward, (const struct norm_backward *b, int64_t n), (b, n, false), (b, n, true))
BOTH(add, (const void *a, const void *b, void *y, uint16_t *mask, bool act, int64_t n),
     (a, b, y, mask, act, n, false), (a, b, y, mask, act, n, true))
BOTH(gate, (const void *x, const uint16_t *mask, void *y, int64_t n), (x, mask, y, n, false),
     (x, mask, y, n, true))
BOTH(fill, (void *y, const float *value, int64_t n), (y, value, n, false), (y, value, n, true))

static void narrow(const float *x, uint16_t *y, int64_t n)
{
    vec v;
#define STEP(i, m) (load_n(&v, x, i, m, false), store_n(&v, y, i, m, true))
    RUN(n, STEP);
#undef STEP
}

static void widen(const uint16_t *x, float *y, int64_t n)
{
    vec v;
#define STEP(i, m) (load_n(&v, x, i, m, true), store_n(&v, y, i, m, false))
    RUN(n, STEP);
#undef STEP
}

#define SIMD_NAME_(x) #x
#define SIMD_NAME(x) SIMD_NAME_(x)

const struct simd SIMD_TABLE = {
    .name = SIMD_NAME(SIMD_TABLE),
    .moments = {moments_f32, moments_bf16},
    .norm_forward = {norm_forward_f32, norm_forward_bf16},
    .norm_sums = {norm_sums_f32, norm_sums_bf16},
    .norm_backward = {norm_backward_f32, norm_backward_bf16},
    .add = {add_f32, add_bf16},
    .gate = {gate_f32, gate_bf16},
    .fill = {fill_f32, fill_bf16},
    .narrow = narrow,
    .widen = widen,
};
