/* Checkpoints with their evaluations, newest first. The selection stays on its checkpoint when new
 * ones come, and on the newest until it is moved. */
#include "tui/keys.h"
#include "tui/pane.h"
#include "tui/text.h"

#include <stdio.h>

struct checkpoints {
    int64_t selected; /* step, -1: the newest */
};

static int init(void *state)
{
    ((struct checkpoints *)state)->selected = -1;
    return 0;
}

/* Rows that are shown: pruned ones only if they have a result. Newest first. */
static int visible(const struct model *m, int rows[MODEL_CHECKPOINTS])
{
    int n = 0;
    for (int i = m->n_ckpt - 1; i >= 0; i--)
        if (!m->ckpt[i].pruned || isfinite(m->ckpt[i].linear1))
            rows[n++] = i;
    return n;
}

static int position(const struct checkpoints *s, const struct model *m, const int *rows, int n)
{
    for (int i = 0; i < n; i++)
        if (m->ckpt[rows[i]].step == s->selected)
            return i;
    return 0;
}

int64_t checkpoints_selected(const void *state, const struct model *m)
{
    int rows[MODEL_CHECKPOINTS], n = visible(m, rows);
    return n ? m->ckpt[rows[position(state, m, rows, n)]].step : -1;
}

/* Result of the linear evaluation, or how far it is. */
static void linear_of(const struct model *m, const struct checkpoint_row *row, char *out,
                      size_t size)
{
    char top1[16], top5[16];
    double share = model_evaluated(m);
    if (isfinite(share) && m->linear.u.lin.step == row->step)
        snprintf(out, size, "at %.0f%%", 100 * share);
    else if (isfinite(row->linear1))
        snprintf(out, size, "%s/%s", text_percent(top1, sizeof top1, row->linear1),
                 text_percent(top5, sizeof top5, row->linear5));
    else
        snprintf(out, size, "-");
}

static void draw_row(struct canvas *c, struct rect r, const struct model *m,
                     const struct checkpoint_row *row, bool selected)
{
    char time[16], bytes[16] = "-", valid[16], linear[40];
    const char *note = row->pruned ? "weights removed" : row->best ? "best" : "";
    linear_of(m, row, linear, sizeof linear);
    if (row->bytes > 0)
        text_bytes(bytes, sizeof bytes, (double)row->bytes);
    canvas_put(c, r.row, r.col, selected ? c->glyphs->pointer : ' ', STYLE_TEXT);
    r.col++;
    r.cols--;
    canvas_textf(c, r, selected ? STYLE_SELECT : STYLE_TEXT, "%7lld  %8s  %6s  %11s  %6s  %s",
                 (long long)row->step, text_time(time, sizeof time, row->usec),
                 text_percent(valid, sizeof valid, row->valid_top1), linear, bytes, note);
}

/* The first row to be shown in so much room, so that row `at` is among them. */
static int first_row(int at, int room)
{
    return room > 0 && at >= room ? at - room + 1 : 0;
}

int checkpoints_row(const void *state, const struct model *m, struct rect r)
{
    int rows[MODEL_CHECKPOINTS], n = visible(m, rows), at = position(state, m, rows, n);
    int above = 2, room = r.rows - above; /* title and headings */
    return n && room > 0 ? r.row + above + at - first_row(at, room) : -1;
}

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    int rows[MODEL_CHECKPOINTS], n = visible(v->model, rows);
    if (n == 0) {
        canvas_text(c, r.row, r.col + 1, r.cols - 1, STYLE_DIM, "none yet; s saves one");
        return;
    }
    canvas_text(c, r.row, r.col + 1, r.cols - 1, STYLE_DIM,
                "   step      time  valid1  linear 1/5    size  note");
    int at = position(state, v->model, rows, n), room = r.rows - 1;
    int first = first_row(at, room);
    for (int i = first; i < n && i - first < room; i++)
        draw_row(c, (struct rect){r.row + 1 + i - first, r.col, 1, r.cols}, v->model,
                 &v->model->ckpt[rows[i]], i == at);
}

static void caption(const void *state, const struct pane_view *v, char *out, size_t size)
{
    int rows[MODEL_CHECKPOINTS], n = visible(v->model, rows);
    if (n)
        snprintf(out, size, "%d/%d", position(state, v->model, rows, n) + 1, n);
}

static bool key(void *state, const struct model *m, int k)
{
    struct checkpoints *s = state;
    int rows[MODEL_CHECKPOINTS], n = visible(m, rows), at = position(s, m, rows, n);
    int to = k == K_UP ? at - 1 : k == K_DOWN ? at + 1 : k == K_HOME ? 0 : k == K_END ? n - 1 : -2;
    if (to == -2)
        return false;
    if (to >= 0 && to < n)
        s->selected = to == 0 ? -1 : m->ckpt[rows[to]].step;
    return true;
}

const struct pane_class pane_checkpoints = {
    .name = "checkpoints",
    .title = "Checkpoints",
    .state_bytes = sizeof(struct checkpoints),
    .init = init,
    .draw = draw,
    .caption = caption,
    .key = key,
};
