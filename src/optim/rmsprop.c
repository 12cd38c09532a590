/*
 * RMSProp as in TensorFlow: the square average starts at 1 and epsilon stands inside the root.
 * (PyTorch's starts at 0 and adds epsilon outside.) Two slots: momentum buffer, square average.
 */
#include "optim/optim_impl.h"

#include "optim/rules.h"

static void apply(const struct update *u, int64_t begin, int64_t end)
{
    const struct optim_hyper h = *u->hyper;
    float *restrict w = u->w, *restrict v = u->slot[0], *restrict s = u->slot[1];
    const float *restrict g = u->g;
#pragma omp simd
    for (int64_t i = begin; i < end; i++)
        rule_rmsprop(&h, &w[i], g[i], &v[i], &s[i]);
}

const struct optim_class optim_rmsprop = {
    .name = "rmsprop",
    .help = "RMSProp with TensorFlow's semantics: square average from 1, epsilon inside the root",
    .n_slots = 2,
    .slot_init = {0.0f, 1.0f},
    .apply = apply,
};
