/*
 * What to compute: a static graph of coarse ops over logical shapes. Builders return a value id and
 * keep the first failure (a sticky error), so that an architecture reads as one straight list;
 * graph_finish() reports it with node name and shapes. Parameters are named and described here
 * (shape, role) and live in a parameter store (params.h) which a plan looks up by name.
 */
#ifndef SUPCON_NN_GRAPH_H
#define SUPCON_NN_GRAPH_H

#include "base/err.h"
#include "nn/op.h"
#include "nn/tensor.h"
#include <stdbool.h>
#include <stdio.h>

enum param_role { PARAM_WEIGHT, PARAM_BIAS, PARAM_SCALE, PARAM_SHIFT, PARAM_MEAN, PARAM_VAR };

struct param_spec {
    char name[64]; /* torchvision's state_dict name */
    enum param_role role;
    int ndim;
    int64_t dim[4];
};

struct value {
    char name[64];
    enum dtype dtype;
    int ndim;
    int64_t dim[4];
    int node;           /* producer, -1: an input or a parameter */
    int param;          /* index into graph->params, -1: not a parameter */
    bool input, output; /* output: kept to the end of the forward pass, readable by name */
    bool detached;      /* no gradient flows from consumers of this value to its producer */
    int alias;          /* detached: the value whose numbers these are; else -1 */
};

struct node {
    enum op op;
    char name[64];
    struct op_attr attr;
    int n_in, in[OP_MAX_IN]; /* value ids */
    int out;
};

struct graph {
    enum dtype compute; /* of 4-D activations: DT_F32 or DT_BF16 */
    bool training;      /* batch statistics and a backward pass from every loss node */
    struct node *nodes;
    struct value *values;
    struct param_spec *params;
    int n_nodes, n_values, n_params;
    struct err err; /* sticky */
};

struct graph *graph_new(enum dtype compute, bool training);
void graph_free(struct graph *);

int graph_input(struct graph *, const char *name, enum dtype, int ndim, const int64_t *dim);

/* Square kernels. Parameters NAME.weight [out,C,size,size], and NAME.bias if asked for. */
int graph_conv(struct graph *, const char *name, int x, int64_t out, int size, int stride, int pad,
               bool bias);
/* Parameters NAME.weight, NAME.bias, NAME.running_mean, NAME.running_var. */
int graph_batchnorm(struct graph *, const char *name, int x);
int graph_relu(struct graph *, int x);
int graph_add(struct graph *, int a, int b);
int graph_maxpool(struct graph *, int x, int window, int stride, int pad);
int graph_avgpool(struct graph *, int x, int window, int stride, int pad);
int graph_globalpool(struct graph *, int x); /* [N,C,H,W] -> [N,C] f32 */
int graph_linear(struct graph *, const char *name, int x,
                 int64_t out); /* NAME.weight [out,C], NAME.bias [out] */
int graph_l2norm(struct graph *, int x);
int graph_detach(struct graph *,
                 int x); /* the same numbers, stopped gradient (its own value id, no node) */
/* Losses: the value is the statistics tensor [STAT_N], marked as output under `name`. attr: the
 * op's fields of op.h. */
int graph_xent(struct graph *, const char *name, int scores, int target,
               const struct op_attr *attr);
int graph_contrastive(struct graph *, const char *name, int z, int labels,
                      const struct op_attr *attr);

void graph_output(struct graph *, const char *name, int value);
int graph_finish(struct graph *, struct err *); /* 0, or -1 with the first failure */

struct graph *graph_copy(const struct graph *);  /* NULL: out of memory */
int graph_root(const struct graph *, int value); /* the value itself, or what it is an alias of */
bool param_trainable(const struct param_spec *); /* false: running statistics */
int64_t param_count(const struct param_spec *);  /* elements */
int64_t node_params(const struct graph *, const struct node *); /* trainable elements */
/* Floating-point operations of the forward pass; convolutions and linears, else 0. */
int64_t node_flops(const struct graph *, const struct node *);

/* One line per node: name, op, shapes, parameters; and totals. */
void graph_print(const struct graph *, FILE *);

#endif
