/*
 * A generated data set: 32x32 colour images of ten shapes under strong nuisance, made when it is
 * opened and kept in memory. It needs no download, and learning shows on it: a linear classifier on
 * an untrained encoder does poorly, on a trained one well. The images are the same for every run:
 * their seed is a constant, and image i of a part depends on (part, i) alone.
 */
#include "data/dataset_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/shapes_draw.h"

/* Changing the drawing changes the data set: then this number changes too. */
#define SHAPES_SEED UINT64_C(1)

static int32_t label_of(int64_t index)
{
    return (int32_t)(index % SHAPES_CLASSES);
}

static void generate(const struct dataset *d, enum data_part part, uint8_t *images)
{
    for (int64_t i = 0; i < d->n[part]; i++) {
        struct rng r = rng_at(SHAPES_SEED, RNG_SHAPES, part, 0, (uint32_t)i, 0);
        shapes_draw(&r, label_of(i), images + i * SHAPES_BYTES);
    }
}

static int shapes_open(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    int64_t n = conf->train_images + conf->test_images;
    if (conf->train_images < SHAPES_CLASSES || conf->test_images < SHAPES_CLASSES)
        return err_set(e, EXIT_CONFIG,
                       "data.train_images and data.test_images must be at least %d, one for each "
                       "class; they are %" PRId64 " and %" PRId64,
                       SHAPES_CLASSES, conf->train_images, conf->test_images);
    uint8_t *images = calloc((size_t)n, SHAPES_BYTES);
    if (!images)
        return err_set(e, EXIT_OS, "out of memory for %" PRId64 " generated images", n);
    *d = (struct dataset){.class = d->class,
                          .channels = 3,
                          .height = SHAPES_SIDE,
                          .width = SHAPES_SIDE,
                          .n_classes = SHAPES_CLASSES,
                          .n = {[PART_TRAIN] = conf->train_images, [PART_TEST] = conf->test_images},
                          .class_names = shapes_names,
                          .mean = {.5, .5, .5},
                          .std = {.27, .27, .27},
                          .impl = images};
    generate(d, PART_TRAIN, images);
    generate(d, PART_TEST, images + d->n[PART_TRAIN] * SHAPES_BYTES);
    snprintf(d->fingerprint, sizeof d->fingerprint,
             "shapes train=%" PRId64 " test=%" PRId64 " hash=%016" PRIx64, d->n[PART_TRAIN],
             d->n[PART_TEST], data_hash(DATA_HASH_INIT, images, (size_t)n * SHAPES_BYTES));
    return 0;
}

static int shapes_read(const struct dataset *d, enum data_part part, int64_t index, uint8_t *image,
                       int32_t *label, struct err *e)
{
    const uint8_t *images = d->impl;
    if (index < 0 || index >= d->n[part])
        return err_set(e, EXIT_SOFTWARE, "image %" PRId64 " of %" PRId64 " was asked for", index,
                       d->n[part]);
    *label = label_of(index);
    int64_t row = part == PART_TEST ? d->n[PART_TRAIN] + index : index;
    memcpy(image, images + row * SHAPES_BYTES, SHAPES_BYTES);
    return 0;
}

static void shapes_close(struct dataset *d)
{
    free(d->impl);
    d->impl = NULL;
}

const struct dataset_class shapes_dataset = {
    .name = "shapes",
    .help = "generated: ten shapes in 32x32 colour images, no files needed",
    .open = shapes_open,
    .read = shapes_read,
    .close = shapes_close,
};
