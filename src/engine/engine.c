/* The engine from outside: life of its thread, commands in, events out. */
#include "engine/engine_impl.h"

#include "base/file.h"
#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EARLY_BYTES = 1 << 16 };

static void keep_early(struct engine *e, enum log_level level, const char *line)
{
    char text[RUN_LINE_BYTES];
    pthread_mutex_lock(&e->early_lock);
    size_t n = e->early_ended ? 0 : run_log_format(text, level, line);
    char *more = n && e->n_early + n <= EARLY_BYTES ? realloc(e->early, e->n_early + n) : NULL;
    if (more) {
        memcpy(more + e->n_early, text, n);
        e->early = more;
        e->n_early += n;
    }
    pthread_mutex_unlock(&e->early_lock);
}

void engine_note(struct engine *e, enum log_level level, const char *line)
{
    char text[RUN_LINE_BYTES];
    if (e->has_run)
        run_log_put(&e->run, text, run_log_format(text, level, line));
    else
        keep_early(e, level, line);
}

void engine_run_is_there(struct engine *e)
{
    e->has_run = true;
    pthread_mutex_lock(&e->early_lock);
    if (e->n_early > 0)
        run_log_put(&e->run, e->early, e->n_early);
    e->early_ended = true;
    pthread_mutex_unlock(&e->early_lock);
}

/* Any thread; never waits, since it may be the one that reads the events. */
static void on_log(void *ctx, enum log_level level, const char *line)
{
    struct engine *e = ctx;
    struct log_entry entry = {.level = level};
    keep_early(e, level, line);
    snprintf(entry.line, sizeof entry.line, "%s", line);
    queue_push(e->logs, &entry);
}

int engine_start(struct engine **out, const struct engine_options *o, struct err *err)
{
    struct engine *e = calloc(1, sizeof *e);
    *out = NULL;
    if (!e)
        return err_set(err, EXIT_OS, "out of memory");
    e->options = *o;
    e->saved_step = e->saving_step = -1;
    e->best_top1 = NAN;
    e->log_sink = -1;
    e->run.lock_fd = e->run.log_fd = -1;
    pthread_mutex_init(&e->post, NULL);
    pthread_mutex_init(&e->early_lock, NULL);
    if (queue_new(&e->commands, COMMANDS_MAX, sizeof(struct command), err) != 0 ||
        queue_new(&e->logs, LOGS_MAX, sizeof(struct log_entry), err) != 0) {
        engine_free(e);
        return -1;
    }
    e->log_sink = log_add(on_log, e);
    *out = e;
    return 0;
}

struct watcher *engine_watch(struct engine *e, bool lossy)
{
    return watchers_add(&e->watchers, lossy);
}

static void *thread_main(void *arg)
{
    struct engine *e = arg;
    e->start_usec = clock_usec();
    session_run(e);
    watchers_close(&e->watchers);
    return NULL;
}

int engine_run(struct engine *e, struct err *err)
{
    int rc = pthread_create(&e->thread, NULL, thread_main, e);
    if (rc != 0)
        return err_errno(err, EXIT_OS, rc, "cannot start the engine thread");
    e->started = true;
    return 0;
}

uint32_t engine_post(struct engine *e, const struct command *c)
{
    struct command copy = *c;
    pthread_mutex_lock(&e->post);
    copy.ticket = e->tickets + 1;
    bool accepted = !e->ended && queue_push(e->commands, &copy);
    if (accepted && ++e->tickets == UINT32_MAX)
        e->tickets = 0;
    pthread_mutex_unlock(&e->post);
    return accepted ? copy.ticket : 0;
}

bool engine_is_ready(const struct engine *e)
{
    return atomic_load(&e->ready);
}

int engine_join(struct engine *e, struct err *err)
{
    if (e->started && !e->joined)
        pthread_join(e->thread, NULL);
    e->joined = e->started;
    if (e->err.code && err)
        *err = e->err;
    return e->exit_code;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    log_remove(e->log_sink);
    watchers_done(&e->watchers);
    queue_free(e->commands);
    queue_free(e->logs);
    pthread_mutex_destroy(&e->post);
    pthread_mutex_destroy(&e->early_lock);
    free(e->early);
    free(e);
}
