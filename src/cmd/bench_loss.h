/* Timing the contrastive loss alone: row norm, loss, and both gradients, on random rows. */
#ifndef SUPCON_CMD_BENCH_LOSS_H
#define SUPCON_CMD_BENCH_LOSS_H

#include "base/err.h"

#include <stdbool.h>

struct bench_loss {
    int rows, dim;     /* M = 2 N rows of N samples with labels of 10 classes; D */
    int steps, warmup; /* timed, and run before */
    int threads;       /* 0: as the device chooses */
    const char *device;
    bool json; /* one JSON object on stdout instead of a sentence */
};

/* Prints median milliseconds, rows per second and GFLOP/s. The operations counted are those of the
 * textbook, three products of M x D by D x M (similarities once, gradient from both sides);
 * the exponentials are not counted. EXIT_USAGE for an odd or non-positive number of rows. */
int bench_loss_only(const struct bench_loss *, struct err *);

#endif
