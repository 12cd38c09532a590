/*
 * Optimizer rules, one inline function per element, compiled by the C compiler and by nvcc.
 *
 * sgd: g' = g + wd w; v = m v + g'; w -= lr v, or with Nesterov w -= lr (g' + m v). As PyTorch,
 * whose first step (v = g') is the same as starting from v = 0. rmsprop: TensorFlow's: g' = g + wd
 * w; s = rho s + (1 - rho) g'^2, s starting at 1; v = m v + lr g' / sqrt(s + eps), epsilon inside
 * the root; w -= v.
 */
#ifndef SUPCON_OPTIM_RULES_H
#define SUPCON_OPTIM_RULES_H

#include "base/hd.h"
#include "optim/hyper.h"

#include <math.h>

HD void rule_sgd(const struct optim_hyper *h, float *w, float g, float *v)
{
    g += h->weight_decay * *w;
    *v = h->momentum * *v + g;
    *w -= h->lr * (h->nesterov ? g + h->momentum * *v : *v);
}

HD void rule_rmsprop(const struct optim_hyper *h, float *w, float g, float *v, float *s)
{
    g += h->weight_decay * *w;
    *s = h->rho * *s + (1.0f - h->rho) * g * g;
    *v = h->momentum * *v + h->lr * g / sqrtf(*s + h->eps);
    *w -= *v;
}

#endif
