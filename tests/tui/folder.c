/* What happens in a run's folder beside the console reaches its list of checkpoints. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tui/folder.h"

#include "base/file.h"
#include "engine/linear.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char run[PATH_BYTES];
static struct model model;
static struct folder folder;
static int n_events;
static int64_t now;

static void found(void *ctx, const struct event *e)
{
    assert_ptr_equal(ctx, &model);
    assert_true(e->replayed); /* no message, no end of a running evaluation */
    n_events++;
    model_event(&model, e);
}

static void look(void)
{
    now += 3000000;
    folder_look(&folder, &model, now, found, &model);
}

static void make(const char *name)
{
    char path[PATH_BYTES];
    struct err e;
    assert_int_equal(path_join(path, run, name, &e), 0);
    assert_int_equal(dir_make(path, &e), 0);
}

static void checkpoint(int64_t step)
{
    struct event e = {.kind = EV_CHECKPOINT, .replayed = true};
    e.u.ckpt.step = step;
    model_event(&model, &e);
}

static void result(int64_t step, double top1)
{
    struct linear_result r = {.step = step, .top1 = top1, .top5 = 99};
    char name[64], path[PATH_BYTES];
    struct err e;
    char *json = linear_json(&r);
    snprintf(name, sizeof name, "linear/step-%08lld.json", (long long)step);
    assert_int_equal(path_join(path, run, name, &e), 0);
    assert_int_equal(file_replace(path, json, strlen(json), &e), 0);
    free(json);
}

static int set_up(void **state)
{
    struct event e = {.kind = EV_RUN};
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(run, sizeof run, "%s/supcon-folder-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(run))
        return -1;
    make("checkpoints");
    make("checkpoints/step-00000200");
    model_init(&model);
    snprintf(e.u.run.dir, sizeof e.u.run.dir, "%s", run);
    model_event(&model, &e);
    checkpoint(100);
    checkpoint(200);
    folder = (struct folder){0};
    n_events = 0;
    return 0;
}

static int tear_down(void **state)
{
    struct err ignored;
    (void)state;
    return dir_remove(run, &ignored);
}

static void checkpoints_that_are_gone_are_marked(void **state)
{
    (void)state;
    look();
    assert_true(model_checkpoint(&model, 100)->pruned);
    assert_false(model_checkpoint(&model, 200)->pruned);
    assert_int_equal(n_events, 1);
    look();
    assert_int_equal(n_events, 1);
}

static void results_made_beside_the_console_appear(void **state)
{
    (void)state;
    look();
    make("linear");
    result(200, 91.25);
    look();
    assert_true(model_checkpoint(&model, 200)->linear1 == 91.25);
    result(200, 92.5); /* evaluated again, otherwise */
    look();
    assert_true(model_checkpoint(&model, 200)->linear1 == 92.5);
    int n = n_events;
    result(200, 92.5);
    look();
    assert_int_equal(n_events, n); /* nothing new */
}

static void a_damaged_result_is_passed_over(void **state)
{
    char path[PATH_BYTES];
    struct err e;
    (void)state;
    make("linear");
    assert_int_equal(path_join(path, run, "linear/step-00000200.json", &e), 0);
    assert_int_equal(file_replace(path, "{\"step\":200}", 12, &e), 0);
    look();
    assert_true(isnan(model_checkpoint(&model, 200)->linear1));
}

static void nothing_is_looked_at_too_often_or_while_evaluating(void **state)
{
    struct event e = {.kind = EV_STATE};
    (void)state;
    e.u.state.state = STATE_EVALUATING;
    e.u.state.linear = true;
    model_event(&model, &e);
    look();
    assert_int_equal(n_events, 0);
    e.u.state.linear = false;
    model_event(&model, &e);
    look();
    assert_int_equal(n_events, 1);
    make("linear");
    result(200, 91);
    folder_look(&folder, &model, now + 1000, found, &model);
    assert_int_equal(n_events, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checkpoints_that_are_gone_are_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(results_made_beside_the_console_appear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_result_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_looked_at_too_often_or_while_evaluating, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("tui/folder", tests, NULL, NULL);
}
