/* What varies from one optimizer update to the next. Plain data that C and C++ lay out alike: it is
 * read from device memory by rules.h on either side. */
#ifndef SUPCON_OPTIM_HYPER_H
#define SUPCON_OPTIM_HYPER_H

#include <stdbool.h>

struct optim_hyper {
    float lr, momentum, weight_decay, rho, eps;
    bool nesterov;
};

#endif
