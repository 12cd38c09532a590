/*
 * The tiles of contrast.h for one instruction set. The including file chooses the target and
 * defines CONTRAST_TABLE, WIDTH (floats in a vector), VECS (vectors in a row of a register tile),
 * and vmax, any_above, highest, total on vectors. Both products use the same register tile: MR rows
 * by VECS vectors, MR * VECS sums that never leave their registers.
 */
#include "backend/cpu/contrast.h"

#define INLINE static inline __attribute__((always_inline))

enum { MR = 4, NR = VECS * WIDTH };

INLINE vec load(const float *p)
{
    return *(const vec *)p;
}

INLINE void store(float *p, vec v)
{
    *(vec *)p = v;
}

/*
 * 2^x for x <= 0, to 1e-7 relative: the fraction by a polynomial of degree 5 on [-1/2, 1/2], the
 * whole part into the exponent. Below 2^-126 it stays there. NaN stays NaN (x is the second operand
 * of the maximum).
 */
INLINE vec exp2_of(vec x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23: the sum's low bits are the nearest integer */
    vec t = vmax(splat(-126.0f), x) + round;
    vec f = vmax(splat(-126.0f), x) - (t - round);
    vec p = f * 0.00132647239f + 0.00967151287f;
    p = p * f + 0.0555073375f;
    p = p * f + 0.240222421f;
    p = p * f + 0.693146978f;
    p = p * f + 1.0f;
    return (vec)((ivec)p + ((ivec)t << 23));
}

static void scores(const float *a, const float *b, int64_t d, float scale, float *s)
{
    for (int j = 0; j < TILE; j += NR)
        for (int i = 0; i < TILE; i += MR) {
            vec sum[MR][VECS] = {{{0}}};
            for (int64_t k = 0; k < d; k++) {
#pragma GCC unroll 8
                for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
                    for (int v = 0; v < VECS; v++)
                        sum[r][v] += a[k * TILE + i + r] * load(b + k * TILE + j + v * WIDTH);
            }
#pragma GCC unroll 8
            for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
                for (int v = 0; v < VECS; v++)
                    store(s + (i + r) * TILE + j + v * WIDTH, sum[r][v] * scale);
        }
}

/* One row or column of the tile has a score as large as its largest so far. */
static void new_top(const float *s, int stride, int64_t other, int64_t self,
                    const struct seen *seen)
{
    int best = 0;
    for (int i = 1; i < TILE; i++)
        best = s[i * stride] > s[best * stride] ? i : best;
    float top = s[best * stride], old = seen->top[self];
    if (!(top > NO_PAIR))
        return;
    if (top > old) {
        seen->sum[self] *= __builtin_exp2((double)old - (double)top);
        seen->top[self] = top;
        seen->nearest[self] = (int32_t)(other + best);
    } else if (top == old && other + best < seen->nearest[self]) {
        seen->nearest[self] = (int32_t)(other + best);
    }
}

static void see_rows(const float *s, int64_t row, int64_t column, const struct seen *seen)
{
    for (int i = 0; i < TILE; i++, s += TILE) {
        vec top = load(s), sum = splat(0);
        for (int j = WIDTH; j < TILE; j += WIDTH)
            top = vmax(top, load(s + j));
        if (any_reaches(top, splat(seen->top[row + i])))
            new_top(s, 1, column, row + i, seen);
        for (int j = 0; j < TILE; j += WIDTH)
            sum += exp2_of(load(s + j) - seen->top[row + i]);
        seen->sum[row + i] += total(sum);
    }
}

static void see_columns(const float *s, int64_t row, int64_t column, const struct seen *seen)
{
    for (int j = 0; j < TILE; j += WIDTH) {
        vec top = load(s + j), sum = splat(0);
        for (int i = 1; i < TILE; i++)
            top = vmax(top, load(s + i * TILE + j));
        if (any_reaches(top, load(seen->top + column + j)))
            for (int l = j; l < j + WIDTH; l++)
                if (top[l - j] >= seen->top[column + l])
                    new_top(s + l, TILE, row, column + l, seen);
        for (int i = 0; i < TILE; i++)
            sum += exp2_of(load(s + i * TILE + j) - load(seen->top + column + j));
        for (int l = 0; l < WIDTH; l++)
            seen->sum[column + j + l] += (double)sum[l];
    }
}

static void weigh(float *s, const float *top_i, const float *share_i, const float *top_j,
                  const float *share_j)
{
    for (int i = 0; i < TILE; i++, s += TILE)
        for (int j = 0; j < TILE; j += WIDTH) {
            vec x = load(s + j);
            store(s + j, exp2_of(x - top_i[i]) * share_i[i] +
                             exp2_of(x - load(top_j + j)) * load(share_j + j));
        }
}

/* dz[i] += sum_j w[i * rs + j * cs] z[j]. */
INLINE void product(const float *w, int rs, int cs, const float *z, int64_t width, float *dz)
{
    for (int64_t c = 0; c < width; c += NR)
        for (int i = 0; i < TILE; i += MR) {
            vec sum[MR][VECS];
#pragma GCC unroll 8
            for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
                for (int v = 0; v < VECS; v++)
                    sum[r][v] = load(dz + (i + r) * width + c + v * WIDTH);
            for (int j = 0; j < TILE; j++) {
#pragma GCC unroll 8
                for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
                    for (int v = 0; v < VECS; v++)
                        sum[r][v] += w[(i + r) * rs + j * cs] * load(z + j * width + c + v * WIDTH);
            }
#pragma GCC unroll 8
            for (int r = 0; r < MR; r++)
#pragma GCC unroll 8
                for (int v = 0; v < VECS; v++)
                    store(dz + (i + r) * width + c + v * WIDTH, sum[r][v]);
        }
}

static void spread(const float *w, const float *z, int64_t width, float *dz)
{
    product(w, TILE, 1, z, width, dz);
}

static void spread_transposed(const float *w, const float *z, int64_t width, float *dz)
{
    product(w, 1, TILE, z, width, dz);
}

const struct contrast CONTRAST_TABLE = {
    .scores = scores,
    .see_rows = see_rows,
    .see_columns = see_columns,
    .weigh = weigh,
    .spread = spread,
    .spread_transposed = spread_transposed,
};
