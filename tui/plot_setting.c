/* What the panes with plots have in common; see plot_setting.h. */
#include "tui/plot_setting.h"

#include "tui/plot.h"

#include <stdio.h>

enum { DEFAULT_LEVEL = 3 };

void plot_setting_init(struct plot_setting *s)
{
    *s = (struct plot_setting){.level = DEFAULT_LEVEL};
}

static void smooth_less(struct plot_setting *s)
{
    s->level -= s->level > 0;
}

static void smooth_more(struct plot_setting *s)
{
    s->level += s->level < SMOOTH_LEVELS - 1;
}

static void toggle_log(struct plot_setting *s)
{
    s->log = !s->log;
}

static void toggle_dots(struct plot_setting *s)
{
    s->no_dots = !s->no_dots;
}

static const struct {
    int key;
    void (*act)(struct plot_setting *);
} keys[] = {
    {'[', smooth_less}, {']', smooth_more},       {'y', toggle_log},
    {'r', toggle_dots}, {'f', plot_setting_init},
};

bool plot_setting_key(struct plot_setting *s, int key)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].key == key) {
            keys[i].act(s);
            return true;
        }
    return false;
}

int plot_setting_text(const struct plot_setting *s, char *out, size_t size)
{
    const char *scale = s->log ? "  log" : "";
    return s->level > 0 ? snprintf(out, size, "ema %g%s", smooth_weights[s->level], scale)
                        : snprintf(out, size, "unsmoothed%s", scale);
}

/* Evaluations stand at the number of completed updates, one more than the last iteration's. */
int64_t plot_setting_span(const struct model *m)
{
    int64_t last = m->started ? m->iter.u.iter.giter + 1 : 0;
    int64_t total = (int64_t)m->iter.u.iter.epochs * m->iter.u.iter.iters + 1;
    if (m->trained || m->finished)
        total = last + 1;
    return plot_span(last, total);
}
