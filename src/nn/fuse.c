/*
 * Fusion; see fuse.h. A fused node stands where the last of its parts stood, so that all inputs
 * come before it. Removed nodes are marked (n_in = 0) and squeezed out at the end.
 */
#include "nn/fuse.h"

#include <string.h>

/* The node that makes `value`, if fusing across that value is allowed; else NULL. */
static struct node *private_producer(struct graph *g, int value, enum op op)
{
    const struct value *v = &g->values[value];
    if (v->node < 0 || v->output || v->alias >= 0 || g->nodes[v->node].op != op)
        return NULL;
    int uses = 0;
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->nodes[i].n_in; j++)
            uses += graph_root(g, g->nodes[i].in[j]) == value;
    return uses == 1 && !g->nodes[v->node].attr.relu ? &g->nodes[v->node] : NULL;
}

/* `first`, changed by the caller, takes the place and the output of `last`. */
static void replace(struct graph *g, struct node *last, struct node *first)
{
    int out = last->out;
    *last = *first;
    last->out = out;
    first->n_in = 0;
    g->values[first->out].node = -1;
}

static bool fuse_relu(struct graph *g, struct node *relu, enum op op)
{
    struct node *before = private_producer(g, relu->in[0], op);
    if (!before)
        return false;
    before->attr.relu = true;
    replace(g, relu, before);
    return true;
}

/* relu(add(bn(x), skip)) -> bn(x, skip) with attr.relu; either operand may be the batch-norm. */
static bool fuse_bn_add_relu(struct graph *g, struct node *relu)
{
    struct node *add = private_producer(g, relu->in[0], OP_ADD);
    for (int i = 0; add && i < 2; i++) {
        struct node *bn = private_producer(g, add->in[i], OP_BATCHNORM);
        if (!bn || bn->n_in != 5 || g->values[add->in[i]].ndim != 4)
            continue;
        bn->in[bn->n_in++] = add->in[1 - i];
        bn->attr.relu = true;
        add->n_in = 0;
        g->values[add->out].node = -1;
        replace(g, relu, bn);
        return true;
    }
    return false;
}

static void squeeze(struct graph *g)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].n_in)
            g->nodes[n++] = g->nodes[i];
    g->n_nodes = n;
    for (int i = 0; i < n; i++)
        g->values[g->nodes[i].out].node = i;
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i].alias >= 0)
            g->values[i].node = g->values[g->values[i].alias].node;
}

/* Asked for the output of each ReLU. */
static bool can(const struct graph *g, const struct device *dev, enum fusion f,
                const struct node *relu)
{
    const struct value *v = &g->values[relu->out];
    struct tensor y = {.dtype = v->dtype, .ndim = v->ndim};
    memcpy(y.dim, v->dim, sizeof y.dim);
    return dev->class->can_fuse && dev->class->can_fuse(dev, f, &y);
}

void graph_fuse(struct graph *g, const struct device *dev)
{
    for (int i = 0; i < g->n_nodes; i++) {
        struct node *n = &g->nodes[i];
        if (n->op != OP_RELU)
            continue;
        if (can(g, dev, FUSE_BN_ADD_RELU, n) && fuse_bn_add_relu(g, n))
            continue;
        if (can(g, dev, FUSE_BN_RELU, n) && fuse_relu(g, n, OP_BATCHNORM))
            continue;
        if (can(g, dev, FUSE_ADD_RELU, n) && fuse_relu(g, n, OP_ADD))
            continue;
        if (can(g, dev, FUSE_LINEAR_RELU, n))
            fuse_relu(g, n, OP_LINEAR);
    }
    squeeze(g);
}
