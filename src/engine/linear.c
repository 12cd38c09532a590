/*
 * Linear evaluation from checkpoint to result. Without augmentation every image's features are
 * computed once and kept (n * D floats); with it they are computed anew for every batch.
 */
#include "engine/linear.h"

#include "backend/tuning.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/checkpoint.h"
#include "engine/linear_part.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURE_BATCH = 256, SHUFFLE_OP = 1 };

/* One evaluation at work. */
struct work {
    const struct linear_request *q;
    const struct settings *s;
    linear_watch *watch;
    void *ctx;
    struct linear_result *r;

    struct dataset data;
    struct split train, valid, test;
    struct encoder encoder;
    struct features f_train, f_valid, f_test; /* f_train stays empty with augmentation */
    struct heads heads;
    struct loader *loader; /* augmented training images, else NULL */
    float *x;              /* [batch, D] */
    int32_t *labels;       /* [batch] */
    int64_t *order;        /* of the training images in this epoch */
    int batch, iters;
    bool cached;
};

static void work_done(struct work *w)
{
    free(w->x);
    free(w->labels);
    free(w->order);
    loader_close(w->loader);
    heads_close(&w->heads);
    features_free(&w->f_train);
    features_free(&w->f_valid);
    features_free(&w->f_test);
    encoder_close(&w->encoder);
    split_free(&w->train);
    split_free(&w->valid);
    split_free(&w->test);
    dataset_close(&w->data);
}

static bool tick(void *ctx, const char *what, int64_t done, int64_t of)
{
    struct work *w = ctx;
    char phase[64];
    if (!w->watch)
        return false;
    snprintf(phase, sizeof phase, "%s %lld/%lld", what, (long long)done, (long long)of);
    struct linear_progress p = {.step = w->r->step,
                                .phase = phase,
                                .epochs = (int)w->s->linear.epochs,
                                .iters = w->iters,
                                .loss = NAN,
                                .acc = NAN,
                                .n_rates = w->s->linear.n_lr,
                                .lr = NAN};
    return w->watch(w->ctx, &p);
}

static int open_data(struct work *w, struct err *e)
{
    const struct settings *s = w->s;
    uint64_t seed = (uint64_t)s->run.seed;
    double fraction = s->data.valid_fraction;
    w->r->held_out = fraction <= 0 && s->linear.n_lr > 1;
    if (w->r->held_out)
        fraction = 0.1;
    if (dataset_open(&w->data, &s->data, e) < 0 ||
        split_make(&w->data, fraction, seed, &w->train, &w->valid, e) < 0 ||
        split_part(&w->data, PART_TEST, &w->test, e) < 0)
        return -1;
    if (w->train.n < 1 || w->test.n < 1)
        return err_set(e, EXIT_DATA, "%s: linear evaluation needs training and test images",
                       s->data.name);
    if (w->r->held_out)
        log_info("linear evaluation: no validation split, %lld of %lld training images choose the "
                 "rate",
                 (long long)w->valid.n, (long long)(w->valid.n + w->train.n));
    return 0;
}

static void choose_batch(struct work *w)
{
    int64_t batch = w->s->linear.batch_size;
    if (batch > w->train.n) {
        log_warn("linear evaluation: linear.batch_size %lld is more than the %lld training images, "
                 "which are taken",
                 (long long)batch, (long long)w->train.n);
        batch = w->train.n;
    }
    w->batch = (int)batch;
    w->iters = (int)(w->train.n / batch);
    w->cached = strcmp(w->s->linear.policy, "none") == 0;
}

/* While the encoder's algorithms are chosen. */
static bool on_choice(void *ctx, int part, int parts, bool timing)
{
    struct work *w = ctx;
    (void)timing;
    w->r->cancelled = tick(w, "choosing algorithms", part, parts);
    return !w->r->cancelled;
}

static int open_encoder(struct work *w, struct err *e)
{
    struct network_shape shape = {w->data.channels, w->data.height, w->data.width,
                                  w->data.n_classes};
    int64_t batch = w->s->train.batch_size < FEATURE_BATCH ? w->s->train.batch_size : FEATURE_BATCH;
    if (!w->cached)
        batch = w->batch;
    tuning_watch(w->q->dev->tuning, on_choice, w);
    int rc = encoder_open(&w->encoder, w->q->dev, w->s, &shape, w->q->checkpoint, (int)batch, e);
    tuning_watch(w->q->dev->tuning, NULL, NULL);
    return w->r->cancelled ? 0 : rc;
}

static int extract_all(struct work *w, struct err *e)
{
    struct {
        const char *what;
        const struct split *split;
        struct features *features;
        bool wanted;
    } part[] = {{"features of training images", &w->train, &w->f_train, w->cached},
                {"features of validation images", &w->valid, &w->f_valid, true},
                {"features of test images", &w->test, &w->f_test, true}};
    for (int i = 0; i < 3 && !w->r->cancelled; i++) {
        struct tick t = {tick, w, part[i].what};
        if (part[i].wanted && features_extract(&w->encoder, &w->data, part[i].split, w->s, &t,
                                               part[i].features, &w->r->cancelled, e) < 0)
            return -1;
    }
    return 0;
}

static int open_loader(struct work *w, struct err *e)
{
    struct augment_conf augment = w->s->augment;
    snprintf(augment.policy, sizeof augment.policy, "%s", w->s->linear.policy);
    struct loader_options options = {.data = &w->data,
                                     .split = &w->train,
                                     .augment = &augment,
                                     .batch = w->batch,
                                     .views = 1,
                                     .shuffle = true,
                                     .seed = (uint64_t)w->s->run.seed,
                                     .threads = (int)w->s->loader.threads,
                                     .prefetch = (int)w->s->loader.prefetch};
    return loader_open(&w->loader, &options, e);
}

static int open_training(struct work *w, struct err *e)
{
    size_t rows = (size_t)w->batch;
    struct heads_shape shape = {w->batch, w->encoder.dim, w->data.n_classes};
    if (heads_open(&w->heads, w->q->dev, &shape, &w->s->linear, (uint64_t)w->s->run.seed, e) < 0)
        return -1;
    w->heads.per_epoch = w->iters;
    w->heads.total = w->iters * w->s->linear.epochs;
    w->x = calloc(rows * (size_t)w->encoder.dim, sizeof *w->x);
    w->labels = calloc(rows, sizeof *w->labels);
    w->order = calloc((size_t)w->train.n, sizeof *w->order);
    if (!w->x || !w->labels || !w->order)
        return err_set(e, EXIT_OS, "out of memory for linear evaluation");
    return w->cached ? 0 : open_loader(w, e);
}

/* A permutation that depends on seed and epoch alone (Fisher and Yates). */
static void shuffle(struct work *w, int64_t epoch)
{
    for (int64_t i = 0; i < w->train.n; i++)
        w->order[i] = i;
    for (int64_t i = w->train.n - 1; i > 0; i--) {
        struct rng rng = rng_at((uint64_t)w->s->run.seed, RNG_SHUFFLE, SHUFFLE_OP, 0, (uint32_t)i,
                                (uint32_t)epoch);
        int64_t k = rng_below(&rng, (uint32_t)i + 1), swap = w->order[i];
        w->order[i] = w->order[k];
        w->order[k] = swap;
    }
}

static int augmented_batch(struct work *w, struct err *e)
{
    struct batch *b;
    if (loader_next(w->loader, &b, e) < 0)
        return -1;
    memcpy(w->labels, b->labels, sizeof *w->labels * (size_t)w->batch);
    int r = encoder_run(&w->encoder, b->images, w->x, e);
    loader_release(w->loader, b);
    return r;
}

static int next_batch(struct work *w, int iter, struct err *e)
{
    if (!w->cached)
        return augmented_batch(w, e);
    size_t dim = (size_t)w->encoder.dim;
    for (int i = 0; i < w->batch; i++) {
        int64_t k = w->order[(int64_t)iter * w->batch + i];
        memcpy(w->x + (size_t)i * dim, w->f_train.x + (size_t)k * dim, sizeof *w->x * dim);
        w->labels[i] = w->f_train.label[k];
    }
    return 0;
}

/* The head with the lowest loss on this batch speaks for all; -1: none is left. */
static int lowest(const struct heads *h, const double *loss)
{
    int best = -1;
    for (int k = 0; k < h->n; k++)
        if (!h->diverged[k] && (best < 0 || loss[k] < loss[best]))
            best = k;
    return best;
}

static int train_step(struct work *w, int epoch, int iter, struct err *e)
{
    double loss[CONF_LIST_MAX], acc[CONF_LIST_MAX];
    int64_t step = (int64_t)epoch * w->iters + iter;
    if (next_batch(w, iter, e) < 0 ||
        heads_step(&w->heads, step, w->x, w->labels, loss, acc, e) < 0)
        return -1;
    int best = lowest(&w->heads, loss);
    if (best < 0)
        return err_set(e, EXIT_DIVERGED,
                       "linear evaluation: every rate of linear.lr diverged; choose smaller ones");
    struct linear_progress p = {.step = w->r->step,
                                .phase = "",
                                .epoch = epoch,
                                .epochs = (int)w->s->linear.epochs,
                                .iter = iter,
                                .iters = w->iters,
                                .giter = step,
                                .loss = loss[best],
                                .acc = acc[best],
                                .n_rates = w->heads.n,
                                .lr = heads_rate(&w->heads, best, step)};
    w->r->cancelled = w->watch && w->watch(w->ctx, &p);
    return 0;
}

static int train(struct work *w, struct err *e)
{
    for (int epoch = 0; epoch < w->s->linear.epochs; epoch++) {
        if (w->cached)
            shuffle(w, epoch);
        for (int iter = 0; iter < w->iters; iter++) {
            if (train_step(w, epoch, iter, e) < 0)
                return -1;
            if (w->r->cancelled)
                return 0;
        }
    }
    return 0;
}

static int measure(struct work *w, int head, struct linear_rate *a, struct err *e)
{
    double unused;
    *a =
        (struct linear_rate){w->heads.rate[head], w->heads.diverged[head], NAN, NAN, NAN, NAN, NAN};
    if (a->diverged)
        return 0;
    if (heads_measure(&w->heads, head, &w->f_valid, &a->valid_loss, &a->valid_top1, &unused, e) < 0)
        return -1;
    return heads_measure(&w->heads, head, &w->f_test, &a->test_loss, &a->test_top1, &a->test_top5,
                         e);
}

/* Without validation images there is one rate only. */
static bool better(const struct linear_rate *a, const struct linear_rate *b)
{
    if (a->valid_top1 != b->valid_top1)
        return a->valid_top1 > b->valid_top1;
    return a->valid_loss < b->valid_loss;
}

static int choose(struct work *w, struct err *e)
{
    struct linear_result *r = w->r;
    const struct linear_rate *best = NULL;
    r->n_rates = w->heads.n;
    for (int k = 0; k < r->n_rates; k++) {
        if (measure(w, k, &r->rates[k], e) < 0)
            return -1;
        if (!r->rates[k].diverged && (!best || better(&r->rates[k], best)))
            best = &r->rates[k];
    }
    if (!best)
        return err_set(e, EXIT_DIVERGED,
                       "linear evaluation: every rate of linear.lr diverged; choose smaller ones");
    r->lr = best->lr;
    r->top1 = best->test_top1;
    r->top5 = best->test_top5;
    r->loss = best->test_loss;
    r->valid_top1 = best->valid_top1;
    return 0;
}

static void describe(struct work *w)
{
    struct linear_result *r = w->r;
    r->n_train = w->train.n;
    r->n_valid = w->valid.n;
    r->n_test = w->test.n;
    r->epochs = (int)w->s->linear.epochs;
    r->batch = w->batch;
    snprintf(r->data, sizeof r->data, "%s", w->s->data.name);
    snprintf(r->optimizer, sizeof r->optimizer, "%s", w->s->linear.optimizer);
    snprintf(r->policy, sizeof r->policy, "%s", w->s->linear.policy);
}

static int evaluate(struct work *w, struct err *e)
{
    if (open_data(w, e) < 0)
        return -1;
    choose_batch(w);
    if (open_encoder(w, e) < 0 || extract_all(w, e) < 0)
        return -1;
    if (w->r->cancelled)
        return 0;
    if (open_training(w, e) < 0 || train(w, e) < 0)
        return -1;
    if (w->r->cancelled)
        return 0;
    describe(w);
    return choose(w, e);
}

static int check_unchanged(const char *path, uint32_t crc, int64_t bytes, struct err *e)
{
    uint32_t crc_now;
    int64_t bytes_now;
    if (checkpoint_digest(path, &crc_now, &bytes_now, e) < 0)
        return -1;
    if (crc_now == crc && bytes_now == bytes)
        return 0;
    return err_set(e, EXIT_DATA, "%s was changed while it was evaluated; evaluate it again", path);
}

int linear_evaluate(const struct linear_request *q, linear_watch *watch, void *ctx,
                    struct linear_result *r, struct err *e)
{
    struct checkpoint_state state;
    uint32_t crc;
    int64_t bytes, start = clock_usec();
    struct work w = {.q = q, .s = q->settings, .watch = watch, .ctx = ctx, .r = r};
    *r = (struct linear_result){0};
    if (checkpoint_read(q->checkpoint, &state, NULL, NULL, e) < 0 ||
        checkpoint_digest(q->checkpoint, &crc, &bytes, e) < 0)
        return -1;
    r->step = state.step;
    int rc = evaluate(&w, e);
    work_done(&w);
    if (rc < 0 || r->cancelled)
        return rc;
    if (check_unchanged(q->checkpoint, crc, bytes, e) < 0)
        return -1;
    r->sec = (double)(clock_usec() - start) * 1e-6;
    struct err why = {0};
    if (q->store && linear_store(q->store, r, &why) < 0)
        log_warn("the result of the linear evaluation was not kept: %s", why.msg);
    return 0;
}
