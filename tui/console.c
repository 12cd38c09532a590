/* The console without a terminal; see console.h. */
#include "tui/console.h"

#include "tui/keys.h"
#include "tui/text.h"

#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

enum { SECOND = 1000000 };

int console_init(struct console *c, const struct console_options *options, struct err *e)
{
    *c = (struct console){.options = *options, .focus = PANE_CHECKPOINTS, .dirty = true};
    model_init(&c->model);
    for (int i = 0; i < PANE_N; i++) {
        const struct pane_class *class = pane_classes[i];
        c->state[i] = calloc(1, class->state_bytes + 1);
        if (!c->state[i] || (class->init && class->init(c->state[i]) != 0)) {
            console_done(c);
            return err_set(e, EXIT_OS, "out of memory for the console");
        }
    }
    return 0;
}

void console_done(struct console *c)
{
    for (int i = 0; i < PANE_N; i++) {
        if (c->state[i] && pane_classes[i]->done)
            pane_classes[i]->done(c->state[i]);
        free(c->state[i]);
        c->state[i] = NULL;
    }
}

void console_event(struct console *c, const struct event *e)
{
    model_event(&c->model, e);
    for (int i = 0; i < PANE_N; i++)
        if (pane_classes[i]->event)
            pane_classes[i]->event(c->state[i], e);
    toast_event(c, e);
    c->dirty = true;
    if (e->kind != EV_LOG)
        dialog_refresh(c);
}

void console_noise(struct console *c, const char *line)
{
    log_pane_add(c->state[PANE_LOG], c->model.now_usec, LOG_INFO, line);
    c->dirty = true;
}

void console_post(struct console *c, const struct command *command)
{
    if (!c->options.post(c->options.ctx, command)) {
        console_toast(c, false, "%s: the engine takes no more commands",
                      command_name((enum command_kind)command->kind));
        return;
    }
    c->model.asked = command->kind;
    if (command->kind == CMD_STOP || command->kind == CMD_ABANDON)
        c->model.stopping = true;
    c->dirty = true;
}

bool console_refuses(struct console *c, enum command_kind kind)
{
    static const char *const what[CMD_N] = {
        [CMD_PAUSE] = "pause",     [CMD_RESUME] = "resume",
        [CMD_SAVE] = "save",       [CMD_SWITCH] = "switch the objective",
        [CMD_LINEAR] = "evaluate", [CMD_CANCEL] = "cancel",
        [CMD_STOP] = "stop",       [CMD_ABANDON] = "stop",
    };
    const char *why = model_refusal(&c->model, kind);
    if (why)
        console_toast(c, false, "cannot %s: %s", what[kind], why);
    return why != NULL;
}

int64_t console_checkpoint(const struct console *c)
{
    return checkpoints_selected(c->state[PANE_CHECKPOINTS], &c->model);
}

void console_focus(struct console *c, int step)
{
    static const int order[] = {PANE_LOSS, PANE_ACCURACY, PANE_CHECKPOINTS, PANE_LOG};
    enum { N = sizeof order / sizeof *order };
    int at = 0;
    while (at < N - 1 && order[at] != c->focus)
        at++;
    c->focus = order[(at + step + N) % N];
}

static void help_key(struct console *c, int key)
{
    int by = key == K_DOWN || key == 'j' ? 1 : key == K_UP || key == 'k' ? -1 : 0;
    by = key == K_PGDN || key == ' ' ? 10 : key == K_PGUP ? -10 : by;
    if (by == 0)
        c->help = false;
    c->help_from = c->help_from + by < 0 ? 0 : c->help_from + by;
    if (c->help_from > 40)
        c->help_from = 40;
}

static void bound_key(struct console *c, int key)
{
    for (const struct key_binding *k = key_table(); k->name; k++)
        if (k->key == key || (k->alias != K_NONE && k->alias == key)) {
            k->run(c, key == 'j' ? K_DOWN : key == 'k' ? K_UP : key);
            return;
        }
}

void console_key(struct console *c, int key)
{
    bool screen = key == K_CTRL('l') || key == K_CTRL('z'); /* these work everywhere */
    c->dirty = true;
    c->toast.text[0] = '\0';
    if (c->dialog.class && !screen)
        dialog_key(c, key);
    else if (c->help && !screen && key != K_CTRL('c'))
        help_key(c, key);
    else
        bound_key(c, key);
}

void console_tick(struct console *c, int64_t usec)
{
    const struct model *m = &c->model;
    bool waiting = m->phase[0] || m->state == STATE_PREPARING || m->state == STATE_EVALUATING;
    if (waiting && usec / SECOND != c->model.now_usec / SECOND)
        c->dirty = true;
    c->model.now_usec = usec;
    if (!c->model.first_usec)
        c->model.first_usec = usec;
    if (c->toast.text[0] && c->toast.until && usec >= c->toast.until) {
        c->toast.text[0] = '\0';
        c->dirty = true;
    }
}

/* The row of the screen that the dialog speaks of, -1: none that is shown. */
static int dialog_row(const struct console *c, const struct layout *l)
{
    if (!c->dialog.class->about_checkpoint || !l->shown[PANE_CHECKPOINTS])
        return -1;
    return checkpoints_row(c->state[PANE_CHECKPOINTS], &c->model, l->rect[PANE_CHECKPOINTS]);
}

void console_draw(const struct console *c, struct canvas *canvas)
{
    struct layout l = layout_make(canvas->rows, canvas->cols, c->zoomed ? c->focus : -1);
    canvas_clear(canvas);
    for (int i = 0; i < PANE_N; i++) {
        struct pane_view view = {.model = &c->model, .focused = i == c->focus};
        if (l.shown[i])
            pane_draw(pane_classes[i], c->state[i], &view, canvas, l.rect[i]);
    }
    if (c->help)
        help_draw(c, canvas);
    else
        toast_draw(&c->toast, &l, canvas);
    if (c->dialog.class)
        dialog_draw(&c->dialog, canvas, dialog_row(c, &l));
}
