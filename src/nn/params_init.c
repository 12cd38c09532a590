/*
 * Initial values; see params.h. A value is a pure function of seed, name and position: Philox with
 * the name's hash in the counter, so that adding a layer or a head leaves all others as they are.
 *
 * Kaiming normal, fan_out, gain sqrt 2 for convolutions: He et al. 2015. Linear layers as PyTorch:
 * weights and biases uniform within 1/sqrt(fan_in).
 */
#include "base/rng.h"
#include "nn/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t fnv1a(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

/* In (0, 1), never an end. */
static double unit(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-32;
}

static struct rng4 draw(uint64_t seed, uint32_t name, int64_t i)
{
    struct rng4 counter = {{0, (uint32_t)RNG_INIT << 24, (uint32_t)(i / 4), name}};
    return philox4x32_10(counter, (uint32_t)seed, (uint32_t)(seed >> 32));
}

/* Box and Muller 1958: two uniform words give two normal numbers. */
static void fill_normal(float *out, int64_t n, double std, uint64_t seed, uint32_t name)
{
    for (int64_t i = 0; i < n; i += 4) {
        struct rng4 r = draw(seed, name, i);
        for (int64_t j = i; j < n && j < i + 4; j++) {
            double radius = sqrt(-2 * log(unit(r.v[(j - i) & 2])));
            double angle = 2 * M_PI * unit(r.v[((j - i) & 2) + 1]);
            out[j] = (float)(std * radius * ((j & 1) ? sin(angle) : cos(angle)));
        }
    }
}

static void fill_uniform(float *out, int64_t n, double bound, uint64_t seed, uint32_t name)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(bound * (2 * unit(draw(seed, name, i).v[i % 4]) - 1));
}

static int64_t fan_in(const struct param_spec *w)
{
    return w->dim[1] * w->dim[2] * w->dim[3];
}

/* The weight that a bias belongs to: "fc.bias" -> "fc.weight". */
static const struct param_spec *weight_of(const struct params *p, const struct param_spec *spec)
{
    char name[sizeof spec->name + 8];
    snprintf(name, sizeof name, "%s", spec->name);
    char *dot = strrchr(name, '.');
    if (!dot)
        return NULL;
    strcpy(dot, ".weight");
    const struct param *weight = params_find(p, name);
    return weight ? &weight->spec : NULL;
}

static void fill_weight(const struct param_spec *spec, float *out, int64_t n, uint64_t seed)
{
    if (spec->ndim == 4)
        fill_normal(out, n, sqrt(2.0 / (double)(spec->dim[0] * spec->dim[2] * spec->dim[3])), seed,
                    fnv1a(spec->name));
    else
        fill_uniform(out, n, 1 / sqrt((double)fan_in(spec)), seed, fnv1a(spec->name));
}

static void fill_bias(const struct params *p, const struct param_spec *spec, float *out, int64_t n,
                      uint64_t seed)
{
    const struct param_spec *weight = weight_of(p, spec);
    if (weight)
        fill_uniform(out, n, 1 / sqrt((double)fan_in(weight)), seed, fnv1a(spec->name));
}

static int init_one(struct params *p, const struct param *item, uint64_t seed, struct err *e)
{
    float *host = calloc((size_t)item->count + 1, sizeof *host);
    if (!host)
        return err_set(e, EXIT_OS, "out of memory for %s", item->spec.name);
    if (item->spec.role == PARAM_WEIGHT)
        fill_weight(&item->spec, host, item->count, seed);
    else if (item->spec.role == PARAM_BIAS)
        fill_bias(p, &item->spec, host, item->count, seed);
    else if (item->spec.role == PARAM_SCALE || item->spec.role == PARAM_VAR)
        for (int64_t i = 0; i < item->count; i++)
            host[i] = 1;
    int rc = params_set(p, item, host, e);
    free(host);
    return rc;
}

int params_init_group(struct params *p, enum param_group group, uint64_t seed, struct err *e)
{
    for (int i = 0; i < p->n; i++)
        if (p->items[i].group == group && init_one(p, &p->items[i], seed, e) < 0)
            return -1;
    return 0;
}

int params_init(struct params *p, uint64_t seed, struct err *e)
{
    p->batches = 0;
    for (int g = 0; g < GROUP_N; g++)
        if (params_init_group(p, (enum param_group)g, seed, e) < 0)
            return -1;
    return 0;
}
