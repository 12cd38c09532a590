/*
 * Bounded queue; see queue.h. A mutex is held for one memcpy only; the eventfd counts nothing, it
 * is raised when the queue becomes non-empty and lowered when it becomes empty.
 */
#include "base/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    pthread_mutex_t lock;
    int fd;
    size_t capacity, item_bytes;
    size_t first, n;
    unsigned char *items;
};

int queue_new(struct queue **out, size_t capacity, size_t item_bytes, struct err *e)
{
    *out = NULL;
    struct queue *q = calloc(1, sizeof *q);
    unsigned char *items = calloc(capacity, item_bytes);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!q || !items || fd < 0) {
        int errnum = errno;
        free(q);
        free(items);
        if (fd >= 0)
            close(fd);
        return err_errno(e, EXIT_OS, errnum, "cannot create a queue of %zu items", capacity);
    }
    pthread_mutex_init(&q->lock, NULL);
    q->fd = fd;
    q->capacity = capacity;
    q->item_bytes = item_bytes;
    q->items = items;
    *out = q;
    return 0;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    pthread_mutex_destroy(&q->lock);
    close(q->fd);
    free(q->items);
    free(q);
}

bool queue_push(struct queue *q, const void *item)
{
    pthread_mutex_lock(&q->lock);
    bool room = q->n < q->capacity;
    if (room) {
        size_t at = (q->first + q->n) % q->capacity;
        memcpy(q->items + at * q->item_bytes, item, q->item_bytes);
        if (q->n++ == 0)
            eventfd_write(q->fd, 1);
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

bool queue_pop(struct queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    bool any = q->n > 0;
    if (any) {
        eventfd_t count;
        memcpy(item, q->items + q->first * q->item_bytes, q->item_bytes);
        q->first = (q->first + 1) % q->capacity;
        if (--q->n == 0)
            eventfd_read(q->fd, &count);
    }
    pthread_mutex_unlock(&q->lock);
    return any;
}

bool queue_wait(struct queue *q, int timeout_ms)
{
    struct pollfd p = {.fd = q->fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

int queue_fd(const struct queue *q)
{
    return q->fd;
}
