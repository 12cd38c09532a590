/* What the files that build graphs share. Not for users of graphs. */
#ifndef SUPCON_NN_GRAPH_IMPL_H
#define SUPCON_NN_GRAPH_IMPL_H

#include "nn/graph.h"

/* Keeps the first failure of a graph: "NODE: TEXT". Returns -1. */
int graph_fail(struct graph *, const char *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Is x a value of this graph with `ndim` dimensions? Otherwise the failure is kept, unless an
 * earlier one is there. */
bool graph_expect(struct graph *, const char *node, int x, int ndim);

/* The value of a parameter: a new one, or the known one of that name if its shape is the same. */
int graph_param(struct graph *, const char *node, const char *suffix, enum param_role, int ndim,
                const int64_t *dim);

/* A node whose n_in inputs are set; makes its output value and returns its id. */
int graph_node(struct graph *, const struct node *, enum dtype, int ndim, const int64_t *dim);

/* Name of a node that was given none: that of the layer before it, then ".SUFFIX". */
void graph_derive_name(const struct graph *, int x, const char *suffix, char out[64]);

#endif
