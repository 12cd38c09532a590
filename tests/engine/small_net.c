/* See small_net.h. */
#include "small_net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int host_alloc(struct device *dev, size_t bytes, void **out, struct err *e)
{
    (void)dev;
    *out = calloc(1, bytes);
    return *out ? 0 : err_set(e, EXIT_OS, "out of memory");
}

static void host_free(struct device *dev, void *p, size_t bytes)
{
    (void)dev;
    (void)bytes;
    free(p);
}

static int host_upload(struct device *dev, struct tensor *dst, const void *src, struct err *e)
{
    (void)dev;
    (void)e;
    memcpy(dst->data, src, dst->bytes);
    return 0;
}

static int host_download(struct device *dev, const struct tensor *src, void *dst, struct err *e)
{
    (void)dev;
    (void)e;
    memcpy(dst, src->data, src->bytes);
    return 0;
}

static const struct backend_class host_class = {.name = "host",
                                                .help = "plain memory",
                                                .alloc = host_alloc,
                                                .free = host_free,
                                                .upload = host_upload,
                                                .download = host_download};

static int declare(struct params *p, int width, struct err *e)
{
    struct graph *g = graph_new(DT_F32, true);
    int x = graph_input(g, "images", DT_F32, 4, (int64_t[]){4, 3, 8, 8});
    int r = graph_conv(g, "conv1", x, width, 3, 1, 1, false);
    r = graph_relu(g, graph_batchnorm(g, "bn1", r));
    r = graph_globalpool(g, r);
    graph_output(g, "z", graph_linear(g, "projection.0", r, 7));
    graph_output(g, "y", graph_linear(g, "fc", r, 5));
    graph_output(g, "probe", graph_linear(g, "probe", r, 5));
    int rc = graph_finish(g, e);
    if (rc == 0)
        rc = params_declare(p, g, e);
    graph_free(g);
    return rc;
}

int small_net_init(struct small_net *s, int width, struct err *e)
{
    static const float zero[2] = {0};
    *s = (struct small_net){.dev = {.class = &host_class, .threads = 2}};
    snprintf(s->dev.info.name, sizeof s->dev.info.name, "host memory");
    snprintf(s->dev.info.libraries, sizeof s->dev.info.libraries, "none 1.0");
    conf_defaults(settings_table, &s->settings, NULL);
    s->net.dev = &s->dev;
    s->net.arch = arch_classes[0];
    s->net.model = s->settings.model;
    s->net.live[GROUP_PROJECTION] = true;
    s->net.params = params_new(&s->dev);
    if (!s->net.params)
        return err_set(e, EXIT_OS, "out of memory");
    if (declare(s->net.params, width, e) < 0 || params_alloc(s->net.params, e) < 0)
        return -1;
    return params_need_slots(s->net.params, 2, zero, e);
}

void small_net_done(struct small_net *s)
{
    params_free(s->net.params);
    *s = (struct small_net){0};
}

/* Any bit pattern of a finite float may come up. */
static float element(int64_t step, int kind, int param, int64_t i)
{
    uint64_t h = (uint64_t)step * 0x9E3779B97F4A7C15u + (uint64_t)kind * 0xD1B54A32D192ED03u +
                 (uint64_t)param * 0x8CB92BA72F3D8DD7u + (uint64_t)i * 0xAAAAAAAAAAAAAAABu;
    h = (h ^ h >> 31) * 0xBF58476D1CE4E5B9u;
    uint32_t bits = (uint32_t)(h >> 32);
    float x;
    memcpy(&x, &bits, sizeof x);
    return isfinite(x) ? x : 1.0f;
}

typedef bool visit_fn(float *at, float want);

static bool visit(struct small_net *s, int64_t step, visit_fn *fn)
{
    struct params *p = s->net.params;
    bool good = true;
    for (int q = 0; q < p->n; q++) {
        struct param *item = &p->items[q];
        for (int64_t i = 0; i < item->count; i++) {
            good &= fn((float *)item->value.data + i, element(step, 0, q, i));
            for (int k = 0; k < 2 && item->trainable; k++)
                good &= fn(p->slot[k] + item->offset + i, element(step, 1 + k, q, i));
        }
    }
    return good;
}

static bool put(float *at, float want)
{
    *at = want;
    return true;
}

static bool same(float *at, float want)
{
    return memcmp(at, &want, sizeof want) == 0;
}

void small_net_fill(struct small_net *s, int64_t step)
{
    visit(s, step, put);
    s->net.params->batches = step * 3;
}

bool small_net_equals(struct small_net *s, int64_t step)
{
    return visit(s, step, same) && s->net.params->batches == step * 3;
}

struct checkpoint_state small_net_state(int64_t step)
{
    struct checkpoint_state t = {.step = step,
                                 .epoch = step / 4,
                                 .position = step % 4,
                                 .seed = 42,
                                 .valid_loss = NAN,
                                 .valid_top1 = NAN,
                                 .valid_top5 = NAN,
                                 .metrics_bytes = step * 100};
    snprintf(t.objective, sizeof t.objective, "supcon");
    snprintf(t.data, sizeof t.data, "shapes 1234");
    return t;
}

int small_net_save(struct small_net *s, const char *dir, int64_t step, int keep,
                   struct checkpoint_saved *saved, struct err *e)
{
    struct checkpoint_state state = small_net_state(step);
    struct checkpoint_source source = {
        .dir = dir, .net = &s->net, .settings = &s->settings, .state = &state, .keep = keep};
    small_net_fill(s, step);
    return checkpoint_save(&source, saved, e);
}
