/*
 * Linear classifiers side by side: one small plan with a linear layer and a cross-entropy per rate
 * over a shared input. All heads start from the same seeded weights, so that only the rate tells
 * them apart. A head whose loss stops being finite is out; the others never notice, as they share
 * nothing but the input.
 */
#include "base/log.h"
#include "engine/linear_part.h"
#include "engine/validate.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void name_of(char out[32], const char *what, int head)
{
    snprintf(out, 32, "%s.%d", what, head);
}

static struct graph *build(const struct heads *h, bool training)
{
    struct graph *g = graph_new(DT_F32, training);
    if (!g)
        return NULL;
    int x = graph_input(g, "features", DT_F32, 2, (int64_t[]){h->batch, h->dim});
    int labels = training ? graph_input(g, "labels", DT_I32, 1, (int64_t[]){h->batch}) : -1;
    for (int k = 0; k < h->n; k++) {
        char head[32], loss[32], logits[32];
        name_of(head, "head", k);
        name_of(loss, "loss", k);
        name_of(logits, "logits", k);
        int y = graph_linear(g, head, x, h->n_classes);
        if (training)
            graph_xent(g, loss, y, labels, &(struct op_attr){.views = 1});
        else
            graph_output(g, logits, y);
    }
    return g;
}

static int copy_weights(struct heads *h, int head, const char *part, float *data, struct err *e)
{
    char from[48], to[48];
    snprintf(from, sizeof from, "head.0.%s", part);
    snprintf(to, sizeof to, "head.%d.%s", head, part);
    if (params_get(h->params, params_find(h->params, from), data, e) < 0)
        return -1;
    return params_set(h->params, params_find(h->params, to), data, e);
}

/* As a PyTorch linear layer, the first head's for all. */
static int init_weights(struct heads *h, uint64_t seed, struct err *e)
{
    if (params_init_group(h->params, GROUP_OTHER, seed, e) < 0)
        return -1;
    float *data = malloc((size_t)h->dim * (size_t)h->n_classes * sizeof *data);
    int r = data ? 0 : err_set(e, EXIT_OS, "out of memory for the linear classifiers");
    for (int k = 1; k < h->n && r == 0; k++)
        if (copy_weights(h, k, "weight", data, e) < 0 || copy_weights(h, k, "bias", data, e) < 0)
            r = -1;
    free(data);
    return r;
}

static int compile(struct heads *h, uint64_t seed, struct err *e)
{
    struct graph *train = build(h, true), *eval = build(h, false);
    int r = -1;
    if (!train || !eval) {
        err_set(e, EXIT_OS, "out of memory for the linear classifiers");
        goto out;
    }
    if (graph_finish(train, e) < 0 || graph_finish(eval, e) < 0)
        goto out;
    float init[2] = {h->rule->slot_init[0], h->rule->slot_init[1]};
    if (params_declare(h->params, train, e) < 0 || params_alloc(h->params, e) < 0 ||
        params_need_slots(h->params, h->rule->n_slots, init, e) < 0 || init_weights(h, seed, e) < 0)
        goto out;
    h->train = plan_compile(h->dev, train, h->params, e);
    h->eval = h->train ? plan_compile(h->dev, eval, h->params, e) : NULL;
    r = h->eval ? 0 : -1;
out:
    graph_free(train);
    graph_free(eval);
    return r;
}

/* Steps at 60, 75 and 90 % as the linear evaluation of Khosla et al.; RMSProp's rho and epsilon of
 * their second stage. */
static void configure(struct heads *h, const struct linear_conf *c)
{
    double epochs = (double)c->epochs;
    h->hyper = (struct optim_hyper){.momentum = (float)c->momentum,
                                    .weight_decay = (float)c->weight_decay,
                                    .rho = 0.9f,
                                    .eps = 1e-3f,
                                    .nesterov = c->nesterov};
    h->schedule = (struct schedule_conf){.n_steps = 3, .gamma = 0.2};
    memcpy(h->schedule.steps, (double[]){0.6 * epochs, 0.75 * epochs, 0.9 * epochs},
           3 * sizeof(double));
    snprintf(h->schedule.name, sizeof h->schedule.name, "%s", c->schedule);
    h->n = c->n_lr;
    memcpy(h->rate, c->lr, sizeof *h->rate * (size_t)c->n_lr);
}

int heads_open(struct heads *h, struct device *dev, const struct heads_shape *shape,
               const struct linear_conf *c, uint64_t seed, struct err *e)
{
    *h = (struct heads){
        .dev = dev, .batch = shape->batch, .dim = shape->dim, .n_classes = shape->n_classes};
    configure(h, c);
    h->rule = optim_find(c->optimizer, e);
    if (!h->rule)
        return -1;
    h->params = params_new(dev);
    if (!h->params)
        return err_set(e, EXIT_OS, "out of memory for the linear classifiers");
    void *hyper;
    if (dev->class->alloc(dev, CONF_LIST_MAX * sizeof *h->in_force, &hyper, e) < 0)
        return -1;
    h->in_force = hyper;
    return compile(h, seed, e);
}

void heads_close(struct heads *h)
{
    plan_free(h->train);
    plan_free(h->eval);
    if (h->in_force)
        h->dev->class->free(h->dev, h->in_force, CONF_LIST_MAX * sizeof *h->in_force);
    params_free(h->params);
    *h = (struct heads){0};
}

double heads_rate(const struct heads *h, int head, int64_t step)
{
    return schedule_rate(&h->schedule, h->rate[head], step, h->total, h->per_epoch);
}

static int update(struct heads *h, const struct param *q, int head, struct err *e)
{
    struct update u = {.rule = h->rule,
                       .n = q->count,
                       .w = h->params->value + q->offset,
                       .g = h->params->grad + q->offset,
                       .hyper = &h->in_force[head]};
    for (int s = 0; s < h->rule->n_slots; s++)
        u.slot[s] = h->params->slot[s] + q->offset;
    return h->dev->class->update(h->dev, &u, e);
}

static int update_head(struct heads *h, int head, int64_t step, struct err *e)
{
    char weight[48], bias[48];
    snprintf(weight, sizeof weight, "head.%d.weight", head);
    snprintf(bias, sizeof bias, "head.%d.bias", head);
    const struct param *w = params_find(h->params, weight), *b = params_find(h->params, bias);
    struct optim_hyper hyper = h->hyper;
    hyper.lr = (float)heads_rate(h, head, step);
    if (h->dev->class->write(h->dev, &h->in_force[head], &hyper, sizeof hyper, e) < 0)
        return -1;
    return update(h, w, head, e) < 0 ? -1 : update(h, b, head, e);
}

/* Reads what the batch said of one head, and learns from it if that is finite. */
static int finish_head(struct heads *h, int head, int64_t step, double *loss, double *acc,
                       struct err *e)
{
    char name[32];
    float stats[STAT_N];
    name_of(name, "loss", head);
    if (plan_download(h->train, name, stats, e) < 0)
        return -1;
    *loss = (double)stats[STAT_LOSS];
    *acc = 100.0 * (double)stats[STAT_TOP1] / h->batch;
    if (isfinite(*loss))
        return update_head(h, head, step, e);
    h->diverged[head] = true;
    log_warn("linear evaluation: the rate %g diverged at iteration %lld and is left out",
             h->rate[head], (long long)step);
    return 0;
}

int heads_step(struct heads *h, int64_t step, const float *x, const int32_t *labels, double *loss,
               double *acc, struct err *e)
{
    if (plan_upload(h->train, "features", x, e) < 0 ||
        plan_upload(h->train, "labels", labels, e) < 0 || plan_forward(h->train, e) < 0 ||
        plan_backward(h->train, e) < 0)
        return -1;
    for (int k = 0; k < h->n; k++) {
        loss[k] = acc[k] = NAN;
        if (!h->diverged[k] && finish_head(h, k, step, &loss[k], &acc[k], e) < 0)
            return -1;
    }
    return 0;
}

static int measure_batch(struct heads *h, const char *logits, const float *x, float *y,
                         struct err *e)
{
    if (plan_upload(h->eval, "features", x, e) < 0 || plan_forward(h->eval, e) < 0)
        return -1;
    return plan_download(h->eval, logits, y, e);
}

static int sum_up(struct heads *h, int head, const struct features *f, float *x, float *y,
                  struct validation *v, struct err *e)
{
    char logits[32];
    name_of(logits, "logits", head);
    for (int64_t at = 0; at < f->n; at += h->batch) {
        int64_t n = f->n - at < h->batch ? f->n - at : h->batch;
        memcpy(x, f->x + at * f->dim, sizeof *x * (size_t)(n * f->dim));
        if (measure_batch(h, logits, x, y, e) < 0)
            return -1;
        for (int64_t i = 0; i < n; i++)
            validation_add(v, y + i * h->n_classes, h->n_classes, f->label[at + i]);
    }
    return 0;
}

int heads_measure(struct heads *h, int head, const struct features *f, double *loss, double *top1,
                  double *top5, struct err *e)
{
    struct validation v = {0};
    float *x = calloc((size_t)h->batch * (size_t)f->dim + 1, sizeof *x);
    float *y = calloc((size_t)h->batch * (size_t)h->n_classes, sizeof *y);
    int r = x && y ? sum_up(h, head, f, x, y, &v, e)
                   : err_set(e, EXIT_OS, "out of memory for linear evaluation");
    free(x);
    free(y);
    double n = (double)v.n; /* 0: no such split, the numbers are unknown */
    *loss = v.n ? v.loss / n : NAN;
    *top1 = v.n ? 100.0 * v.top1 / n : NAN;
    *top5 = v.n ? 100.0 * v.top5 / n : NAN;
    return r;
}
