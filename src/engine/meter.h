/*
 * Rates and the time that is left, from the last steps. Medians, so that one slow step (a save, a
 * stopped process) changes nothing; whoever pauses a run says so, because pauses are no steps.
 */
#ifndef SUPCON_ENGINE_METER_H
#define SUPCON_ENGINE_METER_H

#include <stdint.h>

enum { METER_STEPS = 31 };

struct meter {
    double ms[METER_STEPS]; /* from the end of one step to the end of the next, or step time */
    int n, next;
    int64_t last_usec; /* end of the last step, 0: unknown */
};

/* A step ended now and took step_ms itself. */
void meter_step(struct meter *, int64_t now_usec, double step_ms);
/* What comes until the next step is no part of it. */
void meter_break(struct meter *);
void meter_reset(struct meter *); /* steps cost something else from now on */
/* Milliseconds from step to step, median; NaN before the first. */
double meter_ms(const struct meter *);
double meter_rate(const struct meter *, int64_t per_step); /* a second; NaN unknown */
double meter_left(const struct meter *, int64_t steps);    /* seconds; NaN unknown */

#endif
