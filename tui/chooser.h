/* A list of recipes and runs to choose from, without a terminal: keys in, a canvas out. */
#ifndef SUPCON_TUI_CHOOSER_H
#define SUPCON_TUI_CHOOSER_H

#include "tui/canvas.h"

enum { CHOICE_PATH = 1024, CHOOSER_NOTE = 1100 };

struct choice {
    char path[CHOICE_PATH];
    char text[160]; /* beside the name */
    bool is_run;
    char holder[96]; /* the process that uses the run: "process 1234 on HOST"; "" nobody */
};

struct chooser {
    struct choice *choice; /* recipes first */
    int n, selected;
    char note[CHOOSER_NOTE]; /* why a choice was not taken, or help; may have several lines */
};

enum chosen { CHOSEN_NOT_YET, CHOSEN, CHOSEN_NONE };

void chooser_draw(const struct chooser *, struct canvas *);
enum chosen chooser_key(struct chooser *, int key);

#endif
