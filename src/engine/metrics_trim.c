/*
 * metrics.jsonl read from the outside: cut back to a checkpoint's history when a run is resumed,
 * and played back for the curves.
 */
#include "base/file.h"
#include "base/log.h"
#include "engine/metrics.h"
#include "engine/metrics_row.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t READ_CAP = (size_t)4 << 30;

/* The length at the checkpoint is trusted when a line ends there. */
static bool is_boundary(int fd, int64_t offset, int64_t size)
{
    char c;
    if (offset < 0 || offset > size)
        return false;
    return offset == 0 || (pread(fd, &c, 1, offset - 1) == 1 && c == '\n');
}

static int read_tail(int fd, const char *path, int64_t from, int64_t size, char **out,
                     struct err *e)
{
    size_t want = (size_t)(size - from), got = 0;
    *out = malloc(want + 1);
    if (!*out)
        return err_set(e, EXIT_OS, "out of memory reading %s", path);
    while (got < want) {
        ssize_t n = pread(fd, *out + got, want - got, from + (int64_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(*out);
            return err_errno(e, EXIT_IO, n < 0 ? errno : EIO, "cannot read %s", path);
        }
        got += (size_t)n;
    }
    return 0;
}

/* Moves the lines that stay to the front of the text; returns their bytes. */
static size_t filter(char *text, size_t n, int64_t step, bool later)
{
    size_t kept = 0;
    for (char *line = text, *end; (end = memchr(line, '\n', n - (size_t)(line - text)));
         line = end + 1) {
        struct event ev;
        size_t bytes = (size_t)(end - line) + 1;
        if (!metrics_parse(line, bytes - 1, &ev) || !metrics_belongs(&ev, step, later))
            continue;
        memmove(text + kept, line, bytes);
        kept += bytes;
    }
    return kept;
}

static int put_tail(int fd, const char *path, int64_t from, const char *text, size_t n,
                    struct err *e)
{
    if (lseek(fd, from, SEEK_SET) < 0)
        return err_errno(e, EXIT_IO, errno, "cannot write %s", path);
    if (n > 0 && file_write_fd(fd, text, n, path, e) < 0)
        return -1;
    if (ftruncate(fd, from + (int64_t)n) < 0 || fdatasync(fd) < 0)
        return err_errno(e, EXIT_IO, errno, "cannot write %s", path);
    return 0;
}

int metrics_trim(int fd, const char *path, int64_t step, int64_t offset, int64_t *length,
                 struct err *e)
{
    struct stat st;
    char *text;
    if (fstat(fd, &st) < 0)
        return err_errno(e, EXIT_IO, errno, "cannot read %s", path);
    bool trusted = is_boundary(fd, offset, st.st_size);
    int64_t from = trusted ? offset : 0;
    if (read_tail(fd, path, from, st.st_size, &text, e) < 0)
        return -1;
    size_t n = (size_t)(st.st_size - from), kept = filter(text, n, step, trusted);
    int r = put_tail(fd, path, from, text, kept, e);
    free(text);
    *length = from + (int64_t)kept;
    return r;
}

static int64_t play(const char *text, size_t n, void (*fn)(void *ctx, const struct event *),
                    void *ctx)
{
    int64_t skipped = 0;
    for (const char *line = text, *end; line < text + n; line = end + 1) {
        struct event ev;
        end = memchr(line, '\n', n - (size_t)(line - text));
        if (!end)
            return skipped + 1;
        if (metrics_parse(line, (size_t)(end - line), &ev))
            fn(ctx, &ev);
        else
            skipped++;
    }
    return skipped;
}

int metrics_replay(const char *dir, void (*fn)(void *ctx, const struct event *), void *ctx,
                   struct err *e)
{
    char path[PATH_BYTES], *text;
    size_t n;
    if (path_join(path, dir, METRICS_FILE, e) < 0)
        return -1;
    if (!path_exists(path))
        return 0;
    if (file_read(path, READ_CAP, &text, &n, e) < 0)
        return -1;
    int64_t skipped = play(text, n, fn, ctx);
    free(text);
    if (skipped > 0)
        log_warn("%s: %lld lines were not understood and left out", path, (long long)skipped);
    return 0;
}
