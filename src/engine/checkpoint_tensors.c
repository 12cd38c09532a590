/*
 * Tensors of a checkpoint beyond the model's weights, and the way back. Two files hold every
 * parameter exactly once: what network_save_weights leaves out stands in train.safetensors, with
 * the optimizer's slots of all trainable parameters and the number of batches seen.
 */
#include "engine/checkpoint_part.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SLOTS = 2, NAME_BYTES = 80 };

/* Host copies of device memory, borrowed by st_out until the file is written. */
struct pieces {
    struct st_out *out;
    char (*names)[NAME_BYTES];
    void **data;
    int n, room;
};

static void pieces_done(struct pieces *p)
{
    for (int i = 0; i < p->n; i++)
        free(p->data[i]);
    free(p->out);
    free(p->names);
    free(p->data);
}

static int pieces_init(struct pieces *p, int room, struct err *e)
{
    *p = (struct pieces){.room = room,
                         .out = calloc((size_t)room, sizeof *p->out),
                         .names = calloc((size_t)room, NAME_BYTES),
                         .data = calloc((size_t)room, sizeof *p->data)};
    if (p->out && p->names && p->data)
        return 0;
    pieces_done(p);
    return err_set(e, EXIT_OS, "out of memory for a checkpoint");
}

/* A new entry at `data`. */
static void pieces_put(struct pieces *p, const char *name, enum st_dtype dtype,
                       const struct param_spec *spec, const void *data)
{
    struct st_out *o = &p->out[p->n];
    snprintf(p->names[p->n], NAME_BYTES, "%s", name);
    *o = (struct st_out){.name = p->names[p->n], .dtype = dtype, .data = data};
    for (int i = 0; spec && i < spec->ndim; i++)
        o->dim[o->ndim++] = spec->dim[i];
    p->n++;
}

/* A new entry with memory for `count` elements of 4 or 8 bytes. */
static void *pieces_add(struct pieces *p, const char *name, enum st_dtype dtype,
                        const struct param_spec *spec, int64_t count, struct err *e)
{
    void *data = p->n < p->room ? malloc((size_t)count * st_dtype_size(dtype)) : NULL;
    if (!data) {
        err_set(e, EXIT_OS, "out of memory for a checkpoint");
        return NULL;
    }
    p->data[p->n] = data;
    pieces_put(p, name, dtype, spec, data);
    return data;
}

/* The slot of one parameter seen as a tensor like its value. */
static struct tensor slot_tensor(const struct params *params, const struct param *q, int slot)
{
    struct tensor t = q->value;
    t.data = params->slot[slot] + q->offset;
    return t;
}

static int add_value(struct pieces *p, const struct params *params, const struct param *q,
                     struct err *e)
{
    if (params->on_host) {
        pieces_put(p, q->spec.name, ST_F32, &q->spec, q->value.data);
        return 0;
    }
    float *data = pieces_add(p, q->spec.name, ST_F32, &q->spec, q->count, e);
    return data ? params_get(params, q, data, e) : -1;
}

static int add_slot(struct pieces *p, const struct params *params, const struct param *q, int slot,
                    struct err *e)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "slot%d.%s", slot, q->spec.name);
    if (params->on_host) {
        pieces_put(p, name, ST_F32, &q->spec, params->slot[slot] + q->offset);
        return 0;
    }
    float *data = pieces_add(p, name, ST_F32, &q->spec, q->count, e);
    struct tensor t = slot_tensor(params, q, slot);
    return data ? params->dev->class->download(params->dev, &t, data, e) : -1;
}

/* network_save_weights writes the encoder and the live heads, but never probe and others. */
static bool in_model(const struct network *net, const struct param *q)
{
    return q->group == GROUP_ENCODER ||
           ((q->group == GROUP_PROJECTION || q->group == GROUP_FC) && net->live[q->group]);
}

static int gather(struct pieces *p, const struct network *net, struct err *e)
{
    const struct params *params = net->params;
    int64_t *batches = pieces_add(p, "num_batches", ST_I64, NULL, 1, e);
    if (!batches)
        return -1;
    *batches = params->batches;
    for (int i = 0; i < params->n; i++) {
        const struct param *q = &params->items[i];
        if (!in_model(net, q) && add_value(p, params, q, e) < 0)
            return -1;
        for (int s = 0; s < N_SLOTS && q->trainable; s++)
            if (params->slot[s] && add_slot(p, params, q, s, e) < 0)
                return -1;
    }
    return 0;
}

int checkpoint_write_train(const struct network *net, const char *path, struct err *e)
{
    struct pieces p;
    if (pieces_init(&p, net->params->n * (1 + N_SLOTS) + 1, e) < 0)
        return -1;
    int r = gather(&p, net, e);
    if (r == 0)
        r = st_write(path, p.out, p.n, NULL, e);
    pieces_done(&p);
    return r;
}

int64_t checkpoint_need(const struct network *net)
{
    const struct params *p = net->params;
    int64_t copies = 1 + (p->slot[0] != NULL) + (p->slot[1] != NULL);
    return (copies * p->n_trainable + p->n_stats) * 4 + (int64_t)p->n * 512;
}

/* "slotK.NAME": K, and *name moves behind the dot; -1: a plain parameter. */
static int slot_of(const char **name)
{
    const char *s = *name;
    if (strncmp(s, "slot", 4) != 0 || s[4] < '0' || s[4] >= '0' + N_SLOTS || s[5] != '.')
        return -1;
    *name = s + 6;
    return s[4] - '0';
}

static int check_shape(const char *path, const struct st_tensor *t, const struct param *q,
                       struct err *e)
{
    bool same = t->dtype == ST_F32 && t->ndim == q->spec.ndim && t->count == q->count;
    for (int i = 0; same && i < t->ndim; i++)
        same = t->dim[i] == q->spec.dim[i];
    if (same)
        return 0;
    return err_set(e, EXIT_DATA,
                   "%s: tensor %s does not have the shape or type of the model (%lld elements of "
                   "%s, %lld of F32 expected); it belongs to another model",
                   path, t->name, (long long)t->count, st_dtype_name(t->dtype),
                   (long long)q->count);
}

static int put_floats(struct params *params, const struct param *q, int slot, const float *data,
                      struct err *e)
{
    if (slot < 0)
        return params_set(params, q, data, e);
    struct tensor t = slot_tensor(params, q, slot);
    return params->dev->class->upload(params->dev, &t, data, e);
}

static int read_floats(const struct st_file *f, const struct st_tensor *t, struct params *params,
                       struct err *e)
{
    const char *name = t->name;
    int slot = slot_of(&name);
    const struct param *q = params_find(params, name);
    if (!q || (slot >= 0 && !q->trainable))
        return err_set(e, EXIT_DATA, "%s: tensor %s is unknown to this model", f->path, t->name);
    if (check_shape(f->path, t, q, e) < 0)
        return -1;
    float *data = malloc((size_t)t->count * sizeof *data + 1);
    if (!data)
        return err_set(e, EXIT_OS, "out of memory reading %s", f->path);
    int r = st_read_f32(f, t, data, e);
    if (r == 0)
        r = put_floats(params, q, slot, data, e);
    free(data);
    return r;
}

static int read_batches(const struct st_file *f, struct params *params, struct err *e)
{
    const struct st_tensor *t = st_find(f, "num_batches");
    if (!t || t->dtype != ST_I64 || t->count != 1)
        return err_set(e, EXIT_DATA, "%s: tensor num_batches is missing or not one I64", f->path);
    return st_read(f, t, &params->batches, e);
}

static int slots_in(const struct st_file *f)
{
    int n = 0;
    for (int i = 0; i < f->n; i++) {
        const char *name = f->tensors[i].name;
        int slot = slot_of(&name);
        if (slot >= n)
            n = slot + 1;
    }
    return n;
}

/* Every parameter must come from one of the files, every slot from this one. */
static int check_complete(const struct st_file *model, const struct st_file *train, int n_slots,
                          const struct params *params, struct err *e)
{
    for (int i = 0; i < params->n; i++) {
        const struct param *q = &params->items[i];
        if (!st_find(model, q->spec.name) && !st_find(train, q->spec.name))
            return err_set(e, EXIT_DATA, "%s: tensor %s is missing", train->path, q->spec.name);
        for (int s = 0; s < n_slots && q->trainable; s++) {
            char name[NAME_BYTES];
            snprintf(name, sizeof name, "slot%d.%s", s, q->spec.name);
            if (!st_find(train, name))
                return err_set(e, EXIT_DATA, "%s: tensor %s is missing", train->path, name);
        }
    }
    return 0;
}

static int restore_train(const struct st_file *model, const struct st_file *train,
                         struct params *params, struct err *e)
{
    static const float zeros[N_SLOTS] = {0};
    int n_slots = slots_in(train);
    if (check_complete(model, train, n_slots, params, e) < 0 ||
        params_need_slots(params, n_slots, zeros, e) < 0)
        return -1;
    for (int i = 0; i < train->n; i++) {
        const struct st_tensor *t = &train->tensors[i];
        if (strcmp(t->name, "num_batches") != 0 && read_floats(train, t, params, e) < 0)
            return -1;
    }
    return read_batches(train, params, e);
}

int checkpoint_restore(const char *path, struct network *net, struct err *e)
{
    char model_path[PATH_BYTES], train_path[PATH_BYTES];
    struct st_file model, train;
    if (path_join(model_path, path, CHECKPOINT_MODEL, e) < 0 ||
        path_join(train_path, path, CHECKPOINT_TRAIN, e) < 0)
        return -1;
    if (network_load_weights(net, model_path, e) < 0 || st_open(&model, model_path, e) < 0)
        return -1;
    int r = st_open(&train, train_path, e);
    if (r == 0) {
        r = restore_train(&model, &train, net->params, e);
        st_close(&train);
    }
    st_close(&model);
    return r;
}
