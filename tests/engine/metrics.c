/* metrics.jsonl: what is written comes back, resuming cuts exactly the rows after the checkpoint,
 * and a full disk loses nothing. */
#include "base/file.h"
#include "base/log.h"
#include "engine/metrics.h"
#include "engine/metrics_row.h"
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char dir[PATH_BYTES], file[PATH_BYTES];
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    struct err e;
    snprintf(p->dir, sizeof p->dir, "%s/metrics-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(p->dir) || path_join(p->file, p->dir, METRICS_FILE, &e) < 0)
        return -1;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct err e;
    int r = dir_remove(p->dir, &e);
    free(p);
    return r;
}

static struct event iter(int64_t giter, double loss)
{
    struct event ev = {.kind = EV_ITER, .usec = 1700000000000000 + giter};
    ev.u.iter.giter = giter;
    ev.u.iter.epoch = (int32_t)(giter / 10);
    ev.u.iter.epochs = 5;
    ev.u.iter.iter = (int32_t)(giter % 10);
    ev.u.iter.iters = 10;
    ev.u.iter.loss = loss;
    ev.u.iter.acc = 12.5;
    ev.u.iter.probe_acc = NAN;
    ev.u.iter.lr = 0.1;
    ev.u.iter.grad_norm = 1e-3;
    snprintf(ev.u.iter.objective, sizeof ev.u.iter.objective, "supcon");
    return ev;
}

static struct event valid(int64_t giter)
{
    struct event ev = {.kind = EV_VALID};
    ev.u.valid.giter = giter;
    ev.u.valid.top1 = 50;
    ev.u.valid.best = true;
    return ev;
}

static struct event linear(int64_t step)
{
    struct event ev = {.kind = EV_LINEAR_DONE};
    ev.u.linres.step = step;
    ev.u.linres.top1 = 91.25;
    snprintf(ev.u.linres.data, sizeof ev.u.linres.data, "shapes");
    return ev;
}

struct seen {
    int n;
    struct event ev[3000];
};

static void see(void *ctx, const struct event *ev)
{
    struct seen *s = ctx;
    if (s->n < 3000)
        s->ev[s->n] = *ev;
    s->n++;
}

static struct seen *replay(const char *dir)
{
    struct seen *s = calloc(1, sizeof *s);
    struct err e = {0};
    assert_int_equal(metrics_replay(dir, see, s, &e), 0);
    return s;
}

static void write_iters(const char *dir, int64_t from, int64_t to)
{
    struct metrics *m;
    struct err e = {0};
    assert_int_equal(metrics_open(&m, dir, from, from == 0 ? 0 : -1, &e), 0);
    for (int64_t i = from; i < to; i++) {
        struct event ev = iter(i, 1.0 / (double)(i + 1));
        metrics_event(m, &ev);
    }
    metrics_close(m);
}

static void every_iteration_comes_back_as_it_was(void **state)
{
    struct place *p = *state;
    write_iters(p->dir, 0, 2500); /* more than the queue holds */
    struct seen *s = replay(p->dir);
    assert_int_equal(s->n, 2500);
    for (int i = 0; i < s->n; i++) {
        assert_int_equal(s->ev[i].u.iter.giter, i);
        assert_true(s->ev[i].u.iter.loss == 1.0 / (i + 1));
        assert_int_equal(s->ev[i].usec, 1700000000000000 + i);
        assert_true(isnan(s->ev[i].u.iter.probe_acc));
        assert_true(s->ev[i].replayed);
        assert_string_equal(s->ev[i].u.iter.objective, "supcon");
    }
    free(s);
}

static void a_row_has_the_documented_keys(void **state)
{
    (void)state;
    struct event ev = iter(7, (double)2.3781f);
    char *line = metrics_row(&ev);
    json_t *row = json_loads(line, 0, NULL);
    assert_non_null(row);
    assert_string_equal(json_string_value(json_object_get(row, "ev")), "iter");
    assert_int_equal(json_integer_value(json_object_get(row, "giter")), 7);
    assert_true((float)json_number_value(json_object_get(row, "loss")) == 2.3781f);
    assert_true(json_is_null(json_object_get(row, "probe_acc")));
    const char *keys[] = {"acc", "epoch",     "iter",        "objective", "position", "lr",
                          "t",   "grad_norm", "views_per_s", "data_ms",   "step_ms"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(json_object_get(row, keys[i]));
    assert_true(line[strlen(line) - 1] == '\n' && strchr(line, '\n') == line + strlen(line) - 1);
    json_decref(row);
    free(line);
}

static void a_nonfinite_loss_is_null_and_says_which(void **state)
{
    (void)state;
    const double loss[] = {NAN, INFINITY, -INFINITY};
    const char *word[] = {"\"nan\"", "\"inf\"", "\"-inf\""};
    for (int i = 0; i < 3; i++) {
        struct event ev = iter(0, loss[i]), back;
        char *line = metrics_row(&ev);
        assert_non_null(strstr(line, "\"loss\":null"));
        assert_non_null(strstr(line, word[i]));
        assert_true(metrics_parse(line, strlen(line) - 1, &back));
        assert_true(isnan(loss[i]) ? isnan(back.u.iter.loss) : back.u.iter.loss == loss[i]);
        free(line);
    }
}

static void other_events_have_no_row(void **state)
{
    (void)state;
    struct event ev = {.kind = EV_STATE};
    assert_null(metrics_row(&ev));
    ev = iter(1, 1);
    ev.replayed = true;
    assert_null(metrics_row(&ev));
}

static int64_t length_after(const char *dir, int64_t to)
{
    struct metrics *m;
    struct err e = {0};
    int64_t bytes = -1;
    assert_int_equal(metrics_open(&m, dir, 0, 0, &e), 0);
    for (int64_t i = 0; i < to; i++) {
        struct event ev = iter(i, 1);
        metrics_event(m, &ev);
    }
    struct event v = valid(to);
    metrics_event(m, &v);
    assert_int_equal(metrics_flush(m, &bytes, &e), 0);
    for (int64_t i = to; i < to + 5; i++) {
        struct event ev = iter(i, 1);
        metrics_event(m, &ev);
    }
    v = valid(to); /* of a state the checkpoint knows nothing of */
    metrics_event(m, &v);
    v = linear(to);
    metrics_event(m, &v);
    v = linear(to + 5);
    metrics_event(m, &v);
    metrics_close(m);
    return bytes;
}

static void resuming_removes_the_rows_after_the_checkpoint(void **state)
{
    struct place *p = *state;
    struct metrics *m;
    struct err e = {0};
    int64_t bytes = length_after(p->dir, 12);
    struct stat st;
    assert_int_equal(stat(p->file, &st), 0);
    assert_true(st.st_size > bytes);
    assert_int_equal(metrics_open(&m, p->dir, 12, bytes, &e), 0);
    metrics_close(m);
    struct seen *s = replay(p->dir);
    assert_int_equal(s->n, 14); /* 12 iterations, their validation, the checkpoint's evaluation */
    assert_int_equal(s->ev[11].u.iter.giter, 11);
    assert_int_equal(s->ev[12].kind, EV_VALID);
    assert_int_equal(s->ev[13].kind, EV_LINEAR_DONE);
    assert_int_equal(s->ev[13].u.linres.step, 12);
    free(s);
}

static void an_unknown_length_is_found_by_step(void **state)
{
    struct place *p = *state;
    struct metrics *m;
    struct err e = {0};
    length_after(p->dir, 12);
    assert_int_equal(metrics_open(&m, p->dir, 10, 12345678, &e), 0);
    metrics_close(m);
    struct seen *s = replay(p->dir);
    assert_int_equal(s->n, 10);
    assert_int_equal(s->ev[9].u.iter.giter, 9);
    free(s);
}

static void a_torn_last_line_is_dropped(void **state)
{
    struct place *p = *state;
    write_iters(p->dir, 0, 4);
    int fd = open(p->file, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{\"ev\":\"iter\",\"gi", 16), 16);
    close(fd);
    write_iters(p->dir, 4, 6);
    struct seen *s = replay(p->dir);
    assert_int_equal(s->n, 6);
    assert_int_equal(s->ev[5].u.iter.giter, 5);
    free(s);
}

static void quiet(void *ctx, enum log_level level, const char *line)
{
    (void)line;
    *(int *)ctx += level == LOG_WARN;
}

static void a_full_disk_delays_rows_but_loses_none(void **state)
{
    struct place *p = *state;
    struct metrics *m;
    struct err e = {0};
    struct rlimit old, small;
    int warnings = 0, sink = log_add(quiet, &warnings);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){5000, old.rlim_max};
    assert_int_equal(metrics_open(&m, p->dir, 0, 0, &e), 0);
    setrlimit(RLIMIT_FSIZE, &small);
    for (int64_t i = 0; i < 100; i++) {
        struct event ev = iter(i, 1);
        metrics_event(m, &ev);
    }
    assert_int_equal(metrics_flush(m, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_IO);
    assert_non_null(strstr(e.msg, METRICS_FILE));
    assert_int_equal(warnings, 1); /* not one per row */
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(metrics_flush(m, NULL, &e), 0);
    metrics_close(m);
    log_remove(sink);
    struct seen *s = replay(p->dir);
    assert_int_equal(s->n, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(s->ev[i].u.iter.giter, i);
    free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_iteration_comes_back_as_it_was),
        T(a_row_has_the_documented_keys),
        T(a_nonfinite_loss_is_null_and_says_which),
        T(other_events_have_no_row),
        T(resuming_removes_the_rows_after_the_checkpoint),
        T(an_unknown_length_is_found_by_step),
        T(a_torn_last_line_is_dropped),
        T(a_full_disk_delays_rows_but_loses_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
