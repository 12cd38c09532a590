/*
 * The engine: one thread that owns device, plans, parameters and run state. Front ends post
 * commands and read events; they never touch the device or the run's files. engine_start returns at
 * once: loading, tuning and training happen in the thread, with failures reported by EV_DONE and
 * engine_join.
 */
#ifndef SUPCON_ENGINE_ENGINE_H
#define SUPCON_ENGINE_ENGINE_H

#include "engine/command.h"
#include "engine/event.h"
#include "engine/settings.h"
#include <stddef.h>

struct engine;

struct engine_options {
    struct settings settings; /* with `resume` the run's own are taken, unless `changed` */
    bool changed; /* with `resume`: `settings` are the run's own with changes; config.cfg keeps them
                   */
    char recipe[1024];       /* path it came from, for messages and the run's name; may be "" */
    char run_dir[1024];      /* "": runs/NAME-YYYYmmdd-HHMMSS */
    char resume[1024];       /* run directory to continue, "": a new run */
    bool pause_on_nonfinite; /* console: pause; batch: stop with EXIT_DIVERGED */
    bool stay; /* console: after training ends, stay for commands (linear evaluation) until CMD_STOP
                */
};

int engine_start(struct engine **, const struct engine_options *, struct err *);

/* Each watcher has its own ring. lossy: when full, the oldest are dropped (a screen); else the
 * engine waits (a writer). To see everything, watch before engine_run: engine_start does not start
 * the thread, engine_run does. */
struct watcher;
struct watcher *engine_watch(struct engine *, bool lossy);
int engine_run(struct engine *, struct err *);
int watcher_fd(const struct watcher *);              /* readable while events wait (eventfd) */
bool watcher_next(struct watcher *, struct event *); /* false: none waits */

/* Thread-safe, never blocks; returns the ticket, 0 when the queue is full or the run has ended. */
uint32_t engine_post(struct engine *, const struct command *);

/* Any thread: preparation is over; from here on stopping saves. */
bool engine_is_ready(const struct engine *);

/* Waits for the thread; returns the exit code of the run (0, EXIT_AGAIN, EXIT_DIVERGED, ...),
 * message in *e when it failed. */
int engine_join(struct engine *, struct err *);
void engine_free(struct engine *); /* after engine_join */

#endif
