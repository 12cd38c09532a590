/*
 * Learning-rate schedules: a linear warm-up, then a factor on the rate. Steps are counted from 0;
 * warm-up step t of T_w has the rate (t + 1) / T_w of what the schedule starts with, so that the
 * first update already learns.
 */
#include "optim/optim_impl.h"

#include <math.h>
#include <string.h>

static double constant_factor(const struct schedule_conf *c, double t, double total, double epoch)
{
    (void)c, (void)t, (void)total, (void)epoch;
    return 1.0;
}

/* 1/2 (1 + cos(pi t / T)), lifted so that it ends at the floor (Loshchilov and Hutter 2017, without
 * restarts). A run that ends within its warm-up never leaves the start. */
static double cosine_factor(const struct schedule_conf *c, double t, double total, double epoch)
{
    (void)epoch;
    double done = total > 0.0 ? fmin(t / total, 1.0) : 0.0;
    return c->floor + (1.0 - c->floor) * 0.5 * (1.0 + cos(M_PI * done));
}

static double step_factor(const struct schedule_conf *c, double t, double total, double epoch)
{
    (void)t, (void)total;
    double factor = 1.0;
    for (int i = 0; i < c->n_steps; i++)
        if (epoch >= c->steps[i])
            factor *= c->gamma;
    return factor;
}

const struct schedule_class schedule_constant = {
    .name = "constant",
    .help = "the rate stays",
    .factor = constant_factor,
};
const struct schedule_class schedule_cosine = {
    .name = "cosine",
    .help = "half a cosine from the rate down to schedule.floor times the rate",
    .factor = cosine_factor,
};
const struct schedule_class schedule_step = {
    .name = "step",
    .help = "times schedule.gamma at each epoch of schedule.steps",
    .factor = step_factor,
};

const struct schedule_class *const schedule_classes[] = {&schedule_constant, &schedule_cosine,
                                                         &schedule_step, NULL};

static const struct schedule_class *class_of(const struct schedule_conf *c)
{
    for (int i = 0; schedule_classes[i]; i++)
        if (strcmp(schedule_classes[i]->name, c->name) == 0)
            return schedule_classes[i];
    BUG("unknown schedule \"%s\"", c->name); /* the option table admits only known ones */
}

double schedule_rate(const struct schedule_conf *c, double rate, int64_t step, int64_t total,
                     int64_t per_epoch)
{
    const struct schedule_class *class = class_of(c);
    double warm = floor(c->warmup_epochs * (double)per_epoch + 0.5);
    double t = fmax((double)step - warm, 0.0);
    double epoch = per_epoch > 0 ? floor((double)step / (double)per_epoch) : 0.0;
    double factor = class->factor(c, t, (double)total - warm, epoch);
    if ((double)step < warm)
        factor *= ((double)step + 1.0) / warm;
    return rate * factor;
}
