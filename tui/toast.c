/* Messages of the moment; see toast.h. */
#include "tui/toast.h"

#include "tui/console.h"

#include <stdarg.h>
#include <stdio.h>

enum { SECOND = 1000000, TOAST_SECONDS = 6 };

void console_toast(struct console *c, bool bad, const char *fmt, ...)
{
    struct toast *t = &c->toast;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->text, sizeof t->text, fmt, ap);
    va_end(ap);
    t->bad = bad;
    t->until = bad ? 0 : c->model.now_usec + TOAST_SECONDS * SECOND;
    c->dirty = true;
}

static void on_ack(struct console *c, const struct event *e)
{
    if (!e->u.ack.accepted)
        console_toast(c, false, model_ack_is_note(e) ? "%s: %s" : "%s refused: %s",
                      command_name((enum command_kind)e->u.ack.command), e->u.ack.reason);
}

/* At the beginning of a linear evaluation. */
static void on_state(struct console *c, const struct event *e)
{
    const struct model *m = &c->model;
    if (e->u.state.linear && e->u.state.state == STATE_EVALUATING && m->eval_usec == e->usec)
        console_toast(c, false, "linear evaluation begins%s; v cancels it, p pauses it",
                      m->trained ? "" : ", training waits");
}

static void on_checkpoint(struct console *c, const struct event *e)
{
    console_toast(c, false, "checkpoint %lld saved%s", (long long)e->u.ckpt.step,
                  c->model.evaluating ? "" : "; v evaluates it");
}

static void on_save_failed(struct console *c, const struct event *e)
{
    const struct model *m = &c->model;
    bool over = m->stopping || m->trained || m->state == STATE_STOPPED || model_progress(m) >= 1;
    console_toast(c, true, "SAVE FAILED%s: %s", over ? "" : ", training goes on", e->u.text);
}

static void on_linear(struct console *c, const struct event *e)
{
    console_toast(c, false, "linear evaluation of %lld: top-1 %.2f %%, top-5 %.2f %%",
                  (long long)e->u.linres.step, e->u.linres.top1, e->u.linres.top5);
}

static void on_linear_failed(struct console *c, const struct event *e)
{
    console_toast(c, !c->model.cancelled, "linear evaluation ended: %s", e->u.text);
}

static void (*const on_kind[EV_N])(struct console *, const struct event *) = {
    [EV_ACK] = on_ack,
    [EV_STATE] = on_state,
    [EV_CHECKPOINT] = on_checkpoint,
    [EV_SAVE_FAILED] = on_save_failed,
    [EV_LINEAR_DONE] = on_linear,
    [EV_LINEAR_FAILED] = on_linear_failed,
};

void toast_event(struct console *c, const struct event *e)
{
    if (!e->replayed && e->kind < EV_N && on_kind[e->kind])
        on_kind[e->kind](c, e);
}

void toast_draw(const struct toast *t, const struct layout *l, struct canvas *c)
{
    style_t style = t->bad ? STYLE_ERROR : STYLE_SELECT;
    int row = l->shown[PANE_LOG] ? l->rect[PANE_LOG].row : c->rows - 2;
    if (!t->text[0] || row < 1)
        return;
    canvas_fill(c, (struct rect){row, 0, 1, c->cols}, ' ', style);
    canvas_text_middle(c, row, 1, c->cols - 2, style, t->text);
}
