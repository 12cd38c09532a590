/*
 * supcon: where the process begins and ends. Everything that can go wrong comes back here as an
 * error with its exit code; the numeric locale stays "C", so that recipes, JSON and CSV read and
 * write points.
 */
#include "base/place.h"
#include "base/signals.h"
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
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

/*
 * A standard stream that is closed would be opened again by the next file, which then is written
 * over by messages. This one fails with "Bad file descriptor", as the closed one would.
 */
static void fill_streams(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY}; /* the useless way */
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
            return;
}

/* Output is kept until the end (a command prints little), so that a failure is seen with its
 * reason; a terminal sees lines at once. */
static void hold_output(void)
{
    static char held[1 << 18];
    if (!isatty(STDOUT_FILENO))
        setvbuf(stdout, held, _IOFBF, sizeof held);
}

/* Output that did not reach its file is an error. When its reader went away, the process ends as
 * any tool of a pipeline, by SIGPIPE, also where that is ignored. */
static int close_stdout(int code)
{
    errno = 0;
    bool failed = ferror(stdout) != 0;
    int reason = fclose(stdout) != 0 ? errno : 0;
    if (!failed && !reason)
        return code;
    if (reason == EPIPE)
        signals_die(SIGPIPE);
    fprintf(stderr, "supcon: cannot write standard output: %s\n",
            reason ? strerror(reason) : "an earlier write failed");
    return code ? code : EXIT_IO;
}

int main(int argc, char **argv)
{
    limit_spinning(argv);
    fill_streams();
    hold_output();
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
