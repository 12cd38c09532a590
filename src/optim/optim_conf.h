/* The keys of sections optimizer and schedule; the structs are those of optim.h. */
#ifndef SUPCON_OPTIM_OPTIM_CONF_H
#define SUPCON_OPTIM_OPTIM_CONF_H

#include "base/conf.h"

extern const struct conf_field optimizer_conf_fields[], schedule_conf_fields[];

/* Names for tables, NULL after the last. */
const char *optim_name(int i);
const char *schedule_name(int i);

#endif
