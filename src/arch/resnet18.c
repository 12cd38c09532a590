/* ResNet-18: four stages of two basic blocks, 64 to 512 channels (He et al. 2016, section 4.1). */
#include "arch/arch.h"
#include "arch/resnet.h"

static int build(struct graph *g, int images, const char *stem)
{
    return resnet_build(g, &(struct resnet){.width = 64, .n_stages = 4, .blocks = {2, 2, 2, 2}},
                        images, stem);
}

const struct arch_class arch_resnet18 = {
    .name = "resnet18",
    .help = "18 layers, 11.2 million parameters, 512 features",
    .features = 512,
    .stems = "imagenet cifar",
    .min_size = 16,
    .build = build,
};
