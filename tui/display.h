/*
 * The terminal, by way of ncurses: shows a canvas, writing only what has changed, and reads keys.
 * The only file that knows curses; nothing here ends the process.
 */
#ifndef SUPCON_TUI_DISPLAY_H
#define SUPCON_TUI_DISPLAY_H

#include "base/err.h"
#include "tui/canvas.h"

struct tui_options;

struct display {
    struct canvas canvas; /* to be drawn on */
    struct canvas shown;  /* what the terminal shows */
    const struct theme *theme;
    void *screen;         /* of curses */
    void *input, *output; /* its streams (FILE *) */
    int in, out;          /* descriptors of the terminal */
};

/* Takes over the terminal behind the two descriptors (which are duplicated). EXIT_UNAVAILABLE when
 * there is no description of the terminal. */
int display_open(struct display *, int in, int out, const struct tui_options *, struct err *);
void display_show(struct display *);
/* The next key (enum key), K_NONE when none waits, -1 when the terminal is gone. */
int display_key(struct display *);
/* Follows the size of the terminal; the canvas is blank afterwards. */
int display_resize(struct display *, struct err *);
void display_repaint(struct display *); /* everything is written again at the next show */
void display_suspend(struct display *); /* the terminal as it was, until display_resume */
void display_resume(struct display *);
void display_close(struct display *);
/* The terminal is gone: nothing is written to it any more. */
void display_drop(struct display *);
/* Bytes that the terminal has not taken yet. */
int display_pending(const struct display *);

#endif
