/* A tiny run for tests: see tiny.h. */
#include "tests/engine/tiny.h"

#include "base/file.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[256];

static const char *const base[] = {"seed=7",
                                   "threads=1",
                                   "device=cpu",
                                   "data.name=shapes",
                                   "data.train_images=64",
                                   "data.test_images=40",
                                   "data.valid_fraction=0.25",
                                   "model.arch=resnet8",
                                   "objective.name=supcon",
                                   "optimizer.lr=0.05",
                                   "train.batch_size=8",
                                   "train.epochs=2",
                                   "linear.epochs=2",
                                   "linear.batch_size=16",
                                   NULL};

static void assign(struct settings *s, struct conf_origin *origin, const char *const *list)
{
    struct err e = {0};
    for (int i = 0; list && list[i]; i++)
        if (conf_set(settings_table, s, list[i], origin, &e) != 0)
            fail_msg("%s: %s", list[i], e.msg);
}

struct settings tiny_settings(const char *const *more)
{
    struct settings s;
    struct err e = {0};
    struct conf_origin *origin = conf_origin_new();
    conf_defaults(settings_table, &s, origin);
    assign(&s, origin, base);
    assign(&s, origin, more);
    conf_origin_free(origin);
    if (settings_check(&s, &e) != 0)
        fail_msg("%s", e.msg);
    return s;
}

int tiny_init(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/supcon-engine-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(folder) && setenv("XDG_CACHE_HOME", folder, 1) == 0 ? 0 : -1;
}

int tiny_done(void **state)
{
    struct err e = {0};
    (void)state;
    return dir_remove(folder, &e);
}

const char *tiny_path(const char *name)
{
    static char path[2][512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

struct engine_options tiny_options(const char *name, const char *const *more)
{
    struct engine_options o = {.settings = tiny_settings(more)};
    snprintf(o.run_dir, sizeof o.run_dir, "%s", tiny_path(name));
    return o;
}

void tiny_start(struct tiny_engine *t, const struct engine_options *o)
{
    struct err e = {0};
    *t = (struct tiny_engine){.events = calloc(TINY_EVENTS, sizeof *t->events)};
    assert_non_null(t->events);
    if (engine_start(&t->engine, o, &e) != 0)
        fail_msg("%s", e.msg);
    t->watcher = engine_watch(t->engine, false);
    assert_non_null(t->watcher);
}

void tiny_run(struct tiny_engine *t)
{
    struct err e = {0};
    if (engine_run(t->engine, &e) != 0)
        fail_msg("%s", e.msg);
}

static void collect(struct tiny_engine *t)
{
    while (t->n < TINY_EVENTS && watcher_next(t->watcher, &t->events[t->n]))
        t->n++;
}

static bool ended(const struct tiny_engine *t)
{
    return t->n > 0 && t->events[t->n - 1].kind == EV_DONE;
}

static void wait_more(struct tiny_engine *t, const char *what)
{
    struct pollfd fd = {.fd = watcher_fd(t->watcher), .events = POLLIN};
    if (ended(t))
        fail_msg("the run ended before %s", what);
    if (poll(&fd, 1, 20000) != 1)
        fail_msg("no %s came within 20 s", what);
    collect(t);
}

int tiny_wait(struct tiny_engine *t, enum event_kind kind, int from)
{
    for (int i = from;; i++) {
        while (i >= t->n)
            wait_more(t, "the event");
        if (t->events[i].kind == kind)
            return i;
    }
}

int tiny_wait_state(struct tiny_engine *t, enum engine_state state, int from)
{
    int i = from - 1;
    do
        i = tiny_wait(t, EV_STATE, i + 1);
    while (t->events[i].u.state.state != (int32_t)state);
    return i;
}

uint32_t tiny_post(struct tiny_engine *t, enum command_kind kind, const char *text, int64_t step)
{
    struct command c = {.kind = (int32_t)kind, .step = step};
    snprintf(c.text, sizeof c.text, "%s", text ? text : "");
    uint32_t ticket = engine_post(t->engine, &c);
    assert_int_not_equal(ticket, 0);
    return ticket;
}

const struct event *tiny_ack(struct tiny_engine *t, uint32_t ticket)
{
    int i = -1;
    do
        i = tiny_wait(t, EV_ACK, i + 1);
    while (t->events[i].u.ack.ticket != ticket);
    return &t->events[i];
}

int tiny_join(struct tiny_engine *t, struct err *e)
{
    while (!ended(t))
        wait_more(t, "end");
    return engine_join(t->engine, e);
}

void tiny_free(struct tiny_engine *t)
{
    engine_free(t->engine);
    free(t->events);
}

int tiny_count(const struct tiny_engine *t, enum event_kind kind)
{
    int n = 0;
    for (int i = 0; i < t->n; i++)
        n += t->events[i].kind == kind;
    return n;
}
