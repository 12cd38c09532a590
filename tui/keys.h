/*
 * The keys of the console as one table. It drives dispatch, the help screen and the list of keys in
 * the manual page.
 */
#ifndef SUPCON_TUI_KEYS_H
#define SUPCON_TUI_KEYS_H

#include <stdbool.h>

/* Keys are Unicode code points; control keys 1..26; what has no code point stands above them. */
enum key {
    K_NONE = 0,
    K_TAB = 9,
    K_ENTER = 13,
    K_ESC = 27,
    K_BASE = 0x110000,
    K_UP,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_PGUP,
    K_PGDN,
    K_HOME,
    K_END,
    K_BACKTAB,
    K_FN /* K_FN + n: function key n */
};
#define K_CTRL(c) ((c)&31)

struct console;

struct key_binding {
    int key, alias;   /* alias: a second key, or K_NONE */
    const char *name; /* as shown: "p", "Ctrl-L"; both keys: "p F3" */
    const char *hint; /* word in the key line, NULL: not listed there */
    const char *busy; /* that word while a linear evaluation runs; NULL: the same */
    const char *help; /* what it does, for help and manual */
    bool pane;        /* acts on the focused pane, not on the run or the screen */
    void (*run)(struct console *, int key);
};

/* Ends with a NULL name. */
const struct key_binding *key_table(void);

#endif
