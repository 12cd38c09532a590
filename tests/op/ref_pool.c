/*
 * ReLU, add and the pools in double. Maximum: the first of equal values takes the gradient (the
 * cases have no equal values in a window). Average: padding counts, as window * window divides.
 */
#include "op_test.h"
#include <math.h>

static void relu_forward(struct ref_call *c)
{
    for (int64_t i = 0; i < c->out.count; i++)
        c->out.v[i] = c->in[0].v[i] > 0 ? c->in[0].v[i] : 0;
}

static void relu_backward(struct ref_call *c)
{
    for (int64_t i = 0; i < c->out.count; i++)
        c->in[0].d[i] = c->in[0].v[i] > 0 ? c->out.d[i] : 0;
}

static void add_forward(struct ref_call *c)
{
    for (int64_t i = 0; i < c->out.count; i++) {
        double y = c->in[0].v[i] + c->in[1].v[i];
        c->out.v[i] = c->attr.relu && y < 0 ? 0 : y;
    }
}

static void add_backward(struct ref_call *c)
{
    for (int64_t i = 0; i < c->out.count; i++)
        c->in[0].d[i] = c->in[1].d[i] = c->attr.relu && c->out.v[i] <= 0 ? 0 : c->out.d[i];
}

/* Offset of the t-th place of output o's window in x; -1 in the padding. */
static int64_t place(const struct ref_call *c, int64_t o, int64_t t)
{
    const int64_t *x = c->in[0].dim, *y = c->out.dim;
    int64_t row = o / y[3] % y[2] * c->attr.stride - c->attr.pad + t / c->attr.window;
    int64_t col = o % y[3] * c->attr.stride - c->attr.pad + t % c->attr.window;
    if (row < 0 || col < 0 || row >= x[2] || col >= x[3])
        return -1;
    return (o / (y[3] * y[2]) * x[2] + row) * x[3] + col;
}

static int64_t largest(const struct ref_call *c, int64_t o)
{
    int64_t best = -1;
    for (int64_t t = 0; t < c->attr.window * c->attr.window; t++) {
        int64_t i = place(c, o, t);
        if (i >= 0 && (best < 0 || c->in[0].v[i] > c->in[0].v[best]))
            best = i;
    }
    return best;
}

static void maxpool_forward(struct ref_call *c)
{
    for (int64_t o = 0; o < c->out.count; o++)
        c->out.v[o] = c->in[0].v[largest(c, o)];
}

static void zero_dx(struct ref_call *c)
{
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->in[0].d[i] = 0;
}

static void maxpool_backward(struct ref_call *c)
{
    zero_dx(c);
    for (int64_t o = 0; o < c->out.count; o++)
        c->in[0].d[largest(c, o)] += c->out.d[o];
}

static void avgpool_forward(struct ref_call *c)
{
    int64_t taps = c->attr.window * c->attr.window;
    for (int64_t o = 0; o < c->out.count; o++) {
        c->out.v[o] = 0;
        for (int64_t t = 0; t < taps; t++)
            c->out.v[o] += place(c, o, t) >= 0 ? c->in[0].v[place(c, o, t)] / (double)taps : 0;
    }
}

static void avgpool_backward(struct ref_call *c)
{
    int64_t taps = c->attr.window * c->attr.window;
    zero_dx(c);
    for (int64_t o = 0; o < c->out.count; o++)
        for (int64_t t = 0; t < taps; t++)
            if (place(c, o, t) >= 0)
                c->in[0].d[place(c, o, t)] += c->out.d[o] / (double)taps;
}

static void globalpool_forward(struct ref_call *c)
{
    int64_t hw = c->in[0].dim[2] * c->in[0].dim[3];
    for (int64_t o = 0; o < c->out.count; o++)
        c->out.v[o] = 0;
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->out.v[i / hw] += c->in[0].v[i] / (double)hw;
}

static void globalpool_backward(struct ref_call *c)
{
    int64_t hw = c->in[0].dim[2] * c->in[0].dim[3];
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->in[0].d[i] = c->out.d[i / hw] / (double)hw;
}

const struct ref_class ref_relu = {relu_forward, relu_backward, NULL};
const struct ref_class ref_add = {add_forward, add_backward, NULL};
const struct ref_class ref_maxpool = {maxpool_forward, maxpool_backward, NULL};
const struct ref_class ref_avgpool = {avgpool_forward, avgpool_backward, NULL};
const struct ref_class ref_globalpool = {globalpool_forward, globalpool_backward, NULL};
