/*
 * The console without a terminal: events and keys in, a canvas and commands out. A test drives it
 * with scripts; tui.c drives it with curses.
 */
#ifndef SUPCON_TUI_CONSOLE_H
#define SUPCON_TUI_CONSOLE_H

#include "base/err.h"
#include "tui/dialog.h"
#include "tui/pane.h"
#include "tui/toast.h"

#include "objective/objective.h"

struct console_options {
    bool (*post)(void *ctx, const struct command *); /* false: the engine takes no more */
    void *ctx;
    const struct objective_class *const *objectives; /* that one can switch to; NULL-terminated */
};

enum leave { LEAVE_NO, LEAVE_DETACH, LEAVE_KILL };

struct console {
    struct console_options options;
    struct model model;
    void *state[PANE_N];
    int focus; /* enum pane_id */
    bool zoomed, help;
    int help_from; /* first line of the help screen */
    struct dialog dialog;
    struct toast toast;
    bool dirty; /* something drawn has changed */

    /* what the terminal side is asked to do; it resets them */
    bool repaint, suspend;
    enum leave leave;
};

int console_init(struct console *, const struct console_options *, struct err *);
void console_done(struct console *);
void console_event(struct console *, const struct event *);
/* A line that a library wrote to stdout or stderr. */
void console_noise(struct console *, const char *line);
void console_key(struct console *, int key);
/* Time passes: microseconds since 1970. Sets `dirty` when that can be seen. */
void console_tick(struct console *, int64_t usec);
void console_draw(const struct console *, struct canvas *);

/* For keys and dialogs. */
void console_post(struct console *, const struct command *);
/* Says so and returns true when the run cannot do it now. */
bool console_refuses(struct console *, enum command_kind);
void console_toast(struct console *, bool bad, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int64_t console_checkpoint(const struct console *); /* selected step, -1: none */
void console_focus(struct console *, int step);     /* to the next (1) or previous (-1) pane */
void help_draw(const struct console *, struct canvas *);

#endif
