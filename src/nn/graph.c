/*
 * Graphs as three growing arrays: nodes in the order of computation, values, parameters. Only
 * appending is offered here; passes that rewrite (fuse.c) work on a copy.
 */
#include "nn/graph_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int graph_fail(struct graph *g, const char *node, const char *fmt, ...)
{
    if (g->err.code)
        return -1;
    char text[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(&g->err, EXIT_CONFIG, "%s: %s", node, text);
}

/* Room for one more element; arrays grow at powers of two. */
static bool grow(struct graph *g, void *array, int n, size_t size)
{
    if (n & (n - 1))
        return true;
    void **at = (void **)array;
    void *more = realloc(*at, (n ? (size_t)n * 2 : 1) * size);
    if (!more) {
        if (!g->err.code)
            err_set(&g->err, EXIT_OS, "out of memory while building a graph");
        return false;
    }
    *at = more;
    return true;
}

static int add_value(struct graph *g, const char *name, enum dtype dtype, int ndim,
                     const int64_t *dim)
{
    if (!grow(g, &g->values, g->n_values, sizeof *g->values))
        return -1;
    struct value *v = &g->values[g->n_values];
    *v = (struct value){.dtype = dtype, .ndim = ndim, .node = -1, .param = -1, .alias = -1};
    snprintf(v->name, sizeof v->name, "%s", name);
    for (int i = 0; i < 4; i++)
        v->dim[i] = i < ndim ? dim[i] : 1;
    return g->n_values++;
}

struct graph *graph_new(enum dtype compute, bool training)
{
    struct graph *g = calloc(1, sizeof *g);
    if (g) {
        g->compute = compute;
        g->training = training;
    }
    return g;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    free(g->nodes);
    free(g->values);
    free(g->params);
    free(g);
}

/* Capacity as grow() expects it for n elements. */
static void *copy_array(const void *from, int n, size_t size)
{
    size_t room = 1;
    while (room < (size_t)n + 1)
        room *= 2;
    void *to = malloc(room * size);
    if (to && n)
        memcpy(to, from, (size_t)n * size);
    return to;
}

struct graph *graph_copy(const struct graph *from)
{
    struct graph *g = malloc(sizeof *g);
    if (!g)
        return NULL;
    *g = *from;
    g->nodes = copy_array(from->nodes, from->n_nodes, sizeof *g->nodes);
    g->values = copy_array(from->values, from->n_values, sizeof *g->values);
    g->params = copy_array(from->params, from->n_params, sizeof *g->params);
    if (g->nodes && g->values && g->params)
        return g;
    graph_free(g);
    return NULL;
}

bool graph_expect(struct graph *g, const char *node, int x, int ndim)
{
    if (g->err.code)
        return false;
    if (x < 0 || x >= g->n_values) {
        graph_fail(g, node, "its input is no value of this graph");
        return false;
    }
    const struct value *v = &g->values[x];
    if (v->ndim == ndim)
        return true;
    char shape[SHAPE_TEXT];
    graph_fail(g, node, "its input %s has shape %s, but %d dimensions were expected", v->name,
               shape_text(shape, v->ndim, v->dim), ndim);
    return false;
}

int graph_input(struct graph *g, const char *name, enum dtype dtype, int ndim, const int64_t *dim)
{
    if (g->err.code)
        return -1;
    char shape[SHAPE_TEXT];
    for (int i = 0; i < ndim; i++)
        if (dim[i] < 1)
            return graph_fail(g, name, "an input of shape %s is empty",
                              shape_text(shape, ndim, dim));
    int id = add_value(g, name, dtype, ndim, dim);
    if (id >= 0)
        g->values[id].input = true;
    return id;
}

static int find_param(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i].param >= 0 && !strcmp(g->values[i].name, name))
            return i;
    return -1;
}

static int add_param(struct graph *g, const struct param_spec *spec)
{
    if (!grow(g, &g->params, g->n_params, sizeof *g->params))
        return -1;
    int id = add_value(g, spec->name, DT_F32, spec->ndim, spec->dim);
    if (id < 0)
        return -1;
    g->params[g->n_params] = *spec;
    g->values[id].param = g->n_params++;
    return id;
}

int graph_param(struct graph *g, const char *node, const char *suffix, enum param_role role,
                int ndim, const int64_t *dim)
{
    if (g->err.code)
        return -1;
    struct param_spec spec = {.role = role, .ndim = ndim, .dim = {1, 1, 1, 1}};
    snprintf(spec.name, sizeof spec.name, "%s.%s", node, suffix);
    memcpy(spec.dim, dim, (size_t)ndim * sizeof *dim);
    int known = find_param(g, spec.name);
    if (known < 0)
        return add_param(g, &spec);
    const struct param_spec *had = &g->params[g->values[known].param];
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (had->ndim != ndim || memcmp(had->dim, spec.dim, sizeof spec.dim))
        return graph_fail(g, node, "parameter %s has shape %s here and %s before", spec.name,
                          shape_text(a, ndim, dim), shape_text(b, had->ndim, had->dim));
    return known;
}

int graph_node(struct graph *g, const struct node *node, enum dtype dtype, int ndim,
               const int64_t *dim)
{
    if (g->err.code || !grow(g, &g->nodes, g->n_nodes, sizeof *g->nodes))
        return -1;
    char shape[SHAPE_TEXT];
    for (int i = 0; i < ndim; i++)
        if (dim[i] < 1)
            return graph_fail(
                g, node->name, "its input %s of shape %s is too small", g->values[node->in[0]].name,
                shape_text(shape, g->values[node->in[0]].ndim, g->values[node->in[0]].dim));
    int id = add_value(g, node->name, dtype, ndim, dim);
    if (id < 0)
        return -1;
    g->values[id].node = g->n_nodes;
    g->nodes[g->n_nodes] = *node;
    g->nodes[g->n_nodes++].out = id;
    return id;
}

int graph_root(const struct graph *g, int value)
{
    while (g->values[value].alias >= 0)
        value = g->values[value].alias;
    return value;
}

int graph_detach(struct graph *g, int x)
{
    if (g->err.code)
        return -1;
    if (x < 0 || x >= g->n_values)
        return graph_fail(g, "detach", "its input is no value of this graph");
    struct value v = g->values[x];
    int id = add_value(g, v.name, v.dtype, v.ndim, v.dim);
    if (id < 0)
        return -1;
    g->values[id].node = v.node;
    g->values[id].detached = true;
    g->values[id].alias = graph_root(g, x);
    return id;
}

void graph_output(struct graph *g, const char *name, int value)
{
    if (g->err.code)
        return;
    if (value < 0 || value >= g->n_values) {
        graph_fail(g, name, "this output is no value of this graph");
        return;
    }
    struct value *v = &g->values[graph_root(g, value)];
    if (v->node < 0 || v->output) {
        graph_fail(g, name, "%s cannot be an output under this name as well", v->name);
        return;
    }
    v->output = true;
    snprintf(v->name, sizeof v->name, "%s", name);
}

static int check_names(struct graph *g)
{
    for (int i = 0; i < g->n_values; i++)
        for (int j = 0; j < i; j++) {
            const struct value *a = &g->values[i], *b = &g->values[j];
            if ((a->input || a->output) && (b->input || b->output) && !strcmp(a->name, b->name))
                return graph_fail(g, a->name, "two inputs or outputs have this name");
        }
    return 0;
}

int graph_finish(struct graph *g, struct err *e)
{
    check_names(g);
    if (g->err.code)
        return err_set(e, g->err.code, "%s", g->err.msg);
    return 0;
}
