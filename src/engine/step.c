/*
 * The training step. Loss and gradients are looked at before anything takes them: a step whose
 * numbers are not all finite leaves weights, running statistics, optimizer state and position as
 * they were.
 */
#include "engine/trainer.h"

#include "base/file.h"

#include <math.h>

/* Momentum of the online probe's plain SGD. */
static const float PROBE_MOMENTUM = 0.9f;

static int compute(struct trainer *t, const struct batch *b, struct err *e)
{
    if (plan_upload(t->plan, "images", b->images, e) != 0 ||
        plan_upload(t->plan, "labels", b->labels, e) != 0 || plan_forward(t->plan, e) != 0)
        return -1;
    return plan_backward(t->plan, e);
}

static double share(const float *stat)
{
    return stat[STAT_ROWS] > 0 ? 100.0 * (double)stat[STAT_TOP1] / (double)stat[STAT_ROWS] : NAN;
}

static double position_of(const struct trainer *t, const struct batch *b, double loss)
{
    double low, high;
    if (!t->objective->bounds ||
        !t->objective->bounds(&t->settings.objective, b->labels, b->n, b->views, t->data.n_classes,
                              &low, &high) ||
        !(high > low))
        return NAN;
    return (loss - low) / (high - low);
}

static int read_losses(struct trainer *t, const struct batch *b, struct step_stats *s,
                       struct err *e)
{
    float stat[STAT_N], probe[STAT_N];
    if (plan_download(t->plan, "loss", stat, e) != 0)
        return -1;
    s->loss = (double)stat[STAT_LOSS];
    s->acc = share(stat);
    s->lonely = (int32_t)stat[STAT_LONELY];
    s->position = position_of(t, b, s->loss);
    s->probe = NAN;
    s->finite = isfinite(s->loss);
    if (!plan_tensor(t->plan, "probe"))
        return 0;
    if (plan_download(t->plan, "probe", probe, e) != 0)
        return -1;
    s->probe = share(probe);
    s->finite = s->finite && isfinite(probe[STAT_LOSS]);
    return 0;
}

/* The norm is of what the objective trains; the probe's gradient is only checked. */
static int read_gradients(struct trainer *t, struct step_stats *s, struct err *e)
{
    const struct params *p = t->net.params;
    double sum = 0;
    for (int g = 0; g < GROUP_N; g++) {
        double squares = 0;
        int64_t n = p->group[g].end - p->group[g].begin;
        if (n == 0 || !plan_trains(t->plan, (enum param_group)g))
            continue;
        if (t->dev.class->sum_squares(&t->dev, p->grad + p->group[g].begin, n, &squares, e) != 0)
            return -1;
        s->finite = s->finite && isfinite(squares);
        if (g != GROUP_PROBE)
            sum += squares;
    }
    s->grad_norm = sqrt(sum);
    return 0;
}

static struct optim_hyper hyper_of(const struct trainer *t, enum param_group g)
{
    const struct settings *s = &t->settings;
    double rate = g == GROUP_PROBE ? s->probe.lr : s->optimizer.lr;
    rate = schedule_rate(&s->schedule, rate, t->state.step, t->scheduled, t->per_epoch);
    if (g == GROUP_PROBE)
        return (struct optim_hyper){.lr = (float)rate, .momentum = PROBE_MOMENTUM};
    return (struct optim_hyper){.lr = (float)rate,
                                .momentum = (float)s->optimizer.momentum,
                                .weight_decay = (float)s->optimizer.weight_decay,
                                .rho = (float)s->optimizer.rho,
                                .eps = (float)s->optimizer.epsilon,
                                .nesterov = s->optimizer.nesterov};
}

static int update(struct trainer *t, struct err *e)
{
    const struct params *p = t->net.params;
    for (int g = 0; g < GROUP_N; g++) {
        int64_t begin = p->group[g].begin, n = p->group[g].end - begin;
        if (n == 0 || !plan_trains(t->plan, (enum param_group)g))
            continue;
        struct update u = {.rule = g == GROUP_PROBE ? t->probe_rule : t->rule,
                           .n = n,
                           .w = p->value + begin,
                           .g = p->grad + begin,
                           .slot = {p->slot[0] ? p->slot[0] + begin : NULL,
                                    p->slot[1] ? p->slot[1] + begin : NULL},
                           .hyper = hyper_of(t, (enum param_group)g)};
        if (t->dev.class->update(&t->dev, &u, e) != 0)
            return -1;
    }
    return 0;
}

static void advance(struct trainer *t)
{
    struct checkpoint_state *s = &t->state;
    loader_release(t->loader, t->held);
    t->held = NULL;
    s->step++;
    s->epoch = s->step / t->per_epoch;
    s->position = s->step % t->per_epoch;
    s->valid_loss = s->valid_top1 = s->valid_top5 = NAN;
}

static int accept(struct trainer *t, struct err *e)
{
    if (plan_commit(t->plan, e) != 0 || update(t, e) != 0)
        return -1;
    if (t->dev.class->sync && t->dev.class->sync(&t->dev, e) != 0)
        return -1;
    advance(t);
    return 0;
}

int trainer_step(struct trainer *t, struct step_stats *s, struct err *e)
{
    int64_t start = clock_usec();
    *s = (struct step_stats){.step = t->state.step};
    if (!t->held && loader_next(t->loader, &t->held, e) != 0)
        return -1;
    s->data_ms = (double)(clock_usec() - start) / 1e3;
    s->batch = t->held->n;
    s->views = t->held->views;
    s->lr = schedule_rate(&t->settings.schedule, t->settings.optimizer.lr, t->state.step,
                          t->scheduled, t->per_epoch);
    s->temperature = t->objective->contrastive ? t->settings.objective.temperature : NAN;
    if (compute(t, t->held, e) != 0 || read_losses(t, t->held, s, e) != 0 ||
        read_gradients(t, s, e) != 0)
        return -1;
    if (s->finite && accept(t, e) != 0)
        return -1;
    s->step_ms = (double)(clock_usec() - start) / 1e3;
    return 0;
}
