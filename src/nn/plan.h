/*
 * How to compute a graph on one device: fused nodes, a schedule of forward and backward calls, one
 * arena of memory whose offsets come from lifetimes, and kernels that have picked their algorithms.
 * Everything that can fail for want of memory or support fails in plan_compile(); a step then only
 * loops. Immutable after compilation, but for the numbers in its memory.
 */
#ifndef SUPCON_NN_PLAN_H
#define SUPCON_NN_PLAN_H

#include "backend/backend.h"
#include "nn/graph.h"
#include "nn/params.h"

struct plan;

/* Takes nothing: graph may be freed afterwards; device and params must outlive the plan. NULL with
 * *e set on failure. The environment variable MEMPLAN=off gives every tensor memory of its own (for
 * bug hunting). */
struct plan *plan_compile(struct device *, const struct graph *, struct params *, struct err *);
void plan_free(struct plan *);

/* Inputs and outputs by name. Host memory is plain row-major: f32 for activations, i32 for labels.
 */
const struct tensor *plan_tensor(const struct plan *, const char *name); /* NULL if there is none */
int plan_upload(struct plan *, const char *input, const void *src, struct err *);
int plan_download(struct plan *, const char *output, void *dst, struct err *);

int plan_forward(struct plan *, struct err *);
/* Gradients of the sum of all losses, into params->grad of the parameters the plan reaches (others
 * are left alone). */
int plan_backward(struct plan *, struct err *);
/* Running statistics take the batch's, unless *held (device memory, may be NULL) is not zero. */
int plan_commit(struct plan *, const uint32_t *held, struct err *);
bool plan_has_statistics(const struct plan *); /* plan_commit() has something to do */

/* Groups whose parameters receive gradients from this plan. */
bool plan_trains(const struct plan *, enum param_group);

size_t plan_arena_bytes(const struct plan *); /* activations, gradients, saved state, workspace */
int64_t
plan_flops(const struct plan *); /* of one forward (and backward) pass, convolutions and linears */

/* One line per call: pass, op, shapes, bytes, offset, algorithm, ms (where timed). */
void plan_print(const struct plan *, FILE *);
/* Time each call alone: median of `reps`, milliseconds; the sum is what a step would cost without
 * anything between calls. */
int plan_profile(struct plan *, int reps, double *sum_ms, struct err *);

#endif
