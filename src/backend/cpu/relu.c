/* ReLU on activations of any layout: one bit per element is kept for the backward pass. */
#include "backend/cpu/elementwise.h"

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)e;
    if (c->want_backward)
        c->saved_bytes = (size_t)mask_bytes(stored_count(c->in[0]));
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    struct elementwise x = elementwise_of(dev, c->out);
    x.a = c->in[0]->data;
    x.y = c->out->data;
    x.mask = c->want_backward ? c->saved : NULL;
    x.relu = true;
    elementwise_add(dev, &x);
    return 0;
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    struct elementwise x = elementwise_of(dev, c->dout);
    if (!c->din[0])
        return 0;
    x.a = c->dout->data;
    x.y = c->din[0]->data;
    x.mask = c->saved;
    elementwise_gate(dev, &x);
    return 0;
}

static void done(struct device *dev, struct call *c)
{
    (void)dev;
    (void)c;
}

const struct kernel cpu_relu = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
