/*
 * A metric over iterations in constant memory. Bins are as wide as a power of two and start at
 * multiples of it ("sticky"): while a run grows only the last bin changes, until all are merged in
 * pairs. Each keeps minimum, maximum, mean and last value, so that no spike is lost.
 */
#ifndef SUPCON_TUI_SERIES_H
#define SUPCON_TUI_SERIES_H

#include <stdbool.h>
#include <stdint.h>

enum { SERIES_BINS = 1024 };

struct bin {
    double min, max, sum, last;
    uint32_t n;       /* values */
    uint32_t n_holes; /* values that were not finite */
};

struct series {
    int shift;    /* a bin covers 2^shift iterations */
    int n;        /* bins in use, holes included */
    int64_t last; /* greatest iteration seen, -1: empty */
    struct bin bin[SERIES_BINS];
};

void series_init(struct series *);
/* Iterations below 0 are ignored. A value that is not finite makes a gap. */
void series_add(struct series *, int64_t x, double y);
/* Least and greatest value; false if there is none. */
bool series_range(const struct series *, double *min, double *max);

/*
 * Debiased exponential moving average: for weights a it returns (1-a) sum a^(n-i) y_i / (1 - a^n).
 * It works on every value, before any binning, so that the curve does not depend on how much of it
 * is shown; a constant stays that constant. What is not finite is passed through and leaves the
 * average alone.
 */
struct ema {
    double weight, value, decay; /* decay: weight^n */
};
double ema_next(struct ema *, double y);

/* The levels of smoothing one can choose from; the first is none at all. */
enum { SMOOTH_LEVELS = 7 };
extern const double smooth_weights[SMOOTH_LEVELS];

/* A metric at every level of smoothing, so that a change of level costs nothing. */
struct curve {
    struct series level[SMOOTH_LEVELS];
    struct ema ema[SMOOTH_LEVELS];
    double best, latest; /* of the raw values; best is the least */
    int64_t best_x;      /* -1: none yet */
};

struct curve *curve_new(void); /* NULL when memory is out */
void curve_add(struct curve *, int64_t x, double y);
void curve_free(struct curve *);

#endif
