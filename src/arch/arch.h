/*
 * Encoder architectures as data: one const instance per file, listed in arch.c. build() adds the
 * encoder to a graph and returns the feature value r [B, D] (global average pooled, not
 * normalised). Parameter names are torchvision's.
 */
#ifndef SUPCON_ARCH_ARCH_H
#define SUPCON_ARCH_ARCH_H

#include "nn/graph.h"

struct arch_class {
    const char *name, *help;
    int features;      /* D */
    const char *stems; /* the stems it knows, "imagenet cifar"; the first is the default */
    int min_size;      /* smallest input height and width */
    int (*build)(struct graph *, int images, const char *stem);
};

extern const struct arch_class *const arch_classes[]; /* NULL-terminated */
const struct arch_class *arch_find(const char *name,
                                   struct err *); /* NULL and EXIT_CONFIG, naming the nearest */

struct model_conf { /* section model */
    char arch[32], stem[32], dtype[8];
    int64_t projection_dim; /* output of the projection head, 128 */
};

#endif
