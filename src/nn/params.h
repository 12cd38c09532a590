/*
 * The parameter store: every trainable tensor and running statistic of a model by name, in flat f32
 * arrays on one device, so that optimizer, gradient norm and checkpoint are loops over memory.
 * Several plans (SupCon, cross-entropy, evaluation) work over one store. Tensors stay in PyTorch's
 * layout; kernels convert to their own.
 *
 * Groups are contiguous: an optimizer update is one range per group.
 */
#ifndef SUPCON_NN_PARAMS_H
#define SUPCON_NN_PARAMS_H

#include "backend/backend.h"
#include "nn/graph.h"

enum param_group {
    GROUP_ENCODER,    /* every name without one of the prefixes below */
    GROUP_PROJECTION, /* "projection." */
    GROUP_FC,         /* "fc." */
    GROUP_PROBE,      /* "probe." */
    GROUP_OTHER,      /* "head." and what evaluations make for themselves */
    GROUP_N
};

struct param {
    struct param_spec spec;
    enum param_group group;
    bool trainable; /* false: running statistics */
    int64_t count,
        offset; /* elements; offset into the flat arrays (trainable) or the statistics array */
    struct tensor value, grad; /* plain f32; grad.data is NULL for statistics */
};

struct params {
    struct device *dev;
    struct param *items;
    int n;
    int64_t n_trainable, n_stats;
    struct {
        int64_t begin, end;
    } group[GROUP_N];            /* ranges of trainable elements */
    float *value, *grad, *stats; /* device memory */
    float *slot[2];              /* optimizer state, NULL until asked for */
    int64_t batches;             /* num_batches_tracked, one for all batch-norms */
    bool on_host;                /* a copy in host memory, which may be read as it is */
};

struct params *params_new(struct device *);
void params_free(struct params *);

/* Add every parameter of the graph that is not yet known. Fails if a known one has another shape.
 * Before params_alloc. */
int params_declare(struct params *, const struct graph *, struct err *);
int params_alloc(struct params *, struct err *); /* sorts by group, allocates, zeroes */
/* Optimizer slots 0..n-1, filled with init[i]; slots that exist are kept. */
int params_need_slots(struct params *, int n, const float *init, struct err *);

struct param *params_find(const struct params *, const char *name); /* NULL if absent */

/*
 * Initial values, a pure function of (seed, name): convolutions Kaiming normal fan_out (gain sqrt
 * 2), linear weights and biases uniform +-1/sqrt(fan_in) as PyTorch, batch-norm 1, 0, running mean
 * 0, variance 1.
 */
int params_init(struct params *, uint64_t seed, struct err *);
int params_init_group(struct params *, enum param_group, uint64_t seed, struct err *);

/* Host copies, plain f32 of param->count elements. */
int params_get(const struct params *, const struct param *, float *out, struct err *);
int params_set(struct params *, const struct param *, const float *in, struct err *);

#endif
