/* Text compared with a file; see expect.h. */
#include "expect.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void generate(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        fail_msg("cannot write %s", path);
}

static int same_line(const char *a, const char *b)
{
    size_t n = strcspn(a, "\n");
    return n == strcspn(b, "\n") && strncmp(a, b, n) == 0;
}

static void compare(const char *path, const char *got, const char *want)
{
    for (int line = 1; *got || *want; line++) {
        if (!same_line(got, want)) {
            print_error("%s:%d\n  expected |%.*s|\n  drawn    |%.*s|\n", path, line,
                        (int)strcspn(want, "\n"), want, (int)strcspn(got, "\n"), got);
            fail_msg("the screen is not as in %s (GENERATE=1 rewrites it)", path);
        }
        got += strcspn(got, "\n");
        want += strcspn(want, "\n");
        got += *got == '\n';
        want += *want == '\n';
    }
}

void expect_file(const char *name, const char *text)
{
    char path[1024], *want;
    size_t n;
    struct err e;
    const char *top = getenv("SUPCON_SRCDIR");
    snprintf(path, sizeof path, "%s/tests/tui/expected/%s", top ? top : ".", name);
    if (getenv("GENERATE")) {
        generate(path, text);
        return;
    }
    if (file_read(path, 1 << 20, &want, &n, &e) != 0)
        fail_msg("%s", e.msg);
    compare(path, text, want);
    free(want);
}
