/*
 * The timed choice among the algorithms of one pass of a convolution. Times include the conversion
 * of operands; the best of a few runs counts, since disturbances only ever add. The choice is on
 * record, so that repeating or resuming a run computes the same numbers.
 */
#include "backend/cpu/conv.h"

#include "base/file.h"

#include <string.h>

enum { TIMED_RUNS = 3 };

static size_t place(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 4095) / 4096 * 4096;
    return at;
}

/* Random operands in the device's scratch memory. */
static int scratch_places(struct device *dev, const struct conv_shape *s, const struct conv_pass *p,
                          struct conv_places *at, struct err *e)
{
    size_t offset[N_OPERANDS], total = 0;
    void *base;
    for (int o = 0; o < N_OPERANDS; o++)
        offset[o] = place(&total, dnnl_memory_desc_get_size(&s->md[o]));
    size_t bias = place(&total, s->has_bias ? dnnl_memory_desc_get_size(&s->bias) : 0);
    size_t workspace = place(&total, p->workspace_bytes);
    bool bf16 = s->md[OPERAND_X].data_type == dnnl_bf16;
    if (cpu_scratch(dev, total, bf16 ? DT_BF16 : DT_F32, &base, e))
        return -1;
    for (int o = 0; o < N_OPERANDS; o++)
        at->operand[o] = (char *)base + offset[o];
    at->bias = (char *)base + bias;
    at->workspace = (char *)base + workspace;
    return 0;
}

static int time_pass(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                     double *ms, struct err *e)
{
    struct conv_places at;
    if (scratch_places(dev, s, p, &at, e) || conv_pass_bind(p, dev, s, &at, e) ||
        conv_pass_run(p, dev, e))
        return -1;
    *ms = 1e30;
    for (int i = 0; i < TIMED_RUNS; i++) {
        int64_t start = clock_usec();
        if (conv_pass_run(p, dev, e))
            return -1;
        double took = (double)(clock_usec() - start) / 1000;
        if (took < *ms)
            *ms = took;
    }
    return 0;
}

/* The forward primitive that backward ones ask for as a hint; any algorithm's will do, but it has
 * to be of the same type. */
static int make(struct conv_pass *p, struct device *dev, const struct conv_shape *s, enum pass pass,
                const struct conv_algorithm *a, struct err *e)
{
    struct conv_pass hint;
    if (pass == PASS_FORWARD)
        return conv_pass_init(p, dev, s, pass, a, NULL, e);
    if (conv_pass_init(&hint, dev, s, PASS_FORWARD, a, NULL, e))
        return -1;
    int rc = conv_pass_init(p, dev, s, pass, a, &hint.main, e);
    conv_pass_done(&hint);
    return rc;
}

static int choose_recorded(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                           enum pass pass, const char *name, struct err *e)
{
    const struct conv_algorithm *a = conv_algorithms;
    while (a->name && strcmp(a->name, name) != 0)
        a++;
    if (a->name && make(p, dev, s, pass, a, e) == 0)
        return 0;
    return err_set(
        e, EXIT_DATA,
        "the algorithm on record, '%.40s', is not available here for the %s pass; delete "
        "the entry or the record, or use the library version it was made with",
        name, conv_pass_names[pass]);
}

static bool pointless(const struct conv_shape *s, const struct conv_algorithm *a)
{
    return a->f32 && s->md[OPERAND_X].data_type == dnnl_f32;
}

/* The fastest that exists. Shapes an algorithm cannot do are no error unless none can. */
static int choose_fastest(struct conv_pass *best, struct device *dev, const struct conv_shape *s,
                          enum pass pass, const char **name, double *best_ms, struct err *e)
{
    struct err why = {0};
    *name = NULL;
    for (const struct conv_algorithm *a = conv_algorithms; a->name; a++) {
        struct conv_pass p;
        double ms;
        if (pointless(s, a) || make(&p, dev, s, pass, a, *name ? &why : e))
            continue;
        if (time_pass(&p, dev, s, &ms, e)) {
            conv_pass_done(&p);
            conv_pass_done(best);
            return -1;
        }
        if (*name && ms >= *best_ms) {
            conv_pass_done(&p);
            continue;
        }
        conv_pass_done(best);
        *best = p;
        *best_ms = ms;
        *name = a->name;
    }
    return *name ? 0 : -1;
}

int conv_pass_choose(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                     enum pass pass, const char *key, double *ms, struct err *e)
{
    const char *name = tuning_get(dev->tuning, key, ms);
    memset(p, 0, sizeof *p);
    if (name)
        return choose_recorded(p, dev, s, pass, name, e);
    if (choose_fastest(p, dev, s, pass, &name, ms, e))
        return -1;
    tuning_put(dev->tuning, key, name, *ms);
    return 0;
}
