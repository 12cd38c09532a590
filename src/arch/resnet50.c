/* ResNet-50: four stages of bottlenecks, 256 to 2048 channels (He et al. 2016, section 4.1). */
#include "arch/arch.h"
#include "arch/resnet.h"

static int build(struct graph *g, int images, const char *stem)
{
    static const struct resnet net = {
        .width = 64, .n_stages = 4, .blocks = {3, 4, 6, 3}, .bottleneck = true};
    return resnet_build(g, &net, images, stem);
}

const struct arch_class arch_resnet50 = {
    .name = "resnet50",
    .help = "50 layers of bottlenecks, 23.5 million parameters, 2048 features",
    .features = 2048,
    .stems = "imagenet cifar",
    .min_size = 16,
    .build = build,
};
