/*
 * The training part divided into images to train on and images to validate with, class by class.
 * Each class gives the whole part of fraction * count; what is missing from the exact total comes
 * from the classes with the largest remainders. Which images go is drawn per class, seeded, so that
 * it depends on nothing but the data set, the fraction and the seed.
 */
#include "data/dataset.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

struct labels {
    const int32_t *of; /* [n], of the data set */
    int64_t n;
    int64_t *count;   /* [K] */
    int64_t *n_valid; /* [K] */
    int n_classes;
};

static void labels_free(struct labels *l)
{
    free(l->count);
    free(l->n_valid);
}

static int labels_count(struct labels *l, const struct dataset *d, struct err *e)
{
    l->n = d->n[PART_TRAIN];
    l->n_classes = d->n_classes;
    l->of = d->labels;
    l->count = calloc((size_t)l->n_classes, sizeof *l->count);
    l->n_valid = calloc((size_t)l->n_classes, sizeof *l->n_valid);
    if (!l->count || !l->n_valid)
        return err_set(e, EXIT_OS, "out of memory for %d classes", l->n_classes);
    for (int64_t i = 0; i < l->n; i++)
        l->count[l->of[i]]++;
    return 0;
}

/* The class with the largest remainder that can still give an image; the first of equals. */
static int neediest(const struct labels *l, double fraction)
{
    int best = -1;
    double most = -2;
    for (int k = 0; k < l->n_classes; k++) {
        double lacks = fraction * (double)l->count[k] - (double)l->n_valid[k];
        if (l->n_valid[k] < l->count[k] && lacks > most) {
            best = k;
            most = lacks;
        }
    }
    return best;
}

static void share_out(struct labels *l, double fraction, int64_t total)
{
    int64_t given = 0;
    for (int k = 0; k < l->n_classes; k++)
        given += l->n_valid[k] = (int64_t)floor(fraction * (double)l->count[k]);
    for (; given < total; given++)
        l->n_valid[neediest(l, fraction)]++;
}

/* Marks n_valid[k] images of each class: every image in turn is taken with probability (still to
 * take) / (still to come) (selection sampling, Knuth's algorithm S), so the order stays. */
static void choose(const struct labels *l, uint64_t seed, bool *valid, int64_t *take, int64_t *come)
{
    memcpy(take, l->n_valid, sizeof *take * (size_t)l->n_classes);
    memcpy(come, l->count, sizeof *come * (size_t)l->n_classes);
    for (int64_t i = 0; i < l->n; i++) {
        int k = l->of[i];
        struct rng r = rng_at(seed, RNG_SUBSET, 0, 0, (uint32_t)i, 0);
        valid[i] = rng_below(&r, (uint32_t)come[k]) < (uint32_t)take[k];
        come[k]--;
        take[k] -= valid[i];
    }
}

static int allocate(struct split *s, enum data_part part, int64_t n, struct err *e)
{
    s->part = part;
    s->n = 0;
    s->index = malloc(((size_t)n + 1) * sizeof *s->index);
    return s->index ? 0 : err_set(e, EXIT_OS, "out of memory for a list of %" PRId64 " images", n);
}

static int divide(const struct labels *l, uint64_t seed, struct split *train, struct split *valid,
                  struct err *e)
{
    size_t k_bytes = sizeof(int64_t) * (size_t)l->n_classes;
    bool *is_valid = malloc((size_t)l->n + 1);
    int64_t *take = malloc(k_bytes), *come = malloc(k_bytes);
    int failed = -1;
    if (!is_valid || !take || !come) {
        err_set(e, EXIT_OS, "out of memory for the validation split");
        goto out;
    }
    choose(l, seed, is_valid, take, come);
    for (int64_t i = 0; i < l->n; i++) {
        struct split *to = is_valid[i] ? valid : train;
        to->index[to->n++] = i;
    }
    failed = 0;
out:
    free(is_valid);
    free(take);
    free(come);
    return failed;
}

int split_make(const struct dataset *d, double fraction, uint64_t seed, struct split *train,
               struct split *valid, struct err *e)
{
    struct labels l = {0};
    int64_t total = llround(fraction * (double)d->n[PART_TRAIN]);
    train->index = valid->index = NULL;
    if (allocate(train, PART_TRAIN, d->n[PART_TRAIN], e) || allocate(valid, PART_TRAIN, total, e) ||
        labels_count(&l, d, e))
        goto fail;
    share_out(&l, fraction, total);
    if (divide(&l, seed, train, valid, e))
        goto fail;
    labels_free(&l);
    if (train->n > 0)
        return 0;
    err_set(e, EXIT_CONFIG,
            "data.valid_fraction %g leaves none of the %" PRId64 " training images to train on",
            fraction, d->n[PART_TRAIN]);
    l = (struct labels){0};
fail:
    labels_free(&l);
    split_free(train);
    split_free(valid);
    return -1;
}

int split_part(const struct dataset *d, enum data_part part, struct split *s, struct err *e)
{
    if (allocate(s, part, d->n[part], e))
        return -1;
    for (; s->n < d->n[part]; s->n++)
        s->index[s->n] = s->n;
    return 0;
}

void split_free(struct split *s)
{
    free(s->index);
    s->index = NULL;
    s->n = 0;
}
