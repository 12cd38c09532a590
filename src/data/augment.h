/*
 * Augmentation in two steps. A policy (data, one const instance per file, listed in augment.c)
 * draws the numbers of a view from Philox at (seed, op, view, sample, epoch); augment_apply makes
 * the view of one u8 image [C,H,W] with them. A device may do the second step itself from the same
 * numbers (augment_pixel.h).
 */
#ifndef SUPCON_DATA_AUGMENT_H
#define SUPCON_DATA_AUGMENT_H

#include "data/augment_pixel.h"
#include "data/dataset.h"

struct augment_key {
    uint64_t seed;
    uint32_t view, sample, epoch;
};

struct augment_class {
    const char *name, *help;
    /* Fills in all of view_params but `sample`. */
    void (*draw)(const struct augment_conf *, const struct augment_shape *,
                 const struct augment_key *, struct view_params *);
};

extern const struct augment_class *const augment_classes[]; /* NULL-terminated */
const struct augment_class *augment_find(const char *name, struct err *);

/* image: u8 [C, from_height, from_width]. view: f32 [C, height, width], normalised; not the same
 * memory as scratch, which has augment_scratch() floats. `sample` is not looked at. */
void augment_apply(const struct augment_shape *, const struct view_params *, const uint8_t *image,
                   float *view, float *scratch);
size_t augment_scratch(const struct augment_shape *);

#endif
