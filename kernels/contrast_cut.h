/*
 * How the contrastive loss is cut, and what is known of a row; C and C++.
 *
 * A block has 128 rows of z and walks over a span of columns (other rows of z), a tile at a time.
 * Two or three blocks of 128 threads run on a multiprocessor at once, so the columns are divided
 * into as many spans as make 264 or 396 blocks of the row blocks: 16 or 24 at 2048 rows, 4 or 6 at
 * 8192. What the blocks of a row found is put together in the order of the spans. Sizes depend on
 * shapes alone.
 */
#ifndef SUPCON_KERNELS_CONTRAST_CUT_H
#define SUPCON_KERNELS_CONTRAST_CUT_H

#include "kernels/grid.h"
#include <math.h>
#include <stdbool.h>

enum {
    CONTRAST_ROWS = 128,  /* of a block */
    CONTRAST_CHUNK = 128, /* elements of a row that are in shared memory at once */
    CONTRAST_THREADS = 128,
    CONTRAST_TILE = 64, /* columns that are loaded at once */
    CONTRAST_STEP = 64, /* rows of z are padded to a multiple of it */
};

struct contrast_cut {
    int rows, width;             /* padded: multiples of CONTRAST_ROWS and CONTRAST_STEP */
    int chunks;                  /* of CONTRAST_CHUNK, the last may be narrower */
    int row_blocks, spans, span; /* span: columns of one, whole tiles */
};

/* For a kernel of which `blocks` run on a multiprocessor at once. */
HD struct contrast_cut contrast_cut_of(int64_t m, int d, int blocks)
{
    const int full = blocks * SM_COUNT;
    struct contrast_cut c;
    c.row_blocks = m < 1 ? 1 : (int)ceil_div(m, CONTRAST_ROWS);
    c.rows = c.row_blocks * CONTRAST_ROWS;
    c.width = (int)round_up(d, CONTRAST_STEP);
    c.chunks = (int)ceil_div(c.width, CONTRAST_CHUNK);
    c.spans =
        c.row_blocks <= full / 2 ? full / c.row_blocks : (int)ceil_div(2 * full, c.row_blocks);
    c.spans = c.spans > c.row_blocks ? c.row_blocks : c.spans;
    c.span = (int)round_up(ceil_div(c.rows, c.spans), CONTRAST_TILE);
    c.spans = (int)ceil_div(c.rows, c.span);
    return c;
}

/* Elements of chunk i. */
HD int contrast_chunk(const struct contrast_cut *c, int i)
{
    int left = c->width - i * CONTRAST_CHUNK;
    return left < CONTRAST_CHUNK ? left : CONTRAST_CHUNK;
}

/* Weights of pairs, at most 2 and about 1 / M, are taken times 2^14 before they are rounded to half
 * precision: 65504 is its largest number, 2^-14 the smallest with all its bits. */
#define CONTRAST_WEIGHT_BITS 14
/* Up to here exp2 of a score, and of a log-sum's negative, and their product are ordinary f32. */
#define CONTRAST_CALM 60.0f

/* The score of what is no pair: a row with itself, or with padding. */
#define CONTRAST_NO_PAIR (-1e30f)
/* The log-sum of a row that is no anchor, or has no positives: its shares are 0. */
#define CONTRAST_NEVER (1e30f)

/* What a row, or a column, brings to its weights, and what positives have in common. */
struct contrast_term {
    float lse;   /* - weight bits; CONTRAST_NEVER */
    float share; /* 2^weight bits / |P|, or 0 */
    float pull;  /* exp2(-lse), for calm scores */
    int32_t group;
};

/*
 * What some columns are to a row: the largest s and the first column that has it, the sum of
 * exp2(s - top), and sum and number of the positives' products.
 */
struct contrast_seen {
    float top, sum, positive, count;
    int nearest;
};

HD struct contrast_seen contrast_nothing(void)
{
    struct contrast_seen s = {CONTRAST_NO_PAIR, 0, 0, 0, -1};
    return s;
}

/* a and b together. What has seen no pair weighs nothing: exp2 of a huge negative number. */
HD struct contrast_seen contrast_join(struct contrast_seen a, struct contrast_seen b)
{
    bool first = b.nearest >= 0 &&
                 (a.nearest < 0 || b.top > a.top || (b.top == a.top && b.nearest < a.nearest));
    struct contrast_seen s;
    s.top = b.top > a.top ? b.top : a.top;
    s.nearest = first ? b.nearest : a.nearest;
    s.sum = a.sum * exp2f(a.top - s.top) + b.sum * exp2f(b.top - s.top);
    s.positive = a.positive + b.positive;
    s.count = a.count + b.count;
    return s;
}

#endif
