/* The help screen: the table of keys, over everything else. */
#include "tui/console.h"
#include "tui/keys.h"

static const char *const notes[] = {
    "",
    "Loss: dots are single values, the line is their moving average (ema). Every",
    "  objective has a scale of its own; a vertical line is a switch.",
    "Position: where a contrastive loss is between its floor (0%: classes as far",
    "  apart as can be) and its plateau (100%: all embeddings equal, collapse).",
    "No positives: anchors whose class is alone in the batch; their loss is zero.",
    "Accuracy: b batch, p online probe, v validation, L linear evaluation; where",
    "  two would meet, a letter stands a row above or below its value.",
    "valid1: top-1 on the validation split, of the probe for contrastive losses.",
    "Plot keys act on the focused plot, or on both when no plot is focused.",
    "iter: completed iterations of the epoch, # those of the run; epochs from 0.",
    "While a linear evaluation runs: v cancels it, p pauses it; training waits.",
    "  Of several learning rates the one with the lowest loss is shown.",
    "In dialogs arrows and the digits shown select and tell the effects, Enter",
    "  takes what is selected, a letter takes its choice at once, Esc closes.",
    "Esc and the arrows never do anything to the run.",
};

enum { N_NOTES = sizeof notes / sizeof *notes };

static int key_count(void)
{
    int n = 0;
    for (const struct key_binding *k = key_table(); k->name; k++)
        n++;
    return n;
}

void help_draw(const struct console *con, struct canvas *c)
{
    int n_keys = key_count(), n = n_keys + N_NOTES, room = c->rows - 1;
    int from = con->help_from > n - room ? n - room : con->help_from;
    from = from < 0 ? 0 : from;
    canvas_fill(c, (struct rect){0, 0, c->rows, c->cols}, ' ', STYLE_TEXT);
    canvas_fill(c, (struct rect){0, 0, 1, c->cols}, ' ', STYLE_STATUS);
    canvas_text(c, 0, 1, c->cols - 1, STYLE_STATUS,
                n > room ? "supcon: keys   (Up and Down scroll, Esc goes back)"
                         : "supcon: keys   (Esc goes back)");
    for (int i = 0; i < room && from + i < n; i++) {
        int row = 1 + i, at = from + i;
        if (at >= n_keys) {
            canvas_text(c, row, 2, c->cols - 2, STYLE_TEXT, notes[at - n_keys]);
            continue;
        }
        canvas_text(c, row, 2, c->cols - 2, STYLE_KEY, key_table()[at].name);
        canvas_text(c, row, 13, c->cols - 13, STYLE_TEXT, key_table()[at].help);
    }
}
