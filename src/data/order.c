/* Fisher-Yates with one stateless draw per position. */
#include "data/order.h"

#include "base/rng.h"

void order_shuffle(int64_t *index, int64_t n, uint64_t seed, int64_t epoch)
{
    for (int64_t i = n - 1; i > 0; i--) {
        struct rng r = rng_at(seed, RNG_SHUFFLE, 0, 0, (uint32_t)i, (uint32_t)epoch);
        int64_t j = rng_below(&r, (uint32_t)i + 1), keep = index[i];
        index[i] = index[j];
        index[j] = keep;
    }
}
