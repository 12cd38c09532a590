/*
 * Errors as values. A fallible function returns 0 or -1 and takes `struct err *` last; the message
 * is set where the cause is known and is complete enough to be shown as it is: what, which object,
 * why, and what to do. The code is the exit code of the process, should the error end it
 * (sysexits.h).
 */
#ifndef SUPCON_BASE_ERR_H
#define SUPCON_BASE_ERR_H

#include <stdarg.h>

enum exit_code {
    EXIT_USAGE = 64,       /* bad option */
    EXIT_DATA = 65,        /* corrupt data set or checkpoint */
    EXIT_NOINPUT = 66,     /* missing input */
    EXIT_UNAVAILABLE = 69, /* no such device */
    EXIT_SOFTWARE = 70,    /* a mistake of ours */
    EXIT_OS = 71,          /* out of memory, threads, ... */
    EXIT_CANTCREATE = 73,  /* cannot be created or written; run directory in use */
    EXIT_IO = 74,          /* disk full, read or write error */
    EXIT_AGAIN = 75,       /* checkpointed, run me again */
    EXIT_NOPERM = 77,      /* an input may not be read */
    EXIT_CONFIG = 78,
    EXIT_DIVERGED = 81,
};

struct err {
    int code; /* enum exit_code; 0: no error */
    char msg[1024];
};

/* Set code and message (printf format); an earlier message is replaced. Always returns -1. `e` may
 * be NULL. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put text in front of the message, as "TEXT: message". Always returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Like err_set with strerror(errnum) appended; the code is chosen from errnum (ENOENT 66, EACCES
 * 77, ENOSPC and EIO 74, ENOMEM 71) unless `code` is not 0. Always returns -1. */
int err_errno(struct err *e, int code, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for something that could not be made or opened for writing: EXIT_IO for a full or
 * failing disk, EXIT_OS for want of memory or handles, EXIT_CANTCREATE for all else, permission
 * included. */
int err_create(struct err *e, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the process with a message on stderr: only for what our own mistake alone can cause. */
#define BUG(...) err_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void err_bug(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
