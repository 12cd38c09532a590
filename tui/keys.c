/* The keys of the console; see keys.h. */
#include "tui/keys.h"

#include "tui/console.h"

#include <stddef.h>

/* Pressed again before the answer has come it takes the request back. */
static void act_pause(struct console *c, int key)
{
    const struct model *m = &c->model;
    enum command_kind kind =
        m->state == STATE_PAUSED || m->asked == CMD_PAUSE ? CMD_RESUME : CMD_PAUSE;
    (void)key;
    if (console_refuses(c, kind == CMD_RESUME && m->state != STATE_PAUSED ? CMD_PAUSE : kind))
        return;
    console_post(c, &(struct command){.kind = kind});
    if (m->evaluating)
        console_toast(c, false, "the linear evaluation %s; training waits for it, v cancels it",
                      kind == CMD_PAUSE ? "pauses" : "goes on");
    if (m->state == STATE_PREPARING || m->state == STATE_IDLE)
        console_toast(c, false, "training %s before its first iteration",
                      kind == CMD_PAUSE ? "will pause" : "will not pause");
}

static void act_save(struct console *c, int key)
{
    (void)key;
    if (!console_refuses(c, CMD_SAVE))
        console_post(c, &(struct command){.kind = CMD_SAVE});
}

static void act_switch(struct console *c, int key)
{
    (void)key;
    if (!console_refuses(c, CMD_SWITCH))
        dialog_open(c, &dialog_switch);
}

static void act_linear(struct console *c, int key)
{
    (void)key;
    if (c->model.evaluating || !console_refuses(c, CMD_LINEAR))
        dialog_open(c, &dialog_linear);
}

static void act_quit(struct console *c, int key)
{
    (void)key;
    dialog_open(c, &dialog_quit);
}

static void act_help(struct console *c, int key)
{
    (void)key;
    c->help = true;
    c->help_from = 0;
}

static void act_focus(struct console *c, int key)
{
    console_focus(c, key == K_BACKTAB ? -1 : 1);
}

static void act_zoom(struct console *c, int key)
{
    (void)key;
    c->zoomed = !c->zoomed;
}

static void act_back(struct console *c, int key)
{
    (void)key;
    c->zoomed = false;
}

static void act_repaint(struct console *c, int key)
{
    (void)key;
    c->repaint = true;
}

static void act_suspend(struct console *c, int key)
{
    (void)key;
    c->suspend = true;
}

/* The focused plot, or both when no plot is focused. */
static void act_plot(struct console *c, int key)
{
    bool one = pane_classes[c->focus]->plots;
    for (int i = 0; i < PANE_N; i++)
        if (pane_classes[i]->plots && (!one || i == c->focus))
            pane_classes[i]->key(c->state[i], &c->model, key);
}

/* The focused list; checkpoints when the focused pane has no use for it. */
static void act_list(struct console *c, int key)
{
    const struct pane_class *class = pane_classes[c->focus];
    if (!class->key || !class->key(c->state[c->focus], &c->model, key))
        pane_checkpoints.key(c->state[PANE_CHECKPOINTS], &c->model, key);
}

static const struct key_binding table[] = {
    {'?', K_FN + 1, "? F1", "help", NULL, "show this help", false, act_help},
    {'p', K_FN + 3, "p F3", "pause", NULL, "pause training or the evaluation that runs, or resume",
     false, act_pause},
    {'s', K_FN + 5, "s F5", "save", NULL, "save a checkpoint after the present iteration", false,
     act_save},
    {'o', K_FN + 4, "o F4", "objective", NULL,
     "switch the objective (shows the effects, asks first)", false, act_switch},
    {'v', K_FN + 6, "v F6", "evaluate", "cancel",
     "linear evaluation of the selected checkpoint, or cancel it (asks)", false, act_linear},
    {'q', K_FN + 10, "q F10", "quit", NULL, "quit, stop or detach (asks first)", false, act_quit},
    {K_CTRL('c'), K_NONE, "Ctrl-C", NULL, NULL,
     "as q; again: next choice; the fourth stops the run at once", false, act_quit},
    {K_TAB, K_NONE, "Tab", "focus", NULL, "focus the next pane", false, act_focus},
    {K_BACKTAB, K_NONE, "Shift-Tab", NULL, NULL, "focus the previous pane", false, act_focus},
    {'z', K_ENTER, "z Enter", "zoom", NULL, "give the focused pane the whole screen, or back",
     false, act_zoom},
    {K_ESC, K_NONE, "Esc", NULL, NULL, "back: from a dialog, the help, a zoomed pane", false,
     act_back},
    {K_UP, 'k', "Up k", NULL, NULL, "select the row above, or scroll back", true, act_list},
    {K_DOWN, 'j', "Down j", NULL, NULL, "select the row below, or scroll on", true, act_list},
    {K_PGUP, K_NONE, "PgUp", NULL, NULL, "scroll ten lines back", true, act_list},
    {K_PGDN, K_NONE, "PgDn", NULL, NULL, "scroll ten lines on", true, act_list},
    {K_HOME, K_NONE, "Home", NULL, NULL, "the newest checkpoint, the oldest line of the log", true,
     act_list},
    {K_END, K_NONE, "End", NULL, NULL, "the oldest checkpoint, the newest line of the log", true,
     act_list},
    {'y', K_NONE, "y", "log y", NULL, "logarithmic or linear scale", true, act_plot},
    {'[', K_NONE, "[", NULL, NULL, "smooth less", true, act_plot},
    {']', K_NONE, "]", "smooth", NULL, "smooth more (0 .5 .8 .9 .95 .99 .999)", true, act_plot},
    {'r', K_NONE, "r", NULL, NULL, "show or hide the single values behind the smoothed loss", true,
     act_plot},
    {'f', K_NONE, "f", "fit", NULL, "back to the usual scale and smoothing", true, act_plot},
    {K_CTRL('l'), K_NONE, "Ctrl-L", NULL, NULL, "draw the screen anew", false, act_repaint},
    {K_CTRL('z'), K_NONE, "Ctrl-Z", NULL, NULL, "suspend; training stops too until fg", false,
     act_suspend},
    {0, 0, NULL, NULL, NULL, NULL, false, NULL},
};

const struct key_binding *key_table(void)
{
    return table;
}
