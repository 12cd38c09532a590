/*
 * The step; see step.h. The report lies in device memory with the verdict in it: judge() sets it,
 * commit and update read it, and the whole is posted to the host when the step is done.
 */
#include "nn/step.h"

#include "base/file.h" /* clock_usec */
#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_TRIES = 2 };

struct step {
    struct device *dev;
    struct plan *plan;
    struct params *params;
    const struct optim_class *rule[GROUP_N]; /* NULL: the group is not trained */
    const struct tensor *losses[STEP_LOSSES];
    int n_losses;
    bool has_statistics;

    struct step_report *report; /* device memory */
    struct optim_hyper *hyper;  /* device memory, [GROUP_N] */
    void *recording;            /* NULL: none yet, or the backend cannot */
    int failures;               /* recordings that failed */
    int64_t submitted, fetched;
};

static int find_losses(struct step *s, const char *const *names, struct err *e)
{
    for (; *names; names++) {
        const struct tensor *t = plan_tensor(s->plan, *names);
        if (!t || s->n_losses == STEP_LOSSES)
            return err_set(e, EXIT_SOFTWARE, "the plan has no loss %s", *names);
        s->losses[s->n_losses++] = t;
    }
    return 0;
}

static int alloc(struct step *s, struct err *e)
{
    void *report, *hyper;
    const struct backend_class *c = s->dev->class;
    if (c->alloc(s->dev, sizeof *s->report, &report, e) != 0)
        return -1;
    s->report = report;
    if (c->alloc(s->dev, GROUP_N * sizeof *s->hyper, &hyper, e) != 0)
        return -1;
    s->hyper = hyper;
    return 0;
}

int step_new(struct step **out, struct device *dev, struct plan *plan, struct params *params,
             const struct optim_class *const rules[GROUP_N], const char *const *losses,
             struct err *e)
{
    struct step *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, EXIT_OS, "out of memory for the training step");
    *s = (struct step){.dev = dev, .plan = plan, .params = params};
    for (int g = 0; g < GROUP_N; g++)
        if (params->group[g].end > params->group[g].begin && plan_trains(plan, (enum param_group)g))
            s->rule[g] = rules[g];
    s->has_statistics = plan_has_statistics(plan);
    if (find_losses(s, losses, e) == 0 && alloc(s, e) == 0)
        return 0;
    step_free(s);
    *out = NULL;
    return -1;
}

void step_free(struct step *s)
{
    struct err ignored;
    if (!s)
        return;
    const struct backend_class *c = s->dev->class;
    if (step_pending(s) > 0)
        c->sync(s->dev, &ignored);
    if (s->recording)
        c->record_free(s->dev, s->recording);
    if (s->report)
        c->free(s->dev, s->report, sizeof *s->report);
    if (s->hyper)
        c->free(s->dev, s->hyper, GROUP_N * sizeof *s->hyper);
    free(s);
}

int step_depth(const struct step *s)
{
    return s->dev->class->depth;
}

int step_pending(const struct step *s)
{
    return (int)(s->submitted - s->fetched);
}

static int measure(struct step *s, struct err *e)
{
    const struct backend_class *c = s->dev->class;
    struct step_report *r = s->report;
    for (int i = 0; i < s->n_losses; i++)
        if (c->copy(s->dev, r->stat[i], s->losses[i]->data, sizeof r->stat[i], e) != 0)
            return -1;
    for (int g = 0; g < GROUP_N; g++) {
        int64_t begin = s->params->group[g].begin, n = s->params->group[g].end - begin;
        if (s->rule[g] &&
            c->sum_squares(s->dev, s->params->grad + begin, n, &r->squares[g], e) != 0)
            return -1;
    }
    return c->judge(s->dev, s->n_losses, r->stat[0], GROUP_N, r->squares, &r->held, e);
}

static int update(struct step *s, int g, struct err *e)
{
    const struct params *p = s->params;
    int64_t begin = p->group[g].begin;
    struct update u = {
        .rule = s->rule[g],
        .n = p->group[g].end - begin,
        .w = p->value + begin,
        .g = p->grad + begin,
        .slot = {p->slot[0] ? p->slot[0] + begin : NULL, p->slot[1] ? p->slot[1] + begin : NULL},
        .hyper = &s->hyper[g],
        .held = &s->report->held};
    return s->dev->class->update(s->dev, &u, e);
}

/* What follows the backward pass. */
static int learn(struct step *s, struct err *e)
{
    if (measure(s, e) != 0 || plan_commit(s->plan, &s->report->held, e) != 0)
        return -1;
    for (int g = 0; g < GROUP_N; g++)
        if (s->rule[g] && update(s, g, e) != 0)
            return -1;
    return 0;
}

static int body(struct step *s, struct err *e)
{
    if (plan_forward(s->plan, e) != 0 || plan_backward(s->plan, e) != 0)
        return -1;
    return learn(s, e);
}

static int record(struct step *s, struct err *e)
{
    const struct backend_class *c = s->dev->class;
    struct err why = {0}, ignored;
    if (c->record_begin(s->dev, e) != 0)
        return -1;
    if (body(s, &why) == 0)
        return c->record_end(s->dev, &s->recording, e);
    c->record_end(s->dev, &s->recording, &ignored);
    *e = why;
    return -1;
}

/* The first step is done call by call: libraries settle what they put off until they are used. So
 * is one whose recording fails, which has done nothing of it, and all are where it fails again: the
 * backend may have a plainer way. */
static int perform(struct step *s, struct err *e)
{
    const struct backend_class *c = s->dev->class;
    if (!c->record_begin || s->submitted == 0 || s->failures == RECORD_TRIES)
        return body(s, e);
    if (s->recording || record(s, e) == 0)
        return c->replay(s->dev, s->recording, e);
    if (e->code == EXIT_UNAVAILABLE)
        return -1;
    s->failures++;
    log_warn("the step could not be recorded%s: %s",
             s->failures < RECORD_TRIES ? ", which is tried once more"
                                        : " and is run call by call, which is slower",
             e->msg);
    *e = (struct err){0};
    return body(s, e);
}

int step_submit(struct step *s, const struct optim_hyper hyper[GROUP_N], struct err *e)
{
    const struct backend_class *c = s->dev->class;
    if (step_pending(s) >= c->depth)
        return err_set(e, EXIT_SOFTWARE, "more than %d steps are on their way", c->depth);
    if (c->write(s->dev, s->hyper, hyper, GROUP_N * sizeof *hyper, e) != 0 || perform(s, e) != 0)
        return -1;
    if (c->post(s->dev, (int)(s->submitted % c->depth), s->report, sizeof *s->report, e) != 0)
        return -1;
    s->submitted++;
    return 0;
}

int step_fetch(struct step *s, struct step_report *r, bool wait, struct err *e)
{
    const struct backend_class *c = s->dev->class;
    if (step_pending(s) == 0)
        return 0;
    int got = c->fetch(s->dev, (int)(s->fetched % c->depth), r, sizeof *r, wait, e);
    if (got <= 0)
        return got;
    s->fetched++;
    s->params->batches += s->has_statistics && !r->held;
    return 1;
}

int step_clear(struct step *s, struct err *e)
{
    static const uint32_t none = 0;
    return s->dev->class->write(s->dev, &s->report->held, &none, sizeof none, e);
}

int step_profile(struct step *s, int reps, double *sum_ms, struct err *e)
{
    double least = HUGE_VAL;
    for (int i = 0; i < reps; i++) {
        int64_t start = clock_usec();
        if (learn(s, e) != 0 || s->dev->class->sync(s->dev, e) != 0)
            return -1;
        least = fmin(least, (double)(clock_usec() - start) / 1000);
    }
    if (plan_profile(s->plan, reps, sum_ms, e) != 0)
        return -1;
    *sum_ms += least;
    return 0;
}
