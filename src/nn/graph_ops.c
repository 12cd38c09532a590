/*
 * One builder per op: checks the shapes it is given, names what it makes, and computes the shape of
 * the result. Shapes and numbers of the ops stand in op.h.
 */
#include "nn/graph_impl.h"

#include <math.h>
#include <string.h>

static int64_t window_out(int64_t size, int window, int stride, int pad)
{
    return size + 2 * pad < window ? 0 : (size + 2 * pad - window) / stride + 1;
}

/* Strips the suffix that an unnamed op gave itself: "bn1.relu" -> "bn1". */
void graph_derive_name(const struct graph *g, int x, const char *suffix, char out[64])
{
    const struct value *v = &g->values[x];
    const struct node *n = v->node >= 0 ? &g->nodes[v->node] : NULL;
    char base[64];
    snprintf(base, sizeof base, "%s", n ? n->name : v->name);
    bool own_name = !n || n->op == OP_CONV || n->op == OP_BATCHNORM || n->op == OP_LINEAR;
    char *dot = own_name ? NULL : strrchr(base, '.');
    if (dot)
        *dot = '\0';
    snprintf(out, 64, "%s.%s", base, suffix);
}

int graph_conv(struct graph *g, const char *name, int x, int64_t out, int size, int stride, int pad,
               bool bias)
{
    if (!graph_expect(g, name, x, 4))
        return -1;
    const int64_t *d = g->values[x].dim;
    int64_t dim[4] = {d[0], out, window_out(d[2], size, stride, pad),
                      window_out(d[3], size, stride, pad)};
    struct node n = {.op = OP_CONV, .attr = {.stride = stride, .pad = pad}, .n_in = 2 + bias};
    snprintf(n.name, sizeof n.name, "%s", name);
    n.in[0] = x;
    n.in[1] = graph_param(g, name, "weight", PARAM_WEIGHT, 4, (int64_t[]){out, d[1], size, size});
    if (bias)
        n.in[2] = graph_param(g, name, "bias", PARAM_BIAS, 1, (int64_t[]){out});
    return graph_node(g, &n, g->compute, 4, dim);
}

int graph_batchnorm(struct graph *g, const char *name, int x)
{
    if (!graph_expect(g, name, x, 4))
        return -1;
    int64_t dim[4];
    memcpy(dim, g->values[x].dim, sizeof dim);
    struct node n = {.op = OP_BATCHNORM,
                     .attr = {.training = g->training, .momentum = 0.1f, .eps = 1e-5f},
                     .n_in = 5};
    snprintf(n.name, sizeof n.name, "%s", name);
    if (g->training && dim[0] * dim[2] * dim[3] < 2)
        return graph_fail(g, name,
                          "batch statistics need more than one value per channel; the "
                          "batch holds one image of 1x1");
    static const struct {
        const char *suffix;
        enum param_role role;
    } params[] = {{"weight", PARAM_SCALE},
                  {"bias", PARAM_SHIFT},
                  {"running_mean", PARAM_MEAN},
                  {"running_var", PARAM_VAR}};
    n.in[0] = x;
    for (int i = 0; i < 4; i++)
        n.in[1 + i] = graph_param(g, name, params[i].suffix, params[i].role, 1, &dim[1]);
    return graph_node(g, &n, g->values[x].dtype, 4, dim);
}

/* An unnamed op whose output has the shape of its first input. */
static int same_shape(struct graph *g, struct node *n, const char *suffix)
{
    struct value v = g->values[n->in[0]];
    graph_derive_name(g, n->in[0], suffix, n->name);
    return graph_node(g, n, v.dtype, v.ndim, v.dim);
}

int graph_relu(struct graph *g, int x)
{
    if (g->err.code ||
        !graph_expect(g, "relu", x, x >= 0 && x < g->n_values ? g->values[x].ndim : 4))
        return -1;
    return same_shape(g, &(struct node){.op = OP_RELU, .n_in = 1, .in = {x}}, "relu");
}

int graph_add(struct graph *g, int a, int b)
{
    int ndim = !g->err.code && a >= 0 && a < g->n_values ? g->values[a].ndim : 4;
    if (!graph_expect(g, "add", a, ndim) || !graph_expect(g, "add", b, ndim))
        return -1;
    const struct value *u = &g->values[a], *v = &g->values[b];
    char s[SHAPE_TEXT], t[SHAPE_TEXT];
    if (memcmp(u->dim, v->dim, sizeof u->dim))
        return graph_fail(g, "add", "%s has shape %s, but %s has shape %s", u->name,
                          shape_text(s, ndim, u->dim), v->name, shape_text(t, ndim, v->dim));
    return same_shape(g, &(struct node){.op = OP_ADD, .n_in = 2, .in = {a, b}}, "add");
}

static int pool(struct graph *g, enum op op, int x, const struct op_attr *attr)
{
    if (!graph_expect(g, op_name(op), x, 4))
        return -1;
    struct value v = g->values[x];
    struct node n = {.op = op, .attr = *attr, .n_in = 1, .in = {x}};
    graph_derive_name(g, x, op_name(op), n.name);
    for (int i = 2; i < 4; i++)
        v.dim[i] = window_out(v.dim[i], attr->window, attr->stride, attr->pad);
    return graph_node(g, &n, v.dtype, 4, v.dim);
}

int graph_maxpool(struct graph *g, int x, int window, int stride, int pad)
{
    return pool(g, OP_MAXPOOL, x,
                &(struct op_attr){.window = window, .stride = stride, .pad = pad});
}

int graph_avgpool(struct graph *g, int x, int window, int stride, int pad)
{
    return pool(g, OP_AVGPOOL, x,
                &(struct op_attr){.window = window, .stride = stride, .pad = pad});
}

int graph_globalpool(struct graph *g, int x)
{
    if (!graph_expect(g, "globalpool", x, 4))
        return -1;
    struct node n = {.op = OP_GLOBALPOOL, .n_in = 1, .in = {x}};
    graph_derive_name(g, x, "globalpool", n.name);
    int64_t dim[2] = {g->values[x].dim[0], g->values[x].dim[1]};
    return graph_node(g, &n, DT_F32, 2, dim);
}

int graph_linear(struct graph *g, const char *name, int x, int64_t out)
{
    if (!graph_expect(g, name, x, 2))
        return -1;
    int64_t rows = g->values[x].dim[0], in = g->values[x].dim[1];
    struct node n = {.op = OP_LINEAR, .n_in = 3, .in = {x}};
    snprintf(n.name, sizeof n.name, "%s", name);
    n.in[1] = graph_param(g, name, "weight", PARAM_WEIGHT, 2, (int64_t[]){out, in});
    n.in[2] = graph_param(g, name, "bias", PARAM_BIAS, 1, &out);
    return graph_node(g, &n, DT_F32, 2, (int64_t[]){rows, out});
}

int graph_l2norm(struct graph *g, int x)
{
    if (!graph_expect(g, "l2norm", x, 2))
        return -1;
    return same_shape(g, &(struct node){.op = OP_L2NORM, .n_in = 1, .in = {x}}, "l2norm");
}

/* Labels are i32 [N], of which each row v*N+n of the R = V*N rows takes one. */
static bool check_labels(struct graph *g, const char *name, int x, int labels, int views)
{
    if (!graph_expect(g, name, x, 2) || !graph_expect(g, name, labels, 1))
        return false;
    const struct value *v = &g->values[labels];
    int64_t rows = g->values[x].dim[0];
    if (v->dtype == DT_I32 && views >= 1 && v->dim[0] * views == rows)
        return true;
    graph_fail(g, name, "%lld rows in %d views need %lld labels of type i32, found %lld of type %s",
               (long long)rows, views, (long long)(views > 0 ? rows / views : 0),
               (long long)v->dim[0], dtype_name(v->dtype));
    return false;
}

static bool check_soft(struct graph *g, const char *name, int scores, int target)
{
    if (!graph_expect(g, name, scores, 2) || !graph_expect(g, name, target, 2))
        return false;
    const struct value *s = &g->values[scores], *t = &g->values[target];
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (t->dtype == DT_F32 && !memcmp(s->dim, t->dim, sizeof s->dim))
        return true;
    graph_fail(g, name, "scores of shape %s need soft targets of the same shape, found %s",
               shape_text(a, 2, s->dim), shape_text(b, 2, t->dim));
    return false;
}

static int loss(struct graph *g, const char *name, const struct node *like)
{
    struct node n = *like;
    n.n_in = 2;
    snprintf(n.name, sizeof n.name, "%s", name);
    int id = graph_node(g, &n, DT_F32, 1, (int64_t[]){STAT_N});
    graph_output(g, name, id);
    return g->err.code ? -1 : id;
}

int graph_xent(struct graph *g, const char *name, int scores, int target,
               const struct op_attr *attr)
{
    if (attr->soft ? !check_soft(g, name, scores, target)
                   : !check_labels(g, name, scores, target, attr->views))
        return -1;
    if (!(attr->label_smoothing >= 0 && attr->label_smoothing < 1))
        return graph_fail(g, name, "label smoothing is %g, expected 0 <= epsilon < 1",
                          (double)attr->label_smoothing);
    return loss(g, name, &(struct node){.op = OP_XENT, .attr = *attr, .in = {scores, target}});
}

int graph_contrastive(struct graph *g, const char *name, int z, int labels,
                      const struct op_attr *attr)
{
    if (!check_labels(g, name, z, labels, attr->views))
        return -1;
    if (!(attr->temperature > 0) || !isfinite(attr->temperature) || !(attr->scale > 0) ||
        !isfinite(attr->scale))
        return graph_fail(g, name, "temperature %g and scale %g must be above 0",
                          (double)attr->temperature, (double)attr->scale);
    return loss(g, name, &(struct node){.op = OP_CONTRASTIVE, .attr = *attr, .in = {z, labels}});
}
