/* Standard output and error into a pipe; see capture.h. */
#include "tui/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

int capture_start(struct capture *c, struct err *e)
{
    int end[2];
    *c = (struct capture){.fd = -1, .saved = {-1, -1}};
    if (pipe2(end, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_errno(e, EXIT_OS, errno, "cannot make a pipe for library output");
    fcntl(end[1], F_SETPIPE_SZ, PIPE_BYTES);
    fflush(stdout);
    fflush(stderr);
    c->fd = end[0];
    for (int i = 0; i < 2; i++) {
        c->saved[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
        dup2(end[1], i + 1);
    }
    close(end[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return 0;
}

static void end_line(struct capture *c, void (*line)(void *ctx, const char *line), void *ctx)
{
    c->line[c->n] = '\0';
    if (c->n > 0)
        line(ctx, c->line);
    c->n = 0;
}

void capture_read(struct capture *c, void (*line)(void *ctx, const char *line), void *ctx)
{
    char text[4096];
    ssize_t n;
    while (c->fd >= 0 && (n = read(c->fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] != '\n' && text[i] != '\r' && text[i] != '\0')
                c->line[c->n++] = text[i];
            if (text[i] == '\n' || c->n == sizeof c->line - 1)
                end_line(c, line, ctx);
        }
}

static void to_stderr(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

void capture_stop(struct capture *c)
{
    if (c->fd < 0)
        return;
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        dup2(c->saved[i], i + 1);
        close(c->saved[i]);
    }
    capture_read(c, to_stderr, NULL);
    end_line(c, to_stderr, NULL);
    close(c->fd);
    *c = (struct capture){.fd = -1};
}
