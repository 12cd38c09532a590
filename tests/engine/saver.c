/* Saving beside training: what is written is the state at the time of asking. */
#include "engine/saver.h"
#include "small_net.h"

#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[PATH_BYTES], checkpoints[PATH_BYTES + 16];
    struct small_net s;
    struct metrics *metrics;
    struct saver *saver;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    struct err e = {0};
    snprintf(p->dir, sizeof p->dir, "%s/saver-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    *state = p;
    if (!mkdtemp(p->dir) || small_net_init(&p->s, 6, &e) != 0)
        return -1;
    snprintf(p->checkpoints, sizeof p->checkpoints, "%s/checkpoints", p->dir);
    return metrics_open(&p->metrics, p->dir, 0, 0, &e) || saver_new(&p->saver, &p->s.net, &e);
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct err e;
    saver_free(p->saver);
    metrics_close(p->metrics);
    small_net_done(&p->s);
    int r = dir_remove(p->dir, &e);
    free(p);
    return r;
}

static void begin(struct place *p, int64_t step)
{
    struct err e = {0};
    struct checkpoint_state state = small_net_state(step);
    struct checkpoint_source source = {.dir = p->checkpoints,
                                       .net = &p->s.net,
                                       .settings = &p->s.settings,
                                       .state = &state,
                                       .keep = 5};
    small_net_fill(&p->s, step);
    if (saver_start(p->saver, &source, p->metrics, &e) != 0)
        fail_msg("%s", e.msg);
}

static bool holds(const char *path, int64_t step)
{
    struct small_net other;
    struct err e = {0};
    assert_int_equal(small_net_init(&other, 6, &e), 0);
    if (checkpoint_restore(path, &other.net, &e) != 0)
        fail_msg("%s", e.msg);
    bool same = small_net_equals(&other, step);
    small_net_done(&other);
    return same;
}

/* The network, the state and the settings' owner go on at once. */
static void what_changes_after_the_copy_is_not_saved(void **state)
{
    struct place *p = *state;
    struct save_result r;
    begin(p, 7);
    small_net_fill(&p->s, 8);
    p->s.net.live[GROUP_FC] = true;
    assert_true(saver_busy(p->saver));
    assert_true(saver_take(p->saver, true, &r));
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.saved.step, 7);
    assert_int_equal(r.state.step, 7);
    assert_false(saver_busy(p->saver));
    assert_true(holds(r.saved.path, 7));
    assert_true(small_net_equals(&p->s, 8)); /* saving changed nothing */
}

static void the_file_is_the_one_a_direct_save_writes(void **state)
{
    struct place *p = *state;
    struct save_result r;
    struct checkpoint_saved direct;
    struct err e = {0};
    char other[PATH_BYTES + 16], a[2 * PATH_BYTES], b[2 * PATH_BYTES];
    static const char *const files[] = {"model.safetensors", "train.safetensors"};
    begin(p, 3);
    assert_true(saver_take(p->saver, true, &r));
    snprintf(other, sizeof other, "%s/direct", p->dir);
    assert_int_equal(small_net_save(&p->s, other, 3, 5, &direct, &e), 0);
    for (int i = 0; i < 2; i++) {
        char *x, *y;
        size_t n, m;
        snprintf(a, sizeof a, "%s/%s", r.saved.path, files[i]);
        snprintf(b, sizeof b, "%s/%s", direct.path, files[i]);
        assert_int_equal(file_read(a, 1 << 24, &x, &n, &e), 0);
        assert_int_equal(file_read(b, 1 << 24, &y, &m, &e), 0);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
        free(x);
        free(y);
    }
}

static void results_come_by_descriptor_and_once(void **state)
{
    struct place *p = *state;
    struct save_result r;
    struct pollfd fd = {.fd = saver_fd(p->saver), .events = POLLIN};
    assert_false(saver_take(p->saver, true, &r)); /* nothing was asked for: nothing to wait for */
    assert_int_equal(poll(&fd, 1, 0), 0);
    for (int64_t step = 1; step <= 3; step++) {
        begin(p, step);
        assert_int_equal(poll(&fd, 1, 20000), 1);
        assert_true(saver_take(p->saver, false, &r));
        assert_int_equal(r.saved.step, step);
        assert_int_equal(poll(&fd, 1, 0), 0);
        assert_false(saver_take(p->saver, false, &r));
    }
}

/* A file stands where the folder should be. */
static void a_failure_is_a_result_and_the_next_may_succeed(void **state)
{
    struct place *p = *state;
    struct save_result r;
    struct err e = {0};
    assert_int_equal(file_replace(p->checkpoints, "x", 1, &e), 0);
    begin(p, 1);
    assert_true(saver_take(p->saver, true, &r));
    assert_int_equal(r.rc, -1);
    assert_non_null(strstr(r.err.msg, "checkpoints"));
    assert_int_equal(unlink(p->checkpoints), 0);
    begin(p, 1);
    assert_true(saver_take(p->saver, true, &r));
    assert_int_equal(r.rc, 0);
    assert_true(holds(r.saved.path, 1));
}

static void ending_waits_for_the_writer(void **state)
{
    struct place *p = *state;
    struct err e = {0};
    char path[PATH_BYTES];
    begin(p, 9);
    saver_free(p->saver);
    p->saver = NULL;
    assert_int_equal(checkpoint_latest(p->checkpoints, path, &e), 0);
    assert_true(holds(path, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_changes_after_the_copy_is_not_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(the_file_is_the_one_a_direct_save_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(results_come_by_descriptor_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_a_result_and_the_next_may_succeed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ending_waits_for_the_writer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
