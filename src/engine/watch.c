/* Watchers: see watch.h. */
#include "engine/watch.h"

#include "base/ring.h"
#include "engine/engine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct watcher {
    struct ring *ring;
    bool lossy;
    uint64_t sent; /* engine thread */
    atomic_uint_least64_t taken;
};

enum { PATIENCE_USEC = 5000000, NAP_USEC = 500 };

struct watcher *watchers_add(struct watchers *w, bool lossy)
{
    struct watcher *one = w->n < WATCHERS_MAX ? calloc(1, sizeof *one) : NULL;
    if (!one)
        return NULL;
    if (ring_new(&one->ring, WATCH_EVENTS, sizeof(struct event), lossy, NULL) != 0) {
        free(one);
        return NULL;
    }
    one->lossy = lossy;
    w->items[w->n++] = one;
    return one;
}

void watchers_send(struct watchers *w, struct event *ev)
{
    struct timespec now;
    ev->seq = w->seq++;
    if (!ev->replayed) {
        clock_gettime(CLOCK_REALTIME, &now);
        ev->usec = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }
    for (int i = 0; i < w->n; i++)
        w->items[i]->sent += ring_push(w->items[i]->ring, ev);
}

static bool behind(struct watcher *w)
{
    uint64_t waiting = w->sent - atomic_load(&w->taken) - ring_dropped(w->ring);
    return w->lossy && waiting >= WATCH_EVENTS - 1;
}

void watchers_wait(struct watchers *w)
{
    for (int i = 0; i < w->n; i++)
        while (behind(w->items[i]) && w->patience < PATIENCE_USEC) {
            nanosleep(&(struct timespec){.tv_nsec = NAP_USEC * 1000L}, NULL);
            w->patience += NAP_USEC;
        }
}

void watchers_close(struct watchers *w)
{
    for (int i = 0; i < w->n; i++)
        ring_close(w->items[i]->ring);
}

void watchers_done(struct watchers *w)
{
    for (int i = 0; i < w->n; i++) {
        ring_free(w->items[i]->ring);
        free(w->items[i]);
    }
    w->n = 0;
}

int watcher_fd(const struct watcher *w)
{
    return ring_fd(w->ring);
}

bool watcher_next(struct watcher *w, struct event *ev)
{
    bool any = ring_pop(w->ring, ev);
    if (any)
        atomic_fetch_add(&w->taken, 1);
    return any;
}
