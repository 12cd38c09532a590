/* See golden.h. */
#include "tests/model/golden.h"

#include "arch/arch.h"
#include "backend/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fnv1a64(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

static uint64_t splitmix64(uint64_t s)
{
    s += 0x9e3779b97f4a7c15u;
    s = (s ^ s >> 30) * 0xbf58476d1ce4e5b9u;
    s = (s ^ s >> 27) * 0x94d049bb133111ebu;
    return s ^ s >> 31;
}

void golden_fill(float *out, int64_t n, const char *name, const char *salt, double mean, double std)
{
    uint64_t seed = fnv1a64(fnv1a64(0xcbf29ce484222325u, name), salt);
    for (int64_t i = 0; i < n; i++) {
        double u = (double)(splitmix64(seed + (uint64_t)i) >> 11) * 0x1p-53;
        out[i] = (float)((u - 0.5) * 2 * sqrt(3) * std + mean);
    }
}

static void fill_param(const struct param *p, const char *salt, float *out)
{
    const int64_t *d = p->spec.dim;
    static const struct {
        double mean, std;
    } roles[] = {[PARAM_BIAS] = {0, 0.1},
                 [PARAM_SCALE] = {1, 0.1},
                 [PARAM_SHIFT] = {0, 0.1},
                 [PARAM_MEAN] = {0, 0.1},
                 [PARAM_VAR] = {0, 1}};
    double std = p->spec.role == PARAM_WEIGHT ? sqrt(2.0 / (double)(d[1] * d[2] * d[3]))
                                              : roles[p->spec.role].std;
    double mean = p->spec.role == PARAM_WEIGHT ? 0 : roles[p->spec.role].mean;
    golden_fill(out, p->count, p->spec.name, salt, mean, std);
    for (int64_t i = 0; p->spec.role == PARAM_VAR && i < p->count; i++)
        out[i] = 1 + 0.5f * fabsf(out[i]);
}

int golden_fill_params(struct params *params, const char *salt, struct err *e)
{
    for (int i = 0; i < params->n; i++) {
        const struct param *p = &params->items[i];
        float *host = malloc((size_t)p->count * sizeof *host);
        if (!host)
            return err_set(e, EXIT_OS, "out of memory");
        fill_param(p, salt, host);
        int rc = params_set(params, p, host, e);
        free(host);
        if (rc < 0)
            return -1;
    }
    return 0;
}

double relative_error(const double *a, const double *b, int64_t n)
{
    double off = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return norm > 0 ? sqrt(off / norm) : sqrt(off);
}

struct graph *classifier_graph(const char *arch, const char *stem, enum dtype dtype, bool training,
                               const int64_t images[4], int64_t n_classes, struct err *e)
{
    const struct arch_class *class = arch_find(arch, e);
    struct graph *g = class ? graph_new(dtype, training) : NULL;
    if (!g)
        return NULL;
    int r = class->build(g, graph_input(g, "images", dtype, 4, images), stem);
    int logits = graph_linear(g, "fc", r, n_classes);
    graph_output(g, "logits", logits);
    if (training) {
        int labels = graph_input(g, "labels", DT_I32, 1, images);
        graph_xent(g, "loss", logits, labels, &(struct op_attr){.views = 1});
    }
    if (graph_finish(g, e) == 0)
        return g;
    graph_free(g);
    return NULL;
}

/* Winograd exists for 3x3 convolutions of stride 1, and not for three input channels. */
static bool applies(const char *key, const char *name)
{
    bool square = strstr(key, "x3x3 stride 1") && !strstr(key, "x3x3x3 stride 1");
    return strstr(key, "|conv ") && (strcmp(name, "winograd") != 0 || square);
}

struct tuning *tuning_forced(const struct tuning *from, const char *name, struct err *e)
{
    struct tuning *to = tuning_new();
    json_t *all = tuning_json(from), *entry;
    const char *key;
    json_object_foreach(all, key, entry)
    {
        if (json_object_get(entry, "algorithm") && applies(key, name))
            json_object_set_new(entry, "algorithm", json_string(name));
    }
    int rc = tuning_add_json(to, all, e);
    json_decref(all);
    if (rc == 0)
        return to;
    tuning_free(to);
    return NULL;
}
