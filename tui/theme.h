/*
 * Styles are what a cell means; themes say how that looks. Colour is never the only sign: series
 * carry letters and line styles, states glyph and word. No background is ever painted, no dark blue
 * or black used for text.
 */
#ifndef SUPCON_TUI_THEME_H
#define SUPCON_TUI_THEME_H

#include <stdbool.h>
#include <stdint.h>

enum style {
    STYLE_TEXT,
    STYLE_DIM,    /* axes, rules, what is secondary */
    STYLE_TITLE,  /* of a pane */
    STYLE_FOCUS,  /* title of the focused pane */
    STYLE_STATUS, /* first line */
    STYLE_SELECT, /* selected row or button */
    STYLE_KEY,    /* a key in a hint */
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_ERROR,
    STYLE_SERIES, /* + index of the series, of STYLE_SERIES_N */
    STYLE_SERIES_N = 7,
    STYLE_N = STYLE_SERIES + STYLE_SERIES_N
};

typedef uint32_t style_t; /* enum style */

enum { LOOK_BOLD = 1, LOOK_REVERSE = 2, LOOK_UNDERLINE = 4, LOOK_DIM = 8 };

struct look {
    int color; /* -1: the terminal's own */
    int attributes;
};

struct theme {
    const char *name;
    struct look look[STYLE_N];
};

/* By the number of colours the terminal has; mono when colours are not wanted. */
const struct theme *theme_choose(int colors, bool wanted);
extern const struct theme theme_mono, theme_16, theme_256;

#endif
