/* The keys of section objective; the struct is objective_conf of objective.h. */
#ifndef SUPCON_OBJECTIVE_OBJECTIVE_CONF_H
#define SUPCON_OBJECTIVE_OBJECTIVE_CONF_H

#include "base/conf.h"

extern const struct conf_field objective_conf_fields[];

#endif
