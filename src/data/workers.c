/* One lock hands out the items; the items themselves are long against it. */
#include "data/workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

enum { THREADS_MAX = 64 };

struct pool {
    worker_fn *fn;
    void *ctx;
    pthread_mutex_t lock;
    int64_t n, next, failed; /* failed: item, n if none */
    struct err err;
};

static bool take(struct pool *p, int64_t *i)
{
    pthread_mutex_lock(&p->lock);
    bool more = p->failed == p->n && p->next < p->n;
    if (more)
        *i = p->next++;
    pthread_mutex_unlock(&p->lock);
    return more;
}

static void *work(void *arg)
{
    struct pool *p = arg;
    int64_t i;
    while (take(p, &i)) {
        struct err e = {0};
        if (p->fn(p->ctx, i, &e) == 0)
            continue;
        pthread_mutex_lock(&p->lock);
        if (i < p->failed) {
            p->failed = i;
            p->err = e;
        }
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

void workers_block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    sigset_t mask;
    sigfillset(&mask);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&mask, faults[i]);
    pthread_sigmask(SIG_BLOCK, &mask, before);
}

int workers_run(int64_t n, worker_fn *fn, void *ctx, struct err *e)
{
    struct pool p = {.fn = fn, .ctx = ctx, .n = n, .failed = n};
    pthread_t threads[THREADS_MAX];
    cpu_set_t cpus;
    sigset_t before;
    int wanted = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus), started = 0;
    if (wanted > THREADS_MAX)
        wanted = THREADS_MAX;
    pthread_mutex_init(&p.lock, NULL);
    workers_block_signals(&before);
    while (started + 1 < wanted && started + 1 < n &&
           pthread_create(&threads[started], NULL, work, &p) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    work(&p); /* this thread is one of them; fewer than wanted are only slower */
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&p.lock);
    if (p.failed == n)
        return 0;
    if (e)
        *e = p.err;
    return -1;
}
