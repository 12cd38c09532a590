/* The keys of section objective. */
#include "objective/objective_conf.h"

#include "objective/objective.h"

static const char *objective_name(int i)
{
    return objective_classes[i] ? objective_classes[i]->name : NULL;
}

static const char *contrast_mode(int i)
{
    static const char *const names[] = {"all", "one", NULL};
    return names[i];
}

const struct conf_field objective_conf_fields[] = {
    {.name = "name",
     .type = CONF_CHOICE,
     CONF_AT(struct objective_conf, name),
     .value = "supcon",
     .choices = objective_name,
     .help = "What is minimised: supcon (Khosla et al. 2020, L_out), simclr (Chen et al. 2020) or "
             "cross-entropy."},
    {.name = "temperature",
     .type = CONF_FLOAT,
     CONF_AT(struct objective_conf, temperature),
     .value = "0.1",
     .min = 0.001,
     .max = 1000,
     .kinds = "supcon simclr",
     .help = "Temperature tau that divides the similarities."},
    {.name = "base_temperature",
     .type = CONF_FLOAT,
     CONF_AT(struct objective_conf, base_temperature),
     .value = "0",
     .min = 0,
     .max = 1000,
     .kinds = "supcon simclr",
     .help = "The loss is scaled by temperature / base_temperature; 0 for equal to temperature, "
             "which is no scaling."},
    {.name = "contrast_mode",
     .type = CONF_CHOICE,
     CONF_AT(struct objective_conf, contrast_mode),
     .value = "all",
     .choices = contrast_mode,
     .kinds = "supcon simclr",
     .help = "Anchors are all views, or the first view of each image only."},
    {.name = "label_smoothing",
     .type = CONF_FLOAT,
     CONF_AT(struct objective_conf, label_smoothing),
     .value = "0",
     .min = 0,
     .max = 0.999,
     .kinds = "cross-entropy",
     .help = "Share of the target spread evenly over all classes."},
    {0}};
