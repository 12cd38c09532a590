/*
 * A network small enough to save a thousand times, on a device that is plain memory. What it holds
 * at a step is a function of the step alone, so that any checkpoint can be checked by its number.
 */
#ifndef SUPCON_TESTS_ENGINE_SMALL_NET_H
#define SUPCON_TESTS_ENGINE_SMALL_NET_H

#include "engine/checkpoint.h"

struct small_net {
    struct device dev;
    struct network net;
    struct settings settings;
};

/* width: of the convolution; other widths are other models. Two optimizer slots. */
int small_net_init(struct small_net *, int width, struct err *);
void small_net_done(struct small_net *);
void small_net_fill(struct small_net *, int64_t step); /* as it is after `step` updates */
bool small_net_equals(struct small_net *, int64_t step);
struct checkpoint_state small_net_state(int64_t step);
int small_net_save(struct small_net *, const char *dir, int64_t step, int keep,
                   struct checkpoint_saved *, struct err *);

#endif
