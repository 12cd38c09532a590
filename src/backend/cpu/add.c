/* The sum of two activations, and the ReLU that may follow it. Both gradients are the same numbers,
 * written twice: din[i] are tensors of their own. */
#include "backend/cpu/elementwise.h"

static bool keeps_mask(const struct call *c)
{
    return c->want_backward && c->attr.relu;
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)e;
    if (keeps_mask(c))
        c->saved_bytes = (size_t)mask_bytes(stored_count(c->in[0]));
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    struct elementwise x = elementwise_of(dev, c->out);
    x.a = c->in[0]->data;
    x.b = c->in[1]->data;
    x.y = c->out->data;
    x.mask = keeps_mask(c) ? c->saved : NULL;
    x.relu = c->attr.relu;
    elementwise_add(dev, &x);
    return 0;
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    struct elementwise x = elementwise_of(dev, c->dout);
    x.a = c->dout->data;
    x.mask = keeps_mask(c) ? c->saved : NULL;
    for (int i = 0; i < 2; i++)
        if (c->din[i]) {
            x.y = c->din[i]->data;
            elementwise_gate(dev, &x);
        }
    return 0;
}

static void done(struct device *dev, struct call *c)
{
    (void)dev;
    (void)c;
}

const struct kernel cpu_add = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
