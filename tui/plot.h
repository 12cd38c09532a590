/* Curves on a canvas: axes, lines of dots, points, marks. Draws what it is given and keeps nothing.
 */
#ifndef SUPCON_TUI_PLOT_H
#define SUPCON_TUI_PLOT_H

#include "tui/canvas.h"
#include "tui/series.h"

enum line_style {
    LINE_SOLID,
    LINE_DASHED,
    LINE_DOTTED, /* dots of single values, not joined */
    LINE_POINTS, /* the series' letter at each value */
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
    const char *empty; /* what to say while there is nothing to draw */
};

/* The plot with its axes fills the rectangle. */
void plot_draw(struct canvas *, struct rect, const struct plot *);

#endif
