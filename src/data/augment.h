/*
 * Augmentation policies as data, one const instance per file, listed in augment.c. A policy turns
 * one u8 image [C,H,W] into one normalised f32 view; all draws come from Philox at (seed, op, view,
 * sample, epoch).
 */
#ifndef SUPCON_DATA_AUGMENT_H
#define SUPCON_DATA_AUGMENT_H

#include "data/dataset.h"

struct augment_shape {
    int channels, height, width;
    float mean[3], std[3];
};

struct augment_key {
    uint64_t seed;
    uint32_t view, sample, epoch;
};

struct augment_class {
    const char *name, *help;
    /* scratch: 4 * C*H*W floats. */
    void (*apply)(const struct augment_conf *, const struct augment_shape *,
                  const struct augment_key *, const uint8_t *image, float *view, float *scratch);
};

extern const struct augment_class *const augment_classes[]; /* NULL-terminated */
const struct augment_class *augment_find(const char *name, struct err *);

#endif
