/*
 * Merging of neighbouring ops where the device has one kernel for them: batch-norm or linear with
 * the ReLU after it, batch-norm with the residual addition and its ReLU. Only where the value
 * between has one consumer, is no output, and is not shown by a detached alias.
 */
#ifndef SUPCON_NN_FUSE_H
#define SUPCON_NN_FUSE_H

#include "backend/backend.h"
#include "nn/graph.h"

/* Rewrites the graph; ids of values stay, those of nodes do not. */
void graph_fuse(struct graph *, const struct device *);

#endif
