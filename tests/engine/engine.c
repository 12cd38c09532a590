/* The engine as front ends see it: what each state answers, in which order things are told, what a
 * run leaves behind. */
#include "tests/engine/tiny.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/meter.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A run that does not end by itself within a test. */
static const char *const endless[] = {"train.epochs=5000", "checkpoint.every_epochs=0", NULL};

struct question {
    enum command_kind kind;
    const char *text;
    int64_t step;
    const char *refusal; /* part of it; NULL: accepted */
};

/* Posts the questions one after the other and checks the answers. */
static void ask(struct tiny_engine *t, const struct question *q, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = tiny_ack(t, tiny_post(t, q[i].kind, q[i].text, q[i].step));
        const char *name = command_name(q[i].kind);
        assert_int_equal(ev->u.ack.command, q[i].kind);
        if (!q[i].refusal && !ev->u.ack.accepted)
            fail_msg("question %zu, %s: refused (%s)", i, name, ev->u.ack.reason);
        if (q[i].refusal && (ev->u.ack.accepted || !strstr(ev->u.ack.reason, q[i].refusal)))
            fail_msg("question %zu, %s: expected a refusal with \"%s\", got \"%s\"", i, name,
                     q[i].refusal, ev->u.ack.reason);
    }
}
#define ASK(t, ...)                                                                                \
    ask(t, (const struct question[]){__VA_ARGS__},                                                 \
        sizeof((const struct question[]){__VA_ARGS__}) / sizeof(struct question))

static int stop(struct tiny_engine *t, struct err *e)
{
    tiny_post(t, CMD_STOP, NULL, 0);
    return tiny_join(t, e);
}

static void preparing_defers_or_refuses(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("preparing", endless);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    uint32_t save = tiny_post(&t, CMD_SAVE, NULL, 0);
    uint32_t linear = tiny_post(&t, CMD_LINEAR, NULL, -1);
    uint32_t cancel = tiny_post(&t, CMD_CANCEL, NULL, 0);
    uint32_t pause = tiny_post(&t, CMD_PAUSE, NULL, 0);
    uint32_t change = tiny_post(&t, CMD_SWITCH, "cross-entropy", 0);
    tiny_run(&t);
    assert_false(tiny_ack(&t, save)->u.ack.accepted);
    assert_false(tiny_ack(&t, linear)->u.ack.accepted);
    assert_false(tiny_ack(&t, cancel)->u.ack.accepted);
    int running = tiny_wait_state(&t, STATE_RUNNING, 0);
    assert_true(tiny_ack(&t, pause)->u.ack.accepted);
    assert_true(tiny_ack(&t, change)->u.ack.accepted);
    assert_true(tiny_ack(&t, pause) > &t.events[running]); /* not before it could be done */
    assert_int_equal(tiny_count(&t, EV_ITER), 0);
    assert_int_equal(stop(&t, &e), 0);
    tiny_free(&t);
}

static void running_and_paused_answer(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("running", endless);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    tiny_wait(&t, EV_ITER, 0);
    ASK(&t, {CMD_RESUME, 0, 0, "not paused"}, {CMD_CANCEL, 0, 0, "no evaluation"},
        {CMD_SWITCH, "supcon", 0, "already"}, {CMD_SWITCH, "nothing", 0, "nothing"},
        {CMD_LINEAR, 0, 999, "no checkpoint of step 999"}, {CMD_SWITCH, "cross-entropy", 0, 0},
        {CMD_N, 0, 0, "no such command"}, {CMD_SAVE, 0, 0, 0}, {CMD_PAUSE, 0, 0, 0});
    tiny_wait_state(&t, STATE_PAUSED, 0);
    int before = tiny_count(&t, EV_ITER);
    ASK(&t, {CMD_PAUSE, 0, 0, "paused already"}, {CMD_CANCEL, 0, 0, "no evaluation"},
        {CMD_SWITCH, "simclr", 0, 0}, {CMD_LINEAR, 0, -1, 0}, {CMD_SAVE, 0, 0, "saved already"});
    tiny_wait(&t, EV_LINEAR_DONE, 0);
    assert_int_equal(tiny_count(&t, EV_ITER), before);
    ASK(&t, {CMD_RESUME, 0, 0, 0}, {CMD_RESUME, 0, 0, "not paused"});
    int sw = tiny_wait(&t, EV_SWITCH, tiny_wait(&t, EV_SWITCH, 0) + 1);
    int iter = tiny_wait(&t, EV_ITER, sw);
    assert_string_equal(t.events[iter].u.iter.objective, "simclr");
    assert_int_equal(stop(&t, &e), 0);
    assert_int_equal(tiny_count(&t, EV_SWITCH), 2);
    tiny_free(&t);
}

static void an_evaluation_answers_and_lets_go(void **state)
{
    static const char *const slow[] = {"train.epochs=5000", "checkpoint.every_epochs=0",
                                       "linear.epochs=100000", NULL};
    struct tiny_engine t;
    struct engine_options o = tiny_options("evaluating", slow);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    tiny_wait(&t, EV_ITER, 0);
    uint32_t first = tiny_post(&t, CMD_LINEAR, NULL, -1);
    int i = tiny_wait(&t, EV_LINEAR_ITER, 0);
    int iters = tiny_count(&t, EV_ITER);
    assert_true(tiny_ack(&t, first)->u.ack.accepted);
    ASK(&t, {CMD_SWITCH, "simclr", 0, "evaluation is running"}, {CMD_RESUME, 0, 0, "not paused"},
        {CMD_SAVE, 0, 0, "saved already"}, {CMD_PAUSE, 0, 0, 0}, {CMD_PAUSE, 0, 0, "already"});
    int paused = tiny_wait_state(&t, STATE_PAUSED, i);
    assert_true(t.events[paused].u.state.linear);
    ASK(&t, {CMD_RESUME, 0, 0, 0});
    tiny_wait(&t, EV_LINEAR_ITER, paused);
    uint32_t second = tiny_post(&t, CMD_LINEAR, NULL, -1);
    assert_int_equal(tiny_count(&t, EV_ITER), iters);
    ASK(&t, {CMD_CANCEL, 0, 0, 0});
    int cancelled = tiny_wait(&t, EV_LINEAR_FAILED, paused);
    assert_true(tiny_ack(&t, second)->u.ack.accepted); /* it had to wait for the first */
    assert_true(tiny_ack(&t, second) > &t.events[cancelled]);
    tiny_wait(&t, EV_LINEAR_ITER, cancelled);
    assert_int_equal(stop(&t, &e), 0); /* ends the second as well */
    assert_int_equal(tiny_count(&t, EV_LINEAR_FAILED), 2);
    assert_int_equal(tiny_count(&t, EV_LINEAR_DONE), 0);
    tiny_free(&t);
}

static void a_console_stays_after_the_end(void **state)
{
    static const char *const brief[] = {"train.epochs=1", NULL};
    struct tiny_engine t;
    struct engine_options o = tiny_options("stopped", brief);
    struct err e = {0};
    (void)state;
    o.stay = true;
    tiny_start(&t, &o);
    tiny_run(&t);
    tiny_wait_state(&t, STATE_STOPPED, 0);
    assert_int_equal(tiny_count(&t, EV_DONE), 0);
    ASK(&t, {CMD_PAUSE, 0, 0, "has ended"}, {CMD_RESUME, 0, 0, "has ended"},
        {CMD_SWITCH, "simclr", 0, "has ended"}, {CMD_CANCEL, 0, 0, "no evaluation"},
        {CMD_SAVE, 0, 0, "saved already"}, {CMD_LINEAR, 0, 6, 0});
    int done = tiny_wait(&t, EV_LINEAR_DONE, 0);
    assert_int_equal(t.events[done].u.linres.step, 6);
    tiny_wait_state(&t, STATE_STOPPED, done);
    assert_int_equal(stop(&t, &e), 0);
    assert_int_equal(engine_post(t.engine, &(struct command){.kind = CMD_SAVE}), 0);
    tiny_free(&t);
}

/* Which of two events comes first. */
static void in_order(struct tiny_engine *t, const int *kinds, size_t n)
{
    int at = 0;
    for (size_t i = 0; i < n; i++)
        at = tiny_wait(t, (enum event_kind)kinds[i], at) + 1;
}

static void events_come_in_order(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("order", NULL);
    struct err e = {0};
    static const int order[] =
        {EV_STATE, EV_PHASE, EV_RUN,        EV_SETUP, EV_ITER, EV_VALID,
         EV_ITER,  EV_VALID, EV_CHECKPOINT, EV_DONE} /* a checkpoint is told of when it is written
                                                      */
    ;
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), 0);
    in_order(&t, order, sizeof order / sizeof *order);
    int64_t giter = 0;
    int states[] = {STATE_PREPARING, STATE_RUNNING, STATE_EVALUATING, STATE_RUNNING,
                    STATE_SAVING,    STATE_RUNNING, STATE_EVALUATING, STATE_RUNNING,
                    STATE_SAVING,    STATE_RUNNING, STATE_STOPPED};
    size_t n_states = 0;
    for (int i = 0; i < t.n; i++) {
        const struct event *ev = &t.events[i];
        assert_int_equal(ev->seq, i);
        assert_false(ev->replayed);
        assert_true(i == 0 || ev->usec >= t.events[i - 1].usec);
        if (ev->kind == EV_ITER) {
            assert_int_equal(ev->u.iter.giter, giter);
            assert_int_equal(ev->u.iter.epoch * 6 + ev->u.iter.iter, giter++);
        }
        if (ev->kind == EV_STATE) {
            assert_true(n_states < sizeof states / sizeof *states);
            assert_int_equal(ev->u.state.state, states[n_states++]);
        }
    }
    assert_int_equal(giter, 12);
    assert_int_equal(n_states, sizeof states / sizeof *states);
    assert_int_equal(tiny_count(&t, EV_CHECKPOINT), 2);
    assert_int_equal(t.events[t.n - 1].kind, EV_DONE);
    assert_int_equal(t.events[t.n - 1].u.done.giter, 12);
    tiny_free(&t);
}

static void a_resumed_run_replays_its_history(void **state)
{
    static const char *const more[] = {"train.max_iters=4", NULL};
    struct tiny_engine t;
    struct engine_options o = tiny_options("history", more), again = {0};
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), 0);
    double loss = t.events[tiny_wait(&t, EV_ITER, 0)].u.iter.loss;
    tiny_free(&t);
    snprintf(again.resume, sizeof again.resume, "%s", o.run_dir);
    tiny_start(&t, &again);
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), 0);
    assert_int_equal(tiny_count(&t, EV_ITER), 4);
    for (int i = 0; i < t.n; i++)
        assert_int_equal(t.events[i].replayed, t.events[i].kind == EV_ITER ||
                                                   t.events[i].kind == EV_VALID ||
                                                   t.events[i].kind == EV_CHECKPOINT);
    assert_true(t.events[tiny_wait(&t, EV_ITER, 0)].u.iter.loss == loss);
    tiny_free(&t);
}

/* Four of six iterations of an epoch: the end of the run is validated as the end of an epoch is,
 * before the last save, so that there is a best. */
static void max_iters_ends_with_a_validation(void **state)
{
    static const char *const more[] = {"train.max_iters=4", "checkpoint.every_iters=1", NULL};
    struct tiny_engine t;
    struct engine_options o = tiny_options("cut-short", more);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), 0);
    assert_int_equal(tiny_count(&t, EV_VALID), 1);
    int valid = tiny_wait(&t, EV_VALID, 0), last = t.n - 1;
    assert_int_equal(t.events[valid].u.valid.giter, 4);
    while (t.events[last].kind != EV_CHECKPOINT)
        last--;
    assert_true(last > valid);
    assert_int_equal(t.events[last].u.ckpt.step, 4);
    assert_true(t.events[last].u.ckpt.best);
    assert_true(t.events[last].u.ckpt.valid_top1 == t.events[valid].u.valid.top1);
    assert_true(t.events[t.n - 1].u.done.best == t.events[valid].u.valid.top1);
    tiny_free(&t);
}

static const char *const exploding[] = {"objective.name=cross-entropy",
                                        "optimizer.lr=1000",
                                        "optimizer.momentum=0.99",
                                        "schedule.warmup_epochs=0",
                                        "train.epochs=100",
                                        "checkpoint.every_epochs=0",
                                        NULL};

static void divergence_stops_a_batch_run(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("diverged", exploding);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), EXIT_DIVERGED);
    assert_int_equal(e.code, EXIT_DIVERGED);
    assert_non_null(strstr(e.msg, "not finite at iteration"));
    const struct event *done = &t.events[t.n - 1];
    char name[40];
    snprintf(name, sizeof name, "step-%08lld", (long long)done->u.done.giter);
    assert_non_null(strstr(done->u.done.ckpt, name));
    assert_true(path_exists(done->u.done.ckpt));
    tiny_free(&t);
}

static void divergence_pauses_a_console(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("paused-nan", exploding);
    struct err e = {0};
    (void)state;
    o.pause_on_nonfinite = o.stay = true;
    tiny_start(&t, &o);
    tiny_run(&t);
    int paused = tiny_wait_state(&t, STATE_PAUSED, 0);
    int log = tiny_wait(&t, EV_LOG, 0);
    while (!strstr(t.events[log].u.log.line, "not finite"))
        log = tiny_wait(&t, EV_LOG, log + 1);
    int iters = tiny_count(&t, EV_ITER);
    ASK(&t, {CMD_RESUME, 0, 0, 0}); /* the same step again, and the same end */
    tiny_wait_state(&t, STATE_PAUSED, paused + 1);
    assert_int_equal(tiny_count(&t, EV_ITER), iters + 1);
    assert_int_equal(stop(&t, &e), 0);
    assert_int_equal(t.events[t.n - 1].u.done.giter, iters - 1);
    tiny_free(&t);
}

static void stopping_gives_the_code_it_was_told(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("again", endless);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    tiny_wait(&t, EV_ITER, 0);
    engine_post(t.engine, &(struct command){.kind = CMD_STOP, .code = EXIT_AGAIN});
    assert_int_equal(tiny_join(&t, &e), EXIT_AGAIN);
    assert_int_equal(tiny_count(&t, EV_CHECKPOINT), 1);
    tiny_free(&t);
}

static void abandoning_saves_nothing(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("abandoned", endless);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    tiny_wait(&t, EV_ITER, 0);
    tiny_post(&t, CMD_ABANDON, NULL, 0);
    assert_int_equal(tiny_join(&t, &e), 0);
    assert_int_equal(tiny_count(&t, EV_CHECKPOINT), 0);
    tiny_free(&t);
}

static void stopping_while_preparing_is_no_failure(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("early", endless);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    engine_post(t.engine, &(struct command){.kind = CMD_STOP, .code = EXIT_AGAIN});
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), EXIT_AGAIN);
    assert_int_equal(e.code, 0);
    assert_int_equal(tiny_count(&t, EV_ITER), 0);
    tiny_free(&t);
}

static void failures_name_their_cause(void **state)
{
    static const char *const nowhere[] = {"data.name=cifar10", "data.path=/nonexistent", NULL};
    static const char *const big[] = {"train.batch_size=1000", NULL};
    static const struct {
        const char *const *more;
        const char *word;
        int code;
    } cases[] = {{nowhere, "/nonexistent", EXIT_NOINPUT}, {big, "train.batch_size", EXIT_CONFIG}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tiny_engine t;
        struct engine_options o = tiny_options("failed", cases[i].more);
        struct err e = {0};
        tiny_start(&t, &o);
        tiny_run(&t);
        assert_int_equal(tiny_join(&t, &e), cases[i].code);
        assert_int_equal(e.code, cases[i].code);
        assert_non_null(strstr(e.msg, cases[i].word));
        tiny_wait_state(&t, STATE_FAILED, 0);
        assert_false(path_exists(o.run_dir)); /* nothing is left of what could not begin */
        tiny_free(&t);
    }
}

/* LINE stands in the run's log behind a time and the word for a warning. */
static void warned_of(const char *dir, const char *line)
{
    char path[PATH_BYTES], *text, want[256];
    size_t n;
    struct err e = {0};
    snprintf(path, sizeof path, "%.900s/run.log", dir);
    snprintf(want, sizeof want, "Z warning: %s", line);
    assert_int_equal(file_read(path, 1 << 20, &text, &n, &e), 0);
    const char *at = strstr(text, want);
    if (!at || at - text < 19)
        fail_msg("run.log lacks \"%s\"; it has: %s", want, text);
    int year, month, day, hour, minute, second;
    assert_int_equal(
        sscanf(at - 19, "%d-%d-%dT%d:%d:%dZ", &year, &month, &day, &hour, &minute, &second), 6);
    assert_null(strstr(at + 1, want)); /* once */
    free(text);
}

/* Also what was said before there was a run directory, and after its end. */
static void warnings_and_refusals_stand_in_the_log(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("noted", endless);
    struct err e = {0};
    (void)state;
    tiny_start(&t, &o);
    log_warn("an early word");
    tiny_post(&t, CMD_SAVE, NULL, 0); /* refused while preparing */
    tiny_run(&t);
    tiny_wait(&t, EV_ITER, 0);
    log_warn("a later word");
    ASK(&t, {CMD_RESUME, 0, 0, "not paused"}, {CMD_SWITCH, "no\nsuch", 0, "no"});
    assert_int_equal(stop(&t, &e), 0);
    tiny_free(&t);
    warned_of(o.run_dir, "an early word\n");
    warned_of(o.run_dir, "a later word\n");
    warned_of(o.run_dir, "refused: save: there is nothing to save yet\n");
    warned_of(o.run_dir, "refused: resume: training is not paused\n");
    warned_of(o.run_dir, "refused: switch: ");
}

/* --- many producers --------------------------------------------------------------------------- */

enum { PRODUCERS = 4, POSTS = 300 };

struct producer {
    pthread_t thread;
    struct engine *engine;
    uint32_t ticket[POSTS];
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < POSTS; i++)
        while (!(p->ticket[i] = engine_post(p->engine, &(struct command){.kind = CMD_CANCEL})))
            sched_yield();
    return NULL;
}

static void every_command_is_answered_once(void **state)
{
    static struct producer producers[PRODUCERS];
    static int answers[PRODUCERS * POSTS + 2];
    struct tiny_engine t;
    struct engine_options o = tiny_options("many", endless);
    struct err e = {0};
    uint32_t last = 0;
    (void)state;
    tiny_start(&t, &o);
    tiny_run(&t);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].engine = t.engine;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0, at = 0; i < PRODUCERS * POSTS; i++)
        at = tiny_wait(&t, EV_ACK, at) + 1;
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    assert_int_equal(stop(&t, &e), 0);
    for (int i = 0; i < t.n; i++)
        if (t.events[i].kind == EV_ACK) {
            assert_in_range(t.events[i].u.ack.ticket, last + 1, PRODUCERS * POSTS + 1);
            last = t.events[i].u.ack.ticket; /* in the order they were posted */
            answers[last]++;
        }
    for (int i = 1; i <= PRODUCERS * POSTS + 1; i++)
        assert_int_equal(answers[i], 1);
    tiny_free(&t);
}

static void the_meter_ignores_pauses_and_one_slow_step(void **state)
{
    struct meter m = {0};
    int64_t now = 1000000;
    (void)state;
    assert_true(isnan(meter_ms(&m)) && isnan(meter_rate(&m, 10)) && isnan(meter_left(&m, 10)));
    for (int i = 0; i < 9; i++) {
        now += 20000;
        meter_step(&m, now, 20);
    }
    meter_break(&m);
    now += 60 * 1000000LL; /* a pause */
    meter_step(&m, now, 20);
    now += 5000000; /* one slow step */
    meter_step(&m, now, 20);
    assert_float_equal(meter_ms(&m), 20, 1e-9);
    assert_float_equal(meter_rate(&m, 64), 3200, 1e-6);
    assert_float_equal(meter_left(&m, 50), 1, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preparing_defers_or_refuses),
        cmocka_unit_test(running_and_paused_answer),
        cmocka_unit_test(an_evaluation_answers_and_lets_go),
        cmocka_unit_test(a_console_stays_after_the_end),
        cmocka_unit_test(events_come_in_order),
        cmocka_unit_test(a_resumed_run_replays_its_history),
        cmocka_unit_test(max_iters_ends_with_a_validation),
        cmocka_unit_test(divergence_stops_a_batch_run),
        cmocka_unit_test(divergence_pauses_a_console),
        cmocka_unit_test(stopping_gives_the_code_it_was_told),
        cmocka_unit_test(abandoning_saves_nothing),
        cmocka_unit_test(stopping_while_preparing_is_no_failure),
        cmocka_unit_test(failures_name_their_cause),
        cmocka_unit_test(warnings_and_refusals_stand_in_the_log),
        cmocka_unit_test(every_command_is_answered_once),
        cmocka_unit_test(the_meter_ignores_pauses_and_one_slow_step),
    };
    return cmocka_run_group_tests(tests, tiny_init, tiny_done);
}
