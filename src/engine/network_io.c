/*
 * Weights as files; see network.h. Everything is checked before the first number is taken, so that
 * a refused file changes nothing.
 */
#include "base/conf.h"
#include "base/safetensors.h"
#include "engine/network_match.h"

#include <stdlib.h>
#include <string.h>

static const char counter_suffix[] = ".num_batches_tracked";

/* Groups that files of weights hold; the probe belongs to a run, not to a model. */
static bool is_saved(const struct network *net, enum param_group group)
{
    return group == GROUP_ENCODER ||
           ((group == GROUP_PROJECTION || group == GROUP_FC) && net->live[group]);
}

/* "bn1.running_mean" -> "bn1.num_batches_tracked"; false for parameters of other roles. */
static bool counter_name(const struct param *item, char out[96])
{
    const char *dot = strrchr(item->spec.name, '.');
    if (item->spec.role != PARAM_MEAN || !dot)
        return false;
    snprintf(out, 96, "%.*s%s", (int)(dot - item->spec.name), item->spec.name, counter_suffix);
    return true;
}

static bool is_counter(const struct network *net, const char *name)
{
    char expected[96];
    for (int i = 0; i < net->params->n; i++)
        if (counter_name(&net->params->items[i], expected) && !strcmp(expected, name))
            return true;
    return false;
}

static const char *candidate(void *ctx, int i)
{
    const struct params *p = ctx;
    return i < p->n ? p->items[i].spec.name : NULL;
}

static int unknown(const struct network *net, const struct st_file *f, const char *name,
                   struct err *e)
{
    const char *near = nearest_word(name, candidate, net->params);
    return err_set(e, EXIT_DATA,
                   "%s: tensor %s does not belong to a %s with stem %s%s%s; names are those of "
                   "torchvision, the projection head is projection.0 and projection.2",
                   f->path, name, net->arch->name, net->model.stem, near ? ", nearest is " : "",
                   near ? near : "");
}

/* Why the shape of a head may differ. */
static const char *const hints[GROUP_N] = {
    [GROUP_PROJECTION] = "; model.projection_dim differs?",
    [GROUP_FC] = "; another number of classes?",
};

static int check_tensor(const struct network *net, const struct st_file *f,
                        const struct st_tensor *t, struct err *e)
{
    char found[SHAPE_TEXT], expected[SHAPE_TEXT];
    const struct param *item = params_find(net->params, t->name);
    if (!item && !is_counter(net, t->name))
        return unknown(net, f, t->name, e);
    int ndim = item ? item->spec.ndim : 0;
    bool same = t->ndim == ndim || (!item && t->count == 1);
    for (int i = 0; same && i < ndim; i++)
        same = t->dim[i] == item->spec.dim[i];
    if (same)
        return 0;
    return err_set(e, EXIT_DATA, "%s: tensor %s has shape %s, expected %s for a %s with stem %s%s",
                   f->path, t->name, shape_text(found, t->ndim, t->dim),
                   shape_text(expected, ndim, item ? item->spec.dim : NULL), net->arch->name,
                   net->model.stem, item && hints[item->group] ? hints[item->group] : "");
}

/* The encoder must be whole, and so must each head of which there is anything. */
static int check_complete(const struct network *net, const struct st_file *f, bool has[GROUP_N],
                          struct err *e)
{
    has[GROUP_ENCODER] = true;
    for (int i = 0; i < f->n; i++) {
        const struct param *item = params_find(net->params, f->tensors[i].name);
        if (item)
            has[item->group] = true;
    }
    for (int i = 0; i < net->params->n; i++) {
        const struct param *item = &net->params->items[i];
        if (has[item->group] && !st_find(f, item->spec.name))
            return err_set(e, EXIT_DATA, "%s: tensor %s is missing; a %s with stem %s needs it",
                           f->path, item->spec.name, net->arch->name, net->model.stem);
    }
    return 0;
}

static int take_counter(struct network *net, const struct st_file *f, const struct st_tensor *t,
                        struct err *e)
{
    double batches;
    if (st_read_f64(f, t, &batches, e) < 0)
        return -1;
    if (!(batches >= 0 && batches < 0x1p53))
        return err_set(e, EXIT_DATA, "%s: tensor %s is %g, expected a count", f->path, t->name,
                       batches);
    if ((int64_t)batches > net->params->batches)
        net->params->batches = (int64_t)batches;
    return 0;
}

static int take(struct network *net, const struct st_file *f, const struct st_tensor *t,
                struct err *e)
{
    const struct param *item = params_find(net->params, t->name);
    if (!item)
        return take_counter(net, f, t, e);
    float *host = malloc(((size_t)t->count + 1) * sizeof *host);
    if (!host)
        return err_set(e, EXIT_OS, "%s: out of memory for %s", f->path, t->name);
    int rc = st_read_f32(f, t, host, e);
    if (rc == 0)
        rc = params_set(net->params, item, host, e);
    free(host);
    return rc;
}

static int load(struct network *net, const struct st_file *f, struct err *e)
{
    bool has[GROUP_N] = {false};
    for (int i = 0; i < f->n; i++)
        if (check_tensor(net, f, &f->tensors[i], e) < 0)
            return -1;
    if (check_complete(net, f, has, e) < 0)
        return -1;
    net->params->batches = 0;
    for (int i = 0; i < f->n; i++)
        if (take(net, f, &f->tensors[i], e) < 0)
            return -1;
    for (int g = 0; g < GROUP_N; g++)
        net->live[g] |= has[g];
    return 0;
}

int network_load_weights(struct network *net, const char *path, struct err *e)
{
    struct st_file f;
    if (st_open(&f, path, e) < 0)
        return -1;
    int rc = load(net, &f, e);
    if (rc < 0)
        network_match_explain(net, &f, e);
    st_close(&f);
    return rc;
}

struct writing {
    struct st_out *out;
    char (*counters)[96];
    float *host; /* NULL: the parameters are in host memory */
    int n, n_counters;
};

static int add_tensor(const struct network *net, struct writing *w, const struct param *item,
                      float *host, struct err *e)
{
    struct st_out *o = &w->out[w->n++];
    *o = (struct st_out){
        .name = item->spec.name, .dtype = ST_F32, .ndim = item->spec.ndim, .data = host};
    memcpy(o->dim, item->spec.dim, sizeof item->spec.dim);
    if (!host)
        o->data = item->value.data;
    if (counter_name(item, w->counters[w->n_counters]))
        w->out[w->n++] = (struct st_out){
            .name = w->counters[w->n_counters++], .dtype = ST_I64, .data = &net->params->batches};
    return host ? params_get(net->params, item, host, e) : 0;
}

static int gather(const struct network *net, struct writing *w, struct err *e)
{
    float *at = w->host;
    for (int i = 0; i < net->params->n; i++) {
        const struct param *item = &net->params->items[i];
        if (!is_saved(net, item->group))
            continue;
        if (add_tensor(net, w, item, at, e) < 0)
            return -1;
        at += at ? item->count : 0;
    }
    return 0;
}

int network_save_weights(const struct network *net, const char *path, struct err *e)
{
    const struct params *p = net->params;
    struct writing w = {
        .out = calloc(2 * (size_t)p->n + 1, sizeof *w.out),
        .counters = calloc((size_t)p->n + 1, sizeof *w.counters),
        .host =
            p->on_host ? NULL : malloc((size_t)(p->n_trainable + p->n_stats + 1) * sizeof *w.host),
    };
    int rc = w.out && w.counters && (w.host || p->on_host)
                 ? gather(net, &w, e)
                 : err_set(e, EXIT_OS, "%s: out of memory", path);
    if (rc == 0)
        rc = st_write(path, w.out, w.n, NULL, e);
    free(w.out);
    free(w.counters);
    free(w.host);
    return rc;
}
