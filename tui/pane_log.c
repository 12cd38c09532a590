/* What happened, in words: log lines, results, refusals, and what libraries write to stderr.
 * Follows the newest line until it is scrolled. The whole log is in the run directory. */
#include "tui/keys.h"
#include "tui/pane.h"
#include "tui/text.h"

#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 2000, LINE_BYTES = 512, TEXT_COL = 12 };

struct line {
    int64_t usec;
    int level;
    char text[LINE_BYTES];
};

struct log_pane {
    struct line *line; /* ring [LINES] */
    int first, n;
    bool cancelled; /* a linear evaluation, as was asked for */
    int back;       /* lines scrolled back from the newest */
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

/* A record holds so much of a line; the file of the run holds all of it. */
static void on_log(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    bool cut = strlen(e->u.log.line) == sizeof e->u.log.line - 1;
    snprintf(text, sizeof text, "%s%s", e->u.log.line, cut ? " .. (the rest is in run.log)" : "");
    log_pane_add(l, e->usec, e->u.log.level, text);
}

static void on_checkpoint(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES], bytes[16];
    const char *slash = strrchr(e->u.ckpt.path, '/');
    snprintf(text, sizeof text, "checkpoint %lld saved as %s (%s, %.2f s)%s",
             (long long)e->u.ckpt.step, slash ? slash + 1 : e->u.ckpt.path,
             text_bytes(bytes, sizeof bytes, (double)e->u.ckpt.bytes), e->u.ckpt.sec,
             e->u.ckpt.best ? ", best so far" : "");
    log_pane_add(l, e->usec, LOG_INFO, text);
}

static void on_valid(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES], loss[24];
    snprintf(text, sizeof text, "validation, epoch %d%s: loss %s, top-1 %.2f, top-5 %.2f %%",
             e->u.valid.epoch, e->u.valid.probe ? " (probe)" : "",
             text_number(loss, sizeof loss, e->u.valid.loss), e->u.valid.top1, e->u.valid.top5);
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
             "linear evaluation of %lld: top-1 %.2f, top-5 %.2f %% (lr %g, %.1f s)",
             (long long)e->u.linres.step, e->u.linres.top1, e->u.linres.top5, e->u.linres.lr,
             e->u.linres.sec);
    log_pane_add(l, e->usec, LOG_INFO, text);
}

static void on_save_failed(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "save failed: %s", e->u.text);
    log_pane_add(l, e->usec, LOG_ERROR, text);
}

static void on_linear_failed(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "linear evaluation ended: %s", e->u.text);
    log_pane_add(l, e->usec, l->cancelled ? LOG_INFO : LOG_ERROR, text);
    l->cancelled = false;
}

static void on_ack(struct log_pane *l, const struct event *e)
{
    char text[LINE_BYTES];
    l->cancelled |= e->u.ack.command == CMD_CANCEL && e->u.ack.accepted;
    if (e->u.ack.accepted)
        return;
    bool note = model_ack_is_note(e);
    snprintf(text, sizeof text, note ? "%s: %s" : "%s refused: %s",
             command_name((enum command_kind)e->u.ack.command), e->u.ack.reason);
    log_pane_add(l, e->usec, note ? LOG_INFO : LOG_WARN, text);
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

static const struct line *line_at(const struct log_pane *l, int i)
{
    return &l->line[(l->first + i) % LINES];
}

/* Columns of text: what stands before it, time and sign, has its own. */
static int text_cols(struct rect r)
{
    int cols = r.cols - TEXT_COL;
    return cols > 0 ? cols : 1;
}

static int rows_of(const struct canvas *c, const struct line *line, int cols)
{
    int rows = 1;
    const char *text = line->text;
    for (text += canvas_fit(c, text, cols); *text; text += canvas_fit(c, text, cols))
        rows++;
    return rows;
}

/* One line over as many rows as it needs; `skip` of them are above the pane. Returns the row after
 * it. */
static int draw_line(struct canvas *c, struct rect r, int row, int skip, const struct line *line)
{
    static const style_t style[] = {STYLE_TEXT, STYLE_WARN, STYLE_ERROR};
    static const char sign[] = " W!";
    int level = line->level < 0 ? 0 : line->level > 2 ? 2 : line->level, cols = text_cols(r);
    char time[16], part[LINE_BYTES];
    if (skip == 0)
        canvas_textf(c, (struct rect){row, r.col + 1, 1, r.cols - 1}, STYLE_DIM, "%s %c",
                     text_time(time, sizeof time, line->usec), sign[level]);
    const char *text = line->text;
    do {
        size_t n = canvas_fit(c, text, cols);
        snprintf(part, sizeof part, "%.*s", (int)n, text);
        if (skip-- <= 0 && row < r.row + r.rows)
            canvas_text(c, row++, r.col + TEXT_COL, r.cols - TEXT_COL, style[level], part);
        text += n;
    } while (*text);
    return row;
}

/* From the last line that is wanted upwards until the pane is full. */
static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    const struct log_pane *l = state;
    int at = l->n - l->back, rows = 0, row = r.row;
    (void)v;
    while (at > 0 && rows < r.rows)
        rows += rows_of(c, line_at(l, --at), text_cols(r));
    int skip = rows > r.rows ? rows - r.rows : 0;
    for (; at < l->n && row < r.row + r.rows; at++, skip = 0)
        row = draw_line(c, r, row, skip, line_at(l, at));
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
