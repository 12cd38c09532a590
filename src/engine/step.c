/*
 * The training step. Loss and gradients are judged on the device before anything takes them: a step
 * whose numbers are not all finite leaves weights, running statistics and optimizer state as they
 * were, and so do the steps that were enqueued behind it; they are forgotten, and training goes on
 * with the same batch.
 */
#include "engine/trainer.h"

#include "base/file.h"

#include <math.h>

/* Momentum of the online probe's plain SGD. */
static const float PROBE_MOMENTUM = 0.9f;

static double share(const float *stat)
{
    return stat[STAT_ROWS] > 0 ? 100.0 * (double)stat[STAT_TOP1] / (double)stat[STAT_ROWS] : NAN;
}

/* Where the loss can lie, which depends on the labels alone; NaN where that means nothing. */
static void find_bounds(const struct trainer *t, const struct batch *b, struct in_flight *f)
{
    f->low = f->high = NAN;
    if (t->objective->bounds)
        t->objective->bounds(&t->settings.objective, b->labels, b->n, b->views, t->data.n_classes,
                             &f->low, &f->high);
}

static double position_of(const struct in_flight *f, double loss)
{
    return f->high > f->low ? (loss - f->low) / (f->high - f->low) : NAN;
}

static struct optim_hyper hyper_of(const struct trainer *t, enum param_group g, int64_t step)
{
    const struct settings *s = &t->settings;
    double rate = g == GROUP_PROBE ? s->probe.lr : s->optimizer.lr;
    rate = schedule_rate(&s->schedule, rate, step, t->scheduled, t->per_epoch);
    if (g == GROUP_PROBE)
        return (struct optim_hyper){.lr = (float)rate, .momentum = PROBE_MOMENTUM};
    return (struct optim_hyper){.lr = (float)rate,
                                .momentum = (float)s->optimizer.momentum,
                                .weight_decay = (float)s->optimizer.weight_decay,
                                .rho = (float)s->optimizer.rho,
                                .eps = (float)s->optimizer.epsilon,
                                .nesterov = s->optimizer.nesterov};
}

/* Loads the next batch and hands its step to the device. */
static int submit(struct trainer *t, struct err *e)
{
    int64_t start = clock_usec(), step = t->state.step + trainer_in_flight(t);
    struct in_flight *f = &t->in_flight[step % DEVICE_DEPTH_MAX];
    struct optim_hyper hyper[GROUP_N];
    struct batch *b;
    if (loader_next(t->loader, &b, e) != 0)
        return -1;
    *f = (struct in_flight){.start = start, .batch = b->n, .views = b->views};
    f->data_ms = (double)(clock_usec() - start) / 1e3;
    find_bounds(t, b, f);
    for (int g = 0; g < GROUP_N; g++)
        hyper[g] = hyper_of(t, (enum param_group)g, step);
    f->lr = schedule_rate(&t->settings.schedule, t->settings.optimizer.lr, step, t->scheduled,
                          t->per_epoch);
    int rc = feed_images(&t->feed, t->plan, t->loader, b, e) != 0 ||
             plan_upload(t->plan, "labels", b->labels, e) != 0 ||
             step_submit(t->step, hyper, e) != 0;
    loader_release(t->loader, b);
    return rc ? -1 : 0;
}

/* The norm is of what the objective trains; the probe's gradient is only judged. */
static void describe(const struct trainer *t, const struct in_flight *f,
                     const struct step_report *r, struct step_stats *s)
{
    double squares = 0;
    for (int g = 0; g < GROUP_N; g++)
        squares += g == GROUP_PROBE ? 0 : r->squares[g];
    *s = (struct step_stats){
        .step = t->state.step,
        .loss = (double)r->stat[0][STAT_LOSS],
        .acc = share(r->stat[0]),
        .probe = plan_tensor(t->plan, "probe") ? share(r->stat[1]) : NAN,
        .lonely = (int32_t)r->stat[0][STAT_LONELY],
        .temperature = t->objective->contrastive ? t->settings.objective.temperature : (double)NAN,
        .grad_norm = sqrt(squares),
        .lr = f->lr,
        .batch = f->batch,
        .views = f->views,
        .data_ms = f->data_ms,
        .finite = r->held == 0};
    s->position = position_of(f, s->loss);
}

static void advance(struct trainer *t)
{
    struct checkpoint_state *s = &t->state;
    s->step++;
    s->epoch = s->step / t->per_epoch;
    s->position = s->step % t->per_epoch;
    s->valid_loss = s->valid_top1 = s->valid_top5 = NAN;
}

/* The steps behind a held one changed nothing either. */
static int rewind_to_held(struct trainer *t, struct err *e)
{
    struct step_report forgotten;
    while (step_pending(t->step) > 0)
        if (step_fetch(t->step, &forgotten, true, e) < 0)
            return -1;
    if (step_clear(t->step, e) != 0)
        return -1;
    return loader_seek(t->loader, t->state.epoch, t->state.position, e);
}

int trainer_in_flight(const struct trainer *t)
{
    return t->step ? step_pending(t->step) : 0;
}

int trainer_step(struct trainer *t, int64_t limit, struct step_stats *s, struct err *e)
{
    struct step_report report;
    while (trainer_in_flight(t) == 0 || (trainer_in_flight(t) < step_depth(t->step) &&
                                         t->state.step + trainer_in_flight(t) < limit))
        if (submit(t, e) != 0)
            return -1;
    const struct in_flight *f = &t->in_flight[t->state.step % DEVICE_DEPTH_MAX];
    if (step_fetch(t->step, &report, true, e) != 1)
        return -1;
    describe(t, f, &report, s);
    int64_t now = clock_usec();
    s->step_ms = (double)(now - (f->start > t->last_step ? f->start : t->last_step)) / 1e3;
    t->last_step = now;
    if (!s->finite)
        return rewind_to_held(t, e);
    advance(t);
    return 0;
}
