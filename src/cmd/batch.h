/*
 * The front end without a screen: events as lines on standard output, a progress bar on standard
 * error for a person who watches, signals as commands.
 *
 *     SIGTERM, SIGXCPU, SIGUSR1, SIGHUP (unless ignored)   save at the next step, end with 75
 *     SIGUSR2                                              save and go on
 *     SIGINT                                               save, end by SIGINT; the second at once
 */
#ifndef SUPCON_CMD_BATCH_H
#define SUPCON_CMD_BATCH_H

#include "base/err.h"
#include "engine/event.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct engine;

struct batch_options {
    const char *format;   /* text (also NULL), jsonl, none */
    const char *progress; /* auto (also NULL), always, never */
};

/* The names `format` and `progress` may have; NULL after the last. */
const char *batch_format(int i);
const char *batch_progress(int i);

/*
 * Watches an engine that has been started but does not run yet: runs it, prints, waits for its end
 * and joins it (the caller frees it). `signals` is from signals_open(). Returns the exit code of
 * the run; failures have been printed by then. -1 with *e when it could not begin. May not return:
 * a run ended by SIGINT ends the process by SIGINT.
 */
int batch_main(struct engine *, int signals, const struct batch_options *, struct err *);

/* One printer of events; what it needs to remember stands in struct batch_text. */
struct batch_text {
    int64_t log_every;
    bool started;    /* "Start to train.." was printed */
    bool linear;     /* a linear evaluation runs */
    double sum;      /* of losses since the last line */
    int64_t n, next; /* of losses; the iteration that must come for the sum to go on */
};

struct batch_format_class {
    const char *name;
    void (*event)(struct batch_text *, const struct event *, FILE *);
};

extern const struct batch_format_class *const batch_format_classes[]; /* NULL-terminated */
extern const struct batch_format_class batch_text_class;

#endif
