/*
 * Batch-norm (Ioffe and Szegedy 2015) with the skip connection and the ReLU that may follow it, in
 * as few walks through memory as there can be: forward statistics, then apply + skip + ReLU;
 * backward sums, then apply. A ReLU leaves one bit per element.
 *
 * A run is one block of channels of one image, [H][W][block]. Its sums are f32 lanes, its moments
 * are taken about its first pixel (no cancellation for means far from zero), and runs are combined
 * in double in index order, so results do not depend on the number of threads.
 */
#include "backend/cpu/memory.h"
#include "backend/cpu/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_COEFFICIENTS = 5 }; /* mean, slope, shift; backward: mean, slope, fall, level */
enum { MEAN, SLOPE, SHIFT, FALL = SHIFT, LEVEL };

struct norm {
    int block, bf16;
    int64_t images, blocks, channels; /* channels as stored: blocks * block */
    int64_t run, pixels;              /* elements and pixels of a run */
    size_t mask_stride;               /* bytes of the mask of a run */
    bool keeps_mask;
    /* Own memory: commit() needs the statistics after the plan's memory has been used again. */
    float *mean, *rstd, *m2; /* [channels]: batch mean, 1 / deviation, sum of squared deviations */
    char *mask;              /* the saved memory */
    /* within the workspace */
    double *partial; /* [runs][2][block] */
    float *lanes;    /* [blocks][N_COEFFICIENTS][LANES] */
};

static size_t align(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static int64_t runs_of(const struct norm *n)
{
    return n->images * n->blocks;
}

static int check_variance(const struct call *c, struct err *e)
{
    const int64_t *d = c->in[0]->dim;
    if (!c->attr.training || d[0] * d[2] * d[3] > 1)
        return 0;
    return err_set(e, EXIT_CONFIG,
                   "%s: one value per channel has no variance; use a larger batch or image",
                   c->name);
}

static int prepare(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    const struct tensor *x = c->in[0];
    struct norm *n = c->impl = calloc(1, sizeof *n);
    if (!n)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    if (check_variance(c, e))
        return -1;
    n->block = layout_block(x->layout);
    n->bf16 = x->dtype == DT_BF16;
    n->images = x->dim[0];
    int64_t runs = stored_runs(x, &n->run);
    n->blocks = runs / n->images;
    n->channels = n->blocks * n->block;
    n->pixels = n->run / n->block;
    n->keeps_mask = c->attr.relu && c->want_backward;
    n->mask_stride = (size_t)mask_bytes(n->run);
    n->mean = calloc((size_t)n->channels * 3, sizeof *n->mean);
    if (!n->mean)
        return err_set(e, EXIT_OS, "%s: out of memory", c->name);
    n->rstd = n->mean + n->channels;
    n->m2 = n->rstd + n->channels;
    c->saved_bytes = n->keeps_mask ? (size_t)runs * n->mask_stride : 0;
    c->workspace_bytes = align((size_t)(runs * n->block) * 2 * sizeof(double)) +
                         (size_t)n->blocks * N_COEFFICIENTS * LANES * sizeof(float);
    strcpy(c->algorithm[0], cpu_of(dev)->simd->name);
    return 0;
}

static int bind(struct device *dev, struct call *c, struct err *e)
{
    (void)dev;
    (void)e;
    struct norm *n = c->impl;
    char *workspace = c->workspace;
    n->mask = n->keeps_mask ? c->saved : NULL;
    n->partial = (double *)workspace;
    n->lanes = (float *)(workspace + align((size_t)(runs_of(n) * n->block) * 2 * sizeof(double)));
    return 0;
}

/* --- parts of a run --------------------------------------------------------------------------- */

static char *run_data(const struct norm *n, const struct tensor *t, int64_t run)
{
    return t ? (char *)t->data + run * n->run * (n->bf16 ? 2 : 4) : NULL;
}

static uint16_t *run_mask(const struct norm *n, int64_t run)
{
    return n->mask ? (uint16_t *)(n->mask + (size_t)run * n->mask_stride) : NULL;
}

static float *lanes_of(const struct norm *n, int64_t block)
{
    return n->lanes + block * N_COEFFICIENTS * LANES;
}

static void set_lanes(const struct norm *n, int64_t block, int which, int channel, double value)
{
    float *lane = lanes_of(n, block) + which * LANES;
    for (int l = channel; l < LANES; l += n->block)
        lane[l] = (float)value;
}

/* Add up the lanes of each channel. */
static void fold(const struct norm *n, float s[2][LANES], double out[2][LANES])
{
    for (int k = 0; k < 2; k++)
        for (int ch = 0; ch < n->block; ch++) {
            out[k][ch] = 0;
            for (int l = ch; l < LANES; l += n->block)
                out[k][ch] += s[k][l];
        }
}

/* --- forward ---------------------------------------------------------------------------------- */

/* Mean and sum of squared deviations of a run. */
static void run_moments(const struct norm *n, const struct simd *simd, const void *x, double *out)
{
    float center[LANES], first[LANES], s[2][LANES];
    double sum[2][LANES];
    if (n->bf16)
        simd->widen(x, first, n->block);
    else
        memcpy(first, x, sizeof *first * (size_t)n->block);
    for (int l = 0; l < LANES; l++)
        center[l] = first[l % n->block];
    simd->moments[n->bf16](x, n->run, center, s);
    fold(n, s, sum);
    for (int ch = 0; ch < n->block; ch++) {
        double mean = sum[0][ch] / (double)n->pixels;
        out[ch] = first[ch] + mean;
        out[n->block + ch] = sum[1][ch] - sum[0][ch] * mean;
    }
}

/* Statistics of one block of channels over the runs of all images (Chan et al. 1979, runs of equal
 * length). */
static void combine_moments(const struct norm *n, int64_t block, float eps)
{
    double count = (double)(n->images * n->pixels);
    for (int ch = 0; ch < n->block; ch++) {
        const double *p = n->partial + block * 2 * n->block + ch;
        int64_t stride = n->blocks * 2 * n->block, at = block * n->block + ch;
        double mean = 0, m2 = 0;
        for (int64_t i = 0; i < n->images; i++)
            mean += p[i * stride];
        mean /= (double)n->images;
        for (int64_t i = 0; i < n->images; i++) {
            double off = p[i * stride] - mean;
            m2 += p[i * stride + n->block] + (double)n->pixels * off * off;
        }
        m2 = m2 > 0 ? m2 : m2 != m2 ? m2 : 0;
        n->mean[at] = (float)mean;
        n->m2[at] = (float)m2;
        n->rstd[at] = (float)(1 / sqrt(m2 / count + eps));
    }
}

static void take_running(const struct norm *n, const struct call *c)
{
    const float *mean = c->in[3]->data, *var = c->in[4]->data;
    for (int64_t ch = 0; ch < c->in[0]->dim[1]; ch++) {
        n->mean[ch] = mean[ch];
        n->rstd[ch] = 1 / sqrtf(var[ch] + c->attr.eps);
    }
}

static void forward_lanes(const struct norm *n, const struct call *c, int64_t block)
{
    const float *gamma = c->in[1]->data, *beta = c->in[2]->data;
    for (int ch = 0; ch < n->block; ch++) {
        int64_t at = block * n->block + ch;
        bool real = at < c->in[0]->dim[1]; /* padding stays zero */
        set_lanes(n, block, MEAN, ch, real ? n->mean[at] : 0);
        set_lanes(n, block, SLOPE, ch, real ? gamma[at] * n->rstd[at] : 0);
        set_lanes(n, block, SHIFT, ch, real ? beta[at] : 0);
    }
}

/* mask: kept for the backward pass, unless it is there already. */
static void apply_run(const struct norm *n, const struct call *c, const struct simd *simd,
                      int64_t run, const struct tensor *y, bool mask)
{
    const float *lanes = lanes_of(n, run % n->blocks);
    struct norm_forward f = {
        .x = run_data(n, c->in[0], run),
        .skip = c->n_in > 5 ? run_data(n, c->in[5], run) : NULL,
        .y = run_data(n, y, run),
        .mask = mask ? run_mask(n, run) : NULL,
        .mean = lanes + MEAN * LANES,
        .slope = lanes + SLOPE * LANES,
        .shift = lanes + SHIFT * LANES,
        .relu = c->attr.relu,
    };
    simd->norm_forward[n->bf16](&f, n->run);
}

static int forward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    const struct norm *n = c->impl;
    const struct simd *simd = cpu_of(dev)->simd;
    int64_t runs = runs_of(n);
    if (!c->attr.training)
        take_running(n, c);
#pragma omp parallel num_threads(dev->threads)
    {
        if (c->attr.training) {
#pragma omp for schedule(static)
            for (int64_t r = 0; r < runs; r++)
                run_moments(n, simd, run_data(n, c->in[0], r), n->partial + r * 2 * n->block);
        }
#pragma omp for schedule(static)
        for (int64_t b = 0; b < n->blocks; b++) {
            if (c->attr.training)
                combine_moments(n, b, c->attr.eps);
            forward_lanes(n, c, b);
        }
#pragma omp for schedule(static)
        for (int64_t r = 0; r < runs; r++)
            apply_run(n, c, simd, r, c->out, true);
    }
    return 0;
}

/* The statistics of the batch are still there. */
static int again(struct device *dev, struct call *c, struct tensor *out, struct err *e)
{
    (void)e;
    const struct norm *n = c->impl;
    const struct simd *simd = cpu_of(dev)->simd;
    int64_t runs = runs_of(n);
#pragma omp parallel num_threads(dev->threads)
    {
#pragma omp for schedule(static)
        for (int64_t b = 0; b < n->blocks; b++)
            forward_lanes(n, c, b);
#pragma omp for schedule(static)
        for (int64_t r = 0; r < runs; r++)
            apply_run(n, c, simd, r, out, false);
    }
    return 0;
}

/* --- backward --------------------------------------------------------------------------------- */

static struct norm_backward backward_run(const struct norm *n, const struct call *c, int64_t run)
{
    const float *lanes = lanes_of(n, run % n->blocks);
    return (struct norm_backward){
        .x = run_data(n, c->in[0], run),
        .dy = run_data(n, c->dout, run),
        .mask = run_mask(n, run),
        .dx = run_data(n, c->din[0], run),
        .dskip = c->n_in > 5 ? run_data(n, c->din[5], run) : NULL,
        .mean = lanes + MEAN * LANES,
        .slope = lanes + SLOPE * LANES,
        .fall = lanes + FALL * LANES,
        .level = lanes + LEVEL * LANES,
    };
}

static void sum_run(const struct norm *n, const struct call *c, const struct simd *simd,
                    int64_t run)
{
    struct norm_backward b = backward_run(n, c, run);
    float s[2][LANES];
    double sum[2][LANES];
    simd->norm_sums[n->bf16](&b, n->run, s);
    fold(n, s, sum);
    for (int k = 0; k < 2; k++)
        memcpy(n->partial + (run * 2 + k) * n->block, sum[k], sizeof **sum * (size_t)n->block);
}

static void mean_lanes(const struct norm *n, int64_t block)
{
    for (int ch = 0; ch < n->block; ch++)
        set_lanes(n, block, MEAN, ch, n->mean[block * n->block + ch]);
}

/* dgamma, dbeta, and the coefficients of dx = slope * (g - mean(g) - xhat * mean(g * xhat)). */
static void combine_sums(const struct norm *n, const struct call *c, int64_t block)
{
    const float *gamma = c->in[1]->data;
    double count = (double)(n->images * n->pixels);
    int64_t stride = n->blocks * 2 * n->block;
    for (int ch = 0; ch < n->block; ch++) {
        const double *p = n->partial + block * 2 * n->block + ch;
        int64_t at = block * n->block + ch;
        bool real = at < c->in[0]->dim[1], batch = real && c->attr.training;
        double sum = 0, product = 0, rstd = n->rstd[at];
        for (int64_t i = 0; i < n->images; i++) {
            sum += p[i * stride];
            product += p[i * stride + n->block];
        }
        double slope = real ? gamma[at] * rstd : 0;
        set_lanes(n, block, SLOPE, ch, slope);
        set_lanes(n, block, FALL, ch, batch ? slope * rstd * rstd * product / count : 0);
        set_lanes(n, block, LEVEL, ch, batch ? slope * sum / count : 0);
        if (real && c->din[1])
            ((float *)c->din[1]->data)[at] = (float)(product * rstd);
        if (real && c->din[2])
            ((float *)c->din[2]->data)[at] = (float)sum;
    }
}

static int backward(struct device *dev, struct call *c, struct err *e)
{
    (void)e;
    const struct norm *n = c->impl;
    const struct simd *simd = cpu_of(dev)->simd;
    int64_t runs = runs_of(n);
    bool elements = c->din[0] || (c->n_in > 5 && c->din[5]);
#pragma omp parallel num_threads(dev->threads)
    {
#pragma omp for schedule(static)
        for (int64_t b = 0; b < n->blocks; b++)
            mean_lanes(n, b);
#pragma omp for schedule(static)
        for (int64_t r = 0; r < runs; r++)
            sum_run(n, c, simd, r);
#pragma omp for schedule(static)
        for (int64_t b = 0; b < n->blocks; b++)
            combine_sums(n, c, b);
        if (elements) {
#pragma omp for schedule(static)
            for (int64_t r = 0; r < runs; r++) {
                struct norm_backward b = backward_run(n, c, r);
                simd->norm_backward[n->bf16](&b, n->run);
            }
        }
    }
    return 0;
}

/* --- running statistics ----------------------------------------------------------------------- */

static int commit(struct device *dev, struct call *c, const uint32_t *held, struct err *e)
{
    (void)dev;
    (void)e;
    const struct norm *n = c->impl;
    float *mean = c->in[3]->data, *var = c->in[4]->data;
    double m = c->attr.momentum, count = (double)(n->images * n->pixels);
    if (!c->attr.training || (held && *held))
        return 0;
    for (int64_t ch = 0; ch < c->in[0]->dim[1]; ch++) {
        if (!isfinite(n->mean[ch]) || !isfinite(n->m2[ch]))
            continue; /* loss and gradients can be finite all the same */
        mean[ch] = (float)((1 - m) * mean[ch] + m * n->mean[ch]);
        var[ch] = (float)((1 - m) * var[ch] + m * n->m2[ch] / (count - 1));
    }
    return 0;
}

static void done(struct device *dev, struct call *c)
{
    struct norm *n = c->impl;
    (void)dev;
    if (n)
        free(n->mean);
    free(n);
    c->impl = NULL;
}

const struct kernel cpu_batchnorm = {.prepare = prepare,
                                     .bind = bind,
                                     .forward = forward,
                                     .backward = backward,
                                     .again = again,
                                     .commit = commit,
                                     .done = done};
