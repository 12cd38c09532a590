/*
 * A progress bar on standard error, and the log lines that share it. One line, rewritten at most
 * four times a second, erased before anything else is printed. Log lines may come from any thread.
 */
#ifndef SUPCON_CMD_BAR_H
#define SUPCON_CMD_BAR_H

#include "engine/event.h"

struct bar;

/* when: "auto" (a terminal, and we are its foreground group, and it can move its cursor), "always",
 * "never". Log lines go through the bar from here on. NULL when memory is out. */
struct bar *bar_new(const char *when);
void bar_event(struct bar *, const struct event *); /* progress, state and phase */
void bar_erase(struct bar *);                       /* before something else is printed */
void bar_free(struct bar *);                        /* NULL is fine */

#endif
