/*
 * The contrastive loss alone, timed through the backend's contract: two calls, l2norm and
 * contrastive, forward and backward, with memory of their own, as in a network that computes in the
 * device's own choice. Nothing of graph or plan takes part, so that the figure is the kernels'.
 */
#include "cmd/bench_loss.h"

#include "backend/backend.h"
#include "base/median.h"
#include "base/file.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLASSES = 10, VIEWS = 2, TENSORS = 7, BLOCKS = TENSORS + 3, AT_ONCE = 20 };

enum { X, Z, LABELS, STATS, DX, DZ };

struct bench {
    const struct bench_loss *o;
    struct device dev;
    struct tensor t[TENSORS];
    struct call norm, loss;
    struct {
        void *data;
        size_t bytes;
    } blocks[BLOCKS];
    int n_blocks;
};

static int take(struct bench *b, size_t bytes, void **out, struct err *e)
{
    *out = NULL;
    if (bytes == 0)
        return 0;
    if (b->dev.class->alloc(&b->dev, bytes, out, e))
        return -1;
    b->blocks[b->n_blocks].data = *out;
    b->blocks[b->n_blocks++].bytes = bytes;
    return 0;
}

static int place(struct bench *b, int which, enum dtype dtype, int64_t rows, int64_t columns,
                 struct err *e)
{
    struct tensor *t = &b->t[which];
    *t = (struct tensor){.dtype = dtype, .ndim = columns > 1 ? 2 : 1, .dim = {rows, columns, 1, 1}};
    b->dev.class->layout(&b->dev, t);
    return take(b, t->bytes, &t->data, e);
}

static int place_tensors(struct bench *b, struct err *e)
{
    int64_t m = b->o->rows, d = b->o->dim;
    for (int i = X; i <= DZ; i++) {
        bool matrix = i != LABELS && i != STATS;
        int64_t n = i == LABELS ? m / VIEWS : i == STATS ? STAT_N : m;
        if (place(b, i, i == LABELS ? DT_I32 : DT_F32, n, matrix ? d : 1, e))
            return -1;
    }
    b->norm = (struct call){.op = OP_L2NORM,
                            .name = "l2norm",
                            .want_backward = true,
                            .n_in = 1,
                            .in = {&b->t[X]},
                            .out = &b->t[Z],
                            .din = {&b->t[DX]},
                            .dout = &b->t[DZ]};
    b->loss = (struct call){.op = OP_CONTRASTIVE,
                            .name = "loss",
                            .compute = b->dev.class->preferred,
                            .want_backward = true,
                            .n_in = 2,
                            .in = {&b->t[Z], &b->t[LABELS]},
                            .out = &b->t[STATS],
                            .din = {&b->t[DZ]},
                            .attr = {.views = VIEWS, .temperature = 0.1f, .scale = 1}};
    return 0;
}

static const struct kernel *kernel_of(const struct bench *b, const struct call *call)
{
    return b->dev.class->kernels[call->op];
}

static int ready(struct bench *b, struct call *call, struct err *e)
{
    const struct kernel *k = kernel_of(b, call);
    if (k->prepare(&b->dev, call, e) || take(b, call->saved_bytes, &call->saved, e) ||
        take(b, call->workspace_bytes, &call->workspace, e))
        return -1;
    return k->bind ? k->bind(&b->dev, call, e) : 0;
}

/* Normal rows (by the sum of four uniforms, near enough) and labels of ten classes. */
static int fill(struct bench *b, struct err *e)
{
    struct rng r = rng_at(0, RNG_NOISE, 0, 0, 0, 0);
    int64_t n = tensor_count(&b->t[X]), samples = tensor_count(&b->t[LABELS]);
    float *x = malloc((size_t)n * sizeof *x);
    int32_t *labels = malloc((size_t)samples * sizeof *labels);
    int rc = x && labels ? 0 : err_set(e, EXIT_OS, "out of memory");
    for (int64_t i = 0; rc == 0 && i < n; i++)
        x[i] = rng_float(&r) + rng_float(&r) + rng_float(&r) + rng_float(&r) - 2.0f;
    for (int64_t i = 0; rc == 0 && i < samples; i++)
        labels[i] = (int32_t)rng_below(&r, CLASSES);
    if (rc == 0)
        rc = b->dev.class->upload(&b->dev, &b->t[X], x, e) ||
                     b->dev.class->upload(&b->dev, &b->t[LABELS], labels, e)
                 ? -1
                 : 0;
    free(x);
    free(labels);
    return rc;
}

/* A device with its own time is asked for several in a row, or the way there would count. */
static int step(struct bench *b, double *ms, struct err *e)
{
    const struct kernel *norm = kernel_of(b, &b->norm), *loss = kernel_of(b, &b->loss);
    int times = b->dev.class->depth > 1 ? AT_ONCE : 1;
    int64_t start = clock_usec();
    for (int i = 0; i < times; i++)
        if (norm->forward(&b->dev, &b->norm, e) || loss->forward(&b->dev, &b->loss, e) ||
            loss->backward(&b->dev, &b->loss, e) || norm->backward(&b->dev, &b->norm, e))
            return -1;
    if (b->dev.class->sync(&b->dev, e))
        return -1;
    *ms = (double)(clock_usec() - start) / 1000.0 / times;
    return 0;
}

static int time_steps(struct bench *b, double *typical, struct err *e)
{
    double *ms = malloc((size_t)b->o->steps * sizeof *ms), unused;
    int rc = ms ? 0 : err_set(e, EXIT_OS, "out of memory");
    for (int i = 0; rc == 0 && i < b->o->warmup; i++)
        rc = step(b, &unused, e);
    for (int i = 0; rc == 0 && i < b->o->steps; i++)
        rc = step(b, &ms[i], e);
    if (rc == 0) {
        *typical = median(ms, b->o->steps);
    }
    free(ms);
    return rc;
}

static void report(const struct bench *b, double ms, double loss)
{
    double m = b->o->rows, d = b->o->dim;
    double rate = m / ms * 1000.0, gflops = 6.0 * m * m * d / ms / 1e6;
    size_t bytes = 0;
    for (int i = 0; i < b->n_blocks; i++)
        bytes += b->blocks[i].bytes;
    const char *form =
        b->o->json ? "{\"loss_only\": true, \"rows\": %d, \"dim\": %d, \"device\": \"%s\", "
                     "\"dtype\": \"%s\", \"ms\": %.3f, \"views_per_s\": %.1f, "
                     "\"gflops\": %.1f, "
                     "\"memory_mib\": %.1f, \"loss\": %.9g}\n"
                   : "contrastive loss, %d rows of %d on %s, network in %s: %.3f ms, %.0f views/s, "
                     "%.1f GFLOP/s, %.1f MiB (loss %.6g)\n";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    printf(form, b->o->rows, b->o->dim, b->dev.info.id, dtype_name(b->loss.compute), ms, rate,
           gflops, (double)bytes / 1048576.0, loss);
#pragma GCC diagnostic pop
}

static int run(struct bench *b, struct err *e)
{
    double ms = 0;
    float stats[STAT_N];
    if (place_tensors(b, e) || ready(b, &b->norm, e) || ready(b, &b->loss, e) || fill(b, e) ||
        time_steps(b, &ms, e) || b->dev.class->download(&b->dev, &b->t[STATS], stats, e))
        return -1;
    report(b, ms, (double)stats[STAT_LOSS]);
    return 0;
}

int bench_loss_only(const struct bench_loss *o, struct err *e)
{
    struct bench b = {.o = o};
    struct device_options options = {.threads = o->threads, .deterministic = true};
    if (o->rows % VIEWS)
        return err_set(e, EXIT_USAGE,
                       "--rows: expected an even number, two views of each sample, found %d",
                       o->rows);
    if (device_open(&b.dev, o->device, &options, e))
        return -1;
    int rc = run(&b, e);
    kernel_of(&b, &b.norm)->done(&b.dev, &b.norm);
    kernel_of(&b, &b.loss)->done(&b.dev, &b.loss);
    for (int i = 0; i < b.n_blocks; i++)
        b.dev.class->free(&b.dev, b.blocks[i].data, b.blocks[i].bytes);
    device_close(&b.dev);
    return rc;
}
