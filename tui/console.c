/* The console without a terminal; see console.h. */
#include "tui/console.h"

#include "tui/keys.h"
#include "tui/text.h"

#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECOND = 1000000, TOAST_SECONDS = 6 };

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

static void set_toast(struct console *c, bool bad, int64_t until, const char *fmt, va_list ap)
{
    vsnprintf(c->toast, sizeof c->toast, fmt, ap);
    c->toast_bad = bad;
    c->toast_until = until;
    c->dirty = true;
}

void console_toast(struct console *c, bool bad, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_toast(c, bad, bad ? 0 : c->model.now_usec + TOAST_SECONDS * SECOND, fmt, ap);
    va_end(ap);
}

static void toast_ack(struct console *c, const struct event *e)
{
    const char *name = command_name((enum command_kind)e->u.ack.command);
    if (!e->u.ack.accepted)
        console_toast(c, false, " %s refused: %s", name, e->u.ack.reason);
}

static void toast_checkpoint(struct console *c, const struct event *e)
{
    console_toast(c, false, " checkpoint %lld saved; v evaluates it", (long long)e->u.ckpt.step);
}

static void toast_save_failed(struct console *c, const struct event *e)
{
    console_toast(c, true, " SAVE FAILED, training goes on: %s", e->u.text);
}

static void toast_linear(struct console *c, const struct event *e)
{
    console_toast(c, false, " linear evaluation of %lld: top-1 %.2f %%, top-5 %.2f %%",
                  (long long)e->u.linres.step, e->u.linres.top1, e->u.linres.top5);
}

static void toast_linear_failed(struct console *c, const struct event *e)
{
    console_toast(c, true, " linear evaluation ended: %s", e->u.text);
}

static void (*const toasts[EV_N])(struct console *, const struct event *) = {
    [EV_ACK] = toast_ack,
    [EV_CHECKPOINT] = toast_checkpoint,
    [EV_SAVE_FAILED] = toast_save_failed,
    [EV_LINEAR_DONE] = toast_linear,
    [EV_LINEAR_FAILED] = toast_linear_failed,
};

void console_event(struct console *c, const struct event *e)
{
    model_event(&c->model, e);
    for (int i = 0; i < PANE_N; i++)
        if (pane_classes[i]->event)
            pane_classes[i]->event(c->state[i], e);
    if (!e->replayed && e->kind < EV_N && toasts[e->kind])
        toasts[e->kind](c, e);
    c->dirty = true;
    if (e->kind != EV_ITER && e->kind != EV_LOG)
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
        console_toast(c, false, " %s: the engine takes no more commands",
                      command_name((enum command_kind)command->kind));
        return;
    }
    c->model.asked = command->kind;
    if (command->kind == CMD_STOP || command->kind == CMD_ABANDON)
        c->model.stopping = true;
    c->dirty = true;
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
    c->toast[0] = '\0';
    if (c->dialog.class && !screen)
        dialog_key(c, key);
    else if (c->help && !screen && key != K_CTRL('c'))
        help_key(c, key);
    else
        bound_key(c, key);
}

void console_tick(struct console *c, int64_t usec)
{
    bool waiting = c->model.phase[0] || c->model.state == STATE_PREPARING;
    if (waiting && usec / SECOND != c->model.now_usec / SECOND)
        c->dirty = true;
    c->model.now_usec = usec;
    if (!c->model.first_usec)
        c->model.first_usec = usec;
    if (c->toast[0] && c->toast_until && usec >= c->toast_until) {
        c->toast[0] = '\0';
        c->dirty = true;
    }
}

void console_draw(const struct console *c, struct canvas *canvas)
{
    struct layout l = layout_make(canvas->rows, canvas->cols, c->zoomed ? c->focus : -1);
    canvas_clear(canvas);
    for (int i = 0; i < PANE_N; i++) {
        struct pane_view view = {.model = &c->model,
                                 .focused = i == c->focus,
                                 .toast = c->toast[0] ? c->toast : NULL,
                                 .toast_bad = c->toast_bad};
        if (l.shown[i])
            pane_draw(pane_classes[i], c->state[i], &view, canvas, l.rect[i]);
    }
    if (c->help)
        help_draw(c, canvas);
    if (c->dialog.class)
        dialog_draw(&c->dialog, canvas);
}
