/*
 * Accuracies in per cent: of the batch, of the online probe and of validation as lines, of linear
 * evaluations as letters at the iteration of the weights they judge.
 */
#include "tui/pane.h"
#include "tui/plot.h"
#include "tui/plot_setting.h"
#include "tui/text.h"

#include <stdio.h>

enum { BATCH, PROBE, N_CURVES };

struct accuracy {
    struct curve *curve[N_CURVES];
    struct series valid, linear;
    double last_valid, last_linear;
    struct plot_setting setting;
};

static int init(void *state)
{
    struct accuracy *a = state;
    plot_setting_init(&a->setting);
    a->last_valid = a->last_linear = NAN;
    series_init(&a->valid);
    series_init(&a->linear);
    for (int i = 0; i < N_CURVES; i++)
        if (!(a->curve[i] = curve_new()))
            return -1;
    return 0;
}

static void done(void *state)
{
    struct accuracy *a = state;
    for (int i = 0; i < N_CURVES; i++)
        curve_free(a->curve[i]);
}

static void event(void *state, const struct event *e)
{
    struct accuracy *a = state;
    if (e->kind == EV_ITER) {
        curve_add(a->curve[BATCH], e->u.iter.giter, e->u.iter.acc);
        curve_add(a->curve[PROBE], e->u.iter.giter, e->u.iter.probe_acc);
    } else if (e->kind == EV_VALID) {
        series_add(&a->valid, e->u.valid.giter, e->u.valid.top1);
        a->last_valid = e->u.valid.top1;
    } else if (e->kind == EV_LINEAR_DONE) {
        series_add(&a->linear, e->u.linres.step, e->u.linres.top1);
        a->last_linear = e->u.linres.top1;
    }
}

/* Validation lies beneath: in a long run its values stand close together. */
static void draw(const void *state, const struct pane_view *v, struct canvas *c, struct rect r)
{
    const struct accuracy *a = state;
    int level = a->setting.level;
    struct plot_series series[] = {
        {.data = &a->valid, .line = LINE_SPARSE, .style = STYLE_SERIES + 2, .letter = 'v'},
        {.data = &a->curve[BATCH]->level[level],
         .line = LINE_DASHED,
         .style = STYLE_SERIES,
         .letter = 'b'},
        {.data = &a->curve[PROBE]->level[level], .style = STYLE_SERIES + 1, .letter = 'p'},
        {.data = &a->linear, .line = LINE_POINTS, .style = STYLE_SERIES + 3, .letter = 'L'},
    };
    plot_draw(c, r,
              &(struct plot){.series = series,
                             .n_series = 4,
                             .log = a->setting.log,
                             .span = plot_setting_span(v->model),
                             .empty = "shown from the first iteration on"});
}

static void caption(const void *state, const struct pane_view *v, char *out, size_t size)
{
    const struct accuracy *a = state;
    const struct model *m = v->model;
    const struct {
        const char *name;
        double value;
    } item[] = {{"batch", m->started ? m->iter.u.iter.acc : NAN},
                {"probe", m->started ? m->iter.u.iter.probe_acc : NAN},
                {"valid", a->last_valid},
                {"Linear", a->last_linear}};
    size_t n = 0;
    char value[16];
    for (int i = 0; i < 4 && n < size; i++)
        if (isfinite(item[i].value))
            n += (size_t)snprintf(out + n, size - n, "%s%s %s", n ? "  " : "", item[i].name,
                                  text_percent(value, sizeof value, item[i].value));
    if (a->setting.log && n < size)
        snprintf(out + n, size - n, "  log");
}

static bool key(void *state, const struct model *m, int k)
{
    (void)m;
    return plot_setting_key(&((struct accuracy *)state)->setting, k);
}

const struct pane_class pane_accuracy = {
    .name = "accuracy",
    .title = "Accuracy %",
    .state_bytes = sizeof(struct accuracy),
    .plots = true,
    .init = init,
    .done = done,
    .event = event,
    .draw = draw,
    .caption = caption,
    .key = key,
};
