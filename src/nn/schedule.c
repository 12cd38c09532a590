/*
 * The schedule; see schedule.h. Built in three passes: buffers and steps of the forward pass, the
 * backward pass in reverse order, then the lifetimes that hang on the end of the step (inputs,
 * outputs, and what commit() reads).
 */
#include "nn/schedule.h"

#include <stdlib.h>
#include <string.h>

struct builder {
    const struct graph *g;
    struct schedule *s;
    bool *wanted; /* by value: a gradient has somewhere to go */
    int *grad;    /* by value: the buffer that holds its gradient so far, -1: none yet */
    int *again;   /* by value: the buffer it was computed into again, -1: none */
    struct schedule_can can;
    bool *shared; /* by buffer: the gradient of more than one value, so it must not be added to */
};

static int add_buffer(struct builder *b, enum buffer_kind kind, int value)
{
    struct schedule *s = b->s;
    s->buffers[s->n_buffers] = (struct buffer){
        .kind = kind, .value = value, .node = -1, .first = s->n_steps, .last = s->n_steps};
    return s->n_buffers++;
}

static void touch(struct builder *b, int buffer)
{
    if (buffer >= 0)
        b->s->buffers[buffer].last = b->s->n_steps;
}

static void push(struct builder *b, struct schedule_step step)
{
    step.until = b->s->n_steps;
    b->s->steps[b->s->n_steps++] = step;
}

/* Buffer i is value i's, except for aliases, which use their root's. */
static void add_values(struct builder *b)
{
    for (int i = 0; i < b->g->n_values; i++) {
        const struct value *v = &b->g->values[i];
        bool none = v->alias >= 0 || (v->node < 0 && !v->input);
        add_buffer(b, v->param >= 0 ? BUFFER_PARAM : none ? BUFFER_NONE : BUFFER_VALUE, i);
        b->grad[i] = b->again[i] = -1;
    }
}

static void want(struct builder *b, int n)
{
    const struct graph *g = b->g;
    const struct node *node = &g->nodes[n];
    for (int i = 0; i < node->n_in; i++) {
        const struct value *v = &g->values[node->in[i]];
        bool trains = v->param >= 0 && param_trainable(&g->params[v->param]);
        b->wanted[node->in[i]] |= trains && g->training;
        b->wanted[node->out] |= b->wanted[node->in[i]] && !v->detached;
    }
}

static void forward(struct builder *b)
{
    for (int n = 0; n < b->g->n_nodes; n++) {
        const struct node *node = &b->g->nodes[n];
        struct schedule_node *at = &b->s->nodes[n];
        memset(at, -1, sizeof *at);
        at->backward = at->adds = false;
        for (int i = 0; i < node->n_in; i++)
            touch(b, at->in[i] = at->bin[i] = graph_root(b->g, node->in[i]));
        at->out = node->out;
        b->s->buffers[at->out].first = b->s->n_steps;
        touch(b, at->out);
        at->saved = add_buffer(b, BUFFER_SAVED, -1);
        b->s->buffers[at->saved].node = n;
        want(b, n);
        push(b, (struct schedule_step){.pass = PASS_FORWARD, .node = n});
    }
    b->s->n_forward = b->s->n_steps;
}

/* Does input i of the node receive a gradient? */
static bool receives(const struct builder *b, const struct node *node, int i)
{
    int u = node->in[i];
    return b->wanted[u] && !b->g->values[u].detached;
}

/* An addition without ReLU has the gradient of its output as that of both inputs; nothing needs
 * doing, unless the sum of two shared gradients would need a third memory. */
static bool passes_on(const struct builder *b, const struct node *node)
{
    if (node->op != OP_ADD || node->attr.relu || node->in[0] == node->in[1])
        return false;
    for (int i = 0; i < 2; i++) {
        int had = b->grad[node->in[i]];
        if (receives(b, node, i) && had >= 0 && b->shared[had])
            return false;
    }
    return true;
}

static void pass_on(struct builder *b, const struct node *node, int n, int dout)
{
    int holders = 0;
    for (int i = 0; i < 2; i++) {
        int u = node->in[i], had = b->grad[u];
        if (!receives(b, node, i))
            continue;
        if (had < 0) {
            b->grad[u] = dout;
            holders++;
            continue;
        }
        touch(b, had);
        touch(b, dout);
        push(b, (struct schedule_step){.pass = PASS_ACCUMULATE, .node = n, .y = had, .x = dout});
    }
    b->shared[dout] |= holders > 1;
}

/* Input 0 has a gradient already, to which the node's kernel can add. */
static bool can_add(const struct builder *b, const struct node *node)
{
    int had = b->grad[node->in[0]];
    return (b->can.add >> node->op & 1u) && had >= 0 && !b->shared[had];
}

/* Where backward() of a node writes the gradient of input u. */
static int gradient_buffer(struct builder *b, int u)
{
    bool param = b->g->values[u].param >= 0 && b->grad[u] < 0;
    return add_buffer(b, param ? BUFFER_PARAM_GRAD : BUFFER_GRAD, u);
}

/* After backward() of node n: additions to gradients that were there already. */
static void accumulate(struct builder *b, const struct node *node, int n)
{
    for (int i = 0; i < node->n_in; i++) {
        int u = node->in[i], now = b->s->nodes[n].din[i];
        if (now < 0 || now == b->grad[u])
            continue;
        if (b->grad[u] < 0) {
            b->grad[u] = now;
            continue;
        }
        bool swap = b->shared[b->grad[u]];
        int y = swap ? now : b->grad[u], x = swap ? b->grad[u] : now;
        touch(b, y);
        touch(b, x);
        push(b, (struct schedule_step){.pass = PASS_ACCUMULATE, .node = n, .y = y, .x = x});
        b->grad[u] = y;
    }
}

/* Convolutions read it, and nothing else does, in their backward passes. */
static bool only_convolutions_read(const struct builder *b, int value)
{
    for (int n = 0; n < b->g->n_nodes; n++) {
        const struct node *node = &b->g->nodes[n];
        for (int i = 0; node->op != OP_CONV && i < node->n_in; i++)
            if (graph_root(b->g, node->in[i]) == value && (op_backward_reads(node->op) & 1u << i))
                return false;
    }
    return true;
}

/* Some backward pass reads it. */
static bool read_again(const struct builder *b, int value)
{
    for (int n = 0; n < b->g->n_nodes; n++) {
        const struct node *node = &b->g->nodes[n];
        for (int i = 0; i < node->n_in; i++)
            if (graph_root(b->g, node->in[i]) == value && (op_backward_reads(node->op) & 1u << i))
                return true;
    }
    return false;
}

/* A value worth dropping: everything it is made from is kept for other reasons. Of residual blocks
 * in a row it is every other output, since the skip connection of one is the output before. */
static bool repeatable(const struct builder *b, int value)
{
    const struct value *v = &b->g->values[value];
    if (v->node < 0 || v->output || v->ndim != 4)
        return false;
    const struct node *maker = &b->g->nodes[v->node];
    if (!(b->can.again >> maker->op & 1u) || !(op_backward_reads(maker->op) & 1u) ||
        !only_convolutions_read(b, value))
        return false;
    int skip = maker->n_in > 5 ? graph_root(b->g, maker->in[5]) : -1;
    return skip < 0 || (read_again(b, skip) && !repeatable(b, skip));
}

/* Before backward() of a convolution: its input, if that was dropped. */
static void compute_again(struct builder *b, const struct node *node, struct schedule_node *at)
{
    int u = at->in[0];
    if (node->op != OP_CONV || !repeatable(b, u))
        return;
    if (b->again[u] < 0) {
        int maker = b->g->values[u].node;
        b->again[u] = add_buffer(b, BUFFER_VALUE, u);
        touch(b, b->s->nodes[maker].in[0]);
        if (b->g->nodes[maker].n_in > 5)
            touch(b, b->s->nodes[maker].in[5]);
        push(b, (struct schedule_step){.pass = PASS_AGAIN, .node = maker, .y = b->again[u]});
    }
    at->bin[0] = b->again[u];
}

static void touch_read(struct builder *b, const struct node *node, const struct schedule_node *at)
{
    unsigned reads = op_backward_reads(node->op);
    for (int i = 0; i < node->n_in; i++)
        if (reads & 1u << i)
            touch(b, at->bin[i]);
    if (reads & 1u << OP_MAX_IN)
        touch(b, at->out);
    touch(b, at->saved);
    touch(b, at->dout);
}

static void backward_node(struct builder *b, int n)
{
    const struct node *node = &b->g->nodes[n];
    struct schedule_node *at = &b->s->nodes[n];
    at->dout = op_is_loss(node->op) ? -1 : b->grad[node->out];
    if (!b->wanted[node->out] || (at->dout < 0 && !op_is_loss(node->op)))
        return;
    if (passes_on(b, node)) {
        pass_on(b, node, n, at->dout);
        at->dout = -1;
        return;
    }
    at->backward = true;
    at->adds = receives(b, node, 0) && can_add(b, node);
    compute_again(b, node, at);
    for (int i = 0; i < node->n_in; i++)
        if (receives(b, node, i))
            at->din[i] =
                i == 0 && at->adds ? b->grad[node->in[i]] : gradient_buffer(b, node->in[i]);
    touch_read(b, node, at);
    push(b, (struct schedule_step){.pass = PASS_BACKWARD, .node = n});
    accumulate(b, node, n);
}

static bool lingers(const struct builder *b, int step)
{
    const struct schedule_step *s = &b->s->steps[step];
    return s->pass == PASS_BACKWARD && (b->can.linger >> b->g->nodes[s->node].op & 1u);
}

static void keep(struct builder *b, int buffer, int until)
{
    if (buffer >= 0 && b->s->buffers[buffer].last < until)
        b->s->buffers[buffer].last = until;
}

/* What a lingering step reads stays until the next such step begins, or to the end. */
static void linger(struct builder *b)
{
    int until = b->s->n_steps - 1;
    for (int i = b->s->n_steps - 1; i >= b->s->n_forward; i--) {
        if (!lingers(b, i))
            continue;
        const struct schedule_node *at = &b->s->nodes[b->s->steps[i].node];
        const struct node *node = &b->g->nodes[b->s->steps[i].node];
        for (int k = 0; k < node->n_in; k++)
            if (op_backward_reads(node->op) & 1u << k)
                keep(b, at->bin[k], until);
        keep(b, at->dout, until);
        keep(b, at->saved, until);
        b->s->steps[i].until = until;
        until = i - 1;
    }
}

static void keep_to_the_end(struct builder *b)
{
    int end = b->s->n_steps - 1;
    for (int i = 0; i < b->s->n_buffers; i++) {
        struct buffer *at = &b->s->buffers[i];
        const struct value *v = at->kind == BUFFER_VALUE ? &b->g->values[at->value] : NULL;
        if (v && (v->output || v->input))
            at->last = end;
        if (v && v->input)
            at->first = 0;
        if (at->kind == BUFFER_SAVED && b->g->nodes[at->node].attr.training)
            at->last = end;
    }
}

/* Upper bounds: a value has one buffer, a node one for saved state and a gradient per input; an
 * addition can follow each gradient; a value can be computed again. */
static struct schedule *allocate(const struct graph *g, struct builder *b)
{
    struct schedule *s = calloc(1, sizeof *s);
    size_t nodes = (size_t)g->n_nodes + 1, values = (size_t)g->n_values + 1;
    size_t buffers = values + nodes * (2 + OP_MAX_IN);
    *b = (struct builder){.g = g,
                          .s = s,
                          .wanted = calloc(values, sizeof *b->wanted),
                          .grad = calloc(values, sizeof *b->grad),
                          .again = calloc(values, sizeof *b->again),
                          .shared = calloc(buffers, sizeof *b->shared)};
    if (!s)
        return NULL;
    s->buffers = calloc(buffers, sizeof *s->buffers);
    s->steps = calloc(nodes * (3 + OP_MAX_IN), sizeof *s->steps);
    s->nodes = calloc(nodes, sizeof *s->nodes);
    if (s->buffers && s->steps && s->nodes && b->wanted && b->grad && b->again && b->shared)
        return s;
    schedule_free(s);
    return NULL;
}

struct schedule *schedule_new(const struct graph *g, const struct schedule_can *can)
{
    struct builder b;
    struct schedule *s = allocate(g, &b);
    if (s) {
        b.can = *can;
        add_values(&b);
        forward(&b);
        for (int n = g->n_nodes - 1; g->training && n >= 0; n--)
            backward_node(&b, n);
        linger(&b);
        keep_to_the_end(&b);
    }
    free(b.wanted);
    free(b.grad);
    free(b.again);
    free(b.shared);
    return s;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    free(s->buffers);
    free(s->steps);
    free(s->nodes);
    free(s);
}
