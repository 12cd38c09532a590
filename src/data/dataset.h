/*
 * Data sets as data: one const instance per file, listed in dataset.c. A data set is random access
 * to u8 images [C,H,W] of one size with labels 0..K-1 in a training and a test part. Opening checks
 * everything that can be checked; errors name file and offset. What fits is resident: all images in
 * one piece of memory, which a device may copy as it is. Images may be larger than what a model
 * sees of them: views are cut out.
 */
#ifndef SUPCON_DATA_DATASET_H
#define SUPCON_DATA_DATASET_H

#include "base/err.h"
#include "data/data_conf.h"
#include <stddef.h>
#include <stdint.h>

enum data_part { PART_TRAIN, PART_TEST, PART_N };

struct dataset {
    const struct dataset_class *class;
    int channels, height, width, n_classes; /* height, width: of a view */
    int from_height, from_width;            /* of an image; 0 when opening: as a view */
    int64_t n[PART_N];
    const char *const *class_names; /* [n_classes], may be NULL */
    double mean[3], std[3];         /* normalisation in force: the recipe's or the data set's own */
    char fingerprint[128];          /* names, sizes and a checksum: recorded in checkpoints */
    const int32_t *labels;          /* [rows]: training images, then test images; dataset_row() */
    const uint8_t *images;          /* [rows, C, from_height, from_width]; NULL: not resident */
    void *impl;
};

struct dataset_class {
    const char *name, *help;
    int (*open)(struct dataset *, const struct data_conf *, struct err *);
    /* For images that are not resident; called with a valid index by several threads. */
    int (*read)(const struct dataset *, enum data_part, int64_t index, uint8_t *image,
                struct err *);
    void (*close)(struct dataset *);
};

extern const struct dataset_class *const dataset_classes[]; /* NULL-terminated */

/* EXIT_NOINPUT: files are missing (the message says which, where they come from, and the folder);
 * EXIT_DATA: they are damaged. */
int dataset_open(struct dataset *, const struct data_conf *, struct err *);
void dataset_close(struct dataset *);

/* Where an image stands in `labels` and `images`. */
static inline int64_t dataset_row(const struct dataset *d, enum data_part part, int64_t index)
{
    return part == PART_TEST ? d->n[PART_TRAIN] + index : index;
}

size_t dataset_image_bytes(const struct dataset *);
/* One image, dataset_image_bytes(), and its label. Thread-safe. */
int dataset_read(const struct dataset *, enum data_part, int64_t index, uint8_t *image,
                 int32_t *label, struct err *);

/* A list of images of one part, in a fixed order. */
struct split {
    enum data_part part;
    int64_t n;
    int64_t *index; /* owned */
};

/* The training part divided by class, seeded: round(fraction * count) of each class go to `valid`
 * so that the total is round(fraction * n); both in data set order. fraction 0: valid is empty. */
int split_make(const struct dataset *, double fraction, uint64_t seed, struct split *train,
               struct split *valid, struct err *);
int split_part(const struct dataset *, enum data_part, struct split *, struct err *);
void split_free(struct split *);

#endif
