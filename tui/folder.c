/* What others do in the run's folder; see folder.h. */
#include "tui/folder.h"

#include "engine/checkpoint.h"
#include "engine/linear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOK_USEC = 2000000 };

struct look {
    const struct model *model;
    int64_t now_usec;
    folder_found *found;
    void *ctx;
};

static void tell(const struct look *l, struct event *e)
{
    e->usec = l->now_usec;
    e->replayed = true;
    l->found(l->ctx, e);
}

/* Whether DIR/NAME has changed since *seen, which is brought up to date. */
static bool changed(const char *dir, const char *name, struct timespec *seen)
{
    char path[PATH_BYTES];
    struct stat st;
    if (path_join(path, dir, name, NULL) != 0 || stat(path, &st) != 0)
        return false;
    bool differs = st.st_mtim.tv_sec != seen->tv_sec || st.st_mtim.tv_nsec != seen->tv_nsec;
    *seen = st.st_mtim;
    return differs;
}

/* The rows are copied first: an event may change the table. */
static void look_for_gone(const struct look *l)
{
    char dir[PATH_BYTES], path[PATH_BYTES];
    int64_t gone[MODEL_CHECKPOINTS];
    int n = 0;
    struct err ignored;
    if (path_join(dir, l->model->dir, "checkpoints", NULL) != 0)
        return;
    for (int i = 0; i < l->model->n_ckpt; i++) {
        const struct checkpoint_row *row = &l->model->ckpt[i];
        if (!row->pruned && checkpoint_path(dir, row->step, path, &ignored) == 0 &&
            !path_exists(path))
            gone[n++] = row->step;
    }
    for (int i = 0; i < n; i++) {
        struct event e = {.kind = EV_PRUNED};
        e.u.ckpt.step = gone[i];
        tell(l, &e);
    }
}

static const struct checkpoint_row *row_of(const struct model *m, int64_t step)
{
    for (int i = 0; i < m->n_ckpt; i++)
        if (m->ckpt[i].step == step)
            return &m->ckpt[i];
    return NULL;
}

static void tell_result(const struct look *l, const struct linear_result *r)
{
    const struct checkpoint_row *row = row_of(l->model, r->step);
    struct event e = {.kind = EV_LINEAR_DONE};
    if (!isfinite(r->top1) || (row && row->linear1 == r->top1 && row->linear5 == r->top5))
        return;
    e.u.linres.step = r->step;
    e.u.linres.top1 = r->top1;
    e.u.linres.top5 = r->top5;
    e.u.linres.loss = r->loss;
    e.u.linres.lr = r->lr;
    e.u.linres.valid_top1 = r->valid_top1;
    e.u.linres.sec = r->sec;
    e.u.linres.n_rates = r->n_rates;
    snprintf(e.u.linres.data, sizeof e.u.linres.data, "%.*s", (int)sizeof e.u.linres.data - 1,
             r->data);
    tell(l, &e);
}

static void look_for_results(const struct look *l)
{
    struct linear_result *result;
    struct err ignored = {0};
    int n;
    if (linear_results(l->model->dir, &result, &n, &ignored) != 0)
        return;
    for (int i = 0; i < n; i++)
        tell_result(l, &result[i]);
    free(result);
}

void folder_look(struct folder *f, const struct model *m, int64_t now_usec, folder_found *found,
                 void *ctx)
{
    struct look l = {.model = m, .now_usec = now_usec, .found = found, .ctx = ctx};
    int64_t since = now_usec - f->looked;
    /* the console's own evaluation stores its result before it tells of it */
    if (!m->dir[0] || m->evaluating || (since >= 0 && since < LOOK_USEC))
        return;
    f->looked = now_usec;
    bool results = changed(m->dir, "linear", &f->linear);
    bool checkpoints = changed(m->dir, "checkpoints", &f->checkpoints);
    if (results)
        look_for_results(&l);
    if (checkpoints || results || m->n_ckpt != f->n_rows)
        look_for_gone(&l);
    f->n_rows = m->n_ckpt;
}
