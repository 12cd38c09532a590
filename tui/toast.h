/*
 * Messages of the moment: what an event or a key has led to. They lie on the title of the log, or,
 * where no log is shown, on the row above the keys; never on the keys themselves.
 */
#ifndef SUPCON_TUI_TOAST_H
#define SUPCON_TUI_TOAST_H

#include "tui/canvas.h"
#include "tui/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct console;
struct event;

struct toast {
    char text[200]; /* "": none */
    bool bad;
    int64_t until; /* microseconds since 1970, 0: until a key is pressed */
};

/* What is worth a message besides the log: results, refusals, failures. */
void toast_event(struct console *, const struct event *);
void toast_draw(const struct toast *, const struct layout *, struct canvas *);

#endif
