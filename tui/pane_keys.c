/* The last line: the keys worth knowing, or the message of the moment. */
#include "tui/keys.h"
#include "tui/pane.h"

#include <string.h>

/* A message too long for the line loses its middle: the cause stands at its end. */
static void draw_toast(struct canvas *c, struct rect r, const char *text, style_t style)
{
    int width = canvas_width(c, text), half = r.cols / 2;
    canvas_fill(c, r, ' ', style);
    if (width <= r.cols || r.cols < 20) {
        canvas_text(c, r.row, r.col, r.cols, style, text);
        return;
    }
    const char *tail = text + strlen(text);
    while (tail > text && canvas_width(c, tail - 1) <= r.cols - half)
        tail--;
    while (((unsigned char)*tail & 0xc0) == 0x80)
        tail++;
    canvas_text(c, r.row, r.col, half, style, text);
    canvas_text(c, r.row, r.col + half, r.cols - half, style, tail);
}

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    int col = r.col, end = r.col + r.cols;
    (void)state;
    if (v->toast) {
        draw_toast(c, r, v->toast, v->toast_bad ? STYLE_ERROR : STYLE_SELECT);
        return;
    }
    for (const struct key_binding *k = key_table(); k->name; k++) {
        if (!k->hint)
            continue;
        int key_width = (int)strcspn(k->name, " ");
        char name[16];
        int width = key_width + 1 + (int)strlen(k->hint);
        if (key_width >= (int)sizeof name || col + width > end)
            continue;
        memcpy(name, k->name, (size_t)key_width);
        name[key_width] = '\0';
        col += canvas_text(c, r.row, col, end - col, STYLE_KEY, name) + 1;
        col += canvas_text(c, r.row, col, end - col, STYLE_TEXT, k->hint) + 2;
    }
}

const struct pane_class pane_keys = {.name = "keys", .draw = draw};
