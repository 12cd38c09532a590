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
    f->shape = (struct augment_shape){.channels = d->channels,
                                      .height = d->height,
                                      .width = d->width,
                                      .from_height = d->height,
                                      .from_width = d->width};
    for (int c = 0; c < d->channels; c++) {
        f->shape.mean[c] = (float)d->mean[c];
        f->shape.std[c] = (float)d->std[c];
    }
    return 0;
}

int fill_scratch_init(struct fill_scratch *s, const struct filler *f, struct err *e)
{
    s->image = malloc(f->values);
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
    if (unused == 0)
        return;
    for (int v = 0; v < f->views; v++)
        memset(b->images + ((size_t)v * f->batch + b->n) * f->values, 0,
               unused * f->values * sizeof *b->images);
    memset(b->labels + b->n, 0, unused * sizeof *b->labels);
}

int fill_batch(const struct filler *f, struct fill_scratch *s, struct batch *b, struct err *e)
{
    struct augment_key key = {.seed = f->seed, .epoch = (uint32_t)b->epoch};
    for (int i = 0; i < b->n; i++) {
        int64_t sample = b->samples[i];
        if (f->data->class->read(f->data, f->part, sample, s->image, &b->labels[i], e))
            return -1;
        key.sample = (uint32_t)sample;
        for (int v = 0; v < f->views; v++) {
            key.view = (uint32_t)v;
            struct view_params p;
            f->policy->draw(&f->augment, &f->shape, &key, &p);
            augment_apply(&f->shape, &p, s->image,
                          b->images + ((size_t)v * f->batch + i) * f->values, s->work);
        }
    }
    clear_unused(f, b);
    return 0;
}
