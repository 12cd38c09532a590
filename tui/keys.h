/*
 * The keys of the console as one table. It drives dispatch, the help screen and the list of keys in
 * the manual page.
 */
#ifndef SUPCON_TUI_KEYS_H
#define SUPCON_TUI_KEYS_H

#include <stdbool.h>

/* Keys are Unicode code points; control keys 1..26; what has no code point stands above them. */
enum key {
    KEY_NONE = 0,
    KEY_TAB = 9,
    KEY_ENTER_ = 13,
    KEY_ESC = 27,
    KEY_BASE = 0x110000,
    KEY_UP_,
    KEY_DOWN_,
    KEY_LEFT_,
    KEY_RIGHT_,
    KEY_PGUP,
    KEY_PGDN,
    KEY_HOME_,
    KEY_END_,
    KEY_BACKTAB,
    KEY_FN /* KEY_FN + n: function key n */
};
#define KEY_CTRL(c) ((c)&31)

struct console;

struct key_binding {
    int key, alias;   /* alias: a second key, or KEY_NONE */
    const char *name; /* as shown: "p", "Ctrl-L"; both keys: "p F3" */
    const char *hint; /* word in the key line, NULL: not listed there */
    const char *help; /* what it does, for help and manual */
    bool pane;        /* acts on the focused pane, not on the run or the screen */
    void (*run)(struct console *, int key);
};

/* Ends with a NULL name. */
const struct key_binding *key_table(void);

#endif
