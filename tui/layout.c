/* Where the panes are; see layout.h. One function per size class, from least to most room. */
#include "tui/layout.h"

static void place(struct layout *l, enum pane_id id, struct rect r)
{
    if (r.rows <= 0 || r.cols <= 0)
        return;
    l->shown[id] = true;
    l->rect[id] = r;
}

static int min(int a, int b)
{
    return a < b ? a : b;
}

/* Status on top and keys at the bottom; returns what is left between. */
static struct rect frame(struct layout *l, int rows, int cols, int status_rows)
{
    place(l, PANE_STATUS, (struct rect){0, 0, status_rows, cols});
    place(l, PANE_KEYS, (struct rect){rows - 1, 0, 1, cols});
    return (struct rect){status_rows, 0, rows - status_rows - 1, cols};
}

static void compact(struct layout *l, int rows, int cols)
{
    struct rect r = frame(l, rows, cols, 3);
    int log = r.rows > 9 ? 3 : 0;
    place(l, PANE_LOSS, (struct rect){r.row, 0, r.rows - log, cols});
    place(l, PANE_LOG, (struct rect){r.row + r.rows - log, 0, log, cols});
}

/* Two plots side by side, then checkpoints, then the log over the whole width. */
static void normal(struct layout *l, int rows, int cols)
{
    struct rect r = frame(l, rows, cols, 3);
    int plots = r.rows / 2, half = (cols - 1) / 2;
    int checkpoints = min(4 + (r.rows - 16) / 4, r.rows - plots - 4);
    place(l, PANE_LOSS, (struct rect){r.row, 0, plots, half});
    place(l, PANE_ACCURACY, (struct rect){r.row, half + 1, plots, cols - half - 1});
    place(l, PANE_CHECKPOINTS, (struct rect){r.row + plots, 0, checkpoints, cols});
    place(l, PANE_LOG,
          (struct rect){r.row + plots + checkpoints, 0, r.rows - plots - checkpoints, cols});
}

/* Plots one above the other at the left; numbers and checkpoints at the right; the log below. */
static void columns(struct layout *l, int rows, int cols, int right)
{
    struct rect r = frame(l, rows, cols, 3);
    int log = r.rows / 5 + 1, body = r.rows - log, left = cols - right - 1;
    int loss = (body + 1) / 2, numbers = min(14, body / 2);
    place(l, PANE_LOSS, (struct rect){r.row, 0, loss, left});
    place(l, PANE_ACCURACY, (struct rect){r.row + loss, 0, body - loss, left});
    place(l, PANE_NUMBERS, (struct rect){r.row, left + 1, numbers, right});
    place(l, PANE_CHECKPOINTS, (struct rect){r.row + numbers, left + 1, body - numbers, right});
    place(l, PANE_LOG, (struct rect){r.row + body, 0, log, cols});
}

static enum size_class classify(int rows, int cols)
{
    static const struct {
        int rows, cols;
    } least[] = {{1, 1}, {10, 40}, {20, 76}, {32, 110}, {50, 180}};
    int size = SIZE_WIDE;
    while (size > SIZE_LINE && (rows < least[size].rows || cols < least[size].cols))
        size--;
    return (enum size_class)size;
}

struct layout layout_make(int rows, int cols, int zoomed)
{
    struct layout l = {.size = classify(rows, cols)};
    if (l.size == SIZE_LINE)
        place(&l, PANE_STATUS, (struct rect){0, 0, 1, cols});
    else if (zoomed >= 0)
        place(&l, (enum pane_id)zoomed, frame(&l, rows, cols, 3));
    else if (l.size == SIZE_COMPACT)
        compact(&l, rows, cols);
    else if (l.size == SIZE_NORMAL)
        normal(&l, rows, cols);
    else
        columns(&l, rows, cols, l.size == SIZE_WIDE ? 66 : 54);
    return l;
}
