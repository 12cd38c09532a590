/*
 * Where the panes are: a pure function of the size of the screen. It never refuses: what has no
 * room is left out, down to one line.
 */
#ifndef SUPCON_TUI_LAYOUT_H
#define SUPCON_TUI_LAYOUT_H

#include "tui/canvas.h"

enum pane_id {
    PANE_STATUS,
    PANE_LOSS,
    PANE_ACCURACY,
    PANE_NUMBERS,
    PANE_CHECKPOINTS,
    PANE_LOG,
    PANE_KEYS,
    PANE_N
};

enum size_class { SIZE_LINE, SIZE_COMPACT, SIZE_NORMAL, SIZE_MEDIUM, SIZE_WIDE };

struct layout {
    enum size_class size;
    bool shown[PANE_N];
    struct rect rect[PANE_N]; /* of the shown ones; no two overlap */
};

/* zoomed: the pane that takes the room of all but status and keys, or -1. */
struct layout layout_make(int rows, int cols, int zoomed);

#endif
