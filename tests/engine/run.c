/* Run directories: what makes one, who may write, what is refused and how it is said. */
#include "base/log.h"
#include "engine/checkpoint.h"
#include "engine/run.h"
#include "small_net.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char dir[PATH_BYTES], run[PATH_BYTES];
    struct settings settings;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    struct err e;
    snprintf(p->dir, sizeof p->dir, "%s/run-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    *state = p;
    if (!mkdtemp(p->dir) || path_join(p->run, p->dir, "my-run", &e) < 0)
        return -1;
    conf_defaults(settings_table, &p->settings, NULL);
    snprintf(p->settings.run.runs, sizeof p->settings.run.runs, "%s/runs", p->dir);
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

static char *contents(const char *dir, const char *name)
{
    char path[PATH_BYTES], *text;
    struct err e = {0};
    path_join(path, dir, name, &e);
    if (file_read(path, 1 << 20, &text, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    return text;
}

static void create(struct place *p, struct run *run)
{
    struct err e = {0};
    if (run_create(run, &p->settings, "conf/quickstart.cfg", p->run, &e) < 0)
        fail_msg("%s", e.msg);
}

static void a_new_run_says_what_it_is(void **state)
{
    struct place *p = *state;
    struct run run;
    create(p, &run);
    assert_string_equal(run.name, "quickstart");
    assert_true(run_is(p->run));
    char *text = contents(p->run, "run.json");
    json_t *id = json_loads(text, 0, NULL);
    const char *keys[] = {"version", "uuid",   "started", "host",
                          "device",  "recipe", "parent",  "libraries"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(json_object_get(id, keys[i]));
    assert_int_equal(strlen(json_string_value(json_object_get(id, "uuid"))), 36);
    json_decref(id);
    free(text);
    run_close(&run);
}

static void a_generated_name_holds_the_time_and_is_never_reused(void **state)
{
    struct place *p = *state;
    struct run a, b;
    struct err e = {0};
    assert_int_equal(run_create(&a, &p->settings, "x/fast.cfg", "", &e), 0);
    assert_int_equal(run_create(&b, &p->settings, "x/fast.cfg", "", &e), 0);
    assert_string_not_equal(a.dir, b.dir);
    const char *leaf = strrchr(a.dir, '/') + 1;
    assert_int_equal(strncmp(leaf, "fast-20", 7), 0);
    assert_int_equal(strspn(leaf + 5, "0123456789-"), 15);
    run_close(&a);
    run_close(&b);
}

static void the_config_gives_the_settings_back_from_anywhere(void **state)
{
    struct place *p = *state;
    struct run run;
    struct err e = {0};
    struct settings *back = calloc(1, sizeof *back);
    char cwd[PATH_BYTES];
    assert_non_null(getcwd(cwd, sizeof cwd));
    p->settings.run.seed = 1234567;
    snprintf(p->settings.data.path, sizeof p->settings.data.path, "some/data");
    create(p, &run);
    run_close(&run);
    assert_int_equal(run_settings(p->run, back, &e), 0);
    assert_int_equal(back->run.seed, 1234567);
    assert_int_equal(strncmp(back->data.path, cwd, strlen(cwd)), 0);
    assert_non_null(strstr(back->data.path, "/some/data"));
    free(back);
}

static void log_lines_are_kept_in_the_run(void **state)
{
    struct place *p = *state;
    struct run run;
    create(p, &run);
    log_warn("the answer is %d", 42);
    run_close(&run);
    char *text = contents(p->run, "run.log");
    assert_non_null(strstr(text, "warning: the answer is 42\n"));
    free(text);
}

static void expect_refused(struct place *p, const char *dir, int code, const char *word)
{
    struct run run;
    struct err e = {0};
    assert_int_equal(run_create(&run, &p->settings, "", dir, &e), -1);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word) || !strstr(e.msg, dir))
        fail_msg("'%s' does not name '%s' and '%s'", e.msg, word, dir);
    run_close(&run);
}

static void an_existing_run_is_not_overwritten(void **state)
{
    struct place *p = *state;
    struct run run;
    create(p, &run);
    run_close(&run);
    expect_refused(p, p->run, EXIT_CANTCREATE, "--resume");
}

static void other_peoples_files_are_left_alone(void **state)
{
    struct place *p = *state;
    char path[PATH_BYTES];
    struct err e = {0};
    assert_int_equal(dir_make(p->run, &e), 0);
    path_join(path, p->run, "thesis.tex", &e);
    assert_int_equal(file_replace(path, "x", 1, &e), 0);
    expect_refused(p, p->run, EXIT_CANTCREATE, "not empty");
    expect_refused(p, path, EXIT_CANTCREATE, "not a folder");
}

static void an_empty_folder_is_taken(void **state)
{
    struct place *p = *state;
    struct run run;
    struct err e = {0};
    assert_int_equal(dir_make(p->run, &e), 0);
    create(p, &run);
    run_close(&run);
}

static void what_a_killed_start_left_is_taken_over(void **state)
{
    struct place *p = *state;
    struct run run;
    char path[PATH_BYTES];
    struct err e = {0};
    create(p, &run);
    run_close(&run);
    path_join(path, p->run, "run.json", &e);
    unlink(path);
    create(p, &run);
    run_close(&run);
}

static void a_place_that_cannot_be_written_is_said(void **state)
{
    struct place *p = *state;
    expect_refused(p, "/proc/no/such/run", EXIT_CANTCREATE, "/proc");
}

/* Another process holds the run until told to go. */
static pid_t hold(const char *dir, int *go)
{
    int ready[2], leave[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(leave), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct run run;
        struct settings *s = calloc(1, sizeof *s);
        struct err e = {0};
        c = run_open(&run, dir, s, &e) == 0 ? 'y' : 'n';
        if (write(ready[1], &c, 1) != 1 || read(leave[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    *go = leave[1];
    close(ready[0]);
    close(ready[1]);
    close(leave[0]);
    return pid;
}

static void a_second_process_is_told_who_writes(void **state)
{
    struct place *p = *state;
    struct run run;
    struct err e = {0};
    char who[128], pid_text[32];
    int go;
    create(p, &run);
    run_close(&run);
    assert_false(run_busy(p->run, who, sizeof who));
    pid_t pid = hold(p->run, &go);
    snprintf(pid_text, sizeof pid_text, "process %ld on ", (long)pid);
    assert_true(run_busy(p->run, who, sizeof who));
    assert_int_equal(strncmp(who, pid_text, strlen(pid_text)), 0);
    assert_int_equal(run_open(&run, p->run, &p->settings, &e), -1);
    assert_int_equal(e.code, EXIT_CANTCREATE);
    assert_non_null(strstr(e.msg, pid_text));
    expect_refused(p, p->run, EXIT_CANTCREATE, pid_text);
    kill(pid, SIGKILL); /* a killed holder frees it */
    waitpid(pid, NULL, 0);
    close(go);
    assert_int_equal(run_open(&run, p->run, &p->settings, &e), 0);
    run_close(&run);
}

static void what_is_no_run_cannot_be_resumed(void **state)
{
    struct place *p = *state;
    struct run run;
    struct err e = {0};
    assert_int_equal(run_open(&run, p->dir, &p->settings, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    assert_non_null(strstr(e.msg, "config.cfg"));
}

static void a_damaged_config_is_named(void **state)
{
    struct place *p = *state;
    struct run run;
    struct err e = {0};
    char path[PATH_BYTES];
    create(p, &run);
    run_close(&run);
    path_join(path, p->run, "config.cfg", &e);
    assert_int_equal(file_replace(path, "seed = = 3;\n", 12, &e), 0);
    assert_int_equal(run_open(&run, p->run, &p->settings, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "config.cfg:1"));
}

static void runs_are_listed_last_changed_first(void **state)
{
    struct place *p = *state;
    struct run a, b;
    struct err e = {0};
    struct run_entry *list;
    struct small_net net;
    struct checkpoint_saved saved;
    int n;
    assert_int_equal(run_list(p->settings.run.runs, &list, &n, &e), 0);
    assert_int_equal(n, 0);
    snprintf(p->settings.objective.name, sizeof p->settings.objective.name, "simclr");
    assert_int_equal(run_create(&a, &p->settings, "a.cfg", "", &e), 0);
    assert_int_equal(run_create(&b, &p->settings, "b.cfg", "", &e), 0);
    assert_int_equal(small_net_init(&net, 6, &e), 0);
    assert_int_equal(small_net_save(&net, a.checkpoints, 12, 3, &saved, &e), 0);
    small_net_done(&net);
    char metrics[PATH_BYTES];
    path_join(metrics, a.dir, "metrics.jsonl", &e);
    assert_int_equal(file_replace(metrics, "", 0, &e), 0);
    struct timespec later[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = 4000000000}};
    assert_int_equal(utimensat(AT_FDCWD, metrics, later, 0), 0);
    run_close(&b);
    assert_int_equal(run_list(p->settings.run.runs, &list, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].dir, a.dir);
    assert_int_equal(list[0].step, 12);
    assert_int_equal(list[1].step, -1);
    assert_true(list[0].busy);
    assert_false(list[1].busy);
    assert_string_equal(list[0].arch, p->settings.model.arch);
    assert_string_equal(list[0].objective, "supcon"); /* its checkpoint's: it was switched */
    assert_string_equal(list[1].objective, "simclr");
    free(list);
    run_close(&a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_new_run_says_what_it_is),
        T(a_generated_name_holds_the_time_and_is_never_reused),
        T(the_config_gives_the_settings_back_from_anywhere),
        T(log_lines_are_kept_in_the_run),
        T(an_existing_run_is_not_overwritten),
        T(other_peoples_files_are_left_alone),
        T(an_empty_folder_is_taken),
        T(what_a_killed_start_left_is_taken_over),
        T(a_place_that_cannot_be_written_is_said),
        T(a_second_process_is_told_who_writes),
        T(what_is_no_run_cannot_be_resumed),
        T(a_damaged_config_is_named),
        T(runs_are_listed_last_changed_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
