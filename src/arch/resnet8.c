/* ResNet-8: as ResNet-20 with one block in each stage; learns within seconds on a CPU. */
#include "arch/arch.h"
#include "arch/resnet.h"

static int build(struct graph *g, int images, const char *stem)
{
    return resnet_build(g, &(struct resnet){.width = 16, .n_stages = 3, .blocks = {1, 1, 1}},
                        images, stem);
}

const struct arch_class arch_resnet8 = {
    .name = "resnet8",
    .help = "8 layers for small images, 0.08 million parameters, 64 features",
    .features = 64,
    .stems = "cifar",
    .min_size = 8,
    .build = build,
};
