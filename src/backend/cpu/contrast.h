/*
 * Tiles of the contrastive loss, compiled for several instruction sets from one source
 * (contrast_body.h). A tile is the 64 x 64 block of similarities between the rows of block I and
 * those of block J; both of its triangles are served by computing it once, for it is the transpose
 * of the tile of J and I. All scores are in units of log 2: s = z_i . z_j / (tau ln 2), so that
 * exp2 replaces exp.
 */
#ifndef SUPCON_BACKEND_CPU_CONTRAST_H
#define SUPCON_BACKEND_CPU_CONTRAST_H

#include <stdint.h>

enum { TILE = 64 };

/* The score of what is no pair: a row with itself, or with the padding behind the last row. */
#define NO_PAIR (-1e30f)

/* For each row of the loss, what has been seen of its scores so far: the largest, the row it came
 * from (the first of equals), and the sum of exp2(s - top). */
struct seen {
    float *top;
    int32_t *nearest;
    double *sum;
};

struct contrast {
    /* s[i][j] = scale * sum_k a[k][i] b[k][j]; a, b: [d][TILE]. */
    void (*scores)(const float *a, const float *b, int64_t d, float scale, float *s);
    /* Rows of s, from row `row` on, have seen the columns from `column` on. */
    void (*see_rows)(const float *s, int64_t row, int64_t column, const struct seen *);
    /* The same with the roles exchanged: columns of s see its rows. */
    void (*see_columns)(const float *s, int64_t row, int64_t column, const struct seen *);
    /* s[i][j] becomes share[i] exp2(s - top[i]) + share[j] exp2(s - top[j]): the weight of one row
     * in the gradient of the other. Arrays start at the tile's first row and first column. */
    void (*weigh)(float *s, const float *top_i, const float *share_i, const float *top_j,
                  const float *share_j);
    /* dz[i] += sum_j w[i][j] z[j]; z, dz: [TILE][width], width a multiple of TILE. */
    void (*spread)(const float *w, const float *z, int64_t width, float *dz);
    /* dz[j] += sum_i w[i][j] z[i]. */
    void (*spread_transposed)(const float *w, const float *z, int64_t width, float *dz);
};

extern const struct contrast contrast_base, contrast_avx2, contrast_avx512;

#endif
