/*
 * The store; see params.h. Every parameter begins at a multiple of 64 bytes; the gaps are zero and
 * stay so, because every rule maps zero weight and gradient to zero.
 */
#include "nn/params.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN_ELEMENTS = 16, FILL_ELEMENTS = 1 << 20 };

static const struct {
    const char *prefix;
    enum param_group group;
} prefixes[] = {
    {"projection.", GROUP_PROJECTION},
    {"fc.", GROUP_FC},
    {"probe.", GROUP_PROBE},
    {"head.", GROUP_OTHER},
};

static enum param_group group_of(const char *name)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(name, prefixes[i].prefix, strlen(prefixes[i].prefix)))
            return prefixes[i].group;
    return GROUP_ENCODER;
}

struct params *params_new(struct device *dev)
{
    struct params *p = calloc(1, sizeof *p);
    if (p)
        p->dev = dev;
    return p;
}

static void free_flat(struct params *p, float *flat, int64_t n)
{
    if (flat)
        p->dev->class->free(p->dev, flat, (size_t)n * sizeof *flat);
}

void params_free(struct params *p)
{
    if (!p)
        return;
    free_flat(p, p->value, p->n_trainable);
    free_flat(p, p->grad, p->n_trainable);
    free_flat(p, p->stats, p->n_stats);
    for (int i = 0; i < 2; i++)
        free_flat(p, p->slot[i], p->n_trainable);
    free(p->items);
    free(p);
}

struct param *params_find(const struct params *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->items[i].spec.name, name))
            return &p->items[i];
    return NULL;
}

static int check_same(const struct param *had, const struct param_spec *spec, struct err *e)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (had->spec.ndim == spec->ndim && !memcmp(had->spec.dim, spec->dim, sizeof spec->dim))
        return 0;
    return err_set(e, EXIT_CONFIG, "parameter %s has shape %s in one network and %s in another",
                   spec->name, shape_text(a, had->spec.ndim, had->spec.dim),
                   shape_text(b, spec->ndim, spec->dim));
}

static int add(struct params *p, const struct param_spec *spec, struct err *e)
{
    if (p->value || p->stats)
        return err_set(e, EXIT_SOFTWARE, "parameter %s comes after the store was allocated",
                       spec->name);
    struct param *more = realloc(p->items, ((size_t)p->n + 1) * sizeof *more);
    if (!more)
        return err_set(e, EXIT_OS, "out of memory for parameters");
    p->items = more;
    more[p->n++] = (struct param){.spec = *spec,
                                  .group = group_of(spec->name),
                                  .trainable = param_trainable(spec),
                                  .count = param_count(spec)};
    return 0;
}

int params_declare(struct params *p, const struct graph *g, struct err *e)
{
    for (int i = 0; i < g->n_params; i++) {
        const struct param *had = params_find(p, g->params[i].name);
        if ((had ? check_same(had, &g->params[i], e) : add(p, &g->params[i], e)) < 0)
            return -1;
    }
    return 0;
}

/* Stable: within a group parameters stay in the order of declaration. */
static int sort_by_group(struct params *p, struct err *e)
{
    struct param *sorted = calloc((size_t)p->n + 1, sizeof *sorted);
    if (!sorted)
        return err_set(e, EXIT_OS, "out of memory for parameters");
    int n = 0;
    for (int g = 0; g < GROUP_N; g++)
        for (int i = 0; i < p->n; i++)
            if ((int)p->items[i].group == g)
                sorted[n++] = p->items[i];
    free(p->items);
    p->items = sorted;
    return 0;
}

static void set_offsets(struct params *p)
{
    for (int i = 0; i < p->n; i++) {
        struct param *item = &p->items[i];
        int64_t *total = item->trainable ? &p->n_trainable : &p->n_stats;
        item->offset = *total;
        *total += (item->count + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
        if (!item->trainable)
            continue;
        if (p->group[item->group].end == 0)
            p->group[item->group].begin = item->offset;
        p->group[item->group].end = *total;
    }
}

static void describe(const struct param_spec *spec, float *data, struct tensor *t)
{
    *t = (struct tensor){.dtype = DT_F32, .ndim = spec->ndim, .layout = LAYOUT_PLAIN};
    snprintf(t->name, sizeof t->name, "%s", spec->name);
    memcpy(t->dim, spec->dim, sizeof t->dim);
    t->bytes = (size_t)param_count(spec) * sizeof(float);
    t->data = data;
}

static int alloc_flat(struct params *p, int64_t n, float **out, struct err *e)
{
    void *memory = NULL;
    if (n == 0)
        return 0;
    if (p->dev->class->alloc(p->dev, (size_t)n * sizeof(float), &memory, e) < 0)
        return err_prefix(e, "parameters of %.1f MiB", (double)n * 4 / 1048576);
    *out = memory;
    return 0;
}

int params_alloc(struct params *p, struct err *e)
{
    if (sort_by_group(p, e) < 0)
        return -1;
    set_offsets(p);
    if (alloc_flat(p, p->n_trainable, &p->value, e) < 0 ||
        alloc_flat(p, p->n_trainable, &p->grad, e) < 0 ||
        alloc_flat(p, p->n_stats, &p->stats, e) < 0)
        return -1;
    for (int i = 0; i < p->n; i++) {
        struct param *item = &p->items[i];
        float *base = item->trainable ? p->value : p->stats;
        describe(&item->spec, base + item->offset, &item->value);
        describe(&item->spec, item->trainable ? p->grad + item->offset : NULL, &item->grad);
    }
    return 0;
}

/* Through upload, since the memory may be a GPU's. */
static int fill(struct params *p, float *flat, float value, struct err *e)
{
    float *host = malloc(FILL_ELEMENTS * sizeof *host);
    if (!host)
        return err_set(e, EXIT_OS, "out of memory for optimizer state");
    for (int i = 0; i < FILL_ELEMENTS; i++)
        host[i] = value;
    int rc = 0;
    for (int64_t at = 0; rc == 0 && at < p->n_trainable; at += FILL_ELEMENTS) {
        int64_t n = p->n_trainable - at < FILL_ELEMENTS ? p->n_trainable - at : FILL_ELEMENTS;
        struct tensor t = {.name = "optimizer state",
                           .dtype = DT_F32,
                           .ndim = 1,
                           .dim = {n, 1, 1, 1},
                           .bytes = (size_t)n * sizeof *flat,
                           .data = flat + at};
        rc = p->dev->class->upload(p->dev, &t, host, e);
    }
    free(host);
    return rc;
}

int params_need_slots(struct params *p, int n, const float *init, struct err *e)
{
    for (int i = 0; i < n; i++) {
        if (p->slot[i])
            continue;
        if (alloc_flat(p, p->n_trainable, &p->slot[i], e) < 0)
            return -1;
        if (init[i] != 0 && p->slot[i] && fill(p, p->slot[i], init[i], e) < 0)
            return -1;
    }
    return 0;
}

int params_get(const struct params *p, const struct param *item, float *out, struct err *e)
{
    return p->dev->class->download(p->dev, &item->value, out, e);
}

int params_set(struct params *p, const struct param *item, const float *in, struct err *e)
{
    struct tensor t = item->value;
    return p->dev->class->upload(p->dev, &t, in, e);
}
