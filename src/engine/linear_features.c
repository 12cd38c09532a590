/* The frozen encoder, and its features of whole splits. */
#include "engine/checkpoint_part.h"
#include "engine/linear_part.h"
#include <stdlib.h>
#include <string.h>

int encoder_open(struct encoder *c, struct device *dev, const struct settings *s,
                 const struct network_shape *shape, const char *checkpoint, int batch,
                 struct err *e)
{
    char path[PATH_BYTES];
    *c = (struct encoder){.batch = batch};
    if (path_join(path, checkpoint, CHECKPOINT_MODEL, e) < 0 ||
        network_init(&c->net, dev, &s->model, shape, (uint64_t)s->run.seed, e) < 0)
        return -1;
    if (network_load_weights(&c->net, path, e) < 0)
        return -1;
    c->dim = c->net.arch->features;
    c->plan = network_eval_plan(&c->net, batch, GROUP_ENCODER, e);
    return c->plan ? 0 : -1;
}

void encoder_close(struct encoder *c)
{
    plan_free(c->plan);
    network_done(&c->net);
    *c = (struct encoder){0};
}

int encoder_run(struct encoder *c, const float *images, float *x, struct err *e)
{
    if (plan_upload(c->plan, "images", images, e) < 0 || plan_forward(c->plan, e) < 0)
        return -1;
    return plan_download(c->plan, "features", x, e);
}

void features_free(struct features *f)
{
    free(f->x);
    free(f->label);
    *f = (struct features){0};
}

/* Room for the last batch in full: what is beyond n is never read. */
static int make_room(struct features *f, const struct encoder *c, int64_t n, struct err *e)
{
    size_t rows = (size_t)n + (size_t)c->batch;
    f->dim = c->dim;
    f->x = malloc(rows * (size_t)c->dim * sizeof *f->x);
    f->label = calloc(rows, sizeof *f->label);
    if (f->x && f->label)
        return 0;
    return err_set(e, EXIT_OS, "out of memory: %zu bytes for the features of %lld images",
                   rows * (size_t)c->dim * sizeof *f->x, (long long)n);
}

static int add_batch(struct encoder *c, const struct batch *b, struct features *f, struct err *e)
{
    if (encoder_run(c, b->images, f->x + (size_t)f->n * (size_t)f->dim, e) < 0)
        return -1;
    memcpy(f->label + f->n, b->labels, sizeof *f->label * (size_t)b->n);
    f->n += b->n;
    return 0;
}

static int extract(struct encoder *c, struct loader *loader, const struct tick *tick,
                   struct features *f, bool *cancelled, struct err *e)
{
    int64_t n = loader_batches(loader);
    for (int64_t i = 0; i < n; i++) {
        struct batch *b;
        *cancelled = tick->fn(tick->ctx, tick->what, i, n);
        if (*cancelled)
            return 0;
        if (loader_next(loader, &b, e) < 0)
            return -1;
        int r = add_batch(c, b, f, e);
        loader_release(loader, b);
        if (r < 0)
            return -1;
    }
    return 0;
}

int features_extract(struct encoder *c, const struct dataset *data, const struct split *split,
                     const struct settings *s, const struct tick *tick, struct features *f,
                     bool *cancelled, struct err *e)
{
    struct loader *loader;
    struct loader_options options = {.data = data,
                                     .split = split,
                                     .batch = c->batch,
                                     .views = 1,
                                     .keep_partial = true,
                                     .seed = (uint64_t)s->run.seed,
                                     .threads = (int)s->loader.threads,
                                     .prefetch = (int)s->loader.prefetch};
    *f = (struct features){0};
    if (split->n == 0)
        return 0;
    if (make_room(f, c, split->n, e) < 0 || loader_open(&loader, &options, e) < 0)
        return -1;
    int r = extract(c, loader, tick, f, cancelled, e);
    loader_close(loader);
    return r;
}
