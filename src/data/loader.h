/*
 * Batches, prefetched by worker threads. What a batch holds is a pure function of (seed, epoch,
 * position): threads and prefetch depth cannot change a byte of it. Images are augmented,
 * normalised f32, view-major: row v*N+n is view v of sample n. For a device that augments itself
 * the rows are parameters instead, and where the data set is not resident the u8 images they refer
 * to: augment_apply of these is what the images would have been.
 */
#ifndef SUPCON_DATA_LOADER_H
#define SUPCON_DATA_LOADER_H

#include "data/augment_pixel.h"
#include "data/dataset.h"
#include <stdbool.h>

struct loader;

struct loader_options {
    const struct dataset *data; /* borrowed, with split */
    const struct split *split;
    const struct augment_conf *augment; /* NULL: none (equal views) */
    int batch, views;
    bool shuffle;
    bool keep_partial; /* evaluation: the last batch may hold fewer than `batch` samples (rest
                          zero); else it is dropped */
    uint64_t seed;
    int threads, prefetch; /* 0: chosen */
    bool parameters;       /* batch->params instead of batch->images */
    bool gather;           /* with parameters: batch->sources even of a resident data set */
};

struct batch {
    int n, views;         /* samples in it; n < loader batch only with keep_partial. Rows are still
                             v*batch+n */
    int64_t epoch, first; /* first: position in the epoch of sample 0 */
    float *images;        /* [views*batch, C, H, W]; NULL with parameters */
    /* [views*batch], else NULL. params[row].sample: a row of dataset->images; or of `sources`
     * where there are any; -1 where there is no sample */
    struct view_params *params;
    uint8_t *sources; /* [batch, C, from_height, from_width]: with `gather`, or if the data set is
                         not resident; else NULL */
    int32_t *labels;  /* [batch], unused ones 0 */
    int64_t *samples; /* [batch] data set index */
    double wait_ms;   /* how long loader_next waited for it */
};

/* EXIT_CONFIG if the batch is larger than the split (and keep_partial is not set). */
int loader_open(struct loader **, const struct loader_options *, struct err *);
void loader_close(struct loader *);
int64_t loader_batches(const struct loader *); /* per epoch */
/* What parameters refer to: sizes and normalisation. */
const struct augment_shape *loader_shape(const struct loader *);
/* Continue at batch `index` of `epoch`; drops what was prefetched. Called before the first
 * loader_next, and again at will. */
int loader_seek(struct loader *, int64_t epoch, int64_t index, struct err *);
/* Next batch; epochs follow each other without end. Valid until loader_release. At most 2 may be
 * held. */
int loader_next(struct loader *, struct batch **, struct err *);
void loader_release(struct loader *, struct batch *);

#endif
