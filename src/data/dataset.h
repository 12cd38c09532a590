/*
 * Data sets as data: one const instance per file, listed in dataset.c. A data set is random access
 * to u8 images [C,H,W] of one size with labels 0..K-1 in a training and a test part. Opening checks
 * everything that can be checked; errors name file and offset.
 */
#ifndef SUPCON_DATA_DATASET_H
#define SUPCON_DATA_DATASET_H

#include "base/err.h"
#include "data/data_conf.h"
#include <stdint.h>

enum data_part { PART_TRAIN, PART_TEST, PART_N };

struct dataset {
    const struct dataset_class *class;
    int channels, height, width, n_classes;
    int64_t n[PART_N];
    const char *const *class_names; /* [n_classes], may be NULL */
    double mean[3], std[3];         /* normalisation in force: the recipe's or the data set's own */
    char fingerprint[128];          /* names, sizes and a checksum: recorded in checkpoints */
    void *impl;
};

struct dataset_class {
    const char *name, *help;
    int (*open)(struct dataset *, const struct data_conf *, struct err *);
    /* Thread-safe. image: channels*height*width bytes. */
    int (*read)(const struct dataset *, enum data_part, int64_t index, uint8_t *image,
                int32_t *label, struct err *);
    void (*close)(struct dataset *);
};

extern const struct dataset_class *const dataset_classes[]; /* NULL-terminated */

/* EXIT_NOINPUT: files are missing (the message says which, where they come from, and the folder);
 * EXIT_DATA: they are damaged. */
int dataset_open(struct dataset *, const struct data_conf *, struct err *);
void dataset_close(struct dataset *);

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
