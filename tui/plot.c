/*
 * Curves on a canvas. Series become dots in a small raster of their own (a character holds
 * dot_cols x dot_rows of them), which is then put on the canvas in one pass; so lines of several
 * series can meet in one character. What x covers grows in steps, hence a growing curve moves only
 * when the next step is reached.
 */
#include "tui/plot.h"

#include "tui/axis.h"
#include "tui/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_LEAST = 8, GUTTER_LEAST = 3, ASIDE = 1 /* rows a letter may be from its value */ };

struct raster {
    int rows, cols;         /* characters */
    int dot_rows, dot_cols; /* dots in all */
    int64_t span;           /* iterations along x */
    const struct glyphs *glyphs;
    unsigned char *bits, *owner; /* per character; owner: index of the series + 1 */
};

/* Where a series is in a column of dots. */
struct stroke {
    int col;
    double min, max, mean, last;
};

int64_t plot_span(int64_t last, int64_t total)
{
    int64_t unit = SPAN_LEAST / 4, n = 4;
    while (n * unit <= last) {
        n++;
        if (n == 8) {
            n = 4;
            unit *= 2;
        }
    }
    return total > last && total < n * unit ? total : n * unit;
}

static int column_of(const struct raster *r, int64_t x)
{
    return (int)(x * (r->dot_cols - 1) / (r->span - 1));
}

static int dot_row(const struct raster *r, const struct axis *a, double y)
{
    double place = axis_place(a, y);
    if (isnan(place))
        return -1;
    place = fmin(fmax(place, 0), 1);
    return (int)lround((1 - place) * (r->dot_rows - 1));
}

static void set_dot(struct raster *r, int row, int col, int owner)
{
    if (row < 0 || col < 0 || row >= r->dot_rows || col >= r->dot_cols)
        return;
    int h = r->glyphs->dot_rows, w = r->glyphs->dot_cols;
    int at = row / h * r->cols + col / w;
    r->bits[at] |= (unsigned char)(1u << (row % h * w + col % w));
    r->owner[at] = (unsigned char)owner;
}

static bool is_inked(const struct raster *r, enum line_style line, int col)
{
    if (!r->glyphs->dots)
        return true;
    return line == LINE_DASHED ? col % 6 < 4 : line == LINE_SPARSE ? col % 3 == 0 : true;
}

static void vertical(struct raster *r, int from, int to, int col, int owner)
{
    if (from < 0 || to < 0)
        return;
    for (int row = from < to ? from : to; row <= (from < to ? to : from); row++)
        set_dot(r, row, col, owner);
}

/* A line between two columns, so steep that it stays joined. */
static void join(struct raster *r, const struct plot_series *s, int owner, int col0, int row0,
                 int col1, int row1)
{
    int before = row0;
    for (int col = col0 + 1; col <= col1; col++) {
        int row = row0 + (int)lround((double)(row1 - row0) * (col - col0) / (col1 - col0));
        int start = row > before ? before + 1 : row < before ? before - 1 : row;
        if (is_inked(r, s->line, col))
            vertical(r, start, row, col, owner);
        before = row;
    }
}

static void draw_stroke(struct raster *r, const struct plot_series *s, const struct axis *a,
                        int owner, const struct stroke *k, const struct stroke *before)
{
    int row = dot_row(r, a, k->mean);
    if (row < 0)
        return;
    int row_before = before ? dot_row(r, a, before->mean) : -1;
    if (s->line != LINE_DOTTED && row_before >= 0)
        join(r, s, owner, before->col, row_before, k->col, row);
    if (s->spread && s->line == LINE_DOTTED) {
        set_dot(r, dot_row(r, a, k->min), k->col, owner);
        set_dot(r, dot_row(r, a, k->max), k->col, owner);
    } else if (s->spread) {
        vertical(r, dot_row(r, a, k->max), dot_row(r, a, k->min), k->col, owner);
    }
    if (!s->spread || s->line != LINE_DOTTED)
        set_dot(r, row, k->col, owner);
}

/* Bins of one column of dots; returns the index after them. */
static int gather(const struct raster *r, const struct series *s, int i, struct stroke *k,
                  uint32_t *n, bool *hole)
{
    struct bin all = {0};
    k->col = column_of(r, (int64_t)i << s->shift);
    for (; i < s->n && column_of(r, (int64_t)i << s->shift) == k->col; i++) {
        const struct bin *b = &s->bin[i];
        all.n_holes += b->n_holes;
        if (!b->n)
            continue;
        all.min = all.n ? fmin(all.min, b->min) : b->min;
        all.max = all.n ? fmax(all.max, b->max) : b->max;
        all.sum += b->sum;
        all.last = b->last;
        all.n += b->n;
    }
    *n = all.n;
    *hole = all.n == 0 && all.n_holes > 0;
    k->min = all.min;
    k->max = all.max;
    k->mean = all.n ? all.sum / all.n : NAN;
    k->last = all.last;
    return i;
}

static void draw_line(struct raster *r, const struct plot_series *s, const struct axis *a,
                      int owner)
{
    struct stroke now, before;
    bool joined = false, hole;
    uint32_t n;
    for (int i = 0; i < s->data->n;) {
        i = gather(r, s->data, i, &now, &n, &hole);
        if (n) {
            draw_stroke(r, s, a, owner, &now, joined ? &before : NULL);
            before = now;
            joined = true;
        } else if (hole) {
            joined = false;
        }
    }
}

static bool range_of(const struct plot_series *s, bool log, double *lo, double *hi)
{
    *lo = INFINITY;
    *hi = -INFINITY;
    for (int i = 0; i < s->data->n; i++) {
        const struct bin *b = &s->data->bin[i];
        if (!b->n || (log && b->max <= 0))
            continue;
        *hi = fmax(*hi, b->max);
        *lo = fmin(*lo, log && b->min <= 0 ? b->max : b->min);
    }
    return *lo <= *hi;
}

/* The axis for all series that use it; false when there is nothing to show. */
static bool fit_axis(const struct plot *p, int rows, struct axis *a)
{
    double lo = INFINITY, hi = -INFINITY, l, h;
    bool any = false;
    for (int i = 0; i < p->n_series; i++) {
        if (!range_of(&p->series[i], p->log, &l, &h))
            continue;
        any = true;
        if (p->series[i].own_scale)
            continue;
        lo = fmin(lo, l);
        hi = fmax(hi, h);
    }
    if (!any)
        return false;
    if (lo > hi) { /* only series with a scale of their own */
        lo = 0;
        hi = 1;
    }
    axis_fit(a, lo, hi, rows / 2 + 1 < 3 ? rows : rows / 2 + 1, p->log);
    return true;
}

/* Wide enough for the labels, and as wide as other plots' where they are short. */
static int label_width(const struct axis *a)
{
    char label[32];
    int width = GUTTER_LEAST;
    for (int i = 0; i < a->n; i++) {
        int w = (int)strlen(axis_label(a, a->tick[i], label, sizeof label));
        width = w > width ? w : width;
    }
    return width;
}

static void draw_y_axis(struct canvas *c, struct rect r, const struct axis *a, int width)
{
    char label[32];
    canvas_fill(c, (struct rect){r.row, r.col + width, r.rows, 1}, c->glyphs->wall, STYLE_DIM);
    for (int i = 0; i < a->n; i++) {
        int row = r.row + (int)lround((1 - axis_place(a, a->tick[i])) * (r.rows - 1));
        axis_label(a, a->tick[i], label, sizeof label);
        canvas_text(c, row, r.col + width - (int)strlen(label), width, STYLE_DIM, label);
        canvas_put(c, row, r.col + width, c->glyphs->tee, STYLE_DIM);
    }
}

/* Labels below the plot, where they do not touch; the last may move left to be whole. */
static void draw_x_axis(struct canvas *c, struct rect r, const struct raster *raster)
{
    struct axis a;
    char label[32];
    axis_fit(&a, 0, (double)(raster->span - 1), r.cols / 10 + 2, false);
    int free_from = r.col;
    for (int i = 0; i < a.n; i++) {
        if (a.tick[i] != floor(a.tick[i]) || a.tick[i] > (double)(raster->span - 1))
            continue;
        int col = r.col + column_of(raster, (int64_t)a.tick[i]) / raster->glyphs->dot_cols;
        int n = snprintf(label, sizeof label, "%.0f", a.tick[i]);
        int start = col - (i ? n / 2 : 0), most = r.col + r.cols - n;
        start = start > most ? most : start;
        if (start < free_from)
            continue;
        canvas_text(c, r.row, start, n, STYLE_DIM, label);
        free_from = start + n + 1;
    }
}

static int mark_column(struct rect r, const struct raster *raster, const struct plot_mark *m)
{
    return r.col + column_of(raster, m->x) / raster->glyphs->dot_cols;
}

static void draw_marks(struct canvas *c, struct rect r, const struct raster *raster,
                       const struct plot *p)
{
    for (int i = 0; i < p->n_marks; i++) {
        int col = mark_column(r, raster, &p->marks[i]);
        if (col < r.col + r.cols)
            canvas_fill(c, (struct rect){r.row, col, r.rows, 1}, c->glyphs->wall, STYLE_DIM);
    }
}

static bool is_free(const struct canvas *c, int row, int col, int cols)
{
    for (int i = 0; i < cols; i++)
        if (!canvas_is_blank(c, row, col + i))
            return false;
    return true;
}

/* Beside its mark, at the right if possible, in the uppermost row where nothing is drawn yet. */
static void put_label(struct canvas *c, struct rect r, int col, const char *label)
{
    int width = canvas_width(c, label), side[2] = {col + 1, col - width};
    for (int i = 0; i < 2; i++)
        for (int row = r.row; row < r.row + r.rows; row++) {
            if (side[i] < r.col || side[i] + width > r.col + r.cols ||
                !is_free(c, row, side[i], width))
                continue;
            canvas_text(c, row, side[i], width, STYLE_DIM, label);
            return;
        }
}

static void put_labels(struct canvas *c, struct rect r, const struct raster *raster,
                       const struct plot *p)
{
    for (int i = 0; i < p->n_marks; i++) {
        int col = mark_column(r, raster, &p->marks[i]);
        if (col < r.col + r.cols)
            put_label(c, r, col, p->marks[i].label);
    }
}

static void put_raster(struct canvas *c, struct rect r, const struct raster *raster,
                       const struct plot *p)
{
    for (int i = 0; i < raster->rows * raster->cols; i++) {
        if (!raster->bits[i])
            continue;
        const struct plot_series *s = &p->series[raster->owner[i] - 1];
        uint32_t ch =
            raster->glyphs->dots ? raster->glyphs->dots(raster->bits[i]) : (uint32_t)s->letter;
        canvas_put(c, r.row + i / raster->cols, r.col + i % raster->cols, ch, s->style);
    }
}

/* Puts a letter at its row or the nearest free one; curves stay whole. */
static bool put_aside(struct canvas *c, struct rect r, int row, int col,
                      const struct plot_series *s)
{
    for (int i = 0; i <= 2 * ASIDE; i++) {
        int at = row + (i % 2 ? -(i + 1) / 2 : i / 2);
        if (at < 0 || at >= r.rows || !canvas_is_blank(c, r.row + at, r.col + col))
            continue;
        canvas_put(c, r.row + at, r.col + col, (uint32_t)s->letter, s->style);
        return true;
    }
    return false;
}

/* Letters: at every value of a series of points, otherwise once, after the end of the line. */
static void put_letters(struct canvas *c, struct rect r, const struct raster *raster,
                        const struct plot_series *s, const struct axis *a)
{
    struct stroke k;
    uint32_t n;
    bool hole;
    int row = -1, col = -1;
    for (int i = 0; i < s->data->n;) {
        i = gather(raster, s->data, i, &k, &n, &hole);
        double y = s->line == LINE_POINTS ? k.last : k.mean;
        if (!n || dot_row(raster, a, y) < 0)
            continue;
        row = dot_row(raster, a, y) / raster->glyphs->dot_rows;
        col = k.col / raster->glyphs->dot_cols;
        if (s->line == LINE_POINTS && col < r.cols && !put_aside(c, r, row, col, s))
            canvas_put(c, r.row + row, r.col + col, (uint32_t)s->letter, s->style);
    }
    if (row >= 0 && s->line != LINE_POINTS && !s->unlettered)
        put_aside(c, r, row, col + 1, s);
}

static void draw_series(struct canvas *c, struct rect r, struct raster *raster,
                        const struct plot *p, const struct axis *shared)
{
    struct axis axis[32];
    int n = p->n_series < 32 ? p->n_series : 32;
    double lo, hi;
    for (int i = 0; i < n; i++) {
        axis[i] = *shared;
        if (p->series[i].own_scale && range_of(&p->series[i], p->log, &lo, &hi))
            axis_fit(&axis[i], lo, hi, raster->rows / 2 + 1, p->log);
        if (p->series[i].line != LINE_POINTS)
            draw_line(raster, &p->series[i], &axis[i], i + 1);
    }
    draw_marks(c, r, raster, p);
    put_raster(c, r, raster, p);
    put_labels(c, r, raster, p);
    for (int i = 0; i < n; i++)
        put_letters(c, r, raster, &p->series[i], &axis[i]);
}

static int64_t last_x(const struct plot *p)
{
    int64_t last = 0;
    for (int i = 0; i < p->n_series; i++)
        last = p->series[i].data->last > last ? p->series[i].data->last : last;
    return last;
}

void plot_draw(struct canvas *c, struct rect r, const struct plot *p)
{
    struct axis axis;
    struct rect inner = r;
    inner.rows -= r.rows > 3; /* x labels */
    if (r.rows <= 0 || r.cols <= 0 || !fit_axis(p, inner.rows, &axis)) {
        canvas_textf(c, (struct rect){r.row + r.rows / 2, r.col + 2, r.rows, r.cols - 2}, STYLE_DIM,
                     "%s", p->empty ? p->empty : "");
        return;
    }
    int width = r.cols > 24 ? label_width(&axis) : -1;
    inner.col += width + 1;
    inner.cols -= width + 2; /* the last column is for letters */
    if (inner.cols <= 0)
        return;
    struct raster raster = {.rows = inner.rows, .cols = inner.cols, .glyphs = c->glyphs};
    raster.dot_rows = raster.rows * c->glyphs->dot_rows;
    raster.dot_cols = raster.cols * c->glyphs->dot_cols;
    raster.span = p->span > 1 ? p->span : plot_span(last_x(p), 0);
    raster.bits = calloc((size_t)raster.rows * (size_t)raster.cols, 2);
    if (!raster.bits)
        return;
    raster.owner = raster.bits + raster.rows * raster.cols;
    if (width > 0)
        draw_y_axis(c, (struct rect){r.row, r.col, inner.rows, r.cols}, &axis, width);
    if (inner.rows < r.rows)
        draw_x_axis(c, (struct rect){r.row + inner.rows, inner.col, 1, inner.cols}, &raster);
    draw_series(c, inner, &raster, p, &axis);
    free(raster.bits);
}
