/*
 * Single figures of a run as a table: label, value, unit. Status line and numbers pane show the
 * same facts; each line takes as many as fit, by importance.
 */
#ifndef SUPCON_TUI_FACT_H
#define SUPCON_TUI_FACT_H

#include "tui/canvas.h"
#include "tui/model.h"

struct fact {
    const char *label;
    int line;   /* of the status pane, 0: only in the numbers pane */
    int weight; /* the least important go first when a line is full */
    bool plain; /* the numbers pane leaves it out */
    /* false: unknown, and not shown */
    bool (*value)(const struct model *, char *out, size_t size);
};

/* Ends with a NULL label. */
extern const struct fact facts[];

/* The facts of one status line from col on, as many as fit into width. */
void facts_draw_line(struct canvas *, const struct model *, int line, struct rect, style_t);

#endif
