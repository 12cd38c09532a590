/*
 * A training step as one thing to hand to a device: forward, backward, sums of squares of the
 * gradients, the verdict whether all of it is finite, running statistics, updates. It is enqueued
 * whole and its numbers are fetched later, so that a device with its own time is never waited for:
 * up to `depth` steps are on their way at once, and a backend that can record runs a recording.
 *
 * A step that is not finite changes nothing, and neither does any step behind it until
 * step_clear(): the verdict stays in force on the device. Everything that varies from step to step
 * (inputs, rates) lies in device memory that is written in the order of the steps.
 */
#ifndef SUPCON_NN_STEP_H
#define SUPCON_NN_STEP_H

#include "nn/plan.h"

enum { STEP_LOSSES = 2 };

struct step_report {
    float stat[STEP_LOSSES][STAT_N]; /* of the outputs named in step_new() */
    double squares[GROUP_N];         /* of the gradient, by group; 0 where nothing is trained */
    uint32_t held;                   /* not 0: this step changed nothing */
};

struct step;

/* `rules`: how each group is trained that the plan reaches; NULL: not. `losses`: names of outputs
 * of the plan with STAT_N numbers, at most STEP_LOSSES, NULL behind the last. Plan and parameters
 * must outlive the step; slots of the rules exist already. */
int step_new(struct step **, struct device *, struct plan *, struct params *,
             const struct optim_class *const rules[GROUP_N], const char *const *losses,
             struct err *);
void step_free(struct step *); /* waits for what is on its way */

/* How many may be on their way at once (1 on the CPU), and how many are. */
int step_depth(const struct step *);
int step_pending(const struct step *);

/* Enqueue a step on the inputs uploaded before. At most step_depth() may be pending. */
int step_submit(struct step *, const struct optim_hyper hyper[GROUP_N], struct err *);
/* The oldest pending step's report: 1; 0 if there is none yet (only without `wait`); -1. Counts the
 * batch in params->batches where it was not held. */
int step_fetch(struct step *, struct step_report *, bool wait, struct err *);
/* After a held step, when none is pending: steps change things again. */
int step_clear(struct step *, struct err *);

/* The sum of the least times of its parts alone, milliseconds; see plan_profile(). */
int step_profile(struct step *, int reps, double *sum_ms, struct err *);

#endif
