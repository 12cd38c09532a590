/* The keys of sections optimizer and schedule. */
#include "optim/optim_conf.h"

#include "optim/optim.h"

const char *optim_name(int i)
{
    return optim_classes[i] ? optim_classes[i]->name : NULL;
}

const char *schedule_name(int i)
{
    return schedule_classes[i] ? schedule_classes[i]->name : NULL;
}

const struct conf_field optimizer_conf_fields[] = {
    {.name = "name",
     .type = CONF_CHOICE,
     CONF_AT(struct optimizer_conf, name),
     .value = "sgd",
     .choices = optim_name,
     .help = "Optimizer rule: sgd, or rmsprop with TensorFlow's semantics."},
    {.name = "lr",
     .type = CONF_FLOAT,
     CONF_AT(struct optimizer_conf, lr),
     .value = "0.05",
     .min = 0,
     .max = 1000,
     .help = "Learning rate at its highest; the schedule scales it."},
    OPTIM_RULE_FIELDS(struct optimizer_conf, "1e-4"),
    {.name = "rho",
     .type = CONF_FLOAT,
     CONF_AT(struct optimizer_conf, rho),
     .value = "0.9",
     .min = 0,
     .max = 0.99999,
     .kinds = "rmsprop",
     .help = "Decay of the running mean of squared gradients."},
    {.name = "epsilon",
     .type = CONF_FLOAT,
     CONF_AT(struct optimizer_conf, epsilon),
     .value = "0.001",
     .min = 1e-12,
     .max = 100,
     .kinds = "rmsprop",
     .help = "Added to the mean square, inside the root."},
    {0}};

const struct conf_field schedule_conf_fields[] = {
    {.name = "name",
     .type = CONF_CHOICE,
     CONF_AT(struct schedule_conf, name),
     .value = "cosine",
     .choices = schedule_name,
     .help = "How the learning rate changes after warm-up."},
    {.name = "warmup_epochs",
     .type = CONF_FLOAT,
     CONF_AT(struct schedule_conf, warmup_epochs),
     .value = "0",
     .min = 0,
     .max = 100000,
     .unit = "epochs",
     .help = "Linear warm-up from 0 to the rate; fractions of an epoch are allowed."},
    {.name = "floor",
     .type = CONF_FLOAT,
     CONF_AT(struct schedule_conf, floor),
     .value = "0",
     .min = 0,
     .max = 1,
     .kinds = "cosine",
     .help = "The rate ends at this share of its highest value."},
    {.name = "steps",
     .type = CONF_FLOATS,
     CONF_AT(struct schedule_conf, steps),
     .count_offset = offsetof(struct schedule_conf, n_steps),
     .value = "[]",
     .min = 0,
     .max = 100000,
     .kinds = "step",
     .unit = "epochs",
     .help = "Epochs at which the rate is multiplied by gamma."},
    {.name = "gamma",
     .type = CONF_FLOAT,
     CONF_AT(struct schedule_conf, gamma),
     .value = "0.1",
     .min = 1e-6,
     .max = 1,
     .kinds = "step",
     .help = "Factor on the rate at each of the steps."},
    {0}};
