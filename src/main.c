/*
 * supcon: where the process begins and ends. Everything that can go wrong comes back here as an
 * error with its exit code; the numeric locale stays "C", so that recipes, JSON and CSV read and
 * write points.
 */
#include "base/place.h"
#include "cmd/cmd.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * OpenMP threads spin at barriers for a while before they sleep. With libgomp's default, a step
 * takes many times longer as soon as anything else wants a core; after 5000 turns (some
 * microseconds) they sleep, which costs an idle machine nothing measurable. The library reads this
 * once, before main: hence the second start. What the user has set is respected.
 */
static void limit_spinning(char **argv)
{
    char self[4096];
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || setenv("GOMP_SPINCOUNT", "5000", 1) != 0)
        return;
    self[n] = '\0';
    execv(self, argv); /* returns only on failure, and then all is as before */
}

/* Output that did not reach its file is an error; a reader that went away (EPIPE) is not. */
static int close_stdout(int code)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fclose(stdout) != 0)
        failed = true;
    if (!failed || errno == EPIPE)
        return code;
    fprintf(stderr, "supcon: cannot write standard output: %s\n", strerror(errno ? errno : EIO));
    return code ? code : EXIT_IO;
}

int main(int argc, char **argv)
{
    limit_spinning(argv);
    place_terminfo();
    setlocale(LC_CTYPE, "");
    struct err e = {0};
    int code = cmd_main(argc, argv, &e);
    if (code < 0) {
        if (e.msg[0])
            fprintf(stderr, "supcon: %s\n", e.msg);
        code = e.code ? e.code : EXIT_SOFTWARE;
    }
    return close_stdout(code);
}
