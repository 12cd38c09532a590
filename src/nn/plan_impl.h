/* The inside of a plan, for the files plan*.c. */
#ifndef SUPCON_NN_PLAN_IMPL_H
#define SUPCON_NN_PLAN_IMPL_H

#include "nn/memplan.h"
#include "nn/plan.h"
#include "nn/schedule.h"

struct plan {
    struct device *dev;
    struct params *params;
    struct graph *graph; /* own copy, fused */
    struct schedule *schedule;

    struct call *calls;     /* one per node */
    void *multi;            /* the backend's, NULL: none */
    int n_prepared;         /* calls whose kernel has seen them */
    struct tensor *tensors; /* one per buffer of the schedule */
    struct extent *extents; /* one per buffer, the workspace, one per step for its scratch; offsets
                               within the arena */
    int n_extents;
    double *step_ms; /* per step, of plan_profile; NULL before */

    size_t arena_bytes, floor_bytes;
    void *arena;
    void **separate; /* MEMPLAN=off: memory of each extent instead of an arena */
};

const struct kernel *plan_kernel(const struct plan *, int node);
/* What the backend does for all calls before and after a pass. */
int plan_begin(struct plan *, struct err *);
int plan_end(struct plan *, struct err *);
/* One step, as the schedule has it. */
int plan_step(struct plan *, const struct schedule_step *, struct err *);

#endif
