/*
 * Standard output and standard error while the screen is up: libraries write there, and it would
 * land in the middle of the screen. A pipe takes it; the log pane shows it. A writer never waits:
 * when the pipe is full, the rest is lost.
 */
#ifndef SUPCON_TUI_CAPTURE_H
#define SUPCON_TUI_CAPTURE_H

#include "base/err.h"
#include <stddef.h>

struct capture {
    int fd;       /* to be polled and read */
    int saved[2]; /* stdout and stderr as they were */
    char line[512];
    size_t n;
};

int capture_start(struct capture *, struct err *);
/* Whole lines that have come. */
void capture_read(struct capture *, void (*line)(void *ctx, const char *line), void *ctx);
/* As it was before; what has not been read is written to stderr. */
void capture_stop(struct capture *);

#endif
