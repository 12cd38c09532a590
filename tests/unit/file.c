/* Files and folders: whole or not at all, links not followed, places from the environment. */
#include "base/file.h"
#include "temp.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[512];

static const char *in(const char *name)
{
    static char path[4][PATH_BYTES];
    static int next;
    char *p = path[next++ % 4];
    assert_int_equal(path_join(p, dir, name, NULL), 0);
    return p;
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void a_file_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct err e = {0};
    char *text;
    size_t n;
    assert_int_equal(file_replace(in("a"), "one\0two", 7, &e), 0);
    assert_int_equal(file_read(in("a"), 7, &text, &n, &e), 0);
    assert_int_equal(n, 7);
    assert_memory_equal(text, "one\0two", 8);
    free(text);
    assert_int_equal(file_read(in("a"), 6, &text, &n, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    unlink(in("a"));
}

static void replacing_leaves_no_temporary_file(void **state)
{
    (void)state;
    struct err e = {0};
    int before = entries();
    assert_int_equal(file_replace(in("a"), "1", 1, &e), 0);
    assert_int_equal(file_replace(in("a"), "22", 2, &e), 0);
    assert_int_equal(entries(), before + 1);
    unlink(in("a"));
}

static void a_failed_replacement_keeps_the_old_file(void **state)
{
    (void)state;
    static char big[100000];
    struct rlimit old, small;
    struct err e = {0};
    char *text;
    size_t n;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(file_replace(in("a"), "old", 3, &e), 0);
    int before = entries();
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){4096, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    int r = file_replace(in("a"), big, sizeof big, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(r, -1);
    assert_int_equal(e.code, EXIT_IO);
    assert_int_equal(entries(), before);
    assert_int_equal(file_read(in("a"), 100, &text, &n, &e), 0);
    assert_string_equal(text, "old");
    free(text);
    unlink(in("a"));
}

static void missing_things_are_named(void **state)
{
    (void)state;
    struct err e = {0};
    char *text;
    assert_int_equal(file_read(in("absent"), 10, &text, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    assert_non_null(strstr(e.msg, "absent"));
    assert_int_equal(file_read(dir, 10, &text, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    assert_int_equal(file_replace(in("no/folder"), "", 0, &e), -1);
    assert_int_equal(e.code, EXIT_CANTCREATE);
}

static void folders_are_made_with_parents_and_removed_with_contents(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(dir_make(in("x/y/z"), &e), 0);
    assert_int_equal(dir_make(in("x/y/z/"), &e), 0);
    assert_int_equal(file_replace(in("x/y/z/file"), "1", 1, &e), 0);
    assert_int_equal(dir_make(in("x/y/z/file"), &e), -1);
    assert_int_equal(e.code, EXIT_CANTCREATE);
    assert_int_equal(dir_remove(in("x"), &e), 0);
    assert_false(path_exists(in("x")));
    assert_int_equal(dir_remove(in("x"), &e), 0);
}

static void removing_does_not_follow_links(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(dir_make(in("kept"), &e), 0);
    assert_int_equal(file_replace(in("kept/file"), "1", 1, &e), 0);
    assert_int_equal(dir_make(in("gone"), &e), 0);
    assert_int_equal(symlink(in("kept"), in("gone/link")), 0);
    assert_int_equal(dir_remove(in("gone"), &e), 0);
    assert_false(path_exists(in("gone")));
    assert_true(path_exists(in("kept/file")));
    assert_int_equal(dir_remove(in("kept"), &e), 0);
}

static void paths_that_are_too_long_are_refused(void **state)
{
    (void)state;
    struct err e = {0};
    char out[PATH_BYTES], name[PATH_BYTES];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(path_join(out, "/tmp", name, &e), -1);
    assert_int_equal(path_join(out, "/tmp/", "a", &e), 0);
    assert_string_equal(out, "/tmp/a");
    assert_int_equal(path_join(out, "", "a", &e), 0);
    assert_string_equal(out, "a");
}

static void places_come_from_the_environment(void **state)
{
    (void)state;
    struct err e = {0};
    char out[PATH_BYTES];
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(xdg_data(out, "cifar10", &e), 0);
    assert_string_equal(out, "/data/supcon/cifar10");
    assert_int_equal(xdg_data(out, NULL, &e), 0);
    assert_string_equal(out, "/data/supcon");
    setenv("XDG_DATA_HOME", "relative", 1);
    setenv("HOME", "/home/a", 1);
    assert_int_equal(xdg_data(out, "x", &e), 0);
    assert_string_equal(out, "/home/a/.local/share/supcon/x");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(xdg_cache(out, "x", &e), -1);
    assert_non_null(strstr(e.msg, "XDG_CACHE_HOME"));
}

static int set_up(void **state)
{
    (void)state;
    return temp_dir(dir, sizeof dir);
}

static int tear_down(void **state)
{
    (void)state;
    return dir_remove(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_reads_back_as_it_was_written),
        cmocka_unit_test(replacing_leaves_no_temporary_file),
        cmocka_unit_test(a_failed_replacement_keeps_the_old_file),
        cmocka_unit_test(missing_things_are_named),
        cmocka_unit_test(folders_are_made_with_parents_and_removed_with_contents),
        cmocka_unit_test(removing_does_not_follow_links),
        cmocka_unit_test(paths_that_are_too_long_are_refused),
        cmocka_unit_test(places_come_from_the_environment),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
