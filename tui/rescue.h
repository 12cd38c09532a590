/*
 * The terminal is given back whatever happens: what restores it is rendered beforehand, so that the
 * handler of a fatal signal only writes bytes. The signal then acts as if nobody had caught it.
 * There is one terminal and signal handlers take no argument: hence state of its own.
 */
#ifndef SUPCON_TUI_RESCUE_H
#define SUPCON_TUI_RESCUE_H

void rescue_save(int tty); /* modes as they are now */
void rescue_arm(int tty);  /* after curses has started */
void rescue_now(
    void); /* gives it back without curses, if it takes bytes; nothing is armed afterwards */
void rescue_disarm(void); /* after it has ended */
/* Where captured output waits that should be shown after a crash; -1: nowhere. */
void rescue_output(int fd);
/* The run directory that the last words name. */
void rescue_run(const char *dir);

#endif
