/*
 * The last save of a run cannot be made: a file stands where the folder of checkpoints was. Alone,
 * the run tries again for a while; with a person, it waits for a word.
 */
#include "tests/engine/tiny.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const patient[] = {"train.epochs=5000", "checkpoint.every_epochs=0",
                                      "checkpoint.retry_seconds=60", NULL};
static const char *const brief[] = {"train.max_iters=2", "checkpoint.every_epochs=0",
                                    "checkpoint.retry_seconds=1", NULL};

static const char *folder(const struct engine_options *o)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.900s/checkpoints", o->run_dir);
    return path;
}

static void block(const struct engine_options *o)
{
    struct err e = {0};
    assert_int_equal(dir_remove(folder(o), &e), 0);
    assert_int_equal(file_replace(folder(o), "x", 1, &e), 0);
}

static void unblock(const struct engine_options *o)
{
    assert_int_equal(unlink(folder(o)), 0);
}

/* Runs, and is blocked before anything was saved. */
static void begin(struct tiny_engine *t, const struct engine_options *o)
{
    tiny_start(t, o);
    tiny_run(t);
    tiny_wait(t, EV_ITER, 0);
    block(o);
}

static void stop_with(struct tiny_engine *t, int code)
{
    assert_int_not_equal(engine_post(t->engine, &(struct command){.kind = CMD_STOP, .code = code}),
                         0);
}

static bool has_saved(const struct engine_options *o, int64_t step)
{
    char path[PATH_BYTES];
    struct checkpoint_state s;
    struct err e = {0};
    return checkpoint_latest(folder(o), path, &e) == 0 &&
           checkpoint_read(path, &s, NULL, NULL, &e) == 0 && s.step == step;
}

static void alone_it_tries_again_until_there_is_room(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("room", patient);
    struct err e = {0};
    (void)state;
    begin(&t, &o);
    stop_with(&t, EXIT_AGAIN);
    int failed = tiny_wait(&t, EV_SAVE_FAILED, 0);
    tiny_wait(&t, EV_SAVE_FAILED, failed + 1);
    unblock(&o);
    assert_int_equal(tiny_join(&t, &e), EXIT_AGAIN);
    assert_int_equal(tiny_count(&t, EV_CHECKPOINT), 1);
    assert_true(has_saved(&o, t.events[t.n - 1].u.done.giter));
    tiny_free(&t);
}

static void alone_it_gives_up_in_the_end(void **state)
{
    static const char *const short_time[] = {"train.epochs=5000", "checkpoint.every_epochs=0",
                                             "checkpoint.retry_seconds=1", NULL};
    struct tiny_engine t;
    struct engine_options o = tiny_options("no-room", short_time);
    struct err e = {0};
    (void)state;
    begin(&t, &o);
    stop_with(&t, EXIT_AGAIN);
    int rc = tiny_join(&t, &e);
    assert_true(rc != 0 && rc != EXIT_AGAIN && rc == e.code);
    assert_non_null(strstr(e.msg, "the last step could not be saved"));
    assert_int_equal(tiny_count(&t, EV_CHECKPOINT), 0);
    assert_true(tiny_count(&t, EV_SAVE_FAILED) >= 3);
    for (int i = tiny_wait_state(&t, STATE_FAILED, 0) - 1; i < t.n; i++)
        assert_int_not_equal(t.events[i].kind, EV_SAVE_FAILED); /* having given up, not once more */
    tiny_free(&t);
}

static void giving_up_ends_the_waiting(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("given-up", patient);
    struct err e = {0};
    (void)state;
    begin(&t, &o);
    stop_with(&t, 0);
    tiny_wait(&t, EV_SAVE_FAILED, 0);
    uint32_t pause = tiny_post(&t, CMD_PAUSE, NULL, 0);
    assert_non_null(strstr(tiny_ack(&t, pause)->u.ack.reason, "the run is ending"));
    tiny_post(&t, CMD_ABANDON, NULL, 0);
    assert_int_equal(tiny_join(&t, &e), 0);
    tiny_free(&t);
}

/* As a console has it: the person has quit, and the process is still there. */
static void a_console_keeps_the_state_until_it_is_saved(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("kept", patient);
    struct err e = {0};
    (void)state;
    o.stay = true;
    begin(&t, &o);
    stop_with(&t, 0);
    int stopped = tiny_wait_state(&t, STATE_STOPPED, 0);
    int told = stopped;
    while (t.events[told].kind != EV_SAVE_FAILED)
        told--;
    assert_non_null(strstr(t.events[told].u.text, "make room"));
    uint32_t save = tiny_post(&t, CMD_SAVE, NULL, 0);
    assert_true(tiny_ack(&t, save)->u.ack.accepted);
    tiny_wait(&t, EV_SAVE_FAILED, stopped);
    unblock(&o);
    tiny_post(&t, CMD_SAVE, NULL, 0);
    assert_int_equal(tiny_join(&t, &e), 0); /* saved, it ends, as it was told to */
    assert_true(has_saved(&o, t.events[t.n - 1].u.done.giter));
    tiny_free(&t);
}

static void a_console_whose_training_ended_stays_after_the_save(void **state)
{
    struct tiny_engine t;
    struct engine_options o = tiny_options("stays", brief);
    struct err e = {0};
    (void)state;
    o.stay = true;
    tiny_start(&t, &o);
    uint32_t pause = tiny_post(&t, CMD_PAUSE, NULL, 0);
    tiny_run(&t);
    assert_true(tiny_ack(&t, pause)->u.ack.accepted);
    block(&o);
    tiny_post(&t, CMD_RESUME, NULL, 0);
    int stopped = tiny_wait_state(&t, STATE_STOPPED, 0);
    unblock(&o);
    tiny_post(&t, CMD_SAVE, NULL, 0);
    int saved = tiny_wait(&t, EV_CHECKPOINT, stopped);
    tiny_wait_state(&t, STATE_STOPPED, saved);
    assert_int_equal(tiny_count(&t, EV_DONE), 0);
    stop_with(&t, 0);
    assert_int_equal(tiny_join(&t, &e), 0);
    assert_true(has_saved(&o, 2));
    tiny_free(&t);
}

/* SIGTERM to a console: nobody will come. */
static void a_signal_to_a_waiting_console_ends_it(void **state)
{
    static const char *const more[] = {"train.epochs=5000", "checkpoint.every_epochs=0",
                                       "checkpoint.retry_seconds=1", NULL};
    struct tiny_engine t;
    struct engine_options o = tiny_options("signalled", more);
    struct err e = {0};
    (void)state;
    o.stay = true;
    begin(&t, &o);
    stop_with(&t, 0);
    tiny_wait_state(&t, STATE_STOPPED, 0);
    stop_with(&t, EXIT_AGAIN);
    int rc = tiny_join(&t, &e);
    assert_int_not_equal(rc, 0);
    assert_int_equal(rc, e.code);
    tiny_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_it_tries_again_until_there_is_room),
        cmocka_unit_test(alone_it_gives_up_in_the_end),
        cmocka_unit_test(giving_up_ends_the_waiting),
        cmocka_unit_test(a_console_keeps_the_state_until_it_is_saved),
        cmocka_unit_test(a_console_whose_training_ended_stays_after_the_save),
        cmocka_unit_test(a_signal_to_a_waiting_console_ends_it),
    };
    return cmocka_run_group_tests(tests, tiny_init, tiny_done);
}
