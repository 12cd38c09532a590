/* Cross-entropy with labels or given targets. Labels are the loader's to check: looking at them
 * here would be waiting for the device. */
#include "backend/cuda/cuda.h"

static struct k_xent xent_of(const struct call *c)
{
    const struct tensor *s = c->in[0], *target = c->in[1];
    bool soft = c->attr.soft;
    return (struct k_xent){.n = soft ? s->dim[0] / c->attr.views : target->dim[0],
                           .views = c->attr.views,
                           .k = (int)s->dim[1],
                           .smoothing = c->attr.label_smoothing,
                           .s = s->data,
                           .labels = soft ? NULL : target->data,
                           .soft = soft ? target->data : NULL,
                           .stats = c->out->data,
                           .workspace = c->workspace};
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    const struct tensor *s = c->in[0], *t = c->in[1];
    int64_t rows = c->attr.soft ? t->dim[0] : t->dim[0] * c->attr.views;
    (void)dev;
    if (s->dim[0] != rows || (c->attr.soft && t->dim[1] != s->dim[1]))
        return err_set(e, EXIT_SOFTWARE, "%s: %lld rows of scores for %lld targets", c->name,
                       (long long)s->dim[0], (long long)rows);
    struct k_xent x = xent_of(c);
    c->workspace_bytes = k_xent_workspace(&x);
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    struct k_xent x = xent_of(c);
    return CU(e, k_xent_forward(cuda_of(dev)->compute, &x));
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    struct k_xent x = xent_of(c);
    if (!c->din[0])
        return 0;
    x.ds = c->din[0]->data;
    return CU(e, k_xent_backward(cuda_of(dev)->compute, &x));
}

const struct kernel cuda_xent = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = cuda_done_plain};
