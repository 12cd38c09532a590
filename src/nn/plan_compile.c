/*
 * From graph to plan: fuse, schedule, describe every tensor, let the kernels prepare, place
 * everything in memory, and tell the kernels the final addresses.
 */
#include "nn/plan_impl.h"
#include "backend/tuning.h"
#include "nn/fuse.h"

#include <stdlib.h>
#include <string.h>

const struct kernel *plan_kernel(const struct plan *p, int node)
{
    return p->dev->class->kernels[p->graph->nodes[node].op];
}

static int store_tensor(struct plan *p, int buffer, bool grad, struct err *e)
{
    const struct value *v = &p->graph->values[p->schedule->buffers[buffer].value];
    const struct param *item = params_find(p->params, v->name);
    if (!item || !item->value.data)
        return err_set(e, EXIT_SOFTWARE, "parameter %s is not in the store", v->name);
    if (item->spec.ndim != v->ndim || memcmp(item->spec.dim, v->dim, sizeof v->dim)) {
        char a[SHAPE_TEXT], b[SHAPE_TEXT];
        return err_set(e, EXIT_SOFTWARE, "parameter %s has shape %s in the store, %s in the graph",
                       v->name, shape_text(a, item->spec.ndim, item->spec.dim),
                       shape_text(b, v->ndim, v->dim));
    }
    p->tensors[buffer] = grad ? item->grad : item->value;
    return 0;
}

/* A part of a parameter's gradient is shaped as in the store; it is added there. */
static int part_tensor(struct plan *p, int buffer, struct err *e)
{
    if (store_tensor(p, buffer, true, e) < 0)
        return -1;
    p->tensors[buffer].data = NULL;
    return 0;
}

static void value_tensor(struct plan *p, int buffer, const struct value *v)
{
    struct tensor *t = &p->tensors[buffer];
    *t = (struct tensor){.dtype = v->dtype, .ndim = v->ndim};
    snprintf(t->name, sizeof t->name, "%s%.60s",
             p->schedule->buffers[buffer].kind == BUFFER_GRAD ? "d " : "", v->name);
    memcpy(t->dim, v->dim, sizeof t->dim);
    p->dev->class->layout(p->dev, t);
}

static int describe(struct plan *p, int buffer, struct err *e)
{
    const struct buffer *b = &p->schedule->buffers[buffer];
    const struct value *v = b->value >= 0 ? &p->graph->values[b->value] : NULL;
    switch (b->kind) {
    case BUFFER_PARAM:
        return store_tensor(p, buffer, false, e);
    case BUFFER_PARAM_GRAD:
        return store_tensor(p, buffer, true, e);
    case BUFFER_VALUE:
    case BUFFER_GRAD:
        if (v->param >= 0)
            return part_tensor(p, buffer, e);
        value_tensor(p, buffer, v);
        return 0;
    case BUFFER_NONE:
    case BUFFER_SAVED:
        break;
    }
    return 0;
}

static struct tensor *tensor_of(struct plan *p, int buffer)
{
    return buffer < 0 ? NULL : &p->tensors[buffer];
}

/* The convolution before a batch-norm that is fused with it for its sums, -1: none. */
static int maker_of(const struct plan *p, int node)
{
    const struct node *n = &p->graph->nodes[node];
    if (n->op != OP_BATCHNORM || !n->attr.training)
        return -1;
    int x = graph_root(p->graph, n->in[0]), maker = p->graph->values[x].node;
    const struct node *m = maker < 0 ? NULL : &p->graph->nodes[maker];
    if (!m || m->op != OP_CONV || m->n_in > 2 ||
        !p->dev->class->can_fuse(p->dev, FUSE_CONV_SUMS, &p->tensors[x]))
        return -1;
    return maker;
}

static bool wants_sums(const struct plan *p, int node)
{
    for (int i = node + 1; i < p->graph->n_nodes; i++)
        if (maker_of(p, i) == node)
            return true;
    return false;
}

static void connect(struct plan *p, int node)
{
    const struct node *n = &p->graph->nodes[node];
    const struct schedule_node *at = &p->schedule->nodes[node];
    struct call *c = &p->calls[node];
    *c = (struct call){.op = n->op,
                       .attr = n->attr,
                       .compute = p->graph->compute,
                       .multi = p->dev->class->multi_new,
                       .want_backward = at->backward,
                       .adds = at->adds,
                       .n_in = n->n_in,
                       .out = tensor_of(p, at->out),
                       .dout = tensor_of(p, at->dout)};
    snprintf(c->name, sizeof c->name, "%s", n->name);
    int maker = maker_of(p, node);
    c->maker = maker < 0 ? NULL : &p->calls[maker];
    c->wants_sums = n->op == OP_CONV && wants_sums(p, node);
    for (int i = 0; i < n->n_in; i++) {
        c->in[i] = tensor_of(p, at->in[i]);
        c->bin[i] = tensor_of(p, at->bin[i]);
        c->din[i] = tensor_of(p, at->din[i]);
    }
}

static int prepare(struct plan *p, int node, struct err *e)
{
    struct call *c = &p->calls[node];
    const struct kernel *k = plan_kernel(p, node);
    connect(p, node);
    if (!k)
        return err_set(e, EXIT_UNAVAILABLE, "%s: %s has no kernel for the op %s", c->name,
                       p->dev->class->name, op_name(c->op));
    p->n_prepared = node + 1;
    return k->prepare(p->dev, c, e);
}

static void set_extents(struct plan *p)
{
    struct schedule *s = p->schedule;
    size_t workspace = 0;
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (p->calls[i].workspace_bytes > workspace)
            workspace = p->calls[i].workspace_bytes;
    for (int i = 0; i < s->n_buffers; i++) {
        const struct buffer *b = &s->buffers[i];
        size_t bytes = b->kind == BUFFER_SAVED ? p->calls[b->node].saved_bytes
                       : b->kind == BUFFER_VALUE || b->kind == BUFFER_GRAD ? p->tensors[i].bytes
                                                                           : 0;
        p->extents[i] = (struct extent){.bytes = bytes, .first = b->first, .last = b->last};
        if (b->kind == BUFFER_SAVED && p->calls[b->node].saved_whole) {
            p->extents[i].first = 0;
            p->extents[i].last = s->n_steps;
        }
    }
    p->extents[s->n_buffers] = (struct extent){.bytes = workspace, .last = s->n_steps};
    for (int i = 0; i < s->n_steps; i++) {
        const struct schedule_step *at = &s->steps[i];
        const size_t *bytes = p->calls[at->node].scratch_bytes;
        p->extents[s->n_buffers + 1 + i] =
            (struct extent){.bytes = at->pass == PASS_FORWARD    ? bytes[0]
                                     : at->pass == PASS_BACKWARD ? bytes[1]
                                                                 : 0,
                            .first = i,
                            .last = at->until};
    }
}

static bool planning_is_off(void)
{
    const char *word = getenv("MEMPLAN");
    return word && !strcmp(word, "off");
}

static int allocate_separately(struct plan *p, int n, struct err *e)
{
    p->separate = calloc((size_t)n, sizeof *p->separate);
    if (!p->separate)
        return err_set(e, EXIT_OS, "out of memory for a plan");
    for (int i = 0; i < n; i++) {
        size_t bytes = p->extents[i].bytes;
        p->arena_bytes += bytes;
        if (bytes && p->dev->class->alloc(p->dev, bytes, &p->separate[i], e) < 0)
            return -1;
    }
    return 0;
}

/* Nearly all of an arena grows with the number of images; a tenth is left for what does not. */
static int check_room(const struct plan *p, size_t bytes, const char *what, struct err *e)
{
    static const double mib = 1048576;
    const struct backend_class *c = p->dev->class;
    size_t room = c->memory_free ? c->memory_free(p->dev) : 0;
    int64_t rows = 1;
    if (room == 0 || bytes <= room)
        return 0;
    for (int i = p->graph->n_values - 1; i >= 0; i--)
        if (p->graph->values[i].input && p->graph->values[i].ndim > 1)
            rows = p->graph->values[i].dim[0];
    return err_set(e, EXIT_OS,
                   "%s has too little memory: %lld images at once (train.batch_size times views) "
                   "need %.0f MiB for %s, %.0f MiB of %.0f MiB are free; about %lld images would "
                   "fit",
                   p->dev->info.id, (long long)rows, (double)bytes / mib, what, (double)room / mib,
                   (double)p->dev->info.memory_bytes / mib,
                   (long long)(0.9 * (double)rows * (double)room / (double)bytes));
}

/* Before anything is timed: timing wants memory too, and takes its time. */
static int check_activations(struct plan *p, struct err *e)
{
    set_extents(p);
    return check_room(p, memplan_floor(p->extents, p->n_extents), "activations alone", e);
}

static int allocate(struct plan *p, struct err *e)
{
    int n = p->n_extents, a, b;
    bool ok;
    p->floor_bytes = memplan_floor(p->extents, n);
    if (planning_is_off())
        return allocate_separately(p, n, e);
    p->arena_bytes = memplan_place(p->extents, n, &ok);
    if (!ok)
        return err_set(e, EXIT_OS, "out of memory for a plan");
    if (!memplan_check(p->extents, n, p->arena_bytes, &a, &b))
        return err_set(e, EXIT_SOFTWARE, "the memory plan lets buffers %d and %d overlap", a, b);
    if (check_room(p, p->arena_bytes, "activations and workspace", e) < 0)
        return -1;
    if (p->arena_bytes && p->dev->class->alloc(p->dev, p->arena_bytes, &p->arena, e) < 0)
        return err_prefix(e, "activations, gradients and workspace of %.1f MiB",
                          (double)p->arena_bytes / 1048576);
    return 0;
}

static void *address(const struct plan *p, int extent)
{
    if (!p->extents[extent].bytes)
        return NULL;
    return p->separate ? p->separate[extent] : (char *)p->arena + p->extents[extent].offset;
}

static int bind(struct plan *p, struct err *e)
{
    const struct schedule *s = p->schedule;
    for (int i = 0; i < s->n_buffers; i++)
        if (s->buffers[i].kind == BUFFER_VALUE || s->buffers[i].kind == BUFFER_GRAD)
            p->tensors[i].data = address(p, i);
    for (int i = 0; i < s->n_steps; i++)
        if (s->steps[i].pass == PASS_FORWARD || s->steps[i].pass == PASS_BACKWARD)
            p->calls[s->steps[i].node].scratch[s->steps[i].pass == PASS_BACKWARD] =
                address(p, s->n_buffers + 1 + i);
    for (int i = 0; i < p->graph->n_nodes; i++) {
        struct call *c = &p->calls[i];
        c->saved = address(p, s->nodes[i].saved);
        c->workspace = address(p, s->n_buffers);
        const struct kernel *k = plan_kernel(p, i);
        if (k->bind && k->bind(p->dev, c, e) < 0)
            return -1;
    }
    const struct backend_class *class = p->dev->class;
    return class->multi_new ? class->multi_new(p->dev, p->calls, p->graph->n_nodes, &p->multi, e)
                            : 0;
}

/* Outputs are repeated where memory is dearer than time. */
static struct schedule_can abilities(const struct backend_class *class)
{
    struct schedule_can can = {0};
    for (int op = 0; op < OP_N; op++) {
        const struct kernel *k = class->kernels[op];
        if (k && k->again && class->spares_memory)
            can.again |= 1u << op;
        if (k && k->can_add)
            can.add |= 1u << op;
        if (k && k->lingers && class->multi_new)
            can.linger |= 1u << op;
    }
    return can;
}

static int compile(struct plan *p, const struct graph *g, struct err *e)
{
    p->graph = graph_copy(g);
    if (p->graph)
        graph_fuse(p->graph, p->dev);
    const struct schedule_can can = abilities(p->dev->class);
    p->schedule = p->graph ? schedule_new(p->graph, &can) : NULL;
    if (!p->schedule)
        return err_set(e, EXIT_OS, "out of memory for a plan");
    size_t buffers = (size_t)p->schedule->n_buffers + 1;
    p->n_extents = p->schedule->n_buffers + 1 + p->schedule->n_steps;
    p->calls = calloc((size_t)p->graph->n_nodes + 1, sizeof *p->calls);
    p->tensors = calloc(buffers, sizeof *p->tensors);
    p->extents = calloc((size_t)p->n_extents, sizeof *p->extents);
    if (!p->calls || !p->tensors || !p->extents)
        return err_set(e, EXIT_OS, "out of memory for a plan");
    for (int i = 0; i < p->schedule->n_buffers; i++)
        if (describe(p, i, e) < 0)
            return -1;
    if (check_activations(p, e) < 0)
        return -1;
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (tuning_part(p->dev->tuning, i + 1, p->graph->n_nodes, e) < 0 || prepare(p, i, e) < 0)
            return -1;
    set_extents(p);
    return allocate(p, e) < 0 ? -1 : bind(p, e);
}

struct plan *plan_compile(struct device *dev, const struct graph *g, struct params *params,
                          struct err *e)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p) {
        err_set(e, EXIT_OS, "out of memory for a plan");
        return NULL;
    }
    p->dev = dev;
    p->params = params;
    if (compile(p, g, e) == 0)
        return p;
    plan_free(p);
    return NULL;
}

static void free_separate(struct plan *p)
{
    for (int i = 0; p->separate && i < p->n_extents; i++)
        if (p->separate[i])
            p->dev->class->free(p->dev, p->separate[i], p->extents[i].bytes);
    free(p->separate);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    if (p->multi)
        p->dev->class->multi_free(p->dev, p->multi);
    for (int i = 0; i < p->n_prepared; i++)
        if (plan_kernel(p, i)->done)
            plan_kernel(p, i)->done(p->dev, &p->calls[i]);
    free_separate(p);
    if (p->arena)
        p->dev->class->free(p->dev, p->arena, p->arena_bytes);
    free(p->step_ms);
    free(p->extents);
    free(p->tensors);
    free(p->calls);
    schedule_free(p->schedule);
    graph_free(p->graph);
    free(p);
}
