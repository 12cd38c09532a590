/* Validation: see validate.h. */
#include "engine/validate.h"

#include <math.h>
#include <stdlib.h>

void validation_add(struct validation *v, const float *logits, int n_classes, int32_t label)
{
    double top = -INFINITY, sum = 0, own = (double)logits[label];
    int better = 0;
    for (int k = 0; k < n_classes; k++) {
        double x = (double)logits[k];
        top = fmax(top, x);
        better += !(x < own) && (x != own || k < label) && k != label;
    }
    if (isnan(own))
        better = n_classes;
    for (int k = 0; k < n_classes; k++)
        sum += exp((double)logits[k] - top);
    v->loss += top + log(sum) - own;
    v->top1 += better < 1;
    v->top5 += better < 5;
    v->n++;
}

static int add_batch(struct trainer *t, const struct loader *loader, const struct batch *b,
                     float *logits, struct validation *v, struct err *e)
{
    if (feed_images(&t->feed, t->eval, loader, b, e) != 0 || plan_forward(t->eval, e) != 0 ||
        plan_download(t->eval, "logits", logits, e) != 0)
        return -1;
    for (int i = 0; i < b->n; i++)
        validation_add(v, logits + (size_t)i * (size_t)t->data.n_classes, t->data.n_classes,
                       b->labels[i]);
    return 0;
}

static int open_loader(struct trainer *t, struct loader **out, struct err *e)
{
    struct loader_options options = {.data = &t->data,
                                     .split = &t->valid,
                                     .batch = t->eval_batch,
                                     .views = 1,
                                     .keep_partial = true,
                                     .seed = (uint64_t)t->settings.run.seed,
                                     .threads = (int)t->settings.loader.threads,
                                     .parameters = t->feed.on_device,
                                     .gather = !t->feed.resident};
    return loader_open(out, &options, e);
}

static int add_split(struct trainer *t, struct loader *loader, bool (*cancel)(void *), void *ctx,
                     struct validation *v, struct err *e)
{
    int64_t n = loader_batches(loader);
    float *logits = calloc((size_t)t->eval_batch * (size_t)t->data.n_classes, sizeof *logits);
    int rc = logits ? 0 : err_set(e, EXIT_OS, "out of memory for validation");
    for (int64_t i = 0; rc == 0 && i < n && !v->cancelled; i++) {
        struct batch *b;
        v->cancelled = cancel && cancel(ctx);
        if (v->cancelled)
            break;
        rc = loader_next(loader, &b, e);
        if (rc == 0) {
            rc = add_batch(t, loader, b, logits, v, e);
            loader_release(loader, b);
        }
    }
    free(logits);
    return rc;
}

int validate(struct trainer *t, bool (*cancel)(void *ctx), void *ctx, struct validation *v,
             struct err *e)
{
    struct loader *loader;
    *v = (struct validation){.probe = t->eval_head == GROUP_PROBE};
    if (open_loader(t, &loader, e) != 0)
        return -1;
    int rc = add_split(t, loader, cancel, ctx, v, e);
    loader_close(loader);
    if (rc != 0 || v->cancelled)
        return rc;
    v->loss /= (double)v->n;
    v->top1 *= 100.0 / (double)v->n;
    v->top5 *= 100.0 / (double)v->n;
    return 0;
}
