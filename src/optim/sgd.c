/* Stochastic gradient descent with momentum, Nesterov's too. One slot: the momentum buffer. */
#include "optim/optim_impl.h"

#include "optim/rules.h"

static void apply(const struct update *u, int64_t begin, int64_t end)
{
    const struct optim_hyper h = *u->hyper;
    float *restrict w = u->w, *restrict v = u->slot[0];
    const float *restrict g = u->g;
#pragma omp simd
    for (int64_t i = begin; i < end; i++)
        rule_sgd(&h, &w[i], g[i], &v[i]);
}

const struct optim_class optim_sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent with momentum, or Nesterov's momentum",
    .n_slots = 1,
    .apply = apply,
};
