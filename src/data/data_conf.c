/* The keys of sections data, loader and augment. */
#include "data/data_conf.h"

#include "data/augment.h"
#include "data/dataset.h"

static const char *dataset_name(int i)
{
    return dataset_classes[i] ? dataset_classes[i]->name : NULL;
}

static const char *policy_name(int i)
{
    return augment_classes[i] ? augment_classes[i]->name : NULL;
}

static const char *order_name(int i)
{
    static const char *const names[] = {"shuffle", "sequential", NULL};
    return names[i];
}

static const char *bad_images_name(int i)
{
    static const char *const names[] = {"error", "skip", NULL};
    return names[i];
}

const struct conf_field data_conf_fields[] = {
    {.name = "name",
     .type = CONF_CHOICE,
     CONF_AT(struct data_conf, name),
     .value = "cifar10",
     .choices = dataset_name,
     .help = "Data set."},
    {.name = "path",
     .type = CONF_STRING,
     CONF_AT(struct data_conf, path),
     .value = "",
     .kinds = "cifar10 cifar100 folder",
     .help = "Folder of its files; empty for $XDG_DATA_HOME/supcon/NAME. A relative path is "
             "relative to the working directory."},
    {.name = "order",
     .type = CONF_CHOICE,
     CONF_AT(struct data_conf, order),
     .value = "shuffle",
     .choices = order_name,
     .help = "Order of the training images in an epoch."},
    {.name = "valid_fraction",
     .type = CONF_FLOAT,
     CONF_AT(struct data_conf, valid_fraction),
     .value = "0.05",
     .min = 0,
     .max = 0.9,
     .help = "Share of the training images set aside for validation, by class."},
    {.name = "mean",
     .type = CONF_FLOATS,
     CONF_AT(struct data_conf, mean),
     .count_offset = offsetof(struct data_conf, n_mean),
     .value = "[]",
     .min = -1000,
     .max = 1000,
     .help = "Mean of each colour channel, of values from 0 to 1; empty for the data set's own."},
    {.name = "std",
     .type = CONF_FLOATS,
     CONF_AT(struct data_conf, std),
     .count_offset = offsetof(struct data_conf, n_std),
     .value = "[]",
     .min = 1e-6,
     .max = 1000,
     .help = "Standard deviation of each colour channel; empty for the data set's own."},
    {.name = "size",
     .type = CONF_INT,
     CONF_AT(struct data_conf, size),
     .value = "0",
     .min = 0,
     .max = 1024,
     .kinds = "folder",
     .unit = "pixels",
     .help = "Side of the square views that the model sees; 0 if all images are squares of one "
             "size, for that size."},
    {.name = "resize",
     .type = CONF_INT,
     CONF_AT(struct data_conf, resize),
     .value = "0",
     .min = 0,
     .max = 2047,
     .kinds = "folder",
     .unit = "pixels",
     .help = "Side of the squares that views are cut out of: the shorter side of an image is "
             "brought to it and the middle is kept. At least data.size and less than twice as "
             "much; 0 for data.size if that is below 96 or the size of all images, else for 8/7 of "
             "it (256 for 224)."},
    {.name = "memory",
     .type = CONF_INT,
     CONF_AT(struct data_conf, memory),
     .value = "0",
     .min = 0,
     .max = 1e9,
     .kinds = "folder",
     .unit = "MiB",
     .help = "Images are decoded once and kept if all of them take no more than this, else decoded "
             "again whenever they are needed; 0 for half of the memory that is free. The pixels "
             "are the same."},
    {.name = "bad_images",
     .type = CONF_CHOICE,
     CONF_AT(struct data_conf, bad_images),
     .value = "error",
     .choices = bad_images_name,
     .kinds = "folder",
     .help = "What to do about files that cannot be decoded: error ends with a sentence that names "
             "the first of them, skip leaves them out and says how many; it decodes every image "
             "once when it is first seen."},
    {.name = "train_images",
     .type = CONF_INT,
     CONF_AT(struct data_conf, train_images),
     .value = "5000",
     .min = 10,
     .max = 10000000,
     .kinds = "shapes",
     .unit = "images",
     .help = "How many training images are generated."},
    {.name = "test_images",
     .type = CONF_INT,
     CONF_AT(struct data_conf, test_images),
     .value = "1000",
     .min = 10,
     .max = 10000000,
     .kinds = "shapes",
     .unit = "images",
     .help = "How many test images are generated."},
    {0}};

const struct conf_field loader_conf_fields[] = {
    {.name = "threads",
     .type = CONF_INT,
     CONF_AT(struct loader_conf, threads),
     .value = "0",
     .min = 0,
     .max = 256,
     .unit = "threads",
     .help = "Threads that prepare batches; 0 lets the program choose. The batches do not depend "
             "on it."},
    {.name = "prefetch",
     .type = CONF_INT,
     CONF_AT(struct loader_conf, prefetch),
     .value = "4",
     .min = 0,
     .max = 64,
     .unit = "batches",
     .help = "Batches prepared ahead of the training step; 0 lets the program choose."},
    {0}};

#define PROBABILITY .type = CONF_FLOAT, .min = 0, .max = 1

const struct conf_field augment_conf_fields[] = {
    {.name = "policy",
     .type = CONF_CHOICE,
     CONF_AT(struct augment_conf, policy),
     .value = "simaugment",
     .choices = policy_name,
     .help = "How views of an image are made: simaugment crops, flips, distorts colours, and "
             "blurs; crop-flip shifts and flips; none leaves all views equal."},
    {.name = "views",
     .type = CONF_INT,
     CONF_AT(struct augment_conf, views),
     .value = "0",
     .min = 0,
     .max = 16,
     .unit = "views",
     .help = "Views of each image in a batch; 0 for what the objective wants."},
    {.name = "crop_min",
     .type = CONF_FLOAT,
     CONF_AT(struct augment_conf, crop_min),
     .value = "0.2",
     .min = 0.01,
     .max = 1,
     .kinds = "simaugment",
     .help = "Smallest area of a crop, as a share of the image."},
    {.name = "crop_max",
     .type = CONF_FLOAT,
     CONF_AT(struct augment_conf, crop_max),
     .value = "1.0",
     .min = 0.01,
     .max = 1,
     .kinds = "simaugment",
     .help = "Largest area of a crop, as a share of the image."},
    {.name = "flip",
     PROBABILITY,
     CONF_AT(struct augment_conf, flip),
     .value = "0.5",
     .kinds = "simaugment crop-flip",
     .help = "Probability of a horizontal flip."},
    {.name = "jitter",
     .type = CONF_FLOAT,
     CONF_AT(struct augment_conf, jitter),
     .value = "0.5",
     .min = 0,
     .max = 2,
     .kinds = "simaugment",
     .help = "Strength s of colour jitter: brightness, contrast and saturation by 0.8 s, hue by "
             "0.2 s."},
    {.name = "jitter_p",
     PROBABILITY,
     CONF_AT(struct augment_conf, jitter_p),
     .value = "0.8",
     .kinds = "simaugment",
     .help = "Probability of colour jitter."},
    {.name = "grayscale",
     PROBABILITY,
     CONF_AT(struct augment_conf, grayscale),
     .value = "0.2",
     .kinds = "simaugment",
     .help = "Probability of a view without colour."},
    {.name = "blur",
     PROBABILITY,
     CONF_AT(struct augment_conf, blur),
     .value = "0",
     .kinds = "simaugment",
     .help = "Probability of a Gaussian blur over a tenth of the side, by a deviation from 0.1 to "
             "2 pixels; 0.5 is usual for images of 224 pixels, none for small ones."},
    {0}};
