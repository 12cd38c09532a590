/*
 * The timed choice among the plans of one pass of a convolution. Candidates are what cuDNN's
 * heuristics recommend, less those whose numbers are not wanted: nondeterministic ones under
 * deterministic = true, sums in less than f32 always, TF32 in f32 unless it is allowed. They run in
 * turn on random numbers in memory of their own, and the best time of each counts. The choice is on
 * record, so that repeating or resuming a run computes the same numbers.
 */
#include "backend/cuda/conv.h"
#include "backend/cuda/race.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_CANDIDATES = 32,
    WORKSPACE_FREE = 256 << 20, /* bytes; beyond, a plan may take what its operands take */
};

/* How much slower an f32 gradient of bf16 operands may be than one that is rounded to bf16. */
#define WIDE_BONUS 1.1

static const char NARROW[] = "bf16/"; /* before the text of a narrow plan */

const char *const conv_pass_names[N_CONV_PASSES] = {"forward", "backward-data", "backward-weights"};

struct candidate {
    struct dnn_config config;
    struct dnn_plan plan;
    bool narrow;
};

struct choice {
    struct device *dev;
    const struct dnn_shape *shape;
    enum conv_pass pass;
    struct dnn_graph graph[2]; /* [1]: with a narrow gradient of the weights */
    struct candidate *c;
    int n, room; /* room: how many there may be */
    double ms[MAX_CANDIDATES];
};

size_t dnn_bytes(const struct dnn_shape *s, int which)
{
    const int64_t count[N_DNN] = {[DNN_X] = s->n * s->h * s->w * s->c,
                                  [DNN_W] = s->k * s->r * s->s * s->c,
                                  [DNN_Y] = s->n * s->p * s->q * s->k};
    return (size_t)count[which] * (s->type[which] == CUDNN_DATA_FLOAT ? 4 : 2);
}

void conv_pass_plan_done(struct conv_pass_plan *p)
{
    dnn_plan_done(&p->plan);
    dnn_graph_done(&p->graph);
}

/* --- graphs ----------------------------------------------------------------------------------- */

/* The gradient of the weights is f32 unless it is narrow; all else is as the shape says. */
static int make_graph(struct dnn_graph *g, struct device *dev, const struct dnn_shape *shape,
                      enum conv_pass pass, bool narrow, struct err *e)
{
    struct dnn_shape s = *shape;
    if (pass == CONV_WEIGHTS && !narrow)
        s.type[DNN_W] = CUDNN_DATA_FLOAT;
    return dnn_graph_init(g, dev, &s, pass, e);
}

static bool can_be_narrow(const struct dnn_shape *shape, enum conv_pass pass)
{
    return pass == CONV_WEIGHTS && shape->type[DNN_X] == CUDNN_DATA_BFLOAT16;
}

/* --- the record ------------------------------------------------------------------------------- */

static int rebuild(struct conv_pass_plan *p, struct device *dev, const struct dnn_shape *shape,
                   enum conv_pass pass, const char *text, struct err *e)
{
    struct dnn_config config = {0};
    struct err why = {.msg = "it is no choice of an engine"};
    p->narrow = strncmp(text, NARROW, sizeof NARROW - 1) == 0;
    const char *choice = p->narrow ? text + sizeof NARROW - 1 : text;
    int rc = make_graph(&p->graph, dev, shape, pass, p->narrow, &why);
    if (rc == 0)
        rc = dnn_config_parse(&config, &p->graph, choice, &why);
    if (rc == 0)
        rc = dnn_plan_init(&p->plan, &p->graph, &config, &why);
    dnn_config_done(&config);
    if (rc == 0)
        return 0;
    conv_pass_plan_done(p);
    return err_set(
        e, EXIT_DATA,
        "the plan on record, '%.120s', cannot be made here (%.300s); use the GPU and the "
        "cuDNN it was made with, or delete the entry or the record",
        text, why.msg);
}

/* --- candidates ------------------------------------------------------------------------------- */

static bool unwanted(const struct choice *r, unsigned notes)
{
    unsigned never = DNN_ROUNDS_SUMS;
    if (r->dev->deterministic)
        never |= DNN_NONDETERMINISTIC;
    if (r->shape->type[DNN_X] == CUDNN_DATA_FLOAT && !cuda_of(r->dev)->tf32)
        never |= DNN_TENSOR_CORE | DNN_ROUNDS_INPUTS;
    return notes & never;
}

static bool too_hungry(const struct choice *r, size_t workspace)
{
    size_t operands = 0;
    for (int i = 0; i < N_DNN; i++)
        operands += dnn_bytes(r->shape, i);
    return workspace > WORKSPACE_FREE && workspace > operands;
}

static bool admit(struct choice *r, struct dnn_config *config, bool narrow)
{
    struct err ignored = {0};
    struct candidate *c = &r->c[r->n];
    if (r->n == r->room || unwanted(r, config->notes))
        return false;
    *c = (struct candidate){.config = *config, .narrow = narrow};
    if (dnn_plan_init(&c->plan, &r->graph[narrow], config, &ignored))
        return false;
    if (too_hungry(r, c->plan.workspace_bytes)) {
        dnn_plan_done(&c->plan);
        return false;
    }
    r->n++;
    return true;
}

/* Plans whose kernels are compiled when they are made take a second each, now and at every start:
 * they are looked at when there are no others. */
static void admit_all(struct choice *r, struct dnn_config *all, int n, bool narrow)
{
    int before = r->n;
    for (unsigned compiles = 0; compiles <= DNN_COMPILES; compiles += DNN_COMPILES)
        for (int i = 0; i < n && (!compiles || r->n == before); i++)
            if (all[i].config && (all[i].notes & DNN_COMPILES) == compiles &&
                admit(r, &all[i], narrow))
                all[i].config = NULL; /* is the candidate's now */
}

static int gather_from(struct choice *r, bool narrow, struct err *e)
{
    struct dnn_config *all = calloc(DNN_CONFIGS, sizeof *all);
    if (!all)
        return err_set(e, EXIT_OS, "out of memory while choosing algorithms");
    int rc = make_graph(&r->graph[narrow], r->dev, r->shape, r->pass, narrow, e);
    int n = rc ? 0 : dnn_configs(&r->graph[narrow], all);
    admit_all(r, all, n, narrow);
    for (int i = 0; i < n; i++)
        dnn_config_done(&all[i]);
    free(all);
    return rc;
}

/* Wide and narrow gradients get half the room each. */
static int gather(struct choice *r, struct err *e)
{
    bool both = can_be_narrow(r->shape, r->pass);
    r->room = both ? MAX_CANDIDATES / 2 : MAX_CANDIDATES;
    if (gather_from(r, false, e))
        return -1;
    r->room = MAX_CANDIDATES;
    if (both && gather_from(r, true, e))
        return -1;
    if (r->n)
        return 0;
    bool exact = unwanted(r, DNN_ROUNDS_INPUTS);
    return err_set(e, EXIT_UNAVAILABLE, "cuDNN %zu has no %sengine for this convolution%s",
                   cudnnGetVersion(), r->dev->deterministic ? "deterministic " : "",
                   exact ? " in f32; SUPCON_CUDA_TF32=on allows TF32" : "");
}

/* --- the race --------------------------------------------------------------------------------- */

static int run_plan(void *ctx, int i, struct err *e)
{
    const struct choice *r = ctx;
    return dnn_plan_run(&r->c[i].plan, r->dev, e);
}

/* Random operands, and the largest workspace, in memory of their own. */
static int time_all(struct choice *r, struct err *e)
{
    size_t total = 0, workspace = 0, offset[N_DNN];
    void *base = NULL, *data[N_DNN];
    struct dnn_shape wide = *r->shape;
    wide.type[DNN_W] = CUDNN_DATA_FLOAT;
    for (int i = 0; i < N_DNN; i++)
        offset[i] = race_place(&total, dnn_bytes(&wide, i));
    for (int i = 0; i < r->n; i++)
        if (r->c[i].plan.workspace_bytes > workspace)
            workspace = r->c[i].plan.workspace_bytes;
    size_t workspace_at = race_place(&total, workspace);
    bool bf16 = r->shape->type[DNN_X] == CUDNN_DATA_BFLOAT16;
    if (cuda_noise(r->dev, total, bf16 ? DT_BF16 : DT_F32, &base, e))
        return -1;
    int rc = 0;
    for (int i = 0; i < N_DNN; i++)
        data[i] = (char *)base + offset[i];
    for (int i = 0; rc == 0 && i < r->n; i++)
        rc = dnn_plan_bind(&r->c[i].plan, data, (char *)base + workspace_at, e);
    if (rc == 0)
        rc = race(r->dev, r->n, run_plan, r, r->ms, e);
    cuda_free(r->dev, base, total);
    return rc;
}

static double score(const struct choice *r, int i)
{
    return r->ms[i] * (r->c[i].narrow ? WIDE_BONUS : 1);
}

static int winner(const struct choice *r)
{
    int best = 0;
    for (int i = 1; i < r->n; i++)
        if (score(r, i) < score(r, best))
            best = i;
    return best;
}

static void take(struct conv_pass_plan *p, struct choice *r, struct candidate *c, char *text,
                 size_t text_bytes)
{
    snprintf(text, text_bytes, "%s%s", c->narrow ? NARROW : "", c->config.text);
    p->plan = c->plan;
    p->graph = r->graph[c->narrow];
    p->narrow = c->narrow;
    c->plan = (struct dnn_plan){0};
    r->graph[c->narrow] = (struct dnn_graph){0};
}

static int choose_fastest(struct conv_pass_plan *p, struct device *dev,
                          const struct dnn_shape *shape, enum conv_pass pass, char *text,
                          size_t text_bytes, double *ms, struct err *e)
{
    struct choice r = {.dev = dev, .shape = shape, .pass = pass};
    r.c = calloc(MAX_CANDIDATES, sizeof *r.c);
    int rc = r.c ? gather(&r, e) : err_set(e, EXIT_OS, "out of memory while choosing algorithms");
    if (rc == 0 && r.n > 1)
        rc = time_all(&r, e);
    if (rc == 0) {
        int best = winner(&r);
        *ms = r.ms[best]; /* of one that ran alone: 0 */
        take(p, &r, &r.c[best], text, text_bytes);
    }
    for (int i = 0; r.c && i < r.n; i++) {
        dnn_plan_done(&r.c[i].plan);
        dnn_config_done(&r.c[i].config);
    }
    dnn_graph_done(&r.graph[0]);
    dnn_graph_done(&r.graph[1]);
    free(r.c);
    return rc;
}

int conv_choose(struct conv_pass_plan *p, struct device *dev, const struct dnn_shape *shape,
                enum conv_pass pass, const char *key, double *ms, char *text, size_t text_bytes,
                struct err *e)
{
    char chosen[DNN_TEXT + sizeof NARROW];
    const char *recorded = tuning_get(dev->tuning, key, ms);
    *p = (struct conv_pass_plan){.pass = pass};
    if (recorded) {
        snprintf(text, text_bytes, "engine %s", recorded);
        return rebuild(p, dev, shape, pass, recorded, e);
    }
    if (choose_fastest(p, dev, shape, pass, chosen, sizeof chosen, ms, e))
        return -1;
    tuning_put(dev->tuning, key, chosen, *ms);
    snprintf(text, text_bytes, "engine %s", chosen);
    return 0;
}
