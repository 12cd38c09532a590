/* Rows of metrics.jsonl: one table per kind of event, used for writing and for reading back. */
#ifndef SUPCON_ENGINE_METRICS_ROW_H
#define SUPCON_ENGINE_METRICS_ROW_H

#include "base/err.h"
#include "engine/event.h"
#include <jansson.h>
#include <stddef.h>

#define METRICS_FILE "metrics.jsonl"

/* The row of an event as one line with its newline, NULL if its kind has none; the caller frees. */
char *metrics_row(const struct event *);
/* The same for what a watcher may want to know but the file does not keep: "setup", "linear_iter",
 * "linear_failed", "done". */
char *metrics_passing(const struct event *);
/* One line (without newline) back into an event; false if it is not a row. */
bool metrics_parse(const char *line, size_t n, struct event *);
/* Whether a row belongs to the history of a checkpoint at `step`. `later`: it was written after the
 * checkpoint, so that only results about kept checkpoints count. */
bool metrics_belongs(const struct event *, int64_t step, bool later);

/* Cuts DIR/metrics.jsonl (open read-write as fd) back to the history of a checkpoint; see
 * metrics_open. Gives the new length; the file offset stands there. */
int metrics_trim(int fd, const char *path, int64_t step, int64_t offset, int64_t *length,
                 struct err *);

#endif
