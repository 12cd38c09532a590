/* Running a plan: a loop over its steps, and the edges where numbers come in and go out. */
#include "nn/plan_impl.h"

#include <string.h>

/* Index of the buffer of an input or output, -1 if there is none of that name. */
static int find(const struct plan *p, const char *name)
{
    for (int i = 0; i < p->graph->n_values; i++) {
        const struct value *v = &p->graph->values[i];
        if ((v->input || v->output) && !strcmp(v->name, name))
            return i;
    }
    return -1;
}

const struct tensor *plan_tensor(const struct plan *p, const char *name)
{
    int i = find(p, name);
    return i < 0 ? NULL : &p->tensors[i];
}

int plan_upload(struct plan *p, const char *input, const void *src, struct err *e)
{
    int i = find(p, input);
    if (i < 0 || !p->graph->values[i].input)
        return err_set(e, EXIT_SOFTWARE, "the plan has no input %s", input);
    return p->dev->class->upload(p->dev, &p->tensors[i], src, e);
}

int plan_download(struct plan *p, const char *output, void *dst, struct err *e)
{
    int i = find(p, output);
    if (i < 0)
        return err_set(e, EXIT_SOFTWARE, "the plan has no output %s", output);
    return p->dev->class->download(p->dev, &p->tensors[i], dst, e);
}

int plan_step(struct plan *p, const struct schedule_step *s, struct err *e)
{
    struct call *c = &p->calls[s->node];
    switch (s->pass) {
    case PASS_FORWARD:
        return plan_kernel(p, s->node)->forward(p->dev, c, e);
    case PASS_BACKWARD:
        return plan_kernel(p, s->node)->backward(p->dev, c, e);
    case PASS_AGAIN:
        return plan_kernel(p, s->node)->again(p->dev, c, &p->tensors[s->y], e);
    case PASS_ACCUMULATE:
        return p->dev->class->accumulate(p->dev, &p->tensors[s->y], &p->tensors[s->x], e);
    }
    return 0;
}

static int run(struct plan *p, int begin, int end, struct err *e)
{
    for (int i = begin; i < end; i++)
        if (plan_step(p, &p->schedule->steps[i], e) < 0)
            return err_prefix(e, "%s", p->calls[p->schedule->steps[i].node].name);
    return 0;
}

int plan_begin(struct plan *p, struct err *e)
{
    return p->multi ? p->dev->class->multi_begin(p->dev, p->multi, e) : 0;
}

int plan_end(struct plan *p, struct err *e)
{
    return p->multi ? p->dev->class->multi_end(p->dev, p->multi, e) : 0;
}

int plan_forward(struct plan *p, struct err *e)
{
    return plan_begin(p, e) < 0 ? -1 : run(p, 0, p->schedule->n_forward, e);
}

int plan_backward(struct plan *p, struct err *e)
{
    if (run(p, p->schedule->n_forward, p->schedule->n_steps, e) < 0)
        return -1;
    return plan_end(p, e);
}

static bool commits(const struct plan *p, int node)
{
    return plan_kernel(p, node)->commit && p->calls[node].attr.training;
}

bool plan_has_statistics(const struct plan *p)
{
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (commits(p, i))
            return true;
    return false;
}

int plan_commit(struct plan *p, const uint32_t *held, struct err *e)
{
    if (p->multi)
        return p->dev->class->multi_commit(p->dev, p->multi, held, e);
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (commits(p, i) && plan_kernel(p, i)->commit(p->dev, &p->calls[i], held, e) < 0)
            return err_prefix(e, "%s", p->calls[i].name);
    return 0;
}

bool plan_trains(const struct plan *p, enum param_group group)
{
    for (int i = 0; i < p->schedule->n_buffers; i++) {
        const struct buffer *b = &p->schedule->buffers[i];
        if (b->kind == BUFFER_PARAM_GRAD &&
            params_find(p->params, p->graph->values[b->value].name)->group == group)
            return true;
    }
    return false;
}

size_t plan_arena_bytes(const struct plan *p)
{
    return p->arena_bytes;
}

/* A pass towards the input and one towards the weights cost as much as the forward pass each. */
int64_t plan_flops(const struct plan *p)
{
    int64_t sum = 0;
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct call *c = &p->calls[i];
        int passes = 1 + (c->din[0] != NULL) + (c->n_in > 1 && c->din[1] != NULL);
        sum += passes * node_flops(p->graph, &p->graph->nodes[i]);
    }
    return sum;
}
