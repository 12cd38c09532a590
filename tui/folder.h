/*
 * What others do in the run's folder: linear evaluations made beside the console, checkpoints that
 * are gone (a resumed run reads of every one it ever wrote). Looked at now and then, never while
 * drawing; what has changed comes as events, marked as replayed, as if the engine had sent them.
 */
#ifndef SUPCON_TUI_FOLDER_H
#define SUPCON_TUI_FOLDER_H

#include "tui/model.h"

#include <time.h>

struct folder {
    struct timespec checkpoints, linear; /* when these two last changed, as seen */
    int n_rows;                          /* of the model then */
    int64_t looked;                      /* microseconds since 1970 */
};

typedef void folder_found(void *ctx, const struct event *);

/* Looks if two seconds have passed since the last time. Two calls of stat when nothing changed. */
void folder_look(struct folder *, const struct model *, int64_t now_usec, folder_found *,
                 void *ctx);

#endif
