/* The keys of sections optimizer and schedule; the structs are those of optim.h. */
#ifndef SUPCON_OPTIM_OPTIM_CONF_H
#define SUPCON_OPTIM_OPTIM_CONF_H

#include "base/conf.h"

extern const struct conf_field optimizer_conf_fields[], schedule_conf_fields[];

/* What every rule asks of a section with members momentum, nesterov and weight_decay. */
#define OPTIM_RULE_FIELDS(conf, decay)                                                             \
    {.name = "momentum",                                                                           \
     .type = CONF_FLOAT,                                                                           \
     CONF_AT(conf, momentum),                                                                      \
     .value = "0.9",                                                                               \
     .min = 0,                                                                                     \
     .max = 0.9999,                                                                                \
     .help = "Momentum."},                                                                         \
        {.name = "nesterov",                                                                       \
         .type = CONF_BOOL,                                                                        \
         CONF_AT(conf, nesterov),                                                                  \
         .value = "false",                                                                         \
         .kinds = "sgd",                                                                           \
         .help = "Nesterov's form of momentum."},                                                  \
    {                                                                                              \
        .name = "weight_decay", .type = CONF_FLOAT, CONF_AT(conf, weight_decay), .value = (decay), \
        .min = 0, .max = 100, .help = "Weight decay, added to the gradient."                       \
    }

/* Names for tables, NULL after the last. */
const char *optim_name(int i);
const char *schedule_name(int i);

#endif
