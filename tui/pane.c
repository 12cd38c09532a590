/* The list of panes and what they share: the title rule. */
#include "tui/pane.h"

#include <string.h>

const struct pane_class *const pane_classes[PANE_N] = {
    [PANE_STATUS] = &pane_status,
    [PANE_LOSS] = &pane_loss,
    [PANE_ACCURACY] = &pane_accuracy,
    [PANE_NUMBERS] = &pane_numbers,
    [PANE_CHECKPOINTS] = &pane_checkpoints,
    [PANE_LOG] = &pane_log,
    [PANE_KEYS] = &pane_keys,
};

/* A caption is a list of items two blanks apart: those that do not fit are left out, from the end.
 */
static void shorten(const struct canvas *c, char *caption, int width)
{
    while (canvas_width(c, caption) > width) {
        char *cut = NULL;
        for (char *p = strstr(caption, "  "); p; p = strstr(p + 2, "  "))
            cut = p;
        if (!cut)
            return;
        *cut = '\0';
    }
}

static void draw_title(const struct pane_class *class, const void *state, const struct pane_view *v,
                       struct canvas *c, struct rect r)
{
    char caption[256] = "";
    int end = r.col + r.cols, col = r.col + 1;
    canvas_fill(c, (struct rect){r.row, r.col, 1, r.cols}, c->glyphs->rule, STYLE_DIM);
    if (v->focused)
        canvas_put(c, r.row, r.col, c->glyphs->pointer, STYLE_FOCUS);
    col +=
        canvas_text(c, r.row, col, end - col, v->focused ? STYLE_FOCUS : STYLE_TITLE, class->title);
    if (class->caption)
        class->caption(state, v, caption, sizeof caption);
    shorten(c, caption, end - col - 3);
    if (!caption[0] || end - col < 6)
        return;
    canvas_put(c, r.row, col, ' ', STYLE_TEXT);
    canvas_put(c, r.row, col + 1, ' ', STYLE_TEXT);
    col += 2 + canvas_text(c, r.row, col + 2, end - col - 3, STYLE_TITLE, caption);
    canvas_put(c, r.row, col, ' ', STYLE_TEXT);
}

void pane_draw(const struct pane_class *class, const void *state, const struct pane_view *v,
               struct canvas *c, struct rect r)
{
    if (class->title) {
        draw_title(class, state, v, c, r);
        r.row++;
        r.rows--;
    }
    if (r.rows > 0)
        class->draw(state, v, c, r);
}
