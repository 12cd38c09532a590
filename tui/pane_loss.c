/*
 * The loss: every objective is a series of its own with its own scale, since values before and
 * after a switch cannot be compared; a line marks the switch. The curve is smoothed before it is
 * binned, single values are dots behind it.
 */
#include "tui/pane.h"
#include "tui/plot.h"
#include "tui/plot_setting.h"
#include "tui/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 12 };

struct part { /* from one switch to the next */
    char objective[24];
    int64_t start;
    struct curve *curve;
};

struct loss {
    struct part part[PARTS]; /* when there are more, the oldest go */
    int n;
    struct plot_setting setting;
};

static int init(void *state)
{
    plot_setting_init(&((struct loss *)state)->setting);
    return 0;
}

static void done(void *state)
{
    struct loss *l = state;
    for (int i = 0; i < l->n; i++)
        curve_free(l->part[i].curve);
}

static struct part *begin(struct loss *l, const struct event *e)
{
    struct curve *curve = curve_new();
    if (!curve)
        return NULL;
    if (l->n == PARTS) {
        curve_free(l->part[0].curve);
        memmove(l->part, l->part + 1, sizeof *l->part * (size_t)--l->n);
    }
    struct part *p = &l->part[l->n++];
    *p = (struct part){.start = e->u.iter.giter, .curve = curve};
    snprintf(p->objective, sizeof p->objective, "%s", e->u.iter.objective);
    return p;
}

static void event(void *state, const struct event *e)
{
    struct loss *l = state;
    if (e->kind != EV_ITER)
        return;
    struct part *p = l->n ? &l->part[l->n - 1] : NULL;
    if (!p || strcmp(p->objective, e->u.iter.objective) != 0)
        p = begin(l, e);
    if (p)
        curve_add(p->curve, e->u.iter.giter, e->u.iter.loss);
}

static void add_series(const struct loss *l, int i, struct plot_series *s, int *n)
{
    const struct part *p = &l->part[i];
    struct plot_series one = {.style = STYLE_SERIES + (style_t)(i % STYLE_SERIES_N),
                              .letter = '*',
                              .own_scale = i != l->n - 1,
                              .unlettered = true};
    if (l->setting.level > 0 && !l->setting.no_dots && !one.own_scale) {
        s[*n] = one;
        s[*n].style = STYLE_DIM;
        s[*n].data = &p->curve->level[0];
        s[*n].line = LINE_DOTTED;
        s[*n].letter = '.';
        ++*n;
    }
    s[*n] = one;
    s[*n].data = &p->curve->level[l->setting.level];
    s[*n].spread = true;
    ++*n;
}

static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    const struct loss *l = state;
    struct plot_series series[2 * PARTS];
    struct plot_mark mark[PARTS];
    struct plot plot = {.series = series,
                        .marks = mark,
                        .log = l->setting.log,
                        .span = plot_setting_span(v->model),
                        .empty = "shown from the first iteration on"};
    for (int i = 0; i < l->n; i++)
        add_series(l, i, series, &plot.n_series);
    for (int i = 1; i < l->n; i++)
        mark[plot.n_marks++] = (struct plot_mark){l->part[i].start, l->part[i].objective};
    plot_draw(c, r, &plot);
}

static void caption(const void *state, const struct pane_view *v, char *out, size_t size)
{
    const struct loss *l = state;
    char best[32];
    if (!l->n)
        return;
    const struct part *p = &l->part[l->n - 1];
    double position = v->model->started ? v->model->iter.u.iter.position : NAN;
    size_t n = 0;
    if (model_is_collapsed(v->model))
        n = (size_t)snprintf(out, size, "COLLAPSED to the plateau  ");
    else if (isfinite(position))
        n = (size_t)snprintf(out, size, "position %.0f%%  ", 100 * position);
    n += (size_t)plot_setting_text(&l->setting, out + n, size - n);
    if (p->curve->best_x >= 0)
        snprintf(out + n, size - n, "  min %s at %lld",
                 text_number(best, sizeof best, p->curve->best), (long long)p->curve->best_x);
}

static bool key(void *state, const struct model *m, int k)
{
    (void)m;
    return plot_setting_key(&((struct loss *)state)->setting, k);
}

const struct pane_class pane_loss = {
    .name = "loss",
    .title = "Loss",
    .state_bytes = sizeof(struct loss),
    .plots = true,
    .init = init,
    .done = done,
    .event = event,
    .draw = draw,
    .caption = caption,
    .key = key,
};
