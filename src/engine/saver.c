/* The thread that writes checkpoints; see saver.h. */
#include "engine/saver.h"

#include "engine/snapshot.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum work { IDLE, WANTED, WRITTEN, QUIT };

struct saver {
    struct snapshot snapshot;
    int fd;
    pthread_t thread;
    bool started;

    /* Handed over with `work`: the caller's while IDLE and WRITTEN, the thread's while WANTED. */
    struct checkpoint_source source;
    struct save_result result;
    struct tuning *tuning;
    struct metrics *metrics;
    uint32_t mark; /* of the rows that belong to the step */
    char dir[PATH_BYTES];

    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum work work;
};

static void set_work(struct saver *s, enum work work)
{
    pthread_mutex_lock(&s->lock);
    s->work = work;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void write_checkpoint(struct saver *s)
{
    struct save_result *r = &s->result;
    r->rc = metrics_await(s->metrics, s->mark, &r->state.metrics_bytes, &r->err);
    if (r->rc == 0)
        r->rc = checkpoint_save(&s->source, &r->saved, &r->err);
}

static void *thread_main(void *arg)
{
    struct saver *s = arg;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (s->work == IDLE || s->work == WRITTEN)
            pthread_cond_wait(&s->changed, &s->lock);
        enum work work = s->work;
        pthread_mutex_unlock(&s->lock);
        if (work == QUIT)
            return NULL;
        write_checkpoint(s);
        set_work(s, WRITTEN);
        eventfd_write(s->fd, 1);
    }
}

int saver_new(struct saver **out, const struct network *net, struct err *e)
{
    struct saver *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return err_set(e, EXIT_OS, "out of memory for the writer of checkpoints");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = s->fd < 0 ? err_set(e, EXIT_OS, "no more files can be opened") : 0;
    if (rc == 0)
        rc = snapshot_init(&s->snapshot, net, e);
    int no = rc == 0 ? pthread_create(&s->thread, NULL, thread_main, s) : 0;
    if (no)
        rc = err_errno(e, EXIT_OS, no, "cannot start the writer of checkpoints");
    s->started = rc == 0;
    if (rc == 0)
        *out = s;
    else
        saver_free(s);
    return rc;
}

static void forget(struct saver *s)
{
    tuning_free(s->tuning);
    s->tuning = NULL;
}

void saver_free(struct saver *s)
{
    struct save_result ignored;
    if (!s)
        return;
    if (s->started) {
        saver_take(s, true, &ignored);
        set_work(s, QUIT);
        pthread_join(s->thread, NULL);
    }
    forget(s);
    snapshot_done(&s->snapshot);
    if (s->fd >= 0)
        close(s->fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

int saver_start(struct saver *s, const struct checkpoint_source *source, struct metrics *metrics,
                struct err *e)
{
    s->tuning = source->tuning ? tuning_copy(source->tuning) : NULL;
    if (source->tuning && !s->tuning)
        return err_set(e, EXIT_OS, "out of memory for a checkpoint");
    if (snapshot_take(&s->snapshot, source->net, e) != 0) {
        forget(s);
        return -1;
    }
    s->result = (struct save_result){.state = *source->state};
    s->source = *source;
    snprintf(s->dir, sizeof s->dir, "%s", source->dir);
    s->source.dir = s->dir;
    s->source.net = &s->snapshot.net;
    s->source.tuning = s->tuning;
    s->source.state = &s->result.state;
    s->metrics = metrics;
    s->mark = metrics_mark(metrics);
    set_work(s, WANTED);
    return 0;
}

static enum work work_now(const struct saver *s)
{
    struct saver *mutable = (struct saver *)s; /* for its lock alone */
    pthread_mutex_lock(&mutable->lock);
    enum work work = s->work;
    pthread_mutex_unlock(&mutable->lock);
    return work;
}

bool saver_busy(const struct saver *s)
{
    return work_now(s) != IDLE;
}

bool saver_take(struct saver *s, bool wait, struct save_result *out)
{
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};
    eventfd_t ignored;
    enum work work;
    while ((work = work_now(s)) == WANTED && wait)
        poll(&fd, 1, -1);
    if (work != WRITTEN)
        return false;
    poll(&fd, 1, -1); /* it is set right after the work */
    eventfd_read(s->fd, &ignored);
    *out = s->result;
    forget(s);
    set_work(s, IDLE);
    return true;
}

int saver_fd(const struct saver *s)
{
    return s->fd;
}
