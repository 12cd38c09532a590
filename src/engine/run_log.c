/* run.log: every diagnostic of a run, with the time, appended by one write(2) per line. */
#include "base/log.h"
#include "engine/run_part.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void keep_line(void *ctx, enum log_level level, const char *line)
{
    static const char *const word[] = {"", "warning: ", "error: "};
    const struct run *run = ctx;
    char text[1400], stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int n = snprintf(text, sizeof text, "%s %s%s\n", stamp, word[level], line);
    if (n >= (int)sizeof text)
        n = (int)sizeof text - 1;
    struct err ignored; /* a full disk must not stop a run for want of its log */
    file_write_fd(run->log_fd, text, (size_t)n, RUN_LOG, &ignored);
}

int run_log_open(struct run *run, struct err *e)
{
    char path[PATH_BYTES];
    if (path_join(path, run->dir, RUN_LOG, e) < 0)
        return -1;
    run->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (run->log_fd < 0)
        return err_errno(e, 0, errno, "cannot write %s", path);
    run->log_sink = log_add(keep_line, run);
    return 0;
}

void run_log_close(struct run *run)
{
    if (run->log_fd < 0)
        return;
    log_remove(run->log_sink);
    close(run->log_fd);
    run->log_fd = run->log_sink = -1;
}
