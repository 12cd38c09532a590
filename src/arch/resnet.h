/*
 * Residual networks (He et al. 2016), of basic blocks (two 3x3 convolutions) or bottlenecks (1x1,
 * 3x3, 1x1 to four times the width), described by a table and named as torchvision names them:
 * conv1, bn1, layerL.i.conv1, .bn1, .conv2, .bn2, ..., and where a block changes the shape
 * layerL.i.downsample.0 (1x1 convolution) and .1 (batch-norm).
 */
#ifndef SUPCON_ARCH_RESNET_H
#define SUPCON_ARCH_RESNET_H

#include "nn/graph.h"

enum { RESNET_STAGES_MAX = 4, RESNET_EXPANSION = 4 };

struct resnet {
    int width; /* channels of the stem; doubled from stage to stage */
    int n_stages;
    int blocks[RESNET_STAGES_MAX];
    bool bottleneck;
};

/* images: [B,3,H,W]; stem "imagenet" (7x7 stride 2, then max-pool 3 stride 2) or "cifar" (3x3,
 * stride 1). Returns the feature value [B, width * 2^(n_stages-1)], four times that of
 * bottlenecks. */
int resnet_build(struct graph *, const struct resnet *, int images, const char *stem);

#endif
