/*
 * metrics.jsonl: one JSON object per line, for every iteration, whatever log_every says. It is the
 * truth of the curves. A thread of its own formats and writes, so that a step costs one copy of an
 * event; when the disk is slow, metrics_event waits once its queue of 1024 is full (nothing is
 * dropped). A failing write is logged at most once a minute and retried with the rows kept in
 * memory.
 *
 *     {"ev":"iter","giter":0,"loss":2.37,"acc":7.8,"epoch":0,"iter":0,"objective":"supcon",...}
 *     {"ev":"valid",...} {"ev":"checkpoint",...} {"ev":"switch",...} {"ev":"linear",...}
 *
 * Unknown numbers are null; a non-finite loss is null and "nonfinite" says which.
 */
#ifndef SUPCON_ENGINE_METRICS_H
#define SUPCON_ENGINE_METRICS_H

#include "base/err.h"
#include "engine/event.h"

struct metrics;

/*
 * Opens DIR/metrics.jsonl for appending. For a new run, step is 0 and offset 0. For a resumed run:
 * the step and metrics_bytes of the checkpoint; rows after it are removed (except results that
 * belong to kept checkpoints), as is a torn last line.
 */
int metrics_open(struct metrics **, const char *dir, int64_t step, int64_t offset, struct err *);
/* Queues a row if the event's kind has one; replayed events have none. One thread at a time. */
void metrics_event(struct metrics *, const struct event *);
/* A mark behind everything queued; never waits for the disk. */
uint32_t metrics_mark(struct metrics *);
/* Any thread: waits until everything up to the mark is written and on the disk; gives the length of
 * the file there. One mark at a time. Call it before checkpoint_save. A failing disk is an error
 * here, not in metrics_event. */
int metrics_await(struct metrics *, uint32_t mark, int64_t *bytes, struct err *);
/* Both. */
int metrics_flush(struct metrics *, int64_t *bytes, struct err *);
void metrics_close(struct metrics *); /* flushes; NULL is fine */

/* Reads the file back as events (EV_ITER, EV_VALID, EV_CHECKPOINT, EV_SWITCH, EV_LINEAR_DONE) with
 * `replayed` set, in order; lines that make no sense are skipped and counted in a log line. */
int metrics_replay(const char *dir, void (*fn)(void *ctx, const struct event *), void *ctx,
                   struct err *);

#endif
