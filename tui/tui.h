/*
 * The console: what main sees of it. The screen is a front end like any other; it watches the
 * engine and posts commands, and training does not depend on it.
 */
#ifndef SUPCON_TUI_TUI_H
#define SUPCON_TUI_TUI_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct engine;

struct tui_options {
    const char *glyphs; /* of tui_glyphs; "auto" (also NULL): SUPCON_GLYPHS, or what fits */
    const char *color;  /* of tui_color; "auto" (also NULL): NO_COLOR, or what fits */
    const char *runs;   /* folder of run directories for tui_choose, NULL: "runs" */
    const char *note;   /* for tui_choose to say at first: why the last choice failed; NULL: none */
    bool *began;        /* tui_main sets it once the run has been prepared and trains; or NULL */
};

/* The names `glyphs` and `color` may have; NULL after the last. */
const char *tui_glyphs(int i);
const char *tui_color(int i);

/* Whether a console can be shown: standard input and output are a terminal that can move its
 * cursor. If not, *why is half a sentence: "standard output is not a terminal". */
bool tui_possible(const char **why);

/*
 * Shows an engine that has been started (engine_start) but does not run yet: draws, watches, calls
 * engine_run, and stays until the run has ended or been left. Calls engine_join (the caller calls
 * engine_free). Returns the exit code of the run, or -1 with *e.
 *
 * Signals must be blocked before any thread starts (base/signals.h). SIGTERM and SIGUSR1 save and
 * end with EXIT_AGAIN, SIGUSR2 saves, SIGINT is the quit dialog. After SIGHUP, or when the terminal
 * is gone, or when the person detaches, the run goes on without a screen and the function returns
 * when it has ended.
 */
int tui_main(struct engine *, const struct tui_options *, struct err *);

/* Lets the person choose a recipe (./conf, the user's configuration folder, the installed ones) or
 * a run to continue. What `out` names is selected at first (""; nothing). 0: out holds the path,
 * *is_run tells which; 1: nothing was chosen; -1 with *e, EXIT_AGAIN after a signal that ends a
 * run. */
int tui_choose(const struct tui_options *, char *out, size_t size, bool *is_run, struct err *);

#endif
