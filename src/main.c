/*
 * supcon: where the process begins and ends. Everything that can go wrong comes back here as an
 * error with its exit code; the numeric locale stays "C", so that recipes, JSON and CSV read and
 * write points.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

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
