/*
 * A run of the smallest network for tests of trainer and engine, in a temporary folder, and a
 * driver that collects its events.
 */
#ifndef SUPCON_TESTS_ENGINE_TINY_H
#define SUPCON_TESTS_ENGINE_TINY_H

#include "engine/engine.h"
#include "engine/trainer.h"

/* 6 batches of 8 an epoch, 16 validation images; `more`: assignments as with --set, NULL at the
 * end.
 */
struct settings tiny_settings(const char *const *more);
/* A temporary folder with a cache of its own; removed by tiny_done. */
int tiny_init(void **state);
int tiny_done(void **state);
const char *tiny_path(const char *name); /* within the folder; valid until the call after next */

enum { TINY_EVENTS = 20000 };

/* An engine that runs, and every event so far. */
struct tiny_engine {
    struct engine *engine;
    struct watcher *watcher;
    struct event *events;
    int n;
};

void tiny_start(struct tiny_engine *, const struct engine_options *); /* without running it */
void tiny_run(struct tiny_engine *);
/* Options for a new run in the folder `name`. */
struct engine_options tiny_options(const char *name, const char *const *more);
/* The next event of this kind after event `from`, waited for; its index. Fails the test after 20 s.
 */
int tiny_wait(struct tiny_engine *, enum event_kind, int from);
int tiny_wait_state(struct tiny_engine *, enum engine_state, int from);
uint32_t tiny_post(struct tiny_engine *, enum command_kind, const char *text, int64_t step);
/* The answer to a command, waited for. */
const struct event *tiny_ack(struct tiny_engine *, uint32_t ticket);
/* Waits for the end and collects everything; the exit code. */
int tiny_join(struct tiny_engine *, struct err *);
void tiny_free(struct tiny_engine *);
int tiny_count(const struct tiny_engine *, enum event_kind);

#endif
