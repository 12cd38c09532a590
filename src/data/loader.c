/*
 * Prefetching with worker threads. Batches are numbered by tickets; a worker takes the next ticket
 * together with a free slot, decides under the lock which samples the batch holds, and fills it
 * without the lock. The consumer waits for the slot with its own next ticket, so the order is that
 * of the tickets whichever worker is quicker. Seeking starts a new generation: what was under way
 * is dropped when it comes in. One lock guards everything but the contents of slots.
 */
#include "data/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "data/loader_fill.h"
#include "data/order.h"
#include "data/workers.h"

enum {
    HELD_MAX = 2,
    THREADS_MAX = 64,
    PREFETCH_MAX = 64,
    PREFETCH_DEFAULT = 4,
    WORKER_NICE = 5, /* below the threads that compute */
};

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_HELD };

struct slot {
    struct batch batch;
    enum slot_state state;
    int64_t ticket, generation;
    struct err err; /* code != 0: filling failed */
};

struct loader {
    struct filler filler;
    bool shuffle, keep_partial;
    int64_t n, batches; /* samples and batches of an epoch */
    const int64_t *listed;

    int64_t *order; /* [n] samples in the order of epoch order_epoch (-1: none yet) */
    int64_t order_epoch;

    struct slot *slots;
    int n_slots, n_held;
    int64_t next_fill, next_out, generation; /* tickets: epoch * batches + index */
    bool stop;

    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    pthread_t *threads;
    int n_threads;
};

/* --- workers -------------------------------------------------------------------------------- */

static struct slot *free_slot(struct loader *l)
{
    for (int i = 0; i < l->n_slots; i++)
        if (l->slots[i].state == SLOT_FREE)
            return &l->slots[i];
    return NULL;
}

static void set_order(struct loader *l, int64_t epoch)
{
    if (l->order_epoch == epoch)
        return;
    memcpy(l->order, l->listed, (size_t)l->n * sizeof *l->order);
    if (l->shuffle)
        order_shuffle(l->order, l->n, l->filler.seed, epoch);
    l->order_epoch = epoch;
}

/* Which samples a ticket stands for. */
static void assign(struct loader *l, struct slot *s)
{
    struct batch *b = &s->batch;
    s->state = SLOT_FILLING;
    s->ticket = l->next_fill++;
    s->generation = l->generation;
    s->err = (struct err){0};
    b->epoch = s->ticket / l->batches;
    b->first = s->ticket % l->batches * l->filler.batch;
    b->n = l->n - b->first < l->filler.batch ? (int)(l->n - b->first) : l->filler.batch;
    set_order(l, b->epoch);
    memset(b->samples, 0, (size_t)l->filler.batch * sizeof *b->samples);
    memcpy(b->samples, l->order + b->first, (size_t)b->n * sizeof *b->samples);
}

static void fill(struct loader *l, struct slot *s, struct fill_scratch *scratch)
{
    pthread_mutex_unlock(&l->lock);
    int failed = fill_batch(&l->filler, scratch, &s->batch, &s->err);
    pthread_mutex_lock(&l->lock);
    if (failed && s->err.code == 0)
        err_set(&s->err, EXIT_SOFTWARE, "a data set failed without a reason");
    s->state = s->generation == l->generation ? SLOT_READY : SLOT_FREE;
    pthread_cond_broadcast(s->state == SLOT_READY ? &l->ready : &l->work);
}

struct worker {
    struct loader *loader;
    struct fill_scratch scratch;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct loader *l = w->loader;
    /* On Linux this is the calling thread's own; a refusal changes nothing but speed. */
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + WORKER_NICE);
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        struct slot *s = free_slot(l);
        if (!s) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        assign(l, s);
        fill(l, s, &w->scratch);
    }
    pthread_mutex_unlock(&l->lock);
    fill_scratch_done(&w->scratch);
    free(w);
    return NULL;
}

static int start_worker(struct loader *l, struct err *e)
{
    struct worker *w = malloc(sizeof *w);
    if (!w)
        return err_set(e, EXIT_OS, "out of memory for a loader thread");
    w->loader = l;
    if (fill_scratch_init(&w->scratch, &l->filler, e)) {
        free(w);
        return -1;
    }
    int status = pthread_create(&l->threads[l->n_threads], NULL, work, w);
    if (status) {
        fill_scratch_done(&w->scratch);
        free(w);
        return err_errno(e, EXIT_OS, status, "loader thread %d cannot be started (loader.threads)",
                         l->n_threads + 1);
    }
    l->n_threads++;
    return 0;
}

static int start_workers(struct loader *l, int n, struct err *e)
{
    sigset_t before;
    int failed = 0;
    l->threads = calloc((size_t)n, sizeof *l->threads);
    if (!l->threads)
        return err_set(e, EXIT_OS, "out of memory for %d loader threads", n);
    workers_block_signals(&before);
    while (!failed && l->n_threads < n)
        failed = start_worker(l, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* Decoding is worth more threads than what is in memory. */
static int chosen_threads(int asked, bool resident)
{
    cpu_set_t cpus;
    int most = resident ? 4 : 16;
    if (asked > 0)
        return asked < THREADS_MAX ? asked : THREADS_MAX;
    int n = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus) / 2;
    return n < 1 ? 1 : n > most ? most : n;
}

/* --- making and ending ----------------------------------------------------------------------- */

static int slot_init(struct slot *s, const struct filler *f, struct err *e)
{
    struct batch *b = &s->batch;
    size_t rows = (size_t)f->views * (size_t)f->batch;
    b->views = f->views;
    if (f->parameters)
        b->params = calloc(rows, sizeof *b->params);
    else
        b->images = calloc(rows * f->values, sizeof *b->images);
    if (f->gathers)
        b->sources = calloc((size_t)f->batch, f->image_bytes);
    b->labels = calloc((size_t)f->batch, sizeof *b->labels);
    b->samples = calloc((size_t)f->batch, sizeof *b->samples);
    if ((b->images || b->params) && (b->sources || !f->gathers) && b->labels && b->samples)
        return 0;
    return err_set(e, EXIT_OS,
                   "out of memory for a batch of %d samples with %d views; lower the batch size or "
                   "loader.prefetch",
                   f->batch, f->views);
}

static void slot_done(struct slot *s)
{
    free(s->batch.images);
    free(s->batch.params);
    free(s->batch.sources);
    free(s->batch.labels);
    free(s->batch.samples);
}

static int make_slots(struct loader *l, int prefetch, struct err *e)
{
    if (prefetch <= 0)
        prefetch = PREFETCH_DEFAULT;
    l->n_slots = (prefetch < PREFETCH_MAX ? prefetch : PREFETCH_MAX) + HELD_MAX;
    l->slots = calloc((size_t)l->n_slots, sizeof *l->slots);
    l->order = malloc((size_t)l->n * sizeof *l->order);
    if (!l->slots || !l->order)
        return err_set(e, EXIT_OS, "out of memory for the loader");
    for (int i = 0; i < l->n_slots; i++)
        if (slot_init(&l->slots[i], &l->filler, e))
            return -1;
    return 0;
}

static int check_batch(const struct loader_options *o, struct err *e)
{
    if (o->batch < 1)
        return err_set(e, EXIT_CONFIG,
                       "a batch of %d samples cannot be: train.batch_size and "
                       "linear.batch_size start at 1",
                       o->batch);
    if (o->split->n < 1)
        return err_set(e, EXIT_CONFIG, "there are no images in this part of %s",
                       o->data->class ? o->data->class->name : "the data set");
    if (o->split->n < o->batch && !o->keep_partial)
        return err_set(e, EXIT_CONFIG,
                       "a batch of %d samples is larger than the %" PRId64 " images of %s to draw "
                       "from: lower train.batch_size (in linear evaluation linear.batch_size) or "
                       "data.valid_fraction, or give more images",
                       o->batch, o->split->n, o->data->class ? o->data->class->name : "data");
    return 0;
}

int loader_open(struct loader **out, const struct loader_options *o, struct err *e)
{
    struct loader *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return err_set(e, EXIT_OS, "out of memory for the loader");
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    if (check_batch(o, e) || filler_init(&l->filler, o, e))
        goto fail;
    l->shuffle = o->shuffle;
    l->keep_partial = o->keep_partial;
    l->n = o->split->n;
    l->listed = o->split->index;
    l->batches = (l->n + (o->keep_partial ? o->batch - 1 : 0)) / o->batch;
    l->order_epoch = -1;
    if (make_slots(l, o->prefetch, e) ||
        start_workers(l, chosen_threads(o->threads, o->data->images != NULL), e))
        goto fail;
    *out = l;
    return 0;
fail:
    loader_close(l);
    return -1;
}

static void stop_workers(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
}

void loader_close(struct loader *l)
{
    if (!l)
        return;
    stop_workers(l);
    for (int i = 0; l->slots && i < l->n_slots; i++)
        slot_done(&l->slots[i]);
    free(l->slots);
    free(l->order);
    free(l->threads);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* --- the consumer's side --------------------------------------------------------------------- */

int64_t loader_batches(const struct loader *l)
{
    return l->batches;
}

const struct augment_shape *loader_shape(const struct loader *l)
{
    return &l->filler.shape;
}

int loader_seek(struct loader *l, int64_t epoch, int64_t index, struct err *e)
{
    if (epoch < 0 || epoch > UINT32_MAX - 1 || index < 0 || index > l->batches)
        return err_set(e, EXIT_DATA,
                       "there is no batch %" PRId64 " of epoch %" PRId64 ": an epoch has %" PRId64
                       " batches; was this position saved with another data set or batch size?",
                       index, epoch, l->batches);
    pthread_mutex_lock(&l->lock);
    l->generation++;
    l->next_fill = l->next_out = epoch * l->batches + index;
    for (int i = 0; i < l->n_slots; i++)
        if (l->slots[i].state == SLOT_READY)
            l->slots[i].state = SLOT_FREE;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return 0;
}

static struct slot *wait_for_next(struct loader *l)
{
    for (;;) {
        for (int i = 0; i < l->n_slots; i++) {
            struct slot *s = &l->slots[i];
            if (s->state == SLOT_READY && s->ticket == l->next_out)
                return s;
        }
        pthread_cond_wait(&l->ready, &l->lock);
    }
}

int loader_next(struct loader *l, struct batch **out, struct err *e)
{
    int64_t start = clock_usec();
    int failed = 0;
    *out = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->n_held >= HELD_MAX) {
        failed = err_set(e, EXIT_SOFTWARE, "more than %d batches are held at once", HELD_MAX);
        goto out;
    }
    struct slot *s = wait_for_next(l);
    if (s->err.code) { /* stays: asking again gives the same answer, seeking goes on */
        if (e)
            *e = s->err;
        failed = -1;
        goto out;
    }
    s->state = SLOT_HELD;
    s->batch.wait_ms = (double)(clock_usec() - start) / 1000;
    l->next_out++;
    l->n_held++;
    *out = &s->batch;
out:
    pthread_mutex_unlock(&l->lock);
    return failed;
}

void loader_release(struct loader *l, struct batch *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < l->n_slots; i++)
        if (&l->slots[i].batch == b && l->slots[i].state == SLOT_HELD) {
            l->slots[i].state = SLOT_FREE;
            l->n_held--;
            pthread_cond_signal(&l->work);
        }
    pthread_mutex_unlock(&l->lock);
}
