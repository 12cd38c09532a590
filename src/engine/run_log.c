/* run.log: every diagnostic of a run, with the time, appended by one write(2) per line. */
#include "base/log.h"
#include "engine/run_part.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* One line whatever is in it. */
static size_t one_line(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    text[n] = '\n';
    return n + 1;
}

size_t run_log_format(char text[RUN_LINE_BYTES], enum log_level level, const char *line)
{
    static const char *const word[] = {"", "warning: ", "error: "};
    char stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int n = snprintf(text, RUN_LINE_BYTES, "%s %s%s", stamp, word[level], line);
    return one_line(text, n < RUN_LINE_BYTES - 1 ? (size_t)n : RUN_LINE_BYTES - 1);
}

void run_log_put(const struct run *run, const char *text, size_t n)
{
    struct err ignored; /* a full disk must not stop a run for want of its log */
    file_write_fd(run->log_fd, text, n, RUN_LOG, &ignored);
}

static void keep_line(void *ctx, enum log_level level, const char *line)
{
    char text[RUN_LINE_BYTES];
    run_log_put(ctx, text, run_log_format(text, level, line));
}

int run_log_open(struct run *run, struct err *e)
{
    char path[PATH_BYTES];
    if (path_join(path, run->dir, RUN_LOG, e) < 0)
        return -1;
    run->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (run->log_fd < 0)
        return err_create(e, errno, "cannot write %s", path);
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
