/*
 * A grid of character cells in memory. Everything the console shows is drawn here first, so that a
 * screen can be compared with text in a test, and the terminal only gets what changed. Nothing
 * drawn outside is an error: it is clipped.
 */
#ifndef SUPCON_TUI_CANVAS_H
#define SUPCON_TUI_CANVAS_H

#include "tui/glyphs.h"
#include "tui/theme.h"

#include <stdbool.h>
#include <stdio.h>

struct rect {
    int row, col, rows, cols;
};

struct cell {
    uint32_t ch; /* 0: right half of the wide character before it */
    uint32_t style;
};

struct canvas {
    int rows, cols;
    const struct glyphs *glyphs;
    struct cell *cell; /* [rows * cols] */
};

/* All three leave the canvas blank. 0, or -1 when memory is out (the canvas is then 0x0). */
int canvas_init(struct canvas *, int rows, int cols, const struct glyphs *);
int canvas_resize(struct canvas *, int rows, int cols);
void canvas_clear(struct canvas *);
void canvas_done(struct canvas *);

void canvas_put(struct canvas *, int row, int col, uint32_t ch, style_t style);
void canvas_fill(struct canvas *, struct rect, uint32_t ch, style_t style);

/*
 * Text in at most `width` columns; what does not fit is cut and ends with an ellipsis. Control
 * characters are shown escaped, so that no name can send the terminal anything. Returns the columns
 * used.
 */
int canvas_text(struct canvas *, int row, int col, int width, style_t style, const char *text);
int canvas_textf(struct canvas *, struct rect, style_t style, const char *fmt, ...)
    __attribute__((format(printf, 4, 5))); /* first row of the rectangle */
/* As canvas_text, but what does not fit loses its middle: the end tells names apart. */
int canvas_text_middle(struct canvas *, int row, int col, int width, style_t style,
                       const char *text);
/* How many bytes of the text a row of `width` columns takes when the rest is to follow on another:
 * up to a blank, if there is one in the second half; at least one character. */
size_t canvas_fit(const struct canvas *, const char *text, int width);
/* Whether nothing is drawn there; false outside. */
bool canvas_is_blank(const struct canvas *, int row, int col);
/* Columns canvas_text would use if there were no limit. */
int canvas_width(const struct canvas *, const char *text);

/* The characters, one line a row, blanks at the end removed. */
void canvas_dump(const struct canvas *, FILE *);
/* The looks: '.' for plain text, otherwise the letter of the style under this theme. */
void canvas_dump_looks(const struct canvas *, const struct theme *, FILE *);

#endif
