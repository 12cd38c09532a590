/* Residual networks; see resnet.h. A change of shape takes a projection, as in torchvision. */
#include "arch/resnet.h"

#include <string.h>

enum { NAME_BYTES = 48 };

static const struct stem {
    const char *name;
    int size, stride, pad;
    bool pool;
} stems[] = {{"imagenet", 7, 2, 3, true}, {"cifar", 3, 1, 1, false}};

/* Where the i-th convolution of a block and its batch-norm are. */
struct part {
    const char *block;
    int number;
    int size, stride;
};

static int conv_bn(struct graph *g, const char *conv, const char *bn, int x, int64_t out, int size,
                   int stride)
{
    return graph_batchnorm(g, bn, graph_conv(g, conv, x, out, size, stride, size / 2, false));
}

static int add_part(struct graph *g, const struct part *p, int x, int64_t out)
{
    char conv[NAME_BYTES], bn[NAME_BYTES];
    snprintf(conv, sizeof conv, "%s.conv%d", p->block, p->number);
    snprintf(bn, sizeof bn, "%s.bn%d", p->block, p->number);
    return conv_bn(g, conv, bn, x, out, p->size, p->stride);
}

static int project(struct graph *g, const char *name, int x, int64_t out, int stride)
{
    char conv[NAME_BYTES], bn[NAME_BYTES];
    snprintf(conv, sizeof conv, "%s.downsample.0", name);
    snprintf(bn, sizeof bn, "%s.downsample.1", name);
    return conv_bn(g, conv, bn, x, out, 1, stride);
}

static int basic(struct graph *g, const char *name, int x, int64_t width, int stride)
{
    int y = graph_relu(g, add_part(g, &(struct part){name, 1, 3, stride}, x, width));
    return add_part(g, &(struct part){name, 2, 3, 1}, y, width);
}

/* The stride is at the 3x3 convolution, as torchvision has it, not at the first 1x1. */
static int bottleneck(struct graph *g, const char *name, int x, int64_t width, int stride)
{
    int y = graph_relu(g, add_part(g, &(struct part){name, 1, 1, 1}, x, width));
    y = graph_relu(g, add_part(g, &(struct part){name, 2, 3, stride}, y, width));
    return add_part(g, &(struct part){name, 3, 1, 1}, y, width * RESNET_EXPANSION);
}

static int block(struct graph *g, const struct resnet *net, const char *name, int x, int64_t width,
                 int stride)
{
    int64_t out = net->bottleneck ? width * RESNET_EXPANSION : width;
    bool projects = stride != 1 || (x >= 0 && g->values[x].dim[1] != out);
    int y = (net->bottleneck ? bottleneck : basic)(g, name, x, width, stride);
    int skip = projects ? project(g, name, x, out, stride) : x;
    return graph_relu(g, graph_add(g, y, skip));
}

static int build_stem(struct graph *g, int64_t width, int images, const char *stem)
{
    const struct stem *s = &stems[0];
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        if (!strcmp(stems[i].name, stem))
            s = &stems[i];
    int x = graph_conv(g, "conv1", images, width, s->size, s->stride, s->pad, false);
    x = graph_relu(g, graph_batchnorm(g, "bn1", x));
    return s->pool ? graph_maxpool(g, x, 3, 2, 1) : x;
}

int resnet_build(struct graph *g, const struct resnet *net, int images, const char *stem)
{
    int64_t width = net->width;
    int x = build_stem(g, width, images, stem);
    for (int stage = 0; stage < net->n_stages; stage++, width *= 2)
        for (int i = 0; i < net->blocks[stage]; i++) {
            char name[NAME_BYTES];
            snprintf(name, sizeof name, "layer%d.%d", stage + 1, i);
            x = block(g, net, name, x, width, stage > 0 && i == 0 ? 2 : 1);
        }
    return graph_globalpool(g, x);
}
