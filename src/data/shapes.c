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

struct shapes {
    uint8_t *images; /* [train + test, 3, SIDE, SIDE] */
    int32_t *labels;
};

static int32_t label_of(int64_t index)
{
    return (int32_t)(index % SHAPES_CLASSES);
}

static void generate(const struct dataset *d, enum data_part part, struct shapes *s)
{
    for (int64_t i = 0; i < d->n[part]; i++) {
        struct rng r = rng_at(SHAPES_SEED, RNG_SHAPES, part, 0, (uint32_t)i, 0);
        int64_t row = dataset_row(d, part, i);
        s->labels[row] = label_of(i);
        shapes_draw(&r, label_of(i), s->images + row * SHAPES_BYTES);
    }
}

static void shapes_free(struct shapes *s)
{
    free(s->images);
    free(s->labels);
    free(s);
}

static struct shapes *make_room(int64_t n, struct err *e)
{
    struct shapes *s = calloc(1, sizeof *s);
    if (s) {
        s->images = calloc((size_t)n, SHAPES_BYTES);
        s->labels = calloc((size_t)n, sizeof *s->labels);
        if (s->images && s->labels)
            return s;
        shapes_free(s);
    }
    err_set(e, EXIT_OS, "out of memory for %" PRId64 " generated images", n);
    return NULL;
}

static int shapes_open(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    int64_t n = conf->train_images + conf->test_images;
    if (conf->train_images < SHAPES_CLASSES || conf->test_images < SHAPES_CLASSES)
        return err_set(e, EXIT_CONFIG,
                       "data.train_images and data.test_images must be at least %d, one for each "
                       "class; they are %" PRId64 " and %" PRId64,
                       SHAPES_CLASSES, conf->train_images, conf->test_images);
    struct shapes *s = make_room(n, e);
    if (!s)
        return -1;
    *d = (struct dataset){.class = d->class,
                          .channels = 3,
                          .height = SHAPES_SIDE,
                          .width = SHAPES_SIDE,
                          .n_classes = SHAPES_CLASSES,
                          .n = {[PART_TRAIN] = conf->train_images, [PART_TEST] = conf->test_images},
                          .class_names = shapes_names,
                          .mean = {.5, .5, .5},
                          .std = {.27, .27, .27},
                          .labels = s->labels,
                          .images = s->images,
                          .impl = s};
    generate(d, PART_TRAIN, s);
    generate(d, PART_TEST, s);
    snprintf(d->fingerprint, sizeof d->fingerprint,
             "shapes train=%" PRId64 " test=%" PRId64 " hash=%016" PRIx64, d->n[PART_TRAIN],
             d->n[PART_TEST], data_hash(DATA_HASH_INIT, s->images, (size_t)n * SHAPES_BYTES));
    return 0;
}

static void shapes_close(struct dataset *d)
{
    shapes_free(d->impl);
    d->impl = NULL;
}

const struct dataset_class shapes_dataset = {
    .name = "shapes",
    .help = "generated: ten shapes in 32x32 colour images, no files needed",
    .open = shapes_open,
    .close = shapes_close,
};
