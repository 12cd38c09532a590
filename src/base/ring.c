/*
 * Single-producer, single-consumer ring; see ring.h. A mutex is held for one memcpy only, which is
 * what makes "drop the oldest" safe against a consumer that is taking exactly that one.
 */
#include "base/ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t room;
    int fd;
    bool lossy, closed;
    size_t capacity, item_bytes;
    size_t first, n;
    uint64_t dropped;
    unsigned char *items;
};

int ring_new(struct ring **out, size_t capacity, size_t item_bytes, bool lossy, struct err *e)
{
    *out = NULL;
    struct ring *r = calloc(1, sizeof *r);
    unsigned char *items = calloc(capacity, item_bytes);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!r || !items || fd < 0) {
        int errnum = errno;
        free(r);
        free(items);
        if (fd >= 0)
            close(fd);
        return err_errno(e, EXIT_OS, errnum, "cannot create a ring of %zu items", capacity);
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->room, NULL);
    r->fd = fd;
    r->lossy = lossy;
    r->capacity = capacity;
    r->item_bytes = item_bytes;
    r->items = items;
    *out = r;
    return 0;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->room);
    close(r->fd);
    free(r->items);
    free(r);
}

/* Lock held. A slot is free afterwards, unless the ring was closed meanwhile. */
static void make_room(struct ring *r)
{
    if (r->lossy && r->n == r->capacity) {
        r->first = (r->first + 1) % r->capacity;
        r->n--;
        r->dropped++;
    }
    while (r->n == r->capacity && !r->closed)
        pthread_cond_wait(&r->room, &r->lock);
}

bool ring_push(struct ring *r, const void *item)
{
    pthread_mutex_lock(&r->lock);
    if (!r->closed)
        make_room(r);
    bool accepted = !r->closed;
    if (accepted) {
        size_t at = (r->first + r->n) % r->capacity;
        memcpy(r->items + at * r->item_bytes, item, r->item_bytes);
        if (r->n++ == 0)
            eventfd_write(r->fd, 1);
    }
    pthread_mutex_unlock(&r->lock);
    return accepted;
}

bool ring_pop(struct ring *r, void *item)
{
    pthread_mutex_lock(&r->lock);
    bool any = r->n > 0;
    if (any) {
        eventfd_t count;
        memcpy(item, r->items + r->first * r->item_bytes, r->item_bytes);
        r->first = (r->first + 1) % r->capacity;
        if (--r->n == 0 && !r->closed)
            eventfd_read(r->fd, &count);
        pthread_cond_signal(&r->room);
    }
    pthread_mutex_unlock(&r->lock);
    return any;
}

bool ring_wait(struct ring *r, int timeout_ms)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) != 1)
        return false;
    pthread_mutex_lock(&r->lock);
    bool any = r->n > 0;
    pthread_mutex_unlock(&r->lock);
    return any;
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

void ring_close(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->closed = true;
    eventfd_write(r->fd, 1); /* stays readable */
    pthread_cond_broadcast(&r->room);
    pthread_mutex_unlock(&r->lock);
}

bool ring_closed(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    bool over = r->closed && r->n == 0;
    pthread_mutex_unlock(&r->lock);
    return over;
}

uint64_t ring_dropped(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t n = r->dropped;
    pthread_mutex_unlock(&r->lock);
    return n;
}
