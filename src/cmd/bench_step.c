/*
 * The step of training without data loading, events and files, on the real network, plan and
 * optimizer. Peak memory counts from before the network is made: parameters, gradients, momentum,
 * activations, workspace, and what was used while algorithms were timed.
 */
#include "cmd/bench_step.h"

#include "backend/tuning.h"
#include "base/median.h"
#include "base/file.h"
#include "base/rng.h"
#include "engine/network.h"
#include "nn/step.h"
#include "optim/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILE_RUNS = 3 };

struct bench {
    const struct bench_step *o;
    const struct objective_class *objective;
    const struct optim_class *rule;
    struct device dev;
    struct network net;
    struct plan *plan;
    int views;
    struct step *step;
};

/* "VmHWM" or "VmRSS" in MiB. */
static double resident_mib(const char *key)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)))
            kib = strtod(line + strlen(key) + 1, NULL);
    if (f)
        fclose(f);
    return kib / 1024;
}

static int open_network(struct bench *b, struct err *e)
{
    const struct bench_step *o = b->o;
    struct network_shape shape = {3, o->size, o->size, o->n_classes};
    b->objective = objective_find(o->objective, e);
    b->rule = b->objective ? optim_find("sgd", e) : NULL;
    if (!b->rule)
        return -1;
    b->views = b->objective->views;
    return network_init(&b->net, &b->dev, &o->model, &shape, 1, e);
}

static int make_plan(struct bench *b, struct err *e)
{
    struct objective_conf conf = {.temperature = 0.1, .contrast_mode = "all"};
    snprintf(conf.name, sizeof conf.name, "%s", b->objective->name);
    if (params_need_slots(b->net.params, b->rule->n_slots, b->rule->slot_init, e) < 0)
        return -1;
    b->plan = network_train_plan(&b->net, b->objective, &conf, b->o->batch, b->views, e);
    if (!b->plan)
        return -1;
    const struct optim_class *rules[GROUP_N];
    for (int g = 0; g < GROUP_N; g++)
        rules[g] = b->rule;
    return step_new(&b->step, &b->dev, b->plan, b->net.params, rules,
                    (const char *const[]){"loss", NULL}, e);
}

/* Normal numbers near enough, and labels that cycle through the classes. */
static int feed(struct bench *b, struct err *e)
{
    int64_t n = (int64_t)b->views * b->o->batch * 3 * b->o->size * b->o->size;
    float *images = malloc((size_t)n * sizeof *images);
    int32_t *labels = malloc((size_t)b->o->batch * sizeof *labels);
    struct rng r = rng_at(0, RNG_NOISE, 0, 0, 0, 0);
    int rc = images && labels ? 0 : err_set(e, EXIT_OS, "out of memory for the images");
    for (int64_t i = 0; rc == 0 && i < n; i++)
        images[i] = 1.7f * (rng_float(&r) + rng_float(&r) + rng_float(&r) + rng_float(&r) - 2);
    for (int i = 0; rc == 0 && i < b->o->batch; i++)
        labels[i] = i % b->o->n_classes;
    if (rc == 0)
        rc = plan_upload(b->plan, "images", images, e);
    if (rc == 0)
        rc = plan_upload(b->plan, "labels", labels, e);
    free(images);
    free(labels);
    return rc;
}

static int submit(struct bench *b, struct err *e)
{
    struct optim_hyper hyper[GROUP_N];
    for (int g = 0; g < GROUP_N; g++)
        hyper[g] = (struct optim_hyper){.lr = 0.05f, .momentum = 0.9f};
    return step_submit(b->step, hyper, e);
}

/* From one step's numbers to the next one's, with as many on their way as the device likes. */
static int time_steps(struct bench *b, struct bench_result *out, struct err *e)
{
    double *ms = malloc((size_t)b->o->steps * sizeof *ms);
    struct step_report report = {0};
    int rc = ms ? 0 : err_set(e, EXIT_OS, "out of memory");
    int64_t start = clock_usec(), ahead = -b->o->warmup;
    for (int i = -b->o->warmup; rc == 0 && i < b->o->steps; i++) {
        for (; rc == 0 && ahead < b->o->steps && step_pending(b->step) < step_depth(b->step);
             ahead++)
            rc = submit(b, e);
        if (rc == 0 && step_fetch(b->step, &report, true, e) < 0)
            rc = -1;
        int64_t now = clock_usec();
        if (i >= 0)
            ms[i] = (double)(now - start) / 1000;
        start = now;
    }
    if (rc == 0) {
        out->ms = median(ms, b->o->steps);
        out->loss = report.stat[0][STAT_LOSS];
    }
    free(ms);
    return rc;
}

/* Of the device's memory where it has its own; the process's otherwise. */
static double free_mib(struct device *dev)
{
    bool own = dev->class->depth > 1 && dev->class->memory_free;
    return own ? (double)dev->class->memory_free(dev) / 1048576 : 0;
}

static int measure_peak(struct bench *b, struct bench_result *out, struct err *e)
{
    enum dtype dtype = strcmp(b->net.model.dtype, "bf16") ? DT_F32 : DT_BF16;
    out->peak_gflops = 0;
    return b->dev.class->peak ? b->dev.class->peak(&b->dev, dtype, &out->peak_gflops, e) : 0;
}

static int measure(struct bench *b, struct bench_result *out, struct err *e)
{
    double before = resident_mib("VmRSS"), device_before = free_mib(&b->dev);
    if (open_network(b, e) < 0 || make_plan(b, e) < 0 || feed(b, e) < 0 ||
        time_steps(b, out, e) < 0)
        return -1;
    out->peak_mib =
        device_before > 0 ? device_before - free_mib(&b->dev) : resident_mib("VmHWM") - before;
    if (step_profile(b->step, PROFILE_RUNS, &out->primitives_ms, e) < 0)
        return -1;
    if (measure_peak(b, out, e) < 0)
        return -1;
    out->views = b->views;
    out->threads = b->dev.threads;
    out->views_per_s = b->views * b->o->batch / out->ms * 1000;
    out->gflops = (double)plan_flops(b->plan) / out->ms * 1e-6;
    out->arena_mib = (double)plan_arena_bytes(b->plan) / 1048576;
    snprintf(out->dtype, sizeof out->dtype, "%s", b->net.model.dtype);
    snprintf(out->device, sizeof out->device, "%s", b->dev.info.name);
    return 0;
}

int bench_step(const struct bench_step *o, struct bench_result *out, struct err *e)
{
    struct bench b = {.o = o};
    struct tuning *tuning = tuning_new();
    struct device_options options = {
        .threads = o->threads, .deterministic = o->deterministic, .tuning = tuning};
    *out = (struct bench_result){0};
    if (!tuning)
        return err_set(e, EXIT_OS, "out of memory");
    tuning_load_cache(tuning);
    int rc = device_open(&b.dev, o->device, &options, e);
    if (rc == 0)
        rc = measure(&b, out, e);
    step_free(b.step);
    plan_free(b.plan);
    network_done(&b.net);
    device_close(&b.dev);
    if (rc == 0 && tuning_dirty(tuning))
        tuning_save_cache(tuning);
    tuning_free(tuning);
    return rc;
}
