/*
 * The registry of data sets, and what opening has in common: looking the name up, and taking the
 * normalisation constants from the recipe or else from the data set.
 */
#include "data/dataset.h"

#include <inttypes.h>
#include <string.h>

#include "base/conf.h"
#include "data/dataset_impl.h"

const struct dataset_class *const dataset_classes[] = {
    &cifar10_dataset, &cifar100_dataset, &folder_dataset, &shapes_dataset, NULL,
};

static const char *name_at(void *ctx, int i)
{
    (void)ctx;
    return dataset_classes[i] ? dataset_classes[i]->name : NULL;
}

static const struct dataset_class *find(const char *name, struct err *e)
{
    for (int i = 0; dataset_classes[i]; i++)
        if (!strcmp(dataset_classes[i]->name, name))
            return dataset_classes[i];
    const char *near = nearest_word(name, name_at, NULL);
    err_set(e, EXIT_CONFIG, "data.name: there is no data set \"%s\"%s%s%s", name,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

/* One value serves all channels; none leaves the data set's own. */
static int override(double own[3], const double *given, int n, int channels, const char *key,
                    struct err *e)
{
    if (n == 0)
        return 0;
    if (n != 1 && n != channels)
        return err_set(e, EXIT_CONFIG,
                       "data.%s has %d values; the images have %d channels: give one value, or one "
                       "for each channel",
                       key, n, channels);
    for (int c = 0; c < channels; c++)
        own[c] = given[n == 1 ? 0 : c];
    return 0;
}

static int normalisation(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    if (override(d->mean, conf->mean, conf->n_mean, d->channels, "mean", e) ||
        override(d->std, conf->std, conf->n_std, d->channels, "std", e))
        return -1;
    for (int c = 0; c < d->channels; c++)
        if (!(d->std[c] > 0))
            return err_set(e, EXIT_CONFIG, "data.std[%d] is %g; a deviation must be above 0", c,
                           d->std[c]);
    return 0;
}

int dataset_open(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    memset(d, 0, sizeof *d);
    const struct dataset_class *class = find(conf->name, e);
    if (!class)
        return -1;
    d->class = class;
    if (class->open(d, conf, e)) {
        d->class = NULL;
        return -1;
    }
    if (!d->from_height) {
        d->from_height = d->height;
        d->from_width = d->width;
    }
    if (normalisation(d, conf, e)) {
        dataset_close(d);
        return -1;
    }
    return 0;
}

void dataset_close(struct dataset *d)
{
    if (d->class)
        d->class->close(d);
    memset(d, 0, sizeof *d);
}

size_t dataset_image_bytes(const struct dataset *d)
{
    return (size_t)d->channels * (size_t)d->from_height * (size_t)d->from_width;
}

int dataset_read(const struct dataset *d, enum data_part part, int64_t index, uint8_t *image,
                 int32_t *label, struct err *e)
{
    if (index < 0 || index >= d->n[part])
        return err_set(e, EXIT_SOFTWARE, "image %" PRId64 " of %" PRId64 " was asked for", index,
                       d->n[part]);
    int64_t row = dataset_row(d, part, index);
    size_t bytes = dataset_image_bytes(d);
    *label = d->labels[row];
    if (!d->images)
        return d->class->read(d, part, index, image, e);
    memcpy(image, d->images + (size_t)row * bytes, bytes);
    return 0;
}

uint64_t data_hash(uint64_t hash, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, n - i < 8 ? n - i : 8);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return hash;
}
