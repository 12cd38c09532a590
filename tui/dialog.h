/*
 * Dialogs as data: a title, lines that state the effects of the selected choice, and choices of
 * which the first is the safe one and selected at first. Arrows and the digits shown select, Enter
 * takes what is selected, a letter takes its choice at once, Esc never does more than close.
 */
#ifndef SUPCON_TUI_DIALOG_H
#define SUPCON_TUI_DIALOG_H

#include "tui/canvas.h"

#include <stdbool.h>
#include <stdint.h>

enum { DIALOG_LINES = 12, DIALOG_CHOICES = 8, DIALOG_TEXT = 96 };

struct console;
struct dialog;

struct dialog_class {
    const char *name;
    bool about_checkpoint; /* the selected one, whose row is not covered */
    /* Title, choices and lines for the present state and selection; called again when they may have
     * changed. */
    void (*describe)(struct dialog *, const struct console *);
    void (*choose)(struct console *, const struct dialog *, int choice); /* never 0 */
};

struct dialog {
    const struct dialog_class *class; /* NULL: closed */
    char title[DIALOG_TEXT];
    int n_lines, n_choices, selected;
    char line[DIALOG_LINES][DIALOG_TEXT];
    struct {
        char key;  /* a letter that takes it at once, 0: none; the same in every state */
        int value; /* for choose */
        char text[DIALOG_TEXT];
    } choice[DIALOG_CHOICES];
    int64_t step; /* checkpoint it is about */
};

extern const struct dialog_class dialog_switch, dialog_linear, dialog_quit;

void dialog_open(struct console *, const struct dialog_class *);
void dialog_key(struct console *, int key);
void dialog_refresh(struct console *);
/* In the middle, or where the row `keep` stays visible (-1: no such row). */
void dialog_draw(const struct dialog *, struct canvas *, int keep);

/* For describe. */
void dialog_line(struct dialog *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void dialog_choice(struct dialog *, char key, int value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
