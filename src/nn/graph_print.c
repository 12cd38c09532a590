/* Graphs as text: one line per node in aligned columns, then the totals. And the counts behind. */
#include "nn/graph.h"

#include <string.h>

bool param_trainable(const struct param_spec *spec)
{
    return spec->role != PARAM_MEAN && spec->role != PARAM_VAR;
}

int64_t param_count(const struct param_spec *spec)
{
    int64_t n = 1;
    for (int i = 0; i < spec->ndim; i++)
        n *= spec->dim[i];
    return n;
}

int64_t node_params(const struct graph *g, const struct node *n)
{
    int64_t sum = 0;
    for (int i = 0; i < n->n_in; i++) {
        int p = g->values[n->in[i]].param;
        if (p >= 0 && param_trainable(&g->params[p]))
            sum += param_count(&g->params[p]);
    }
    return sum;
}

int64_t node_flops(const struct graph *g, const struct node *n)
{
    if (n->op != OP_CONV && n->op != OP_LINEAR)
        return 0;
    const int64_t *y = g->values[n->out].dim, *w = g->values[n->in[1]].dim;
    return 2 * y[0] * y[2] * y[3] * w[0] * w[1] * w[2] * w[3];
}

static bool is_activation(const struct value *v)
{
    return v->param < 0;
}

/* "bn1, layer1.0.bn2": where a node takes its activations from. */
static void sources(const struct graph *g, const struct node *n, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < n->n_in && at < size; i++) {
        const struct value *v = &g->values[n->in[i]];
        if (is_activation(v))
            at += (size_t)snprintf(out + at, size - at, "%s%s%s", at ? ", " : "", v->name,
                                   v->detached ? " (detached)" : "");
    }
}

static void kind(const struct node *n, char out[32])
{
    snprintf(out, 32, "%s%s%s", op_name(n->op), n->op == OP_BATCHNORM && n->n_in > 5 ? "+add" : "",
             n->attr.relu ? "+relu" : "");
}

static int name_width(const struct graph *g)
{
    size_t width = 8;
    for (int i = 0; i < g->n_nodes; i++)
        if (strlen(g->nodes[i].name) > width)
            width = strlen(g->nodes[i].name);
    return (int)width;
}

static void print_node(const struct graph *g, const struct node *n, int width, FILE *f)
{
    char op[32], shape[SHAPE_TEXT], from[256];
    const struct value *y = &g->values[n->out];
    kind(n, op);
    sources(g, n, from, sizeof from);
    fprintf(f, "%-*s  %-18s %-18s %-5s %10lld %9.1f  %s\n", width, n->name, op,
            shape_text(shape, y->ndim, y->dim), dtype_name(y->dtype), (long long)node_params(g, n),
            (double)node_flops(g, n) * 1e-6, from);
}

void graph_print(const struct graph *g, FILE *f)
{
    int width = name_width(g);
    int64_t flops = 0, params = 0, stats = 0;
    fprintf(f, "%-*s  %-18s %-18s %-5s %10s %9s  %s\n", width, "node", "op", "output", "type",
            "parameters", "MFLOP", "from");
    for (int i = 0; i < g->n_nodes; i++) {
        print_node(g, &g->nodes[i], width, f);
        flops += node_flops(g, &g->nodes[i]);
    }
    for (int i = 0; i < g->n_params; i++)
        *(param_trainable(&g->params[i]) ? &params : &stats) += param_count(&g->params[i]);
    fprintf(f,
            "%d nodes, %lld parameters in %d tensors (%.1f MiB as f32), %lld running statistics, "
            "%.3f GFLOP forward\n",
            g->n_nodes, (long long)params, g->n_params, (double)params * 4 / 1048576,
            (long long)stats, (double)flops * 1e-9);
}
