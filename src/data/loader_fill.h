/* What one batch holds, given which samples: the part of the loader that knows images, not threads.
 */
#ifndef SUPCON_DATA_LOADER_FILL_H
#define SUPCON_DATA_LOADER_FILL_H

#include "data/augment.h"
#include "data/loader.h"
#include <stddef.h>

/* Read-only once made, so all workers share it. */
struct filler {
    const struct dataset *data;
    enum data_part part;
    struct augment_conf augment;
    const struct augment_class *policy;
    struct augment_shape shape;
    uint64_t seed;
    int batch, views;
    size_t values;      /* of a view */
    size_t image_bytes; /* of an image */
    bool parameters;
    bool gathers; /* parameters refer to sources */
};

/* One per worker. */
struct fill_scratch {
    uint8_t *image; /* [C, from_height, from_width] */
    float *work;    /* augment_scratch() */
};

/* EXIT_CONFIG: unknown policy, or not one view at least. */
int filler_init(struct filler *, const struct loader_options *, struct err *);
int fill_scratch_init(struct fill_scratch *, const struct filler *, struct err *);
void fill_scratch_done(struct fill_scratch *);

/* Images (or parameters) and labels of batch->samples[0 .. n-1]; the rest becomes zero. */
int fill_batch(const struct filler *, struct fill_scratch *, struct batch *, struct err *);

#endif
