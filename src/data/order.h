/* The order in which an epoch visits its samples. */
#ifndef SUPCON_DATA_ORDER_H
#define SUPCON_DATA_ORDER_H

#include <stdint.h>

/* Permutes index[n] in place (Fisher-Yates), as a function of (seed, epoch) and of what stood in
 * it. */
void order_shuffle(int64_t *index, int64_t n, uint64_t seed, int64_t epoch);

#endif
