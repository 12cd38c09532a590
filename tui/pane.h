/*
 * Panes as data: one const instance per file, listed in pane.c. A pane keeps what it needs from
 * events in a state of its own and draws it; drawing changes nothing.
 */
#ifndef SUPCON_TUI_PANE_H
#define SUPCON_TUI_PANE_H

#include "tui/canvas.h"
#include "tui/layout.h"
#include "tui/model.h"

#include <stddef.h>

struct pane_view { /* what drawing may look at besides the pane's state */
    const struct model *model;
    bool focused;
};

struct pane_class {
    const char *name, *title;
    size_t state_bytes;
    bool plots; /* takes the keys of plots: smoothing, scale */
    int (*init)(void *state);
    void (*done)(void *state);
    void (*event)(void *state, const struct event *); /* optional */
    /* The rectangle is below the title, if the pane has one. */
    void (*draw)(const void *state, const struct pane_view *, struct canvas *, struct rect);
    /* Text beside the title, optional. */
    void (*caption)(const void *state, const struct pane_view *, char *out, size_t size);
    bool (*key)(void *state, const struct model *, int key); /* true: taken; optional */
};

/* Indexed by enum pane_id. Panes without a title: status and keys. */
extern const struct pane_class *const pane_classes[PANE_N];
extern const struct pane_class pane_status, pane_loss, pane_accuracy, pane_numbers,
    pane_checkpoints, pane_log, pane_keys;

/* Title rule and content. */
void pane_draw(const struct pane_class *, const void *state, const struct pane_view *,
               struct canvas *, struct rect);

/* Step of the selected checkpoint, -1: there is none. */
int64_t checkpoints_selected(const void *state, const struct model *);
/* The row of the screen that shows it when the pane, with its title, has this rectangle; -1: none.
 */
int checkpoints_row(const void *state, const struct model *, struct rect);
/* Adds a line; level as in base/log.h. */
void log_pane_add(void *state, int64_t usec, int level, const char *line);

#endif
