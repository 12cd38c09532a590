/*
 * What a checkpoint holds of a network, copied to host memory at a step boundary: values, running
 * statistics and optimizer state. `net` is a network to whoever writes files; training goes on with
 * the original. Its memory is allocated once, so that a save in the middle of a run cannot fail for
 * want of it.
 */
#ifndef SUPCON_ENGINE_SNAPSHOT_H
#define SUPCON_ENGINE_SNAPSHOT_H

#include "engine/network.h"

struct snapshot {
    struct network net;   /* its `dev` is the original's, to be described, not to be used */
    struct params params; /* of `net`, in host memory */
    struct device host;
};

/* The network's optimizer slots must be there already. */
int snapshot_init(struct snapshot *, const struct network *, struct err *);
/* Copies; waits for the device. */
int snapshot_take(struct snapshot *, const struct network *, struct err *);
void snapshot_done(struct snapshot *); /* a zeroed one is fine */

#endif
