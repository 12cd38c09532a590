/* Bins, moving averages and curves; see series.h. */
#include "tui/series.h"

#include <math.h>
#include <stdlib.h>

const double smooth_weights[SMOOTH_LEVELS] = {0, .5, .8, .9, .95, .99, .999};

void series_init(struct series *s)
{
    s->shift = 0;
    s->n = 0;
    s->last = -1;
}

static void bin_merge(struct bin *into, const struct bin *b)
{
    if (b->n) {
        bool first = into->n == 0;
        into->min = first || b->min < into->min ? b->min : into->min;
        into->max = first || b->max > into->max ? b->max : into->max;
        into->sum = first ? b->sum : into->sum + b->sum;
        into->last = b->last;
    }
    into->n += b->n;
    into->n_holes += b->n_holes;
}

static void halve(struct series *s)
{
    int n = (s->n + 1) / 2;
    for (int i = 0; i < n; i++) {
        struct bin b = s->bin[2 * i];
        if (2 * i + 1 < s->n)
            bin_merge(&b, &s->bin[2 * i + 1]);
        s->bin[i] = b;
    }
    s->n = n;
    s->shift++;
}

void series_add(struct series *s, int64_t x, double y)
{
    if (x < 0)
        return;
    while (x >> s->shift >= SERIES_BINS)
        halve(s);
    int i = (int)(x >> s->shift);
    for (; s->n <= i; s->n++)
        s->bin[s->n] = (struct bin){0};
    struct bin one = {.min = y, .max = y, .sum = y, .last = y, .n = 1};
    if (!isfinite(y))
        one = (struct bin){.n_holes = 1};
    bin_merge(&s->bin[i], &one);
    if (x > s->last)
        s->last = x;
}

bool series_range(const struct series *s, double *min, double *max)
{
    struct bin all = {0};
    for (int i = 0; i < s->n; i++)
        bin_merge(&all, &s->bin[i]);
    *min = all.min;
    *max = all.max;
    return all.n > 0;
}

double ema_next(struct ema *e, double y)
{
    if (!isfinite(y))
        return y;
    e->decay *= e->weight;
    e->value += (y - e->value) * (1 - e->weight) / (1 - e->decay);
    return e->value;
}

struct curve *curve_new(void)
{
    struct curve *c = malloc(sizeof *c);
    if (!c)
        return NULL;
    for (int i = 0; i < SMOOTH_LEVELS; i++) {
        series_init(&c->level[i]);
        c->ema[i] = (struct ema){.weight = smooth_weights[i], .decay = 1};
    }
    c->best = c->latest = NAN;
    c->best_x = -1;
    return c;
}

void curve_add(struct curve *c, int64_t x, double y)
{
    for (int i = 0; i < SMOOTH_LEVELS; i++)
        series_add(&c->level[i], x, ema_next(&c->ema[i], y));
    if (!isfinite(y))
        return;
    c->latest = y;
    if (c->best_x < 0 || y < c->best) {
        c->best = y;
        c->best_x = x;
    }
}

void curve_free(struct curve *c)
{
    free(c);
}
