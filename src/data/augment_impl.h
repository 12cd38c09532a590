/* What the policy files share: the instances, and the steps that more than one policy takes. */
#ifndef SUPCON_DATA_AUGMENT_IMPL_H
#define SUPCON_DATA_AUGMENT_IMPL_H

#include "base/rng.h"
#include "data/augment.h"

extern const struct augment_class simaugment_policy, crop_flip_policy, none_policy;

/* The `op` of a draw. Numbers are part of what a run repeats: append, never renumber. */
enum augment_op { OP_CROP, OP_FLIP, OP_JITTER, OP_GRAYSCALE };

static inline struct rng augment_rng(const struct augment_key *k, enum augment_op op)
{
    return rng_at(k->seed, RNG_AUGMENT, op, k->view, k->sample, k->epoch);
}

static inline size_t augment_values(const struct augment_shape *s)
{
    return (size_t)s->channels * s->height * s->width;
}

/* Left and right change places with probability conf->flip. */
void augment_flip(const struct augment_conf *, const struct augment_shape *,
                  const struct augment_key *, float *image);

#endif
