/*
 * Who watches a run: each watcher has a ring of its own, and every event goes to all of them in one
 * order. Screens are lossy (the oldest events go), writers make the sender wait. Only the engine
 * thread sends; watchers are added before it starts.
 */
#ifndef SUPCON_ENGINE_WATCH_H
#define SUPCON_ENGINE_WATCH_H

#include "base/err.h"
#include "engine/event.h"

enum { WATCHERS_MAX = 8, WATCH_EVENTS = 1024 };

struct watcher;

struct watchers {
    struct watcher *items[WATCHERS_MAX];
    int n;
    uint32_t seq;     /* of the next event */
    int64_t patience; /* microseconds spent in watchers_wait */
};

/* NULL when there are too many or memory is out. */
struct watcher *watchers_add(struct watchers *, bool lossy);
/* Fills in number and time (a replayed event keeps its time) and hands it to everybody. */
void watchers_send(struct watchers *, struct event *);
/* Lets lossy watchers catch up, so that a burst of events (history) does not drop its own
 * beginning; a watcher that has stopped looking delays this by five seconds in all, not for ever.
 */
void watchers_wait(struct watchers *);
/* No more events come, and nobody waits any more. */
void watchers_close(struct watchers *);
void watchers_done(struct watchers *);

#endif
