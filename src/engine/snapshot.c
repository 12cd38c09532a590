/* Copies for checkpoints; see snapshot.h. */
#include "engine/snapshot.h"

#include <stdlib.h>
#include <string.h>

static int host_download(struct device *dev, const struct tensor *src, void *dst, struct err *e)
{
    (void)dev;
    (void)e;
    memcpy(dst, src->data, (size_t)tensor_count(src) * sizeof(float));
    return 0;
}

static const struct backend_class host_class = {.name = "host", .download = host_download};

static int room(float **out, bool wanted, int64_t n, struct err *e)
{
    *out = wanted ? calloc((size_t)n + 1, sizeof **out) : NULL;
    if (*out || !wanted)
        return 0;
    return err_set(e, EXIT_OS, "out of memory: %.1f MiB for a copy of the parameters, to save them",
                   (double)n * 4 / 1048576);
}

static int copy_items(struct params *to, const struct params *from, struct err *e)
{
    to->items = calloc((size_t)from->n + 1, sizeof *to->items);
    if (!to->items)
        return err_set(e, EXIT_OS, "out of memory for a copy of the parameters");
    memcpy(to->items, from->items, (size_t)from->n * sizeof *to->items);
    for (int i = 0; i < to->n; i++) {
        struct param *q = &to->items[i];
        q->value.data = (q->trainable ? to->value : to->stats) + q->offset;
        q->grad.data = NULL;
    }
    return 0;
}

int snapshot_init(struct snapshot *s, const struct network *net, struct err *e)
{
    const struct params *from = net->params;
    struct params *to = &s->params;
    *s = (struct snapshot){.net = *net, .host = {.class = &host_class}};
    *to = (struct params){.dev = &s->host,
                          .n = from->n,
                          .n_trainable = from->n_trainable,
                          .n_stats = from->n_stats,
                          .on_host = true};
    memcpy(to->group, from->group, sizeof to->group);
    s->net.params = to;
    if (room(&to->value, true, to->n_trainable, e) == 0 &&
        room(&to->stats, true, to->n_stats, e) == 0 &&
        room(&to->slot[0], from->slot[0], to->n_trainable, e) == 0 &&
        room(&to->slot[1], from->slot[1], to->n_trainable, e) == 0 && copy_items(to, from, e) == 0)
        return 0;
    snapshot_done(s);
    return -1;
}

static int fetch(struct device *dev, const float *from, float *to, int64_t n, struct err *e)
{
    struct tensor t = {.name = "parameters",
                       .dtype = DT_F32,
                       .ndim = 1,
                       .dim = {n, 1, 1, 1},
                       .bytes = (size_t)n * sizeof *from,
                       .data = (void *)from};
    return n > 0 && to ? dev->class->download(dev, &t, to, e) : 0;
}

int snapshot_take(struct snapshot *s, const struct network *net, struct err *e)
{
    const struct params *from = net->params;
    struct params *to = &s->params;
    memcpy(s->net.live, net->live, sizeof s->net.live);
    to->batches = from->batches;
    if (fetch(from->dev, from->value, to->value, to->n_trainable, e) != 0 ||
        fetch(from->dev, from->stats, to->stats, to->n_stats, e) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (fetch(from->dev, from->slot[i], to->slot[i], to->n_trainable, e) != 0)
            return -1;
    return 0;
}

void snapshot_done(struct snapshot *s)
{
    free(s->params.value);
    free(s->params.stats);
    free(s->params.slot[0]);
    free(s->params.slot[1]);
    free(s->params.items);
    *s = (struct snapshot){0};
}
