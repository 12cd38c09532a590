/* Plans as text, one line per step in aligned columns, and the time of each step alone. */
#include "nn/plan_impl.h"

#include "base/median.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const pass_names[] = {[PASS_FORWARD] = "forward",
                                         [PASS_BACKWARD] = "backward",
                                         [PASS_ACCUMULATE] = "accumulate",
                                         [PASS_AGAIN] = "again"};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* What the kernel measured when it chose; backward is data and weights together. */
static double chosen_ms(const struct call *c, enum pass pass)
{
    return pass == PASS_FORWARD ? c->ms[0] : pass == PASS_BACKWARD ? c->ms[1] + c->ms[2] : 0;
}

static void algorithm(const struct call *c, enum pass pass, char out[96])
{
    const char *data = c->algorithm[1], *weights = c->algorithm[2];
    bool same = !*weights || !strcmp(data, weights);
    out[0] = '\0';
    if (pass == PASS_FORWARD)
        snprintf(out, 96, "%s", c->algorithm[0]);
    else if (pass == PASS_BACKWARD)
        snprintf(out, 96, "%s%s%s", data, *data && !same ? ", weights " : "", same ? "" : weights);
}

static int name_width(const struct plan *p)
{
    size_t width = 4;
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (strlen(p->calls[i].name) > width)
            width = strlen(p->calls[i].name);
    return (int)width;
}

/* The buffer a step writes: its output, or its first gradient within the arena. */
static int written(const struct plan *p, const struct schedule_step *s)
{
    const struct schedule_node *n = &p->schedule->nodes[s->node];
    if (s->pass == PASS_FORWARD)
        return n->out;
    if (s->pass == PASS_ACCUMULATE || s->pass == PASS_AGAIN)
        return s->y;
    for (int i = 0; i < p->calls[s->node].n_in; i++)
        if (n->din[i] >= 0)
            return n->din[i];
    return n->out;
}

static void print_step(const struct plan *p, int i, int width, FILE *f)
{
    const struct schedule_step *s = &p->schedule->steps[i];
    const struct call *c = &p->calls[s->node];
    const struct tensor *t = &p->tensors[written(p, s)];
    const struct extent *x = &p->extents[written(p, s)];
    char shape[SHAPE_TEXT], how[96], offset[32] = "-", op[32], ms[24] = "-";
    double took = p->step_ms ? p->step_ms[i] : chosen_ms(c, s->pass);
    algorithm(c, s->pass, how);
    snprintf(op, sizeof op, "%s%s%s", op_name(c->op), c->n_in > 5 ? "+add" : "",
             c->attr.relu ? "+relu" : "");
    if (x->bytes && !p->separate)
        snprintf(offset, sizeof offset, "%zu", x->offset);
    if (took > 0)
        snprintf(ms, sizeof ms, "%.3f", took);
    fprintf(f, "%4d  %-10s  %-*s  %-18s %-18s %-5s %11zu %12s %11zu %9s  %s\n", i,
            pass_names[s->pass], width, c->name, op, shape_text(shape, t->ndim, t->dim),
            dtype_name(t->dtype), t->bytes, offset, c->saved_bytes, ms, how);
}

/* What is not in the arena. The copy is the one that checkpoints are written from. */
static void print_store(const struct params *p, FILE *f)
{
    double mib = (double)p->n_trainable * sizeof(float) / 1048576;
    double stats = (double)p->n_stats * sizeof(float) / 1048576;
    int slots = (p->slot[0] != NULL) + (p->slot[1] != NULL);
    fprintf(f,
            "parameters %.1f MiB, gradients %.1f MiB, optimizer state %.1f MiB, running statistics "
            "%.1f MiB; in host memory, a copy for checkpoints %.1f MiB\n",
            mib, mib, slots * mib, stats, (1 + slots) * mib + stats);
}

void plan_print(const struct plan *p, FILE *f)
{
    int width = name_width(p);
    fprintf(f, "%4s  %-10s  %-*s  %-18s %-18s %-5s %11s %12s %11s %9s  %s\n", "step", "pass", width,
            "node", "op", "writes", "type", "bytes", "offset", "saved", "ms", "algorithm");
    double sum = 0;
    for (int i = 0; i < p->schedule->n_steps; i++) {
        const struct schedule_step *s = &p->schedule->steps[i];
        print_step(p, i, width, f);
        sum += p->step_ms ? p->step_ms[i] : chosen_ms(&p->calls[s->node], s->pass);
    }
    fprintf(
        f,
        "%d steps, arena %.1f MiB (never more than %.1f MiB alive at once), workspace %.1f MiB, "
        "%.3f GFLOP, %.3f ms where timed\n",
        p->schedule->n_steps, (double)p->arena_bytes / 1048576, (double)p->floor_bytes / 1048576,
        (double)p->extents[p->schedule->n_buffers].bytes / 1048576, (double)plan_flops(p) * 1e-9,
        sum);
    print_store(p->params, f);
}

/* Step i, or what is done for all of them: before them (-1), or after them (n_steps). */
static int do_part(struct plan *p, int i, struct err *e)
{
    int rc = i < 0                       ? plan_begin(p, e)
             : i == p->schedule->n_steps ? plan_end(p, e)
                                         : plan_step(p, &p->schedule->steps[i], e);
    return rc < 0 ? -1 : p->dev->class->sync(p->dev, e);
}

/* Median over `reps` runs of one part; `times` has room for them. */
static int time_part(struct plan *p, int i, int reps, double *times, double *ms, struct err *e)
{
    for (int r = 0; r < reps; r++) {
        double start = now_ms();
        if (do_part(p, i, e) < 0)
            return -1;
        times[r] = now_ms() - start;
    }
    *ms = median(times, reps);
    return 0;
}

int plan_profile(struct plan *p, int reps, double *sum_ms, struct err *e)
{
    double *times = calloc((size_t)reps + 1, sizeof *times);
    if (!p->step_ms)
        p->step_ms = calloc((size_t)p->schedule->n_steps + 1, sizeof *p->step_ms);
    int rc = times && p->step_ms ? 0 : err_set(e, EXIT_OS, "out of memory for a profile");
    int n = p->schedule->n_steps;
    *sum_ms = 0;
    for (int i = p->multi ? -1 : 0; rc == 0 && i < n + (p->multi != NULL); i++) {
        double ms = 0;
        rc = time_part(p, i, reps, times, &ms, e);
        *sum_ms += ms;
        if (i >= 0 && i < n)
            p->step_ms[i] = ms;
    }
    free(times);
    return rc;
}
