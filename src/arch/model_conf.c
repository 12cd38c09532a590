/* The keys of section model. Which stems an architecture knows is checked with all settings. */
#include "arch/model_conf.h"

#include "arch/arch.h"

static const char *arch_name(int i)
{
    return arch_classes[i] ? arch_classes[i]->name : NULL;
}

static const char *stem_name(int i)
{
    static const char *const names[] = {"imagenet", "cifar", NULL};
    return names[i];
}

static const char *dtype_choice(int i)
{
    static const char *const names[] = {"auto", "f32", "bf16", NULL};
    return names[i];
}

const struct conf_field model_conf_fields[] = {
    {.name = "arch",
     .type = CONF_CHOICE,
     CONF_AT(struct model_conf, arch),
     .value = "resnet18",
     .choices = arch_name,
     .help = "Architecture of the encoder."},
    {.name = "stem",
     .type = CONF_CHOICE,
     CONF_AT(struct model_conf, stem),
     .value = "cifar",
     .choices = stem_name,
     .help = "First layers of the encoder: imagenet (7x7 stride 2 and max pooling) or cifar (3x3 "
             "stride 1)."},
    {.name = "dtype",
     .type = CONF_CHOICE,
     CONF_AT(struct model_conf, dtype),
     .value = "auto",
     .choices = dtype_choice,
     .help = "Type the encoder computes in; the weights that are trained are always f32. auto: bf16 "
             "on a GPU, f32 on the CPU."},
    {.name = "projection_dim",
     .type = CONF_INT,
     CONF_AT(struct model_conf, projection_dim),
     .value = "128",
     .min = 2,
     .max = 8192,
     .help = "Outputs of the projection head of contrastive objectives."},
    {0}};
