/*
 * Whole files; see file.h. A replaced file is complete under its name or not there at all: the
 * bytes go to a temporary name first, are synced, and then renamed.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int read_all(int fd, char *buf, size_t cap, size_t *n)
{
    *n = 0;
    while (*n < cap) {
        ssize_t got = read(fd, buf + *n, cap - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return 0;
}

/* Bytes to make room for: the size of a regular file, or the cap for pipes and the like. */
static int room_for(int fd, const char *path, size_t cap, size_t *room, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(e, 0, errno, "cannot read %s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(e, EXIT_NOINPUT, "%s is a folder, a file was expected", path);
    *room = S_ISREG(st.st_mode) && (uint64_t)st.st_size < cap ? (size_t)st.st_size : cap;
    return 0;
}

static int read_open(int fd, const char *path, size_t cap, char **out, size_t *n, struct err *e)
{
    size_t room = 0;
    if (room_for(fd, path, cap, &room, e) < 0)
        return -1;
    char *buf = malloc(room + 2);
    if (!buf)
        return err_set(e, EXIT_OS, "cannot read %s: out of memory", path);
    if (read_all(fd, buf, room + 1, n) < 0) {
        int errnum = errno;
        free(buf);
        return err_errno(e, 0, errnum, "cannot read %s", path);
    }
    if (*n > room) {
        free(buf);
        return err_set(e, EXIT_DATA, "%s: larger than %zu bytes, the most that is read", path, cap);
    }
    buf[*n] = '\0';
    *out = buf;
    return 0;
}

int file_read(const char *path, size_t cap, char **out, size_t *n, struct err *e)
{
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *out = NULL;
    if (fd < 0)
        return err_errno(e, 0, errno, "cannot open %s", path);
    int r = read_open(fd, path, cap, out, &got, e);
    close(fd);
    if (n)
        *n = got;
    return r;
}

int file_write_fd(int fd, const void *data, size_t n, const char *path, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(e, EXIT_IO, errno, "cannot write %s", path);
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int write_and_close(int fd, const void *data, size_t n, const char *path, struct err *e)
{
    int r = file_write_fd(fd, data, n, path, e);
    if (r == 0 && fsync(fd) < 0)
        r = err_errno(e, EXIT_IO, errno, "cannot write %s", path);
    if (close(fd) < 0 && r == 0)
        r = err_errno(e, EXIT_IO, errno, "cannot write %s", path);
    return r;
}

static void folder_of(char out[PATH_BYTES], const char *path)
{
    snprintf(out, PATH_BYTES, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash)
        snprintf(out, PATH_BYTES, ".");
    else
        slash[slash == out ? 1 : 0] = '\0';
}

int file_replace(const char *path, const void *data, size_t n, struct err *e)
{
    char temp[PATH_BYTES + 32], dir[PATH_BYTES];
    if (strlen(path) >= PATH_BYTES)
        return err_set(e, EXIT_CANTCREATE, "path too long: %s", path);
    snprintf(temp, sizeof temp, "%s.tmp-%ld-XXXXXX", path, (long)getpid());
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_create(e, errno, "cannot create %s", path);
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    if (write_and_close(fd, data, n, path, e) < 0)
        goto fail;
    if (rename(temp, path) < 0) {
        err_create(e, errno, "cannot put %s in place", path);
        goto fail;
    }
    folder_of(dir, path);
    return dir_sync(dir, e);
fail:
    unlink(temp);
    return -1;
}

int64_t clock_usec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
