/* Errors as values; see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_text(struct err *e, int code, const char *fmt, va_list ap)
{
    char text[sizeof e->msg]; /* arguments may point into e->msg */
    vsnprintf(text, sizeof text, fmt, ap);
    memcpy(e->msg, text, sizeof text);
    e->code = code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (!e)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    set_text(e, code, fmt, ap);
    va_end(ap);
    return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e)
        return -1;
    char front[256], whole[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(front, sizeof front, fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof whole, "%s: %s", front, e->msg);
    memcpy(e->msg, whole, sizeof whole);
    return -1;
}

static int code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return EXIT_NOINPUT;
    case EACCES:
    case EPERM:
    case EROFS:
        return EXIT_NOPERM;
    case ENOMEM:
    case EAGAIN:
        return EXIT_OS;
    default:
        return EXIT_IO;
    }
}

int err_errno(struct err *e, int code, int errnum, const char *fmt, ...)
{
    if (!e)
        return -1;
    char text[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e, code ? code : code_of_errno(errnum), "%s: %s", text, strerror(errnum));
}

int err_create(struct err *e, int errnum, const char *fmt, ...)
{
    if (!e)
        return -1;
    char text[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    bool disk = errnum == ENOSPC || errnum == EDQUOT || errnum == EIO || errnum == EFBIG;
    bool system = errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
    return err_set(e,
                   disk     ? EXIT_IO
                   : system ? EXIT_OS
                            : EXIT_CANTCREATE,
                   "%s: %s", text, strerror(errnum));
}

void err_bug(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "supcon: internal error at %s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}
