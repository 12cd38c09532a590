/* Linear evaluations as events: see linear_event.h. */
#include "engine/linear_event.h"

#include <stdio.h>

struct event linear_progress_event(const struct linear_progress *p)
{
    struct event ev = {.kind = EV_LINEAR_ITER};
    ev.u.lin.step = p->step;
    ev.u.lin.epoch = p->epoch;
    ev.u.lin.epochs = p->epochs;
    ev.u.lin.iter = p->iter;
    ev.u.lin.iters = p->iters;
    ev.u.lin.giter = p->giter;
    ev.u.lin.loss = p->loss;
    ev.u.lin.acc = p->acc;
    ev.u.lin.n_rates = p->n_rates;
    ev.u.lin.lr = p->lr;
    return ev;
}

struct event linear_result_event(const struct linear_result *r)
{
    struct event ev = {.kind = EV_LINEAR_DONE};
    ev.u.linres.step = r->step;
    ev.u.linres.top1 = r->top1;
    ev.u.linres.top5 = r->top5;
    ev.u.linres.loss = r->loss;
    ev.u.linres.lr = r->lr;
    ev.u.linres.valid_top1 = r->valid_top1;
    ev.u.linres.sec = r->sec;
    ev.u.linres.n_rates = r->n_rates;
    snprintf(ev.u.linres.data, sizeof ev.u.linres.data, "%s", r->data);
    return ev;
}
