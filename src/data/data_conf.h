/* Settings of the data side: sections data, loader, augment. The tables stand in data_conf.c. */
#ifndef SUPCON_DATA_DATA_CONF_H
#define SUPCON_DATA_DATA_CONF_H

#include "base/conf.h"
#include <stdint.h>

struct data_conf {
    char name[32];         /* cifar10, cifar100, folder, shapes */
    char path[1024];       /* "": $XDG_DATA_HOME/supcon/NAME; relative to the working directory */
    char order[16];        /* shuffle, sequential */
    double valid_fraction; /* of the training images, by class */
    int n_mean, n_std;
    double mean[3], std[3]; /* normalisation of channels in 0..1; none given: the data set's own */
    int64_t size, resize;   /* folder: sides of views and of images, pixels; 0: chosen */
    int64_t memory;         /* folder: MiB that resident images may take; 0: half of what is free */
    char bad_images[16];    /* folder: error, skip */
    int64_t train_images, test_images; /* shapes: how many to generate */
};

struct loader_conf {
    int64_t threads;  /* workers, 0: chosen */
    int64_t prefetch; /* batches ahead */
};

struct augment_conf {
    char policy[32];           /* simaugment, crop-flip, none */
    int64_t views;             /* 0: what the objective wants */
    double crop_min, crop_max; /* area of the crop */
    double flip;               /* probability */
    double jitter;             /* strength s: brightness, contrast, saturation .8 s, hue .2 s */
    double jitter_p;           /* probability */
    double grayscale;          /* probability */
    double blur;               /* probability */
};

extern const struct conf_field data_conf_fields[], loader_conf_fields[], augment_conf_fields[];

#endif
