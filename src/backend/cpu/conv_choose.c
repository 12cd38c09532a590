/*
 * The timed choice among the algorithms of one pass of a convolution. Times include the conversion
 * of operands. Candidates run in turn and the best time of each counts, since disturbances by other
 * programs only ever add, and last; on a busy machine the race goes on until the two best times of
 * each agree. The choice is on record, so that repeating or resuming a run computes the same
 * numbers.
 */
#include "backend/cpu/conv.h"

#include "base/file.h"

#include <string.h>

enum {
    MIN_ROUNDS = 5, /* the first warms up */
    MAX_ROUNDS = 15,
    MAX_CANDIDATES = 4,
    SCRATCH_FREE = 32 << 20, /* bytes */
    SCRATCH_RATIO = 20,
};

#define NEVER 1e30

struct candidate {
    const struct conv_algorithm *algorithm;
    struct conv_pass pass;
    double ms, next_ms; /* the two best so far */
};

static size_t place(size_t *total, size_t bytes)
{
    size_t at = *total;
    *total += (bytes + 4095) / 4096 * 4096;
    return at;
}

/* Random operands in the device's scratch memory. */
static int scratch_places(struct device *dev, const struct conv_shape *s, size_t workspace_bytes,
                          struct conv_places *at, struct err *e)
{
    size_t offset[N_OPERANDS], total = 0;
    void *base;
    for (int o = 0; o < N_OPERANDS; o++)
        offset[o] = place(&total, dnnl_memory_desc_get_size(&s->md[o]));
    size_t bias = place(&total, s->has_bias ? dnnl_memory_desc_get_size(&s->bias) : 0);
    size_t workspace = place(&total, workspace_bytes);
    bool bf16 = s->md[OPERAND_X].data_type == dnnl_bf16;
    if (cpu_scratch(dev, total, bf16 ? DT_BF16 : DT_F32, &base, e))
        return -1;
    for (int o = 0; o < N_OPERANDS; o++)
        at->operand[o] = (char *)base + offset[o];
    at->bias = (char *)base + bias;
    at->workspace = (char *)base + workspace;
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

/*
 * Whether a pass wants more scratch memory than it is worth: beyond SCRATCH_FREE, and many times
 * what the activations of the layer take. It is Winograd's gradient of wide weights on few pixels
 * that does; computed so in bf16, it would set the peak of the whole step.
 */
static bool too_hungry(const struct conv_pass *p, const struct conv_shape *s)
{
    size_t activations =
        dnnl_memory_desc_get_size(&s->md[OPERAND_X]) + dnnl_memory_desc_get_size(&s->md[OPERAND_Y]);
    return p->workspace_bytes > SCRATCH_FREE && p->workspace_bytes > SCRATCH_RATIO * activations;
}

static bool pointless(const struct conv_shape *s, const struct conv_algorithm *a)
{
    return a->f32 && s->md[OPERAND_X].data_type == dnnl_f32;
}

/* Every algorithm that exists for this shape; -1 if none does. */
static int gather(struct candidate *c, int *n, struct device *dev, const struct conv_shape *s,
                  enum pass pass, struct err *e)
{
    struct err ignored = {0};
    *n = 0;
    for (const struct conv_algorithm *a = conv_algorithms; a->name; a++) {
        if (pointless(s, a) || *n == MAX_CANDIDATES ||
            make(&c[*n].pass, dev, s, pass, a, *n ? &ignored : e))
            continue;
        if (*n && too_hungry(&c[*n].pass, s)) {
            conv_pass_done(&c[*n].pass);
            continue;
        }
        c[*n].algorithm = a;
        c[*n].ms = c[*n].next_ms = NEVER;
        ++*n;
    }
    return *n ? 0 : -1;
}

static int run_once(struct candidate *c, struct device *dev, bool counts, struct err *e)
{
    int64_t start = clock_usec();
    if (conv_pass_run(&c->pass, dev, e))
        return -1;
    double ms = (double)(clock_usec() - start) / 1000;
    if (counts && ms < c->next_ms)
        c->next_ms = ms > c->ms ? ms : c->ms;
    if (counts && ms < c->ms)
        c->ms = ms;
    return 0;
}

static bool hopeless(const struct candidate *c, double best)
{
    return c->next_ms < NEVER && c->ms > 2 * best; /* twice, so that it is no accident */
}

static bool settled(const struct candidate *c, int n, double best)
{
    for (int i = 0; i < n; i++)
        if (!hopeless(&c[i], best) && c[i].next_ms > 1.1 * c[i].ms)
            return false;
    return true;
}

/* Leaves the best time in each; one that is twice as slow as another leaves the race. */
static int race(struct candidate *c, int n, struct device *dev, const struct conv_shape *s,
                struct err *e)
{
    struct conv_places at;
    size_t workspace = 0;
    double best = NEVER;
    for (int i = 0; i < n; i++)
        if (c[i].pass.workspace_bytes > workspace)
            workspace = c[i].pass.workspace_bytes;
    if (scratch_places(dev, s, workspace, &at, e))
        return -1;
    for (int i = 0; i < n; i++)
        if (conv_pass_bind(&c[i].pass, dev, s, &at, e))
            return -1;
    for (int round = 0; round < MAX_ROUNDS && (round < MIN_ROUNDS || !settled(c, n, best)); round++)
        for (int i = 0; i < n; i++) {
            if (!hopeless(&c[i], best) &&
                (tuning_timing(dev->tuning, e) || run_once(&c[i], dev, round > 0, e)))
                return -1;
            if (c[i].ms < best)
                best = c[i].ms;
        }
    return 0;
}

/* The fastest that exists. Shapes an algorithm cannot do are no error unless none can. */
static int choose_fastest(struct conv_pass *p, struct device *dev, const struct conv_shape *s,
                          enum pass pass, const char **name, double *ms, struct err *e)
{
    struct candidate c[MAX_CANDIDATES];
    int n, best = 0;
    if (gather(c, &n, dev, s, pass, e))
        return -1;
    int rc = n > 1 ? race(c, n, dev, s, e) : 0;
    for (int i = 1; rc == 0 && i < n; i++)
        if (c[i].ms < c[best].ms)
            best = i;
    for (int i = 0; i < n; i++)
        if (rc || i != best)
            conv_pass_done(&c[i].pass);
    if (rc)
        return -1;
    *p = c[best].pass;
    *name = c[best].algorithm->name;
    *ms = n > 1 ? c[best].ms : 0;
    return 0;
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
