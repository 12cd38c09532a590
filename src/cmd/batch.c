/* The front end without a screen: see batch.h. */
#include "cmd/batch.h"

#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "cmd/bar.h"
#include "engine/engine.h"
#include "engine/metrics_row.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

/* Launchers pass a signal on to a group that got it already: no person is that quick. */
enum { ECHO_USEC = 100000 };

struct batch {
    struct engine *engine;
    struct watcher *watcher;
    const struct batch_format_class *format;
    struct batch_text text;
    struct bar *bar;
    int signals;
    int64_t interrupted; /* when SIGINT came first, microseconds: this is how the process ends */
    int64_t terminated;  /* when SIGTERM came first */
    int unwritten;       /* errno of standard output, once it failed */
    bool leaving;        /* a signal asked for the end with EXIT_AGAIN */
    bool done;
};

/* Rows of metrics.jsonl as they are, and what is not history; of a linear evaluation's iterations
 * as many as in text. */
static void print_json(struct batch_text *t, const struct event *ev, FILE *f)
{
    if (ev->replayed ||
        (ev->kind == EV_LINEAR_ITER && t->log_every > 0 && ev->u.lin.giter % t->log_every != 0))
        return;
    char *row = metrics_row(ev);
    if (!row)
        row = metrics_passing(ev);
    if (row)
        fputs(row, f);
    free(row);
}

static void print_nothing(struct batch_text *t, const struct event *ev, FILE *f)
{
    (void)t;
    (void)ev;
    (void)f;
}

static const struct batch_format_class json_class = {"jsonl", print_json};
static const struct batch_format_class none_class = {"none", print_nothing};

const struct batch_format_class *const batch_format_classes[] = {&batch_text_class, &json_class,
                                                                 &none_class, NULL};

const char *batch_format(int i)
{
    return batch_format_classes[i] ? batch_format_classes[i]->name : NULL;
}

const char *batch_progress(int i)
{
    static const char *const names[] = {"auto", "always", "never", NULL};
    return names[i];
}

static const struct batch_format_class *find_format(const char *name)
{
    for (int i = 0; name && batch_format_classes[i]; i++)
        if (strcmp(batch_format_classes[i]->name, name) == 0)
            return batch_format_classes[i];
    return &batch_text_class;
}

/* Whoever read standard output has gone, or its disk is full: that is no reason to stop training.
 * Nothing is written any more. */
static void check_output(struct batch *b)
{
    if (b->unwritten || (fflush(stdout) == 0 && !ferror(stdout)))
        return;
    b->unwritten = errno ? errno : EIO;
    __fpurge(stdout);
    clearerr(stdout);
    if (b->unwritten == EPIPE)
        log_info("standard output was closed; training goes on");
    else
        log_warn("cannot write standard output: %s; training goes on", strerror(b->unwritten));
}

static void handle_event(struct batch *b, const struct event *ev)
{
    if (ev->kind == EV_SETUP)
        b->text.log_every = ev->u.setup.log_every;
    if (!b->unwritten) {
        bar_erase(b->bar);
        b->format->event(&b->text, ev, stdout);
        check_output(b);
    }
    bar_event(b->bar, ev);
    b->done = b->done || ev->kind == EV_DONE;
}

static void stop(struct batch *b, int code)
{
    struct command c = {.kind = CMD_STOP, .code = code};
    engine_post(b->engine, &c);
}

/* Of this moment: a preparation that is nearly done may still become a run that is saved. */
static const char *plan(const struct batch *b)
{
    return engine_is_ready(b->engine) ? "saving at the next step"
                                      : "no step has been taken yet; ending";
}

static void on_again(struct batch *b, int sig)
{
    if (b->leaving && sig != SIGTERM)
        return;
    b->leaving = true;
    log_info("%s: %s, then ending with status %d%s", strsignal(sig), plan(b), EXIT_AGAIN,
             sig == SIGTERM ? "; once more to end at once" : "");
    stop(b, EXIT_AGAIN);
}

/* The second of a kind ends the process at once, by that signal. Returns whether this is the first;
 * *first is when that was. */
static bool first_time(struct batch *b, int sig, int64_t *first)
{
    int64_t now = clock_usec();
    if (*first && now - *first < ECHO_USEC)
        return false;
    if (*first) {
        bar_erase(b->bar);
        signals_die(sig);
    }
    *first = now;
    return true;
}

static void on_terminate(struct batch *b, int sig)
{
    if (first_time(b, sig, &b->terminated))
        on_again(b, sig);
}

static void on_save(struct batch *b, int sig)
{
    struct command c = {.kind = CMD_SAVE};
    (void)sig;
    engine_post(b->engine, &c);
}

static void on_interrupt(struct batch *b, int sig)
{
    if (!first_time(b, sig, &b->interrupted))
        return;
    log_info("interrupted: %s; once more to end at once", plan(b));
    stop(b, 0);
}

static const struct {
    int sig;
    void (*act)(struct batch *, int sig);
} on_signal[] = {
    {SIGTERM, on_terminate}, {SIGXCPU, on_again}, {SIGUSR1, on_again},
    {SIGHUP, on_again},      {SIGUSR2, on_save},  {SIGINT, on_interrupt},
};

static void handle_signals(struct batch *b)
{
    int sig;
    while ((sig = signals_next(b->signals)) != 0)
        for (size_t i = 0; i < sizeof on_signal / sizeof *on_signal; i++)
            if (on_signal[i].sig == sig)
                on_signal[i].act(b, sig);
}

static void watch(struct batch *b)
{
    struct event ev;
    struct pollfd fd[] = {{.fd = watcher_fd(b->watcher), .events = POLLIN},
                          {.fd = b->signals, .events = POLLIN}};
    while (!b->done) {
        poll(fd, 2, -1);
        handle_signals(b);
        while (!b->done && watcher_next(b->watcher, &ev)) {
            handle_event(b, &ev);
            handle_signals(b);
        }
    }
}

int batch_main(struct engine *engine, int signals, const struct batch_options *o, struct err *e)
{
    struct batch b = {.engine = engine, .signals = signals, .text.next = -1};
    struct err printed;
    b.format = find_format(o->format);
    setvbuf(stdout, NULL, _IOLBF, 0);
    b.bar = bar_new(o->progress ? o->progress : "auto");
    b.watcher = engine_watch(engine, false);
    if (!b.bar || !b.watcher) {
        bar_free(b.bar);
        return err_set(e, EXIT_OS, "out of memory for the front end");
    }
    int rc = engine_run(engine, e);
    if (rc == 0) {
        watch(&b);
        rc = engine_join(engine, &printed);
    }
    bar_free(b.bar);
    if (b.interrupted && rc == 0)
        signals_die(SIGINT);
    if (rc == 0 && b.unwritten && b.unwritten != EPIPE)
        return err_errno(e, EXIT_IO, b.unwritten,
                         "training is complete, but standard output could not be written");
    return rc;
}
