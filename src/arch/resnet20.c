/* ResNet-20 for small images: three stages of three basic blocks, 16 to 64 channels (He et al.
 * 2016, section 4.2), with projections where the shape changes. */
#include "arch/arch.h"
#include "arch/resnet.h"

static int build(struct graph *g, int images, const char *stem)
{
    return resnet_build(g, &(struct resnet){.width = 16, .n_stages = 3, .blocks = {3, 3, 3}},
                        images, stem);
}

const struct arch_class arch_resnet20 = {
    .name = "resnet20",
    .help = "20 layers for small images, 0.27 million parameters, 64 features",
    .features = 64,
    .stems = "cifar",
    .min_size = 8,
    .build = build,
};
