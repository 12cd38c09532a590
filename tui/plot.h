/* Curves on a canvas: axes, lines of dots, points, marks. Draws what it is given and keeps nothing.
 */
#ifndef SUPCON_TUI_PLOT_H
#define SUPCON_TUI_PLOT_H

#include "tui/canvas.h"
#include "tui/series.h"

enum line_style {
    LINE_SOLID,
    LINE_DASHED,
    LINE_SPARSE, /* joined, but only every third dot is set */
    LINE_DOTTED, /* dots of single values, not joined */
    LINE_POINTS, /* the series' letter at each value, or just above or below it where a curve runs
                  */
};

struct plot_series {
    const struct series *data;
    enum line_style line;
    style_t style;
    char letter;     /* stands for it in the legend, at its end, and in place of dots */
    bool own_scale;  /* drawn between its own least and greatest value, not on the axis */
    bool spread;     /* draw from least to greatest value of a column, not the mean alone */
    bool unlettered; /* no letter at its end */
};

struct plot_mark { /* vertical line */
    int64_t x;
    const char *label;
};

struct plot {
    const struct plot_series *series; /* drawn in this order, the last on top */
    int n_series;
    const struct plot_mark *marks;
    int n_marks;
    bool log;
    int64_t span;      /* x reaches from 0 to span - 1; 0: as far as the data (plot_span) */
    const char *empty; /* what to say while there is nothing to draw */
};

/*
 * How many iterations an axis shows when `last` is the greatest so far and the run is planned to
 * have `total` (0: unknown). It grows in steps of a quarter to a seventh, so that at least four
 * fifths of the axis are in use and a growing curve is rarely drawn anew, and ends at the end of
 * the run.
 */
int64_t plot_span(int64_t last, int64_t total);

/* The plot with its axes fills the rectangle. */
void plot_draw(struct canvas *, struct rect, const struct plot *);

#endif
