/* Reads each sample once and makes all its views of it. */
#include "data/loader_fill.h"

#include <stdlib.h>
#include <string.h>

int filler_init(struct filler *f, const struct loader_options *o, struct err *e)
{
    const struct dataset *d = o->data;
    memset(f, 0, sizeof *f);
    if (o->views < 1)
        return err_set(e, EXIT_CONFIG, "augment.views is %d; at least one view is needed",
                       o->views);
    if (o->augment)
        f->augment = *o->augment;
    f->policy = augment_find(o->augment ? o->augment->policy : "none", e);
    if (!f->policy)
        return -1;
    f->data = d;
    f->part = o->split->part;
    f->seed = o->seed;
    f->batch = o->batch;
    f->views = o->views;
    f->values = (size_t)d->channels * d->height * d->width;
    f->image_bytes = dataset_image_bytes(d);
    f->parameters = o->parameters;
    f->gathers = o->parameters && (o->gather || !o->data->images);
    f->shape = (struct augment_shape){.channels = d->channels,
                                      .height = d->height,
                                      .width = d->width,
                                      .from_height = d->from_height,
                                      .from_width = d->from_width};
    for (int c = 0; c < d->channels; c++) {
        f->shape.mean[c] = (float)d->mean[c];
        f->shape.std[c] = (float)d->std[c];
    }
    return 0;
}

int fill_scratch_init(struct fill_scratch *s, const struct filler *f, struct err *e)
{
    s->image = malloc(f->image_bytes);
    s->work = malloc(augment_scratch(&f->shape) * sizeof *s->work);
    if (s->image && s->work)
        return 0;
    fill_scratch_done(s);
    return err_set(e, EXIT_OS, "out of memory for a loader thread");
}

void fill_scratch_done(struct fill_scratch *s)
{
    free(s->image);
    free(s->work);
    s->image = NULL;
    s->work = NULL;
}

static void clear_unused(const struct filler *f, struct batch *b)
{
    size_t unused = (size_t)(f->batch - b->n);
    for (int v = 0; v < f->views; v++) {
        size_t row = (size_t)v * f->batch + b->n;
        if (f->parameters)
            for (size_t i = 0; i < unused; i++)
                b->params[row + i] = (struct view_params){.sample = -1};
        else
            memset(b->images + row * f->values, 0, unused * f->values * sizeof *b->images);
    }
    if (b->sources)
        memset(b->sources + (size_t)b->n * f->image_bytes, 0, unused * f->image_bytes);
    memset(b->labels + b->n, 0, unused * sizeof *b->labels);
}

/* Where the i-th sample's image is: in the data set, in the batch, or read into scratch. NULL:
 * reading failed. */
static const uint8_t *find_image(const struct filler *f, struct fill_scratch *s, struct batch *b,
                                 int i, struct err *e)
{
    const struct dataset *d = f->data;
    int64_t row = dataset_row(d, f->part, b->samples[i]);
    b->labels[i] = d->labels[row];
    if (d->images) {
        const uint8_t *image = d->images + (size_t)row * f->image_bytes;
        if (b->sources)
            memcpy(b->sources + (size_t)i * f->image_bytes, image, f->image_bytes);
        return image;
    }
    uint8_t *to = b->sources ? b->sources + (size_t)i * f->image_bytes : s->image;
    return d->class->read(d, f->part, b->samples[i], to, e) ? NULL : to;
}

static void fill_view(const struct filler *f, struct fill_scratch *s, struct batch *b, int i, int v,
                      const uint8_t *image)
{
    size_t row = (size_t)v * f->batch + (size_t)i;
    struct augment_key key = {.seed = f->seed,
                              .view = (uint32_t)v,
                              .sample = (uint32_t)b->samples[i],
                              .epoch = (uint32_t)b->epoch};
    struct view_params p;
    f->policy->draw(&f->augment, &f->shape, &key, &p);
    p.sample = b->sources ? i : (int32_t)dataset_row(f->data, f->part, b->samples[i]);
    if (f->parameters)
        b->params[row] = p;
    else
        augment_apply(&f->shape, &p, image, b->images + row * f->values, s->work);
}

int fill_batch(const struct filler *f, struct fill_scratch *s, struct batch *b, struct err *e)
{
    for (int i = 0; i < b->n; i++) {
        const uint8_t *image = find_image(f, s, b, i, e);
        if (!image)
            return -1;
        for (int v = 0; v < f->views; v++)
            fill_view(f, s, b, i, v, image);
    }
    clear_unused(f, b);
    return 0;
}
