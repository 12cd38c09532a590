/* What is written to standard output and error while the screen is up. Nothing is asserted before
 * the descriptors are back: the report goes there as well. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tui/capture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lines {
    int n;
    char text[8][600];
};

static void keep(void *ctx, const char *line)
{
    struct lines *l = ctx;
    if (l->n < 8)
        snprintf(l->text[l->n++], sizeof l->text[0], "%s", line);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool put(int fd, const char *text)
{
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static void lines_of_both_streams_are_caught(void **state)
{
    static struct lines l;
    struct capture c;
    struct err e;
    struct stat before[2], after[2];
    (void)state;
    fstat(1, &before[0]);
    fstat(2, &before[1]);
    assert_int_equal(capture_start(&c, &e), 0);
    bool written = put(2, "one\r\ntw") && put(1, "o\n\nthree\n");
    printf("by stdio %d\n", 4);
    capture_read(&c, keep, &l);
    capture_stop(&c);
    fstat(1, &after[0]);
    fstat(2, &after[1]);
    assert_true(written);
    assert_int_equal(l.n, 4);
    assert_string_equal(l.text[0], "one");
    assert_string_equal(l.text[1], "two");
    assert_string_equal(l.text[2], "three");
    assert_string_equal(l.text[3], "by stdio 4");
    assert_true(same_file(&before[0], &after[0]) && same_file(&before[1], &after[1]));
}

static void long_lines_are_cut_into_pieces(void **state)
{
    static struct lines l;
    char text[1200];
    struct capture c;
    struct err e;
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(capture_start(&c, &e), 0);
    bool written = put(2, text) && put(2, "\n");
    capture_read(&c, keep, &l);
    capture_stop(&c);
    assert_true(written);
    assert_int_equal(l.n, 3);
    assert_int_equal(strlen(l.text[0]) + strlen(l.text[1]) + strlen(l.text[2]), 1199);
}

/* a library that prints must not stop training because nobody reads */
static void a_full_pipe_does_not_hold_the_writer(void **state)
{
    static char text[65536];
    static struct lines l;
    struct capture c;
    struct err e;
    (void)state;
    memset(text, '\n', sizeof text);
    assert_int_equal(capture_start(&c, &e), 0);
    int refused = 0;
    for (int i = 0; i < 100; i++)
        refused += write(2, text, sizeof text) != (ssize_t)sizeof text;
    capture_read(&c, keep, &l);
    capture_stop(&c);
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_both_streams_are_caught),
        cmocka_unit_test(long_lines_are_cut_into_pieces),
        cmocka_unit_test(a_full_pipe_does_not_hold_the_writer),
    };
    alarm(60);
    return cmocka_run_group_tests_name("tui/capture", tests, NULL, NULL);
}
