/*
 * Global average pooling: an activation [N,C,H,W] of any layout to plain f32 [N,C]. A run (see
 * batchnorm.c) gives the means of one block of channels.
 */
#include "backend/cpu/memory.h"
#include "backend/cpu/simd.h"

#include <string.h>

struct global {
    const struct simd *simd;
    const struct tensor *x; /* or its gradient */
    float *y;               /* [N,C] */
    int64_t blocks, run;
    int block, bf16;
};

static struct global global_of(const struct device *dev, const struct tensor *x, float *y)
{
    struct global g = {.simd = cpu_of(dev)->simd, .x = x, .y = y};
    g.blocks = stored_runs(x, &g.run) / x->dim[0];
    g.block = layout_block(x->layout);
    g.bf16 = x->dtype == DT_BF16;
    return g;
}

static char *run_data(const struct global *g, int64_t run)
{
    return (char *)g->x->data + run * g->run * (g->bf16 ? 2 : 4);
}

/* The row's value of the first channel of a run, and how many channels are real. */
static float *row(const struct global *g, int64_t run, int *channels)
{
    int64_t first = run % g->blocks * g->block, c = g->x->dim[1];
    *channels = (int)(c - first < g->block ? c - first : g->block);
    return g->y + run / g->blocks * c + first;
}

static void average_runs(void *ctx, int64_t begin, int64_t end)
{
    const struct global *g = ctx;
    const float zero[LANES] = {0};
    float s[2][LANES];
    int channels;
    for (int64_t r = begin; r < end; r++) {
        float *y = row(g, r, &channels);
        g->simd->moments[g->bf16](run_data(g, r), g->run, zero, s);
        for (int ch = 0; ch < channels; ch++) {
            double sum = 0;
            for (int l = ch; l < LANES; l += g->block)
                sum += s[0][l];
            y[ch] = (float)(sum * g->block / (double)g->run);
        }
    }
}

static void spread_runs(void *ctx, int64_t begin, int64_t end)
{
    const struct global *g = ctx;
    int channels;
    for (int64_t r = begin; r < end; r++) {
        const float *dy = row(g, r, &channels);
        float v[LANES] = {0};
        for (int ch = 0; ch < channels; ch++)
            for (int l = ch; l < LANES; l += g->block)
                v[l] = dy[ch] * (float)g->block / (float)g->run;
        g->simd->fill[g->bf16](run_data(g, r), v, g->run);
    }
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)c;
    (void)e;
    return 0;
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    struct global g = global_of(dev, c->in[0], c->out->data);
    cpu_chunks(dev, c->in[0]->dim[0] * g.blocks, 64, average_runs, &g);
    return 0;
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    if (!c->din[0])
        return 0;
    struct global g = global_of(dev, c->din[0], c->dout->data);
    cpu_chunks(dev, c->din[0]->dim[0] * g.blocks, 64, spread_runs, &g);
    return 0;
}

static void done(struct device *dev, struct call *c)
{
    (void)dev;
    (void)c;
}

const struct kernel cpu_globalpool = {
    .prepare = prepare, .forward = forward, .backward = backward, .done = done};
