/* The instances behind the lists of optim.h. */
#ifndef SUPCON_OPTIM_OPTIM_IMPL_H
#define SUPCON_OPTIM_OPTIM_IMPL_H

#include "optim/optim.h"

extern const struct optim_class optim_sgd, optim_rmsprop;
extern const struct schedule_class schedule_constant, schedule_cosine, schedule_step;

#endif
