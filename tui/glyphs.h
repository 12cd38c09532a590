/*
 * Sets of characters for terminals of different means. A plot is a grid of dots; how many dots a
 * character holds is a property of the set, so one rasteriser serves all.
 */
#ifndef SUPCON_TUI_GLYPHS_H
#define SUPCON_TUI_GLYPHS_H

#include <stdbool.h>
#include <stdint.h>

struct glyphs {
    const char *name;
    bool ascii;                       /* nothing above 0x7e is ever drawn */
    int dot_cols, dot_rows;           /* dots in a character */
    uint32_t (*dots)(unsigned bits);  /* bit dot_row * dot_cols + dot_col; NULL: series letters */
    uint32_t rule, wall, corner, tee; /* horizontal and vertical rule, foot of the axis, tick */
    uint32_t full, empty;             /* progress bar */
    uint32_t pointer;                 /* before the selected row */
    const char *ellipsis;             /* where text was cut */
    const char *states[8];            /* by enum engine_state */
};

/* By wish ("auto" or NULL: what the terminal can show), codeset (nl_langinfo) and TERM. */
const struct glyphs *glyphs_choose(const char *wish, const char *codeset, const char *term);
/* "braille", "block", "ascii"; NULL for anything else. */
const struct glyphs *glyphs_find(const char *name);
/* What one can wish for, "auto" first; NULL after the last. */
const char *glyphs_wish(int i);

#endif
