/*
 * Fusion; see fuse.h. A fused node stands where the last of its parts stood, so that all inputs
 * come before it. Removed nodes are marked (n_in = 0) and squeezed out at the end.
 */
#include "nn/fuse.h"

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

void graph_fuse(struct graph *g, const struct device *dev)
{
    bool can[] = {[FUSE_BN_RELU] = false,
                  [FUSE_BN_ADD_RELU] = false,
                  [FUSE_ADD_RELU] = false,
                  [FUSE_LINEAR_RELU] = false};
    for (int i = 0; dev->class->can_fuse && i < (int)(sizeof can / sizeof *can); i++)
        can[i] = dev->class->can_fuse(dev, (enum fusion)i);
    for (int i = 0; i < g->n_nodes; i++) {
        struct node *n = &g->nodes[i];
        if (n->op != OP_RELU)
            continue;
        if (can[FUSE_BN_ADD_RELU] && fuse_bn_add_relu(g, n))
            continue;
        if (can[FUSE_BN_RELU] && fuse_relu(g, n, OP_BATCHNORM))
            continue;
        if (can[FUSE_ADD_RELU] && fuse_relu(g, n, OP_ADD))
            continue;
        if (can[FUSE_LINEAR_RELU])
            fuse_relu(g, n, OP_LINEAR);
    }
    squeeze(g);
}
