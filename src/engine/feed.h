/*
 * How the images of a batch get into a plan. The CPU's loader has augmented them and they are
 * uploaded; a device that augments itself holds the data set, or what of it a batch needs, as u8
 * and gets the numbers that were drawn.
 */
#ifndef SUPCON_ENGINE_FEED_H
#define SUPCON_ENGINE_FEED_H

#include "backend/backend.h"
#include "data/loader.h"
#include "nn/plan.h"

struct feed {
    struct device *dev;
    const struct dataset *data;
    bool on_device; /* the device augments: loaders must be opened with `parameters` */
    bool resident;  /* `images` is the whole data set */
    void *images;   /* device memory, u8 */
    void *params;   /* device memory, struct view_params [rows] */
    size_t image_bytes, params_bytes;
};

/* For batches of up to `batch` samples and `rows` views. Device and data set must outlive it. */
int feed_open(struct feed *, struct device *, const struct dataset *, int64_t batch, int64_t rows,
              struct err *);
void feed_close(struct feed *); /* a zeroed one is fine */
/* Into the plan's input "images". The batch may be released when this returns. */
int feed_images(struct feed *, struct plan *, const struct loader *, const struct batch *,
                struct err *);

/* Its two halves where the device augments: what a batch needs goes there, and the views of it are
 * made. */
int feed_upload(struct feed *, const struct tensor *out, const struct batch *, struct err *);
int feed_augment(struct feed *, struct tensor *out, const struct loader *, struct err *);

#endif
