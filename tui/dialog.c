/* Dialogs: state, keys, drawing; see dialog.h. What they say stands in dialog_*.c. */
#include "tui/dialog.h"

#include "tui/console.h"
#include "tui/keys.h"

#include <stdarg.h>
#include <stdio.h>

void dialog_line(struct dialog *d, const char *fmt, ...)
{
    if (d->n_lines == DIALOG_LINES)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->line[d->n_lines++], DIALOG_TEXT, fmt, ap);
    va_end(ap);
}

void dialog_choice(struct dialog *d, char key, int value, const char *fmt, ...)
{
    if (d->n_choices == DIALOG_CHOICES)
        return;
    va_list ap;
    va_start(ap, fmt);
    d->choice[d->n_choices].key = key;
    d->choice[d->n_choices].value = value;
    vsnprintf(d->choice[d->n_choices++].text, DIALOG_TEXT, fmt, ap);
    va_end(ap);
}

void dialog_refresh(struct console *c)
{
    struct dialog *d = &c->dialog;
    if (!d->class)
        return;
    d->n_lines = d->n_choices = 0;
    d->class->describe(d, c);
    if (d->selected >= d->n_choices)
        d->selected = 0;
    c->dirty = true;
}

void dialog_open(struct console *c, const struct dialog_class *class)
{
    c->dialog = (struct dialog){.class = class, .step = console_checkpoint(c)};
    c->help = false;
    dialog_refresh(c);
}

static void take(struct console *c, int i)
{
    struct dialog d = c->dialog;
    c->dialog.class = NULL;
    c->dirty = true;
    if (i > 0)
        d.class->choose(c, &d, d.choice[i].value);
}

static void select(struct console *c, int i)
{
    c->dialog.selected = i;
    dialog_refresh(c);
}

static void move(struct console *c, int by)
{
    int n = c->dialog.n_choices;
    select(c, (c->dialog.selected + by + n) % n);
}

static int choice_of(const struct dialog *d, int key)
{
    for (int i = 0; i < d->n_choices; i++)
        if (d->choice[i].key && d->choice[i].key == key)
            return i;
    return -1;
}

void dialog_key(struct console *c, int key)
{
    int i = choice_of(&c->dialog, key), digit = key - '1';
    if (key == K_CTRL('c') && c->dialog.class != &dialog_quit)
        dialog_open(c, &dialog_quit);
    else if (key == K_CTRL('c') && c->dialog.selected == 2)
        take(c, 2); /* whoever insists gets it */
    else if (key == K_DOWN || key == K_RIGHT || key == K_TAB || key == 'j' || key == K_CTRL('c'))
        move(c, 1);
    else if (key == K_UP || key == K_LEFT || key == K_BACKTAB || key == 'k')
        move(c, -1);
    else if (key == K_ESC)
        take(c, 0);
    else if (key == K_ENTER)
        take(c, c->dialog.selected);
    else if (digit >= 0 && digit < c->dialog.n_choices)
        select(c, digit);
    else if (i >= 0)
        take(c, i);
}

enum { COLS_LEAST = 72 }; /* so that the frame stays while the selection moves */
static const char hint[] = " Digit selects, Enter takes it, Esc closes ";

static int widest(const struct dialog *d, const struct canvas *c)
{
    int width = canvas_width(c, d->title) + 2;
    width = width > COLS_LEAST ? width : COLS_LEAST;
    for (int i = 0; i < d->n_lines; i++) {
        int w = canvas_width(c, d->line[i]);
        width = w > width ? w : width;
    }
    for (int i = 0; i < d->n_choices; i++) {
        int w = canvas_width(c, d->choice[i].text) + 8;
        width = w > width ? w : width;
    }
    return width;
}

static void draw_frame(struct canvas *c, struct rect r, const char *title)
{
    uint32_t rule = c->glyphs->rule, wall = c->glyphs->wall, corner = c->glyphs->ascii ? '+' : 0;
    int last_row = r.row + r.rows - 1, last_col = r.col + r.cols - 1;
    canvas_fill(c, r, ' ', STYLE_TEXT);
    canvas_fill(c, (struct rect){r.row, r.col, 1, r.cols}, rule, STYLE_TEXT);
    canvas_fill(c, (struct rect){last_row, r.col, 1, r.cols}, rule, STYLE_TEXT);
    canvas_fill(c, (struct rect){r.row, r.col, r.rows, 1}, wall, STYLE_TEXT);
    canvas_fill(c, (struct rect){r.row, last_col, r.rows, 1}, wall, STYLE_TEXT);
    canvas_put(c, r.row, r.col, corner ? corner : 0x250c, STYLE_TEXT);
    canvas_put(c, r.row, last_col, corner ? corner : 0x2510, STYLE_TEXT);
    canvas_put(c, last_row, r.col, corner ? corner : 0x2514, STYLE_TEXT);
    canvas_put(c, last_row, last_col, corner ? corner : 0x2518, STYLE_TEXT);
    canvas_textf(c, (struct rect){r.row, r.col + 2, 1, r.cols - 4}, STYLE_FOCUS, " %s ", title);
    canvas_text(c, last_row, r.col + 2, r.cols - 4, STYLE_DIM, hint);
}

static bool has_letters(const struct dialog *d)
{
    for (int i = 0; i < d->n_choices; i++)
        if (d->choice[i].key)
            return true;
    return false;
}

static void draw_choice(struct canvas *c, struct rect r, const struct dialog *d, int i)
{
    bool selected = i == d->selected;
    char key[8] = "   ";
    if (d->choice[i].key)
        snprintf(key, sizeof key, "(%c)", d->choice[i].key);
    canvas_textf(c, r, selected ? STYLE_SELECT : STYLE_TEXT, "%c %d %s%s%s",
                 selected ? (int)c->glyphs->pointer : ' ', i + 1, has_letters(d) ? key : "",
                 has_letters(d) ? " " : "", d->choice[i].text);
}

/* Too small for a frame: title and selected choice in one line. */
static void draw_small(struct canvas *c, const struct dialog *d)
{
    canvas_fill(c, (struct rect){c->rows - 1, 0, 1, c->cols}, ' ', STYLE_SELECT);
    canvas_textf(c, (struct rect){c->rows - 1, 0, 1, c->cols}, STYLE_SELECT, "%s: %s", d->title,
                 d->choice[d->selected].text);
}

/* The first row of a frame of so many rows. */
static int place(int rows, const struct canvas *c, int keep)
{
    int middle = (c->rows - rows) / 2;
    if (keep < middle || keep >= middle + rows)
        return middle;
    if (keep >= rows)
        return keep - rows;
    return keep + 1 + rows <= c->rows ? keep + 1 : middle;
}

void dialog_draw(const struct dialog *d, struct canvas *c, int keep)
{
    int fixed = d->n_choices + 2;
    if (c->rows < fixed || c->cols < 24) {
        draw_small(c, d);
        return;
    }
    int lines = c->rows < fixed + d->n_lines + 1 ? c->rows - fixed - 1 : d->n_lines;
    lines = lines < 0 ? 0 : lines;
    int gap = lines > 0, rows = fixed + lines + gap, cols = widest(d, c) + 4;
    cols = cols > c->cols ? c->cols : cols;
    struct rect r = {place(rows, c, keep), (c->cols - cols) / 2, rows, cols};
    draw_frame(c, r, d->title);
    struct rect in = {r.row + 1, r.col + 2, 1, cols - 4};
    for (int i = 0; i < lines; i++, in.row++)
        canvas_text_middle(c, in.row, in.col, in.cols, STYLE_TEXT, d->line[i]);
    in.row += gap;
    for (int i = 0; i < d->n_choices; i++, in.row++)
        draw_choice(c, in, d, i);
}
