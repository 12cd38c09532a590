/* A loop over independent items on several threads, for work that is done while a data set is
 * opened. */
#ifndef SUPCON_DATA_WORKERS_H
#define SUPCON_DATA_WORKERS_H

#include "base/err.h"
#include <signal.h>
#include <stdint.h>

typedef int worker_fn(void *ctx, int64_t i, struct err *);

/* fn(ctx, i) for i = 0 .. n-1, in rising order by whoever is free, on as many threads as there are
 * processors for this process. After a failure no further items are begun; the error is that of the
 * lowest failing item, whatever the number of threads. */
int workers_run(int64_t n, worker_fn *, void *ctx, struct err *);

/* Signals belong to the front end: blocks all but those that report a fault of the thread itself,
 * for threads that are now made; `before` is for pthread_sigmask(SIG_SETMASK). */
void workers_block_signals(sigset_t *before);

#endif
