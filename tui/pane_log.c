/* What happened, in words: log lines, results, refusals, and what libraries write to stderr.
 * Follows the newest line until it is scrolled. The whole log is in the run directory. */
#include "tui/keys.h"
#include "tui/pane.h"
#include "tui/text.h"

#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

enum { LINES = 2000, LINE_BYTES = 256 };

struct line {
    int64_t usec;
    int level;
    char text[LINE_BYTES];
};

struct log_pane {
    struct line *line; /* ring [LINES] */
    int first, n;
    int back; /* lines scrolled back from the newest */
};

static int init(void *state)
{
    struct log_pane *l = state;
    l->line = malloc(sizeof *l->line * LINES);
    return l->line ? 0 : -1;
}

static void done(void *state)
{
    free(((struct log_pane *)state)->line);
}

void log_pane_add(void *state, int64_t usec, int level, const char *text)
{
    struct log_pane *l = state;
    struct line *line = &l->line[(l->first + l->n) % LINES];
    if (l->n < LINES)
        l->n++;
    else
        l->first = (l->first + 1) % LINES;
    if (l->back > 0 && l->back < l->n - 1)
        l->back++;
    line->usec = usec;
    line->level = level;
    snprintf(line->text, sizeof line->text, "%s", text);
}

static void on_log(struct log_pane *l, const struct event *e)
{
    log_pane_add(l, e->usec, e->u.log.level, e->u.log.line);
}

static void on_checkpoint(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES], bytes[16];
    snprintf(text, sizeof text, "checkpoint %lld saved (%s, %.2f s)%s  %s",
             (long long)e->u.ckpt.step, text_bytes(bytes, sizeof bytes, (double)e->u.ckpt.bytes),
             e->u.ckpt.sec, e->u.ckpt.best ? ", the best so far" : "", e->u.ckpt.path);
    log_pane_add(l, e->usec, LOG_INFO, text);
}

static void on_valid(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES], loss[24];
    snprintf(text, sizeof text,
             "validation after epoch %d: loss %s, top-1 %.2f %%, top-5 %.2f %%%s", e->u.valid.epoch,
             text_number(loss, sizeof loss, e->u.valid.loss), e->u.valid.top1, e->u.valid.top5,
             e->u.valid.probe ? " (probe)" : "");
    log_pane_add(l, e->usec, LOG_INFO, text);
}

static void on_switch(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "objective switched from %s to %s at iteration %lld", e->u.sw.from,
             e->u.sw.to, (long long)e->u.sw.giter);
    log_pane_add(l, e->usec, LOG_INFO, text);
}

static void on_linear(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text,
             "linear evaluation of %lld: top-1 %.2f %%, top-5 %.2f %% (rate %g, %.1f s)",
             (long long)e->u.linres.step, e->u.linres.top1, e->u.linres.top5, e->u.linres.lr,
             e->u.linres.sec);
    log_pane_add(l, e->usec, LOG_INFO, text);
}

static void on_save_failed(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "save failed, training goes on: %s", e->u.text);
    log_pane_add(l, e->usec, LOG_ERROR, text);
}

static void on_linear_failed(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "linear evaluation ended: %s", e->u.text);
    log_pane_add(l, e->usec, LOG_ERROR, text);
}

static void on_ack(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    if (e->u.ack.accepted)
        return;
    snprintf(text, sizeof text, "%s refused: %s", command_name((enum command_kind)e->u.ack.command),
             e->u.ack.reason);
    log_pane_add(l, e->usec, LOG_WARN, text);
}

static void (*const on_kind[EV_N])(struct log_pane *, const struct event *) = {
    [EV_LOG] = on_log,
    [EV_CHECKPOINT] = on_checkpoint,
    [EV_VALID] = on_valid,
    [EV_SWITCH] = on_switch,
    [EV_LINEAR_DONE] = on_linear,
    [EV_SAVE_FAILED] = on_save_failed,
    [EV_LINEAR_FAILED] = on_linear_failed,
    [EV_ACK] = on_ack,
};

static void event(void *state, const struct event *e)
{
    if (e->kind < EV_N && on_kind[e->kind])
        on_kind[e->kind](state, e);
}

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    static const style_t style[] = {STYLE_TEXT, STYLE_WARN, STYLE_ERROR};
    static const char sign[] = " W!";
    const struct log_pane *l = state;
    char time[16];
    (void)v;
    int from = l->n - l->back - r.rows;
    if (from < 0)
        from = 0;
    for (int i = 0; i < r.rows && from + i < l->n; i++) {
        const struct line *line = &l->line[(l->first + from + i) % LINES];
        int level = line->level < 0 ? 0 : line->level > 2 ? 2 : line->level;
        canvas_textf(c, (struct rect){r.row + i, r.col + 1, 1, r.cols - 1}, STYLE_DIM, "%s %c",
                     text_time(time, sizeof time, line->usec), sign[level]);
        canvas_text(c, r.row + i, r.col + 12, r.cols - 12, style[level], line->text);
    }
}

static void caption(const void *state, const struct pane_view *v, char *out, size_t size)
{
    const struct log_pane *l = state;
    int n = snprintf(out, size, "warnings %d  errors %d", v->model->n_warnings, v->model->n_errors);
    if (l->back && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, "  %d below", l->back);
}

static bool key(void *state, const struct model *m, int k)
{
    struct log_pane *l = state;
    int by = k == K_UP ? 1 : k == K_DOWN ? -1 : k == K_PGUP ? 10 : k == K_PGDN ? -10 : 0;
    (void)m;
    if (k == K_HOME)
        by = LINES;
    else if (k == K_END)
        by = -LINES;
    if (by == 0)
        return false;
    l->back += by;
    if (l->back > l->n - 1)
        l->back = l->n - 1;
    if (l->back < 0)
        l->back = 0;
    return true;
}

const struct pane_class pane_log = {
    .name = "log",
    .title = "Log",
    .state_bytes = sizeof(struct log_pane),
    .init = init,
    .done = done,
    .event = event,
    .draw = draw,
    .caption = caption,
    .key = key,
};
