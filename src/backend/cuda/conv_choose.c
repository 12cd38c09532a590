/*
 * The timed choice among the plans of one pass of a convolution. Candidates are what cuDNN's
 * heuristics recommend, less those whose numbers are not wanted: nondeterministic ones under
 * deterministic = true, sums in less than f32 always, TF32 in f32 unless it is allowed. They run in
 * turn on random numbers in memory of their own, and the best time of each counts. The choice is on
 * record, so that repeating or resuming a run computes the same numbers.
 *
 * Two passes can be had in two ways, and the plans of both run in one race: the gradient of the
 * weights in f32 or rounded to bf16, and a forward pass without or with the sums for the batch-norm
 * behind it, where making them apart counts as part of the time (never under deterministic = true).
 */
#include "backend/cuda/conv.h"
#include "backend/cuda/race.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_CANDIDATES = 32,
    WORKSPACE_FREE = 256 << 20, /* bytes; beyond, a plan may take what its operands take */
    CHOICE_TEXT = DNN_TEXT + 8,
};

/* How much slower an f32 gradient of bf16 operands may be than one that is rounded to bf16. */
#define WIDE_BONUS 1.1

/* The other way of a pass, before the text of its plans; NULL: there is but one. */
static const char *const other_ways[N_CONV_PASSES] = {
    [CONV_FORWARD] = "sums/", [CONV_WEIGHTS] = "bf16/"};

const char *const conv_pass_names[N_CONV_PASSES] = {"forward", "backward-data", "backward-weights"};

struct candidate {
    struct dnn_config config;
    struct dnn_plan plan;
    bool other;
};

struct choice {
    struct device *dev;
    const struct dnn_shape *shape;
    enum conv_pass pass;
    const char *key;
    struct dnn_graph graph[2]; /* [1]: the other way */
    double sums_ms;            /* what sums take when they are made apart */
    struct candidate *c;
    int n, room; /* room: how many there may be */
    double ms[MAX_CANDIDATES];
};

size_t dnn_bytes(const struct dnn_shape *s, int which)
{
    const int64_t count[DNN_ALL] = {[DNN_X] = s->n * s->h * s->w * s->c,
                                    [DNN_W] = s->k * s->r * s->s * s->c,
                                    [DNN_Y] = s->n * s->p * s->q * s->k,
                                    [DNN_SUMS] = s->k,
                                    [DNN_SQUARES] = s->k};
    return (size_t)count[which] * (which >= N_DNN || s->type[which] == CUDNN_DATA_FLOAT ? 4 : 2);
}

/* y as batch-norm sees it, and what it wants to make the sums itself: [k] twice, then workspace. */
static struct k_map sums_map(const struct dnn_shape *s)
{
    return (struct k_map){.n = s->n,
                          .h = (int)s->p,
                          .w = (int)s->q,
                          .c = (int)s->k,
                          .cs = (int)s->k,
                          .bf16 = s->type[DNN_Y] == CUDNN_DATA_BFLOAT16};
}

static size_t sums_workspace(const struct dnn_shape *s)
{
    struct k_map map = sums_map(s);
    return 2 * (size_t)s->k * sizeof(float) + k_norm_workspace(&map);
}

void conv_pass_plan_done(struct conv_pass_plan *p)
{
    dnn_plan_done(&p->plan);
    dnn_graph_done(&p->graph);
}

/* --- graphs ----------------------------------------------------------------------------------- */

static int make_graph(struct dnn_graph *g, struct device *dev, const struct dnn_shape *shape,
                      enum conv_pass pass, bool other, struct err *e)
{
    struct dnn_shape s = *shape;
    if (pass == CONV_WEIGHTS && !other)
        s.type[DNN_W] = CUDNN_DATA_FLOAT;
    s.sums = pass == CONV_FORWARD && other;
    return dnn_graph_init(g, dev, &s, pass, e);
}

static bool has_other_way(const struct dnn_shape *shape, enum conv_pass pass)
{
    if (pass == CONV_FORWARD)
        return shape->sums;
    return pass == CONV_WEIGHTS && shape->type[DNN_X] == CUDNN_DATA_BFLOAT16;
}

/* --- the record ------------------------------------------------------------------------------- */

/* Which way the text is of; *text moves behind the mark. */
static bool is_other_way(enum conv_pass pass, const char **text)
{
    const char *mark = other_ways[pass];
    if (!mark || strncmp(*text, mark, strlen(mark)) != 0)
        return false;
    *text += strlen(mark);
    return true;
}

static int rebuild(struct conv_pass_plan *p, struct device *dev, const struct dnn_shape *shape,
                   const char *key, const char *text, struct err *e)
{
    struct dnn_config config = {0};
    struct err why = {.msg = "it is no choice of an engine"};
    const char *choice = text;
    bool other = is_other_way(p->pass, &choice);
    p->narrow = other && p->pass == CONV_WEIGHTS;
    int rc = other && !has_other_way(shape, p->pass)
                 ? -1
                 : make_graph(&p->graph, dev, shape, p->pass, other, &why);
    if (rc == 0)
        rc = dnn_config_parse(&config, &p->graph, choice, &why);
    if (rc == 0)
        rc = dnn_plan_make(&p->plan, &p->graph, &config, key, &why);
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

/* 1: it takes part; 0: it does not; -1: whoever waits wants no more. */
static int admit(struct choice *r, struct dnn_config *config, bool other, struct err *e)
{
    struct err ignored = {0};
    struct candidate *c = &r->c[r->n];
    if (r->n == r->room || unwanted(r, config->notes))
        return 0;
    if ((config->notes & DNN_COMPILES) && tuning_timing(r->dev->tuning, e))
        return -1;
    *c = (struct candidate){.config = *config, .other = other};
    if (dnn_plan_make(&c->plan, &r->graph[other], config, r->key, &ignored))
        return 0;
    if (too_hungry(r, c->plan.workspace_bytes)) {
        dnn_plan_done(&c->plan);
        return 0;
    }
    r->n++;
    return 1;
}

/* Those that are compiled when they are made, or those that are not. */
static int admit_kind(struct choice *r, struct dnn_config *all, int n, bool other,
                      unsigned compiles, struct err *e)
{
    for (int i = 0; i < n; i++) {
        if (!all[i].config || (all[i].notes & DNN_COMPILES) != compiles)
            continue;
        int admitted = admit(r, &all[i], other, e);
        if (admitted < 0)
            return -1;
        if (admitted)
            all[i].config = NULL; /* is the candidate's now */
    }
    return 0;
}

/* Compiling takes half a second each: what wants it is looked at when there is nothing else. */
static int admit_all(struct choice *r, struct dnn_config *all, int n, bool other, struct err *e)
{
    int before = r->n;
    if (admit_kind(r, all, n, other, 0, e))
        return -1;
    return r->n > before ? 0 : admit_kind(r, all, n, other, DNN_COMPILES, e);
}

static int gather_from(struct choice *r, bool other, struct err *e)
{
    struct dnn_config *all = calloc(DNN_CONFIGS, sizeof *all);
    if (!all)
        return err_set(e, EXIT_OS, "out of memory while choosing algorithms");
    int rc = make_graph(&r->graph[other], r->dev, r->shape, r->pass, other, e);
    int n = rc ? 0 : dnn_configs(&r->graph[other], all);
    if (rc == 0)
        rc = admit_all(r, all, n, other, e);
    for (int i = 0; i < n; i++)
        dnn_config_done(&all[i]);
    free(all);
    return rc;
}

/* Two ways get half the room each. */
static int gather(struct choice *r, struct err *e)
{
    bool both = has_other_way(r->shape, r->pass);
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

struct sums {
    cudaStream_t stream;
    struct k_norm norm;
};

static int run_sums(void *ctx, int i, struct err *e)
{
    const struct sums *s = ctx;
    (void)i;
    return CU(e, k_norm_statistics(s->stream, &s->norm));
}

/* The sums of y, as batch-norm makes them itself. */
static int time_sums(struct choice *r, void *y, void *scratch, struct err *e)
{
    const struct dnn_shape *shape = r->shape;
    struct sums s = {.stream = cuda_of(r->dev)->compute,
                     .norm = {.map = sums_map(shape), .eps = 1e-5f, .x = y, .mean = scratch}};
    s.norm.rstd = s.norm.mean + shape->k;
    s.norm.workspace = s.norm.rstd + shape->k;
    return race(r->dev, 1, run_sums, &s, &r->sums_ms, e);
}

/* Random operands, room for sums, and the largest workspace, in memory of their own. */
static int time_all(struct choice *r, struct err *e)
{
    size_t total = 0, workspace = r->shape->sums ? sums_workspace(r->shape) : 0, offset[DNN_ALL];
    void *base = NULL, *data[DNN_ALL];
    struct dnn_shape wide = *r->shape;
    wide.type[DNN_W] = CUDNN_DATA_FLOAT;
    for (int i = 0; i < DNN_ALL; i++)
        offset[i] = race_place(&total, dnn_bytes(&wide, i));
    for (int i = 0; i < r->n; i++)
        if (r->c[i].plan.workspace_bytes > workspace)
            workspace = r->c[i].plan.workspace_bytes;
    size_t workspace_at = race_place(&total, workspace);
    bool bf16 = r->shape->type[DNN_X] == CUDNN_DATA_BFLOAT16;
    if (cuda_noise(r->dev, total, bf16 ? DT_BF16 : DT_F32, &base, e))
        return -1;
    int rc = 0;
    for (int i = 0; i < DNN_ALL; i++)
        data[i] = (char *)base + offset[i];
    for (int i = 0; rc == 0 && i < r->n; i++)
        rc = dnn_plan_bind(&r->c[i].plan, data, (char *)base + workspace_at, e);
    if (rc == 0)
        rc = race(r->dev, r->n, run_plan, r, r->ms, e);
    if (rc == 0 && r->shape->sums)
        rc = time_sums(r, data[DNN_Y], (char *)base + workspace_at, e);
    cuda_free(r->dev, base, total);
    return rc;
}

static double score(const struct choice *r, int i)
{
    if (r->pass == CONV_WEIGHTS)
        return r->ms[i] * (r->c[i].other ? WIDE_BONUS : 1);
    return r->ms[i] + (r->c[i].other ? 0 : r->sums_ms);
}

static int winner(const struct choice *r)
{
    int best = 0;
    for (int i = 1; i < r->n; i++)
        if (score(r, i) < score(r, best))
            best = i;
    return best;
}

static void take(struct conv_pass_plan *p, struct choice *r, struct candidate *c,
                 char text[CHOICE_TEXT])
{
    snprintf(text, CHOICE_TEXT, "%s%s", c->other ? other_ways[r->pass] : "", c->config.text);
    p->plan = c->plan;
    p->graph = r->graph[c->other];
    p->narrow = c->other && r->pass == CONV_WEIGHTS;
    c->plan = (struct dnn_plan){0};
    r->graph[c->other] = (struct dnn_graph){0};
}

static int choose_fastest(struct conv_pass_plan *p, struct device *dev,
                          const struct dnn_shape *shape, const char *key, char text[CHOICE_TEXT],
                          double *ms, struct err *e)
{
    struct choice r = {.dev = dev, .shape = shape, .pass = p->pass, .key = key};
    r.c = calloc(MAX_CANDIDATES, sizeof *r.c);
    int rc = r.c ? gather(&r, e) : err_set(e, EXIT_OS, "out of memory while choosing algorithms");
    if (rc == 0 && r.n > 1)
        rc = time_all(&r, e);
    if (rc == 0) {
        int best = winner(&r);
        *ms = r.ms[best]; /* of one that ran alone: 0 */
        take(p, &r, &r.c[best], text);
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
    char chosen[CHOICE_TEXT];
    const char *recorded = tuning_get(dev->tuning, key, ms);
    *p = (struct conv_pass_plan){.pass = pass};
    if (recorded) {
        snprintf(text, text_bytes, "engine %s", recorded);
        return rebuild(p, dev, shape, key, recorded, e);
    }
    if (choose_fastest(p, dev, shape, key, chosen, ms, e))
        return -1;
    tuning_put(dev->tuning, key, chosen, *ms);
    snprintf(text, text_bytes, "engine %s", chosen);
    return 0;
}
