/*
 * Our own loops over activations, compiled for several instruction sets from one source
 * (simd_body.h). They work on runs of consecutive elements, 16 lanes at a time; what depends on the
 * channel comes as 16 lanes that repeat: in nChw16c one lane per channel, in nChw8c each channel
 * twice, in a plain plane the same value 16 times.
 *
 * A ReLU leaves one bit per element: set where the value was positive.
 */
#ifndef SUPCON_BACKEND_CPU_SIMD_H
#define SUPCON_BACKEND_CPU_SIMD_H

#include <stdbool.h>
#include <stdint.h>

enum { LANES = 16 };

/* Bytes of the mask of n elements. */
static inline int64_t mask_bytes(int64_t n)
{
    return (n + LANES - 1) / LANES * 2;
}

struct norm_forward { /* y = (x - mean) * slope + shift (+ skip), then ReLU */
    const void *x, *skip;
    void *y;
    uint16_t *mask; /* NULL: not kept */
    const float *mean, *slope, *shift;
    bool relu;
};

struct norm_backward { /* g = mask * dy; dx = slope * g - fall * (x - mean) - level; dskip = g */
    const void *x, *dy;
    const uint16_t *mask; /* NULL: all ones */
    void *dx, *dskip;     /* NULL: not wanted */
    const float *mean, *slope, *fall, *level;
};

/* Tables by type of the elements: [0] f32, [1] bf16. Sums are lanes of f32. */
struct simd {
    const char *name;
    /* s[0][l] = sum of x - center, s[1][l] = sum of its square, over the elements of lane l. */
    void (*moments[2])(const void *x, int64_t n, const float *center, float s[2][LANES]);
    void (*norm_forward[2])(const struct norm_forward *, int64_t n);
    /* s[0][l] = sum of g, s[1][l] = sum of g * (x - mean). Reads x, dy, mask, mean. */
    void (*norm_sums[2])(const struct norm_backward *, int64_t n, float s[2][LANES]);
    void (*norm_backward[2])(const struct norm_backward *, int64_t n);
    /* y = a (+ b), then ReLU; b, mask may be NULL. */
    void (*add[2])(const void *a, const void *b, void *y, uint16_t *mask, bool relu, int64_t n);
    /* y = mask * x; mask may be NULL. */
    void (*gate[2])(const void *x, const uint16_t *mask, void *y, int64_t n);
    void (*fill[2])(void *y, const float *value, int64_t n); /* 16 repeating lanes */
    void (*narrow)(const float *x, uint16_t *y, int64_t n);  /* f32 -> bf16, to nearest even */
    void (*widen)(const uint16_t *x, float *y, int64_t n);
};

extern const struct simd simd_base, simd_avx2, simd_avx512;

#endif
