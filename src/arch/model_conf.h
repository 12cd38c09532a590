/* The keys of section model; the struct is model_conf of arch.h. */
#ifndef SUPCON_ARCH_MODEL_CONF_H
#define SUPCON_ARCH_MODEL_CONF_H

#include "base/conf.h"

extern const struct conf_field model_conf_fields[];

#endif
