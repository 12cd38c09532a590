/*
 * Convolution and linear layers in double: y[n,k,p,q] = b[k] + sum x[n,c,p*s-pad+i,q*s-pad+j]
 * w[k,c,i,j]. The three passes visit the same index tuples, so that one loop with a callback serves
 * them all.
 */
#include "op_test.h"

struct tap { /* one product of the sum: offsets into x, w, y */
    int64_t x, w, y;
};

static void each_tap(struct ref_call *c, void (*visit)(struct ref_call *, struct tap))
{
    const int64_t *x = c->in[0].dim, *w = c->in[1].dim, *y = c->out.dim;
    int64_t s = c->attr.stride, pad = c->attr.pad, inner = w[1] * w[2] * w[3];
    for (int64_t o = 0; o < c->out.count; o++) {
        int64_t q = o % y[3], p = o / y[3] % y[2], k = o / (y[3] * y[2]) % y[1],
                n = o / (y[3] * y[2] * y[1]);
        for (int64_t t = 0; t < inner; t++) {
            int64_t j = t % w[3], i = t / w[3] % w[2], ch = t / (w[3] * w[2]);
            int64_t row = p * s - pad + i, col = q * s - pad + j;
            if (row < 0 || col < 0 || row >= x[2] || col >= x[3])
                continue;
            visit(c, (struct tap){((n * x[1] + ch) * x[2] + row) * x[3] + col, k * inner + t, o});
        }
    }
}

static void zero(double *d, int64_t n)
{
    for (int64_t i = 0; d && i < n; i++)
        d[i] = 0;
}

static void tap_y(struct ref_call *c, struct tap t)
{
    c->out.v[t.y] += c->in[0].v[t.x] * c->in[1].v[t.w];
}

static void tap_dx(struct ref_call *c, struct tap t)
{
    c->in[0].d[t.x] += c->out.d[t.y] * c->in[1].v[t.w];
}

static void tap_dw(struct ref_call *c, struct tap t)
{
    c->in[1].d[t.w] += c->out.d[t.y] * c->in[0].v[t.x];
}

static int64_t channel_of(const struct ref_tensor *t, int64_t i)
{
    return i / (t->dim[2] * t->dim[3]) % t->dim[1];
}

static void conv_forward(struct ref_call *c)
{
    for (int64_t o = 0; o < c->out.count; o++)
        c->out.v[o] = c->n_in > 2 ? c->in[2].v[channel_of(&c->out, o)] : 0;
    each_tap(c, tap_y);
}

static void conv_backward(struct ref_call *c)
{
    zero(c->in[0].d, c->in[0].count);
    zero(c->in[1].d, c->in[1].count);
    if (c->in[0].d)
        each_tap(c, tap_dx);
    each_tap(c, tap_dw);
    if (c->n_in < 3)
        return;
    zero(c->in[2].d, c->in[2].count);
    for (int64_t o = 0; o < c->out.count; o++)
        c->in[2].d[channel_of(&c->out, o)] += c->out.d[o];
}

static void linear_forward(struct ref_call *c)
{
    int64_t width = c->in[0].dim[1], k = c->out.dim[1];
    for (int64_t o = 0; o < c->out.count; o++) {
        double y = c->in[2].v[o % k];
        for (int64_t j = 0; j < width; j++)
            y += c->in[0].v[o / k * width + j] * c->in[1].v[o % k * width + j];
        c->out.v[o] = c->attr.relu && y < 0 ? 0 : y;
    }
}

static void linear_backward(struct ref_call *c)
{
    int64_t width = c->in[0].dim[1], k = c->out.dim[1];
    for (int i = 0; i < 3; i++)
        zero(c->in[i].d, c->in[i].count);
    for (int64_t o = 0; o < c->out.count; o++) {
        double g = c->attr.relu && c->out.v[o] <= 0 ? 0 : c->out.d[o];
        c->in[2].d[o % k] += g;
        for (int64_t j = 0; j < width; j++) {
            int64_t x = o / k * width + j, w = o % k * width + j;
            if (c->in[0].d)
                c->in[0].d[x] += g * c->in[1].v[w];
            c->in[1].d[w] += g * c->in[0].v[x];
        }
    }
}

const struct ref_class ref_conv = {conv_forward, conv_backward, NULL};
const struct ref_class ref_linear = {linear_forward, linear_backward, NULL};
