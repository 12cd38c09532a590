/* All figures of the run, one a row; for screens that have room. */
#include "tui/fact.h"
#include "tui/pane.h"

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    char value[96];
    int row = r.row;
    (void)state;
    for (const struct fact *f = facts; f->label && row < r.row + r.rows; f++) {
        if (f->plain || !f->value(v->model, value, sizeof value))
            continue;
        canvas_text(c, row, r.col + 1, 15, STYLE_DIM, f->label);
        canvas_text(c, row++, r.col + 17, r.cols - 17, STYLE_TEXT, value);
    }
}

const struct pane_class pane_numbers = {.name = "numbers", .title = "Run", .draw = draw};
