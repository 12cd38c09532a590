/*
 * The order of a step, without a device: forward calls as the graph lists them, backward calls in
 * reverse where a gradient is wanted, and additions where a value has several consumers. Every
 * memory these steps touch is a buffer with the first and last step that needs it; memplan.h turns
 * lifetimes into offsets.
 *
 * The first contribution to a gradient is written where it belongs, later ones are added to it by
 * the kernel that makes them, where it can, or else written into a part of their own that is then
 * added: two walks through memory more. A plain addition passes its gradient on without a step.
 * Nothing is computed for inputs, detached values, and nodes that no loss depends on.
 *
 * An activation that backward passes of convolutions alone read again, and whose node is cheap to
 * repeat (a batch-norm between two convolutions), is dropped after the forward pass and computed
 * again just before: a walk through memory buys a third of all activations.
 */
#ifndef SUPCON_NN_SCHEDULE_H
#define SUPCON_NN_SCHEDULE_H

#include "nn/graph.h"

enum buffer_kind {
    BUFFER_NONE,  /* an alias, or a value that fusion took out */
    BUFFER_VALUE, /* an activation or an input */
    BUFFER_GRAD,  /* a gradient, or a part of one */
    BUFFER_SAVED, /* of a node; bytes known once it is prepared */
    BUFFER_PARAM, /* in the parameter store, as the next: these are not placed */
    BUFFER_PARAM_GRAD,
};

struct buffer {
    enum buffer_kind kind;
    int value;       /* whose shape it has, -1: BUFFER_SAVED */
    int node;        /* BUFFER_SAVED: of which node */
    int first, last; /* steps, both inclusive */
};

enum pass { PASS_FORWARD, PASS_BACKWARD, PASS_ACCUMULATE, PASS_AGAIN };

struct schedule_step {
    enum pass pass;
    int node;
    int y, x;  /* PASS_ACCUMULATE: buffers, y += x; PASS_AGAIN: y is written */
    int until; /* the last step during which it may still be at work: mostly itself */
};

struct schedule_node {
    int in[OP_MAX_IN], out, din[OP_MAX_IN], dout, saved; /* buffers, -1: none */
    int bin[OP_MAX_IN];  /* in[] as backward() finds it: another buffer where it was computed again
                          */
    bool backward, adds; /* adds: to din[0], a gradient that is there already */
};

struct schedule {
    struct buffer *buffers;      /* the first ones are those of the graph's values, by id */
    struct schedule_step *steps; /* n_forward forward ones, then the others */
    struct schedule_node *nodes; /* as the graph's */
    int n_buffers, n_steps, n_forward;
};

/* What the device's kernels can do, bit i for op i. */
struct schedule_can {
    unsigned again;  /* compute the output once more */
    unsigned add;    /* add to the gradient of input 0 rather than write it */
    unsigned linger; /* be at work until the next backward() of such an op begins, or to the end */
};

/* NULL: out of memory. */
struct schedule *schedule_new(const struct graph *, const struct schedule_can *);
void schedule_free(struct schedule *);

#endif
