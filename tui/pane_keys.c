/* The last line: the keys worth knowing. */
#include "tui/keys.h"
#include "tui/pane.h"

#include <string.h>

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    int col = r.col, end = r.col + r.cols;
    (void)state;
    for (const struct key_binding *k = key_table(); k->name; k++) {
        if (!k->hint)
            continue;
        int key_width = (int)strcspn(k->name, " ");
        char name[16];
        const char *hint = k->busy && v->model->evaluating ? k->busy : k->hint;
        int width = key_width + 1 + (int)strlen(hint);
        if (key_width >= (int)sizeof name || col + width > end)
            continue;
        memcpy(name, k->name, (size_t)key_width);
        name[key_width] = '\0';
        col += canvas_text(c, r.row, col, end - col, STYLE_KEY, name) + 1;
        col += canvas_text(c, r.row, col, end - col, STYLE_TEXT, hint) + 2;
    }
}

const struct pane_class pane_keys = {.name = "keys", .draw = draw};
