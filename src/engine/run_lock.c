/*
 * One writer per run: flock on .lock, held as long as the process lives, so that kill -9 frees it.
 * The file names its holder for the message another process gets.
 */
#include "engine/run_part.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* run_busy holds the lock for an instant, and a process that was killed until its memory is given
 * back; half a second tells them from a real holder. */
static int try_lock(int fd)
{
    for (int i = 0; i < 50; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    errno = EWOULDBLOCK;
    return -1;
}

static void read_holder(int fd, char *who, size_t size)
{
    char text[128];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    snprintf(who, size, "%s", text[0] ? text : "another process");
}

static int write_holder(int fd, const char *path, struct err *e)
{
    char text[128];
    struct utsname host;
    if (uname(&host) < 0)
        host.nodename[0] = '\0';
    int n = snprintf(text, sizeof text, "process %ld on %.64s\n", (long)getpid(), host.nodename);
    if (ftruncate(fd, 0) < 0)
        return err_errno(e, EXIT_IO, errno, "cannot write %s", path);
    return file_write_fd(fd, text, (size_t)n, path, e);
}

/* How to come back to a run whose terminal is lost, say. */
static int refuse(const char *dir, const char *who, struct err *e)
{
    char host[65];
    long pid;
    if (sscanf(who, "process %ld on %64s", &pid, host) < 2)
        return err_set(e, EXIT_CANTCREATE, "the run %s is in use by %s; wait for it to end", dir,
                       who);
    return err_set(e, EXIT_CANTCREATE,
                   "the run %s is in use by %s; to continue it here: kill -TERM %ld (on %s) saves "
                   "and ends it, then supcon --resume %s",
                   dir, who, pid, host, dir);
}

static int lock_fd(int fd, const char *dir, const char *path, struct err *e)
{
    char who[128];
    if (try_lock(fd) == 0)
        return write_holder(fd, path, e);
    if (errno != EWOULDBLOCK)
        return err_errno(e, EXIT_CANTCREATE, errno, "cannot lock %s", path);
    read_holder(fd, who, sizeof who);
    return refuse(dir, who, e);
}

int run_lock(const char *dir, int *fd, struct err *e)
{
    char path[PATH_BYTES];
    if (path_join(path, dir, RUN_LOCK, e) < 0)
        return -1;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return err_create(e, errno, "cannot write to the run directory %s", dir);
    if (lock_fd(*fd, dir, path, e) == 0)
        return 0;
    close(*fd);
    *fd = -1;
    return -1;
}

bool run_busy(const char *dir, char *who, size_t size)
{
    char path[PATH_BYTES];
    struct err ignored;
    if (path_join(path, dir, RUN_LOCK, &ignored) < 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool busy = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (busy && who)
        read_holder(fd, who, size);
    close(fd);
    return busy;
}
