/*
 * One loss op through the backend's contract, with memory of its own. It does not go through a
 * graph, for a graph's inputs have no gradient.
 */
#include "objective/problem.h"

#include <stdio.h>

enum { ROWS, LABELS, STATS, GRADIENT, SAVED, WORKSPACE, N_TENSORS };

struct memory {
    struct device *dev;
    struct tensor t[N_TENSORS];
};

static int take(struct memory *m, int which, size_t bytes, struct err *e)
{
    m->t[which].bytes = bytes;
    return bytes ? m->dev->class->alloc(m->dev, bytes, &m->t[which].data, e) : 0;
}

static int place(struct memory *m, int which, enum dtype dtype, const int64_t *dim, struct err *e)
{
    struct tensor *t = &m->t[which];
    *t = (struct tensor){
        .dtype = dtype, .ndim = dim[1] ? 2 : 1, .dim = {dim[0], dim[1] ? dim[1] : 1, 1, 1}};
    m->dev->class->layout(m->dev, t);
    return take(m, which, t->bytes, e);
}

static void drop(struct memory *m)
{
    for (int i = 0; i < N_TENSORS; i++)
        if (m->t[i].data)
            m->dev->class->free(m->dev, m->t[i].data, m->t[i].bytes);
}

static int place_all(struct memory *m, const struct loss_problem *p, struct err *e)
{
    const int64_t rows[] = {p->samples * p->views, p->width};
    return place(m, ROWS, DT_F32, rows, e) ||
                   place(m, LABELS, DT_I32, (const int64_t[]){p->samples, 0}, e) ||
                   place(m, STATS, DT_F32, (const int64_t[]){STAT_N, 0}, e) ||
                   place(m, GRADIENT, DT_F32, rows, e)
               ? -1
               : 0;
}

static int ready(struct memory *m, const struct kernel *k, struct call *call, struct err *e)
{
    if (k->prepare(m->dev, call, e) || take(m, SAVED, call->saved_bytes, e) ||
        take(m, WORKSPACE, call->workspace_bytes, e))
        return -1;
    call->saved = m->t[SAVED].data;
    call->workspace = m->t[WORKSPACE].data;
    return k->bind ? k->bind(m->dev, call, e) : 0;
}

static int pass(struct memory *m, const struct kernel *k, struct call *call, struct loss_problem *p,
                struct err *e)
{
    const struct backend_class *class = m->dev->class;
    if (class->upload(m->dev, &m->t[ROWS], p->rows, e) ||
        class->upload(m->dev, &m->t[LABELS], p->labels, e) || k->forward(m->dev, call, e) ||
        class->download(m->dev, &m->t[STATS], p->stats, e))
        return -1;
    if (!p->gradient)
        return 0;
    return k->backward(m->dev, call, e) || class->download(m->dev, &m->t[GRADIENT], p->gradient, e)
               ? -1
               : 0;
}

int loss_solve(struct device *dev, struct loss_problem *p, struct err *e)
{
    struct memory m = {.dev = dev};
    const struct kernel *k = dev->class->kernels[p->objective->loss];
    struct call call = {.op = p->objective->loss,
                        .attr = p->objective->attr(p->conf, p->views),
                        .want_backward = p->gradient != NULL,
                        .n_in = 2,
                        .in = {&m.t[ROWS], &m.t[LABELS]},
                        .out = &m.t[STATS],
                        .din = {p->gradient ? &m.t[GRADIENT] : NULL}};
    snprintf(call.name, sizeof call.name, "%s", p->objective->name);
    if (!k)
        return err_set(e, EXIT_UNAVAILABLE, "%s has no kernel for %s", dev->info.id,
                       op_name(call.op));
    int rc = place_all(&m, p, e);
    if (rc == 0)
        rc = ready(&m, k, &call, e) || pass(&m, k, &call, p, e) ? -1 : 0;
    k->done(dev, &call);
    drop(&m);
    return rc;
}
