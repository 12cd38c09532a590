/* Timing augmentation alone: views of random images, as a loader's thread or the device makes them.
 */
#ifndef SUPCON_CMD_BENCH_AUGMENT_H
#define SUPCON_CMD_BENCH_AUGMENT_H

#include "engine/settings.h"

#include <stdbool.h>

struct bench_augment {
    const struct settings *settings; /* augment.*, device */
    int size, batch, views;          /* views: of each image */
    int steps, warmup;               /* batches timed, and made before */
    bool json;
};

/* Prints the median milliseconds of a batch: of one core where the loader augments, of the device
 * where that does. */
int bench_augment_only(const struct bench_augment *, struct err *);

#endif
