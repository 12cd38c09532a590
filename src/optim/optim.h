/*
 * Optimizer rules and learning-rate schedules as data. A rule is one inline function per element in
 * rules.h, compiled by the C compiler and by nvcc; backends loop it over flat memory.
 */
#ifndef SUPCON_OPTIM_OPTIM_H
#define SUPCON_OPTIM_OPTIM_H

#include "backend/backend.h"

struct optim_class {
    const char *name, *help;
    int n_slots;        /* of state per parameter: sgd 1, rmsprop 2 */
    float slot_init[2]; /* rmsprop: momentum 0, square average 1 (TensorFlow) */
    /* Elements begin <= i < end on host memory. */
    void (*apply)(const struct update *, int64_t begin, int64_t end);
};

extern const struct optim_class *const optim_classes[]; /* NULL-terminated */
const struct optim_class *optim_find(const char *name, struct err *);

struct optimizer_conf { /* section optimizer */
    char name[32];
    double lr, momentum, weight_decay, rho, epsilon;
    bool nesterov;
};

enum { CONF_LIST_MAX = 16 };

struct schedule_conf {    /* section schedule */
    char name[32];        /* constant, cosine, step */
    double warmup_epochs; /* linear from 0 (first step: 1/T_w of the rate) to the rate */
    double floor;         /* cosine: ends at floor * rate */
    int n_steps;
    double steps[CONF_LIST_MAX]; /* step: epochs at which the rate is multiplied by gamma */
    double gamma;
};

struct schedule_class {
    const char *name, *help;
    /* Factor on the rate after warm-up; t, total in steps counted from the end of warm-up; e in
     * epochs from the start. */
    double (*factor)(const struct schedule_conf *, double t, double total, double epoch);
};
extern const struct schedule_class *const schedule_classes[];

/* The rate of update `step` (0-based) of `total` steps, with `per_epoch` steps in an epoch. */
double schedule_rate(const struct schedule_conf *, double rate, int64_t step, int64_t total,
                     int64_t per_epoch);

#endif
