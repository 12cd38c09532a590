/*
 * How work is cut into blocks and threads. Sizes depend on shapes alone, never on the device, so
 * that sums are made in the same order on every GPU; they are chosen to fill the 132
 * multiprocessors of an H100 or H200 (smaller devices run the same blocks in more turns). C and
 * C++.
 */
#ifndef SUPCON_KERNELS_GRID_H
#define SUPCON_KERNELS_GRID_H

#include "base/hd.h"
#include <stdint.h>

enum {
    SM_COUNT = 132,
    BLOCK = 256,                /* threads of a block, unless a kernel says otherwise */
    FULL_GRID = SM_COUNT * 8,   /* blocks of 256 threads that run at once: 2048 threads per SM */
    COLUMN_GRID = SM_COUNT * 4, /* of kernels with many registers */
    GRID_Y_MAX = 65535,
};

HD int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

HD int64_t round_up(int64_t a, int64_t b)
{
    return ceil_div(a, b) * b;
}

/* Blocks of a grid-stride loop over n items, at least 1. */
HD unsigned stride_blocks(int64_t n, int block, int most)
{
    int64_t blocks = ceil_div(n, block);
    return (unsigned)(blocks < 1 ? 1 : blocks > most ? most : blocks);
}

/*
 * A matrix of `rows` (pixels) by `octets` (of channels), each 8 elements, cut for kernels in which
 * a thread stays with one octet of channels and walks along rows: sums per channel, and maps with
 * coefficients per channel that then stay in registers.
 *
 * A block has `width` octets x `height` rows of threads, consecutive threads on consecutive memory;
 * blockIdx.x chooses a tile of columns, blockIdx.y a chunk of consecutive rows. Threads from
 * width * height up have nothing to do.
 */
struct columns {
    int64_t rows, chunk; /* chunk: rows of a chunk */
    int octets, width, height, tiles, chunks;
};

enum { COLUMN_WIDTH = 32, ROWS_PER_THREAD = 4 };

/* A chunk is a multiple of the rows that a block takes with 4 loads a thread, so that only the last
 * one is ragged; blocks are at most COLUMN_GRID, so that all run at once. rows and octets > 0. */

HD struct columns columns_of(int64_t rows, int octets)
{
    struct columns c;
    c.rows = rows;
    c.octets = octets;
    c.tiles = (int)ceil_div(octets, COLUMN_WIDTH);
    c.width = (int)ceil_div(octets, c.tiles);
    c.tiles = (int)ceil_div(octets, c.width);
    c.height = BLOCK / c.width;
    int64_t unit = (int64_t)c.height * ROWS_PER_THREAD, most = ceil_div(rows, unit);
    int64_t want = COLUMN_GRID / c.tiles;
    want = want < most ? want : most;
    c.chunk = round_up(ceil_div(rows, want < 1 ? 1 : want), unit);
    c.chunks = (int)ceil_div(rows, c.chunk < 1 ? 1 : c.chunk);
    return c;
}

#endif
