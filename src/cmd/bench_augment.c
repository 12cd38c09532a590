/*
 * Augmentation alone. On the CPU one loader thread makes batch after batch, so that a batch's time
 * is that of one core; a device that augments itself gets drawn numbers and makes several batches
 * between two looks at the clock.
 */
#include "cmd/bench_augment.h"

#include "base/median.h"
#include "base/file.h"
#include "base/rng.h"
#include "engine/feed.h"

#include <stdio.h>
#include <stdlib.h>

enum { IMAGES = 4096, AT_ONCE = 20 };

struct bench {
    const struct bench_augment *o;
    struct device dev;
    struct dataset data;
    struct split split;
    struct feed feed;
    struct loader *loader;
    struct tensor out;
    uint8_t *images;
    int32_t *labels;
};

/* Only what a resident data set is asked for. */
static const struct dataset_class noise = {.name = "noise"};

static int make_images(struct bench *b, struct err *e)
{
    struct dataset *d = &b->data;
    int64_t n = b->o->batch > IMAGES ? b->o->batch : IMAGES;
    struct rng r = rng_at(0, RNG_NOISE, 0, 0, 0, 0);
    *d = (struct dataset){.class = &noise,
                          .channels = 3,
                          .height = b->o->size,
                          .width = b->o->size,
                          .from_height = b->o->size,
                          .from_width = b->o->size,
                          .n_classes = 10,
                          .n = {n, 0},
                          .mean = {.5, .5, .5},
                          .std = {.25, .25, .25}};
    size_t bytes = (size_t)n * dataset_image_bytes(d);
    b->images = malloc(bytes);
    b->labels = calloc((size_t)n, sizeof *b->labels);
    b->split = (struct split){.part = PART_TRAIN, .n = n, .index = calloc((size_t)n, 8)};
    if (!b->images || !b->labels || !b->split.index)
        return err_set(e, EXIT_OS, "out of memory for %lld images", (long long)n);
    for (size_t i = 0; i < bytes; i++)
        b->images[i] = (uint8_t)rng_u32(&r);
    for (int64_t i = 0; i < n; i++)
        b->split.index[i] = i;
    d->images = b->images;
    d->labels = b->labels;
    return 0;
}

static int open_all(struct bench *b, struct err *e)
{
    int rows = b->o->batch * b->o->views;
    b->out = (struct tensor){.name = "images",
                             .dtype = b->dev.class->preferred,
                             .ndim = 4,
                             .dim = {rows, 3, b->o->size, b->o->size}};
    b->dev.class->layout(&b->dev, &b->out);
    if (make_images(b, e) != 0 ||
        b->dev.class->alloc(&b->dev, b->out.bytes, &b->out.data, e) != 0 ||
        feed_open(&b->feed, &b->dev, &b->data, b->o->batch, rows, e) != 0)
        return -1;
    struct loader_options options = {.data = &b->data,
                                     .split = &b->split,
                                     .augment = &b->o->settings->augment,
                                     .batch = b->o->batch,
                                     .views = b->o->views,
                                     .shuffle = true,
                                     .threads = 1,
                                     .parameters = b->feed.on_device,
                                     .gather = !b->feed.resident};
    return loader_open(&b->loader, &options, e);
}

/* One core's batch: the next one is there when the only thread has made it. */
static int loader_batch(struct bench *b, double *ms, struct err *e)
{
    struct batch *batch;
    int64_t start = clock_usec();
    if (loader_next(b->loader, &batch, e) != 0)
        return -1;
    loader_release(b->loader, batch);
    *ms = (double)(clock_usec() - start) / 1e3;
    return 0;
}

static int device_batch(struct bench *b, double *ms, struct err *e)
{
    struct batch *batch;
    if (loader_next(b->loader, &batch, e) != 0)
        return -1;
    int rc = feed_upload(&b->feed, &b->out, batch, e);
    int64_t start = clock_usec();
    for (int i = 0; rc == 0 && i < AT_ONCE; i++)
        rc = feed_augment(&b->feed, &b->out, b->loader, e);
    if (rc == 0)
        rc = b->dev.class->sync(&b->dev, e);
    *ms = (double)(clock_usec() - start) / 1e3 / AT_ONCE;
    loader_release(b->loader, batch);
    return rc;
}

static int time_batches(struct bench *b, double *typical, struct err *e)
{
    int steps = b->o->steps, rc = 0;
    double *ms = malloc((size_t)steps * sizeof *ms), unused;
    if (!ms)
        return err_set(e, EXIT_OS, "out of memory");
    for (int i = -b->o->warmup; rc == 0 && i < steps; i++)
        rc = (b->feed.on_device ? device_batch : loader_batch)(b, i < 0 ? &unused : &ms[i], e);
    if (rc == 0) {
        *typical = median(ms, steps);
    }
    free(ms);
    return rc;
}

static void report(const struct bench *b, double ms)
{
    const struct bench_augment *o = b->o;
    const char *policy = o->settings->augment.policy, *by = b->feed.on_device ? "device" : "core";
    double rate = o->batch * o->views / ms * 1e3;
    if (o->json)
        printf("{\"augment_only\": true, \"policy\": \"%s\", \"size\": %d, \"batch_size\": %d, "
               "\"views\": %d, \"device\": \"%s\", \"by\": \"%s\", \"ms\": %.4f, "
               "\"views_per_s\": %.1f}\n",
               policy, o->size, o->batch, o->views, b->dev.info.id, by, ms, rate);
    else
        printf("augmentation %s, %dx%d, %d images in %d views by one %s of %s: %.3f ms, %.0f "
               "views/s\n",
               policy, o->size, o->size, o->batch, o->views, by, b->dev.info.id, ms, rate);
}

int bench_augment_only(const struct bench_augment *o, struct err *e)
{
    struct bench b = {.o = o};
    struct device_options options = {.threads = (int)o->settings->run.threads};
    double ms = 0;
    if (device_open(&b.dev, o->settings->run.device, &options, e) != 0)
        return -1;
    int rc = open_all(&b, e) != 0 ? -1 : time_batches(&b, &ms, e);
    if (rc == 0)
        report(&b, ms);
    if (b.loader)
        loader_close(b.loader);
    feed_close(&b.feed);
    if (b.out.data)
        b.dev.class->free(&b.dev, b.out.data, b.out.bytes);
    device_close(&b.dev);
    free(b.split.index);
    free(b.images);
    free(b.labels);
    return rc;
}
