/* What the policy files share: the instances, and the draws that more than one policy makes. */
#ifndef SUPCON_DATA_AUGMENT_IMPL_H
#define SUPCON_DATA_AUGMENT_IMPL_H

#include "base/rng.h"
#include "data/augment.h"

extern const struct augment_class simaugment_policy, crop_flip_policy, none_policy;

/* The `op` of a draw. Numbers are part of what a run repeats: append, never renumber. */
enum augment_op { OP_CROP, OP_FLIP, OP_JITTER, OP_GRAYSCALE, OP_BLUR };

static inline struct rng augment_rng(const struct augment_key *k, enum augment_op op)
{
    return rng_at(k->seed, RNG_AUGMENT, op, k->view, k->sample, k->epoch);
}

/* Whether a step with this probability is taken; the first draw of its stream. */
static inline bool augment_taken(const struct augment_key *k, enum augment_op op, double p)
{
    struct rng r = augment_rng(k, op);
    return rng_float(&r) < p;
}

#endif
