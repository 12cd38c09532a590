/*
 * See place.h. The executable is asked from /proc, so that neither the working directory nor the
 * name it was called by matters.
 */
#include "base/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int place_executable(char out[PATH_BYTES], struct err *e)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
    if (n <= 0 || n == PATH_BYTES - 1)
        return err_set(e, EXIT_OS, "/proc/self/exe does not tell where the program is");
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        slash[slash == out] = '\0';
    return 0;
}

/* PREFIX/`below` if the executable is PREFIX/bin/NAME and that folder exists. */
static bool beside(char out[PATH_BYTES], const char *below)
{
    char dir[PATH_BYTES];
    struct err e = {0};
    if (place_executable(dir, &e) != 0)
        return false;
    size_t n = strlen(dir);
    if (n < 5 || strcmp(dir + n - 4, "/bin") != 0)
        return false;
    dir[n - 4] = '\0';
    return path_join(out, dir, below, &e) == 0 && path_exists(out);
}

static int place(char out[PATH_BYTES], const char *below, const char *configured, const char *name,
                 struct err *e)
{
    char dir[PATH_BYTES];
    return path_join(out, beside(dir, below) ? dir : configured, name, e);
}

int place_data(char out[PATH_BYTES], const char *name, struct err *e)
{
    return place(out, "share/supcon", SUPCON_DATADIR, name, e);
}

int place_module(char out[PATH_BYTES], const char *name, struct err *e)
{
    return place(out, "lib/supcon", SUPCON_LIBDIR, name, e);
}

/* An empty element stands for the places the library was built with. */
void place_terminfo(void)
{
    char dir[PATH_BYTES], list[2 * PATH_BYTES];
    const char *given = getenv("TERMINFO_DIRS");
    if (!beside(dir, "share/terminfo"))
        return;
    snprintf(list, sizeof list, "%.*s:%s", PATH_BYTES - 1, given ? given : "", dir);
    setenv("TERMINFO_DIRS", list, 1);
}
