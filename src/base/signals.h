/*
 * Signals as things to read. They are blocked in every thread and read from a descriptor that sits
 * in poll(2) beside terminals and queues, so that no handler ever runs. Fatal ones (SEGV, ABRT,
 * ...) stay as they are.
 */
#ifndef SUPCON_BASE_SIGNALS_H
#define SUPCON_BASE_SIGNALS_H

#include "base/err.h"
#include <stdbool.h>

/*
 * Blocks INT, TERM, HUP, USR1, USR2, XCPU, and with `terminal` also TSTP, CONT, WINCH, QUIT, in
 * this thread and those it starts: call it before any other thread is there. Ignores PIPE and XFSZ,
 * so that a closed pipe and a full disk are errors of the call. A signal that was ignored when the
 * process started (nohup, a background job) stays ignored. Returns the descriptor to poll, or
 * -1.
 */
int signals_open(bool terminal, struct err *);
void signals_close(int fd); /* the signals stay blocked */

/* The next signal that waits, 0 when none does. */
int signals_next(int fd);
/* Ends the process by this signal, as if it had never been blocked, so that the shell sees it. */
_Noreturn void signals_die(int sig);

#endif
