/*
 * Candidates for one job run against each other on the compute stream. They take turns, so that
 * what disturbs the device disturbs all of them; each repeats until the clock has something to
 * show, the best of its turns counts, and who needs more than twice the best time of all is not
 * asked again.
 */
#ifndef SUPCON_BACKEND_CUDA_RACE_H
#define SUPCON_BACKEND_CUDA_RACE_H

#include "backend/cuda/cuda.h"

/* The time of a candidate that cannot be run. */
#define RACE_NEVER 1e30

enum { RACE_MAX = 64 };

/* Enqueues candidate i once. One that fails is out, unless it says that the GPU was lost. */
typedef int race_fn(void *ctx, int i, struct err *);

/* ms[i]: the best time of candidate i, or RACE_NEVER; n is RACE_MAX at most. Fails if no candidate
 * can be run, with the last one's words, or if whoever waits for the choice wants no more. */
int race(struct device *, int n, race_fn *, void *ctx, double *ms, struct err *);

/* Where a block of so many bytes begins, behind *total, which grows by it. */
size_t race_place(size_t *total, size_t bytes);

#endif
