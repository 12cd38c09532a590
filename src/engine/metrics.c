/*
 * The writer of metrics.jsonl. Events wait in a ring; a thread turns them into rows and appends
 * them. What the disk does not take stays in memory, in order, and is tried again, so that a full
 * disk costs no row unless it stays full for 64 MiB of them.
 */
#include "engine/metrics.h"

#include "base/file.h"
#include "base/log.h"
#include "base/ring.h"
#include "engine/metrics_row.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QUEUE_EVENTS = 1024,
    BACKLOG_BYTES = 64 << 20,
    RETRY_MS = 1000,
    EV_FLUSH = 0xFFFF, /* a mark in the queue: whoever waits for it is told */
};
static const int64_t WARN_USEC = 60 * 1000000LL;

struct metrics {
    char path[PATH_BYTES];
    int fd;
    struct ring *ring;
    pthread_t thread;

    /* of the thread */
    char *rows; /* not yet written */
    size_t n_rows, room;
    int64_t length; /* of the file */
    int64_t warned; /* when, clock_usec; 0: not */
    int64_t lost;   /* rows */

    /* answers to metrics_flush */
    pthread_mutex_t lock;
    pthread_cond_t flushed;
    uint32_t marks_done;
    uint32_t marks; /* of the caller */
    struct err result;
    int64_t flushed_length;
};

static void warn(struct metrics *m, const char *why)
{
    int64_t now = clock_usec();
    if (m->warned && now - m->warned < WARN_USEC)
        return;
    m->warned = now;
    log_warn("cannot write %s: %s; %zu bytes of rows wait in memory, training goes on", m->path,
             why, m->n_rows);
}

/* As much as the disk takes. */
static int drain(struct metrics *m)
{
    size_t done = 0;
    int errnum = 0;
    if (m->n_rows == 0)
        return 0;
    while (done < m->n_rows && !errnum) {
        ssize_t n = write(m->fd, m->rows + done, m->n_rows - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            errnum = n == 0 ? EIO : errno;
    }
    memmove(m->rows, m->rows + done, m->n_rows - done);
    m->n_rows -= done;
    m->length += (int64_t)done;
    if (errnum)
        warn(m, strerror(errnum));
    return errnum;
}

static void append(struct metrics *m, const char *row)
{
    size_t n = strlen(row);
    if (m->n_rows + n > m->room) {
        size_t room = m->room ? m->room * 2 : 1 << 16;
        char *more = room > BACKLOG_BYTES ? NULL : realloc(m->rows, room);
        if (!more) {
            m->lost++;
            warn(m, "the rows in memory are too many; rows are being lost");
            return;
        }
        m->rows = more;
        m->room = room;
    }
    memcpy(m->rows + m->n_rows, row, n);
    m->n_rows += n;
}

static void answer(struct metrics *m, int errnum)
{
    if (!errnum && fdatasync(m->fd) < 0 && errno != EINVAL && errno != EROFS)
        errnum = errno;
    pthread_mutex_lock(&m->lock);
    m->result = (struct err){0};
    if (errnum)
        err_errno(&m->result, EXIT_IO, errnum, "cannot write %s", m->path);
    m->flushed_length = m->length;
    m->marks_done++;
    pthread_cond_signal(&m->flushed);
    pthread_mutex_unlock(&m->lock);
}

static void take(struct metrics *m, const struct event *ev)
{
    if (ev->kind == EV_FLUSH) {
        answer(m, drain(m));
        return;
    }
    char *row = metrics_row(ev);
    if (row)
        append(m, row);
    free(row);
}

static void *writer(void *arg)
{
    struct metrics *m = arg;
    struct event ev;
    for (;;) {
        ring_wait(m->ring, m->n_rows > 0 ? RETRY_MS : -1);
        while (ring_pop(m->ring, &ev))
            take(m, &ev);
        if (m->n_rows > 0)
            drain(m);
        if (ring_closed(m->ring))
            return NULL;
    }
}

static int open_file(struct metrics *m, const char *dir, int64_t step, int64_t offset,
                     struct err *e)
{
    if (path_join(m->path, dir, METRICS_FILE, e) < 0)
        return -1;
    m->fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (m->fd < 0)
        return err_create(e, errno, "cannot write %s", m->path);
    return metrics_trim(m->fd, m->path, step, offset, &m->length, e);
}

static int start(struct metrics *m, struct err *e)
{
    if (ring_new(&m->ring, QUEUE_EVENTS, sizeof(struct event), false, e) < 0)
        return -1;
    int r = pthread_create(&m->thread, NULL, writer, m);
    return r == 0 ? 0 : err_errno(e, EXIT_OS, r, "cannot start the writer of %s", m->path);
}

static void release(struct metrics *m)
{
    ring_free(m->ring);
    if (m->fd >= 0)
        close(m->fd);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->flushed);
    free(m->rows);
    free(m);
}

int metrics_open(struct metrics **out, const char *dir, int64_t step, int64_t offset, struct err *e)
{
    struct metrics *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return err_set(e, EXIT_OS, "out of memory opening %s/%s", dir, METRICS_FILE);
    m->fd = -1;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->flushed, NULL);
    if (open_file(m, dir, step, offset, e) < 0 || start(m, e) < 0) {
        release(m);
        return -1;
    }
    *out = m;
    return 0;
}

void metrics_event(struct metrics *m, const struct event *ev)
{
    ring_push(m->ring, ev);
}

uint32_t metrics_mark(struct metrics *m)
{
    struct event mark = {.kind = EV_FLUSH};
    ring_push(m->ring, &mark);
    return ++m->marks;
}

int metrics_flush(struct metrics *m, int64_t *bytes, struct err *e)
{
    return metrics_await(m, metrics_mark(m), bytes, e);
}

int metrics_await(struct metrics *m, uint32_t mark, int64_t *bytes, struct err *e)
{
    pthread_mutex_lock(&m->lock);
    while (m->marks_done != mark)
        pthread_cond_wait(&m->flushed, &m->lock);
    struct err result = m->result;
    if (bytes)
        *bytes = m->flushed_length;
    pthread_mutex_unlock(&m->lock);
    return result.code ? err_set(e, result.code, "%s", result.msg) : 0;
}

void metrics_close(struct metrics *m)
{
    if (!m)
        return;
    ring_close(m->ring);
    pthread_join(m->thread, NULL);
    if (m->n_rows > 0 || m->lost > 0)
        log_error("%s: %zu bytes and %lld rows were not written", m->path, m->n_rows,
                  (long long)m->lost);
    else if (fdatasync(m->fd) < 0 && errno != EINVAL && errno != EROFS)
        log_error("cannot write %s: %s", m->path, strerror(errno));
    release(m);
}
