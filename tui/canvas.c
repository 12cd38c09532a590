/* A grid of character cells; see canvas.h. */
#include "tui/canvas.h"

#include "tui/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int canvas_init(struct canvas *c, int rows, int cols, const struct glyphs *glyphs)
{
    *c = (struct canvas){.glyphs = glyphs};
    return canvas_resize(c, rows, cols);
}

int canvas_resize(struct canvas *c, int rows, int cols)
{
    struct cell *cell = calloc((size_t)rows * (size_t)cols + 1, sizeof *cell);
    free(c->cell);
    c->cell = cell;
    c->rows = cell ? rows : 0;
    c->cols = cell ? cols : 0;
    canvas_clear(c);
    return cell ? 0 : -1;
}

void canvas_clear(struct canvas *c)
{
    for (int i = 0; i < c->rows * c->cols; i++)
        c->cell[i] = (struct cell){' ', STYLE_TEXT};
}

void canvas_done(struct canvas *c)
{
    free(c->cell);
    *c = (struct canvas){0};
}

static uint32_t showable(const struct canvas *c, uint32_t ch)
{
    return c->glyphs->ascii && ch > 0x7e ? '?' : ch;
}

/* Overwriting half of a wide character must not leave the other half behind. */
static void split_wide(struct canvas *c, struct cell *at, int col)
{
    if (at->ch == 0 && col > 0)
        at[-1].ch = ' ';
    if (col + 1 < c->cols && at[1].ch == 0)
        at[1].ch = ' ';
}

void canvas_put(struct canvas *c, int row, int col, uint32_t ch, style_t style)
{
    if (row < 0 || row >= c->rows || col < 0 || col >= c->cols)
        return;
    struct cell *at = &c->cell[row * c->cols + col];
    split_wide(c, at, col);
    *at = (struct cell){showable(c, ch), style};
}

void canvas_fill(struct canvas *c, struct rect r, uint32_t ch, style_t style)
{
    for (int row = r.row; row < r.row + r.rows; row++)
        for (int col = r.col; col < r.col + r.cols; col++)
            canvas_put(c, row, col, ch, style);
}

/* One code point as it is shown: itself, an escape, or nothing. Returns its columns. */
static int spell(const struct canvas *c, uint32_t ch, uint32_t out[8])
{
    static const char hex[] = "0123456789abcdef";
    int width = text_columns(ch);
    if (width < 0) {
        out[0] = '\\';
        out[1] = 'x';
        out[2] = (uint32_t)hex[ch >> 4 & 15];
        out[3] = (uint32_t)hex[ch & 15];
        return 4;
    }
    out[0] = width > 0 ? showable(c, ch) : 0;
    out[1] = 0;
    return width == 2 && c->glyphs->ascii ? 1 : width;
}

int canvas_width(const struct canvas *c, const char *text)
{
    uint32_t out[8], ch;
    int width = 0;
    while ((ch = text_next(&text)))
        width += spell(c, ch, out);
    return width;
}

/* As much as fits into `width`; returns the columns used. */
static int draw_text(struct canvas *c, int row, int col, int width, style_t style, const char *text)
{
    uint32_t out[8], ch;
    int used = 0;
    while ((ch = text_next(&text))) {
        int n = spell(c, ch, out);
        if (used + n > width)
            break;
        for (int i = 0; i < n; i++)
            canvas_put(c, row, col + used + i, out[i], style);
        if (n == 2 && row >= 0 && row < c->rows && col + used + 1 < c->cols && col + used >= 0)
            c->cell[row * c->cols + col + used + 1].ch = 0;
        else if (n == 2)
            canvas_put(c, row, col + used, ' ', style);
        used += n;
    }
    return used;
}

int canvas_text(struct canvas *c, int row, int col, int width, style_t style, const char *text)
{
    if (width <= 0)
        return 0;
    if (canvas_width(c, text) <= width)
        return draw_text(c, row, col, width, style, text);
    int mark = canvas_width(c, c->glyphs->ellipsis);
    if (mark >= width)
        return draw_text(c, row, col, width, style, text);
    int used = draw_text(c, row, col, width - mark, style, text);
    return used + draw_text(c, row, col + used, mark, style, c->glyphs->ellipsis);
}

int canvas_text_middle(struct canvas *c, int row, int col, int width, style_t style,
                       const char *text)
{
    int mark = canvas_width(c, c->glyphs->ellipsis), half = (width - mark) / 2;
    const char *tail = text + strlen(text);
    if (canvas_width(c, text) <= width || half < 2)
        return canvas_text(c, row, col, width, style, text);
    while (canvas_width(c, tail - 1) <= width - mark - half)
        tail--;
    while (((unsigned char)*tail & 0xc0) == 0x80)
        tail++;
    int used = draw_text(c, row, col, half, style, text);
    used += draw_text(c, row, col + used, mark, style, c->glyphs->ellipsis);
    return used + draw_text(c, row, col + used, width - used, style, tail);
}

size_t canvas_fit(const struct canvas *c, const char *text, int width)
{
    uint32_t out[8], ch;
    const char *p = text, *end = text, *blank = NULL;
    int used = 0;
    while ((ch = text_next(&p)) && (used += spell(c, ch, out)) <= width) {
        end = p;
        if (ch == ' ' && used > width / 2)
            blank = p;
    }
    if (ch && end == text) /* not even one fits */
        end = p;
    return (size_t)((ch && blank ? blank : end) - text);
}

bool canvas_is_blank(const struct canvas *c, int row, int col)
{
    return row >= 0 && row < c->rows && col >= 0 && col < c->cols &&
           c->cell[row * c->cols + col].ch == ' ';
}

int canvas_textf(struct canvas *c, struct rect r, style_t style, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (r.rows <= 0)
        return 0;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return canvas_text(c, r.row, r.col, r.cols, style, text);
}

static void put_utf8(uint32_t ch, FILE *f)
{
    if (ch < 0x80) {
        fputc((int)ch, f);
    } else if (ch < 0x800) {
        fputc((int)(0xc0 | ch >> 6), f);
        fputc((int)(0x80 | (ch & 0x3f)), f);
    } else if (ch < 0x10000) {
        fputc((int)(0xe0 | ch >> 12), f);
        fputc((int)(0x80 | (ch >> 6 & 0x3f)), f);
        fputc((int)(0x80 | (ch & 0x3f)), f);
    } else {
        fputc((int)(0xf0 | ch >> 18), f);
        fputc((int)(0x80 | (ch >> 12 & 0x3f)), f);
        fputc((int)(0x80 | (ch >> 6 & 0x3f)), f);
        fputc((int)(0x80 | (ch & 0x3f)), f);
    }
}

void canvas_dump(const struct canvas *c, FILE *f)
{
    for (int row = 0; row < c->rows; row++) {
        const struct cell *line = &c->cell[row * c->cols];
        int end = c->cols;
        while (end > 0 && line[end - 1].ch == ' ')
            end--;
        for (int col = 0; col < end; col++)
            if (line[col].ch)
                put_utf8(line[col].ch, f);
        fputc('\n', f);
    }
}

/* Plain '.', attributes as letters, colours as letters by their order of use. */
static int look_letter(const struct theme *theme, style_t style)
{
    struct look l = theme->look[style];
    if (l.attributes & LOOK_REVERSE)
        return 'R';
    if (l.color >= 0)
        return style >= STYLE_SERIES ? 'a' + (int)(style - STYLE_SERIES) : 'W';
    if (l.attributes & LOOK_BOLD)
        return 'B';
    return l.attributes & LOOK_DIM ? 'd' : '.';
}

void canvas_dump_looks(const struct canvas *c, const struct theme *theme, FILE *f)
{
    for (int row = 0; row < c->rows; row++) {
        for (int col = 0; col < c->cols; col++)
            fputc(look_letter(theme, c->cell[row * c->cols + col].style), f);
        fputc('\n', f);
    }
}
