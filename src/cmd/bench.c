/* supcon bench: how fast a training step is, or the contrastive loss alone, and what it needs. */
#include "cmd/bench_augment.h"
#include "cmd/bench_loss.h"
#include "cmd/bench_step.h"
#include "cmd/cmd.h"

#include <jansson.h>
#include <stdlib.h>

static int whole(const struct cmd_args *args, const char *option, long min, long max, long fallback,
                 int *out, struct err *e)
{
    long value;
    if (cmd_int(args, option, min, max, fallback, &value, e) < 0)
        return -1;
    *out = (int)value;
    return 0;
}

static int loss_only(const struct cmd_args *args, const struct settings *s, struct err *e)
{
    struct bench_loss o = {
        .device = s->run.device, .threads = (int)s->run.threads, .json = cmd_has(args, "json")};
    if (whole(args, "rows", 2, 1 << 20, 2048, &o.rows, e) < 0 ||
        whole(args, "dim", 1, 1 << 16, 128, &o.dim, e) < 0 ||
        whole(args, "steps", 1, 1000000, 20, &o.steps, e) < 0 ||
        whole(args, "warmup", 0, 1000000, 3, &o.warmup, e) < 0)
        return -1;
    return bench_loss_only(&o, e);
}

static int augment_only(const struct cmd_args *args, const struct settings *s, struct err *e)
{
    struct bench_augment o = {.settings = s, .views = 2, .json = cmd_has(args, "json")};
    if (s->augment.views > 0)
        o.views = (int)s->augment.views;
    return whole(args, "size", 1, 4096, 32, &o.size, e) < 0 ||
                   whole(args, "batch-size", 1, 1 << 20, 64, &o.batch, e) < 0 ||
                   whole(args, "steps", 1, 1000000, 50, &o.steps, e) < 0 ||
                   whole(args, "warmup", 0, 1000000, 5, &o.warmup, e) < 0
               ? -1
               : bench_augment_only(&o, e);
}

static int read_options(const struct cmd_args *args, const struct settings *s, struct bench_step *o,
                        struct err *e)
{
    *o = (struct bench_step){.objective = s->objective.name,
                             .device = s->run.device,
                             .threads = (int)s->run.threads,
                             .deterministic = cmd_has(args, "deterministic"),
                             .model = s->model};
    return whole(args, "size", 1, 4096, 32, &o->size, e) < 0 ||
                   whole(args, "batch-size", 1, 1 << 20, 64, &o->batch, e) < 0 ||
                   whole(args, "classes", 2, 1 << 20, 10, &o->n_classes, e) < 0 ||
                   whole(args, "steps", 1, 1000000, 6, &o->steps, e) < 0 ||
                   whole(args, "warmup", 0, 1000000, 2, &o->warmup, e) < 0
               ? -1
               : 0;
}

static int print_json(const struct bench_step *o, const struct bench_result *r, struct err *e)
{
    json_t *line = json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
        "arch", o->model.arch, "stem", o->model.stem, "size", o->size, "batch_size", o->batch,
        "views", r->views, "loss", o->objective, "dtype", r->dtype, "device", r->device, "threads",
        r->threads, "deterministic", o->deterministic, "ms", r->ms, "views_per_s", r->views_per_s,
        "share", r->primitives_ms / r->ms, "peak_mib", r->peak_mib, "arena_mib", r->arena_mib,
        "gflops", r->gflops, "last_loss", r->loss);
    if (line && r->peak_gflops > 0) {
        json_object_set_new(line, "peak_gflops", json_real(r->peak_gflops));
        json_object_set_new(line, "peak_share", json_real(r->gflops / r->peak_gflops));
    }
    char *text = line ? json_dumps(line, JSON_REAL_PRECISION(6)) : NULL;
    json_decref(line);
    if (!text)
        return err_set(e, EXIT_SOFTWARE, "the loss of the last step is %g", r->loss);
    puts(text);
    free(text);
    return 0;
}

static void print_text(const struct bench_step *o, const struct bench_result *r)
{
    printf("%s, stem %s, %dx%d, %d images in %d view%s, %s, %s\n", o->model.arch, o->model.stem,
           o->size, o->size, o->batch, r->views, r->views == 1 ? "" : "s", o->objective, r->dtype);
    printf("device       %s, %d thread%s%s\n", r->device, r->threads, r->threads == 1 ? "" : "s",
           o->deterministic ? ", deterministic" : "");
    printf("step         %.3f ms, median of %d\n", r->ms, o->steps);
    printf("views        %.1f per second\n", r->views_per_s);
    printf("rate         %.1f GFLOP/s\n", r->gflops);
    if (r->peak_gflops > 0)
        printf("peak         %.1f GFLOP/s of %s multiply-adds in registers, %.1f %% reached\n",
               r->peak_gflops, r->dtype, r->gflops / r->peak_gflops * 100);
    printf("primitives   %.3f ms one by one, %.1f %% of the step\n", r->primitives_ms,
           r->primitives_ms / r->ms * 100);
    printf("memory       %.0f MiB at the peak, %.0f MiB of it the plan's\n", r->peak_mib,
           r->arena_mib);
}

static int whole_step(const struct cmd_args *args, const struct settings *s, struct err *e)
{
    struct bench_step o;
    struct bench_result r;
    if (read_options(args, s, &o, e) < 0 || bench_step(&o, &r, e) < 0)
        return -1;
    if (cmd_has(args, "json"))
        return print_json(&o, &r, e);
    print_text(&o, &r);
    return 0;
}

static int run(const struct cmd_args *args, struct err *e)
{
    struct settings *s = calloc(1, sizeof *s);
    int rc = s ? cmd_settings(args, NULL, s, NULL, e) : err_set(e, EXIT_OS, "out of memory");
    if (rc == 0)
        rc = (cmd_has(args, "loss-only")      ? loss_only
              : cmd_has(args, "augment-only") ? augment_only
                                              : whole_step)(args, s, e);
    free(s);
    return rc;
}

static const struct cmd_option options[] = {
    {"arch", 0, "ARCH", "time the architecture ARCH [resnet18]", "model.arch", false},
    {"stem", 0, "STEM", "give it the stem imagenet or cifar [cifar]", "model.stem", false},
    {"size", 0, "H", "use images of H x H [32]", NULL, false},
    {"batch-size", 0, "N", "use N images, each in as many views as the loss wants [64]", NULL,
     false},
    {"loss", 'l', "LOSS", "use the loss LOSS [supcon]", "objective.name", false},
    {"classes", 0, "K", "use K classes [10]", NULL, false},
    {"dtype", 0, "TYPE", "compute in f32 or bf16 [auto]", "model.dtype", false},
    CMD_OPTION_DEVICE,
    CMD_OPTION_THREADS,
    {"steps", 0, "N", "time N steps [6; 20 with --loss-only, 50 with --augment-only]", NULL, false},
    {"warmup", 0, "N", "make N steps before that [2; 3 with --loss-only, 5 with --augment-only]",
     NULL, false},
    {"deterministic", 0, NULL, "use deterministic algorithms alone, as runs do by default", NULL,
     false},
    {"loss-only", 0, NULL, "time the contrastive loss alone, on random rows", NULL, false},
    {"rows", 0, "M", "with --loss-only, use M rows: two views of M/2 samples [2048]", NULL, false},
    {"dim", 0, "D", "with --loss-only, use rows of length D [128]", NULL, false},
    {"augment-only", 0, NULL, "time augmentation alone, of random images", NULL, false},
    {"augment", 0, "POLICY", "with --augment-only, augment by POLICY [simaugment]",
     "augment.policy", false},
    CMD_OPTION_JSON,
    {0},
};

const struct cmd_class cmd_bench = {
    .name = "bench",
    .operands = "",
    .help =
        "Time a training step\n\n"
        "The step is a whole one with resident random images: forward, backward, norm of the "
        "gradients, update. The median is printed with the views per second; the share, which is "
        "the sum of the times of its calls, each run alone, over the time of the step (1: nothing "
        "is lost between them; more: a GPU does some of them at the same time); the rate of convolutions and linear layers, counted as direct ones, "
        "with its share of the peak arithmetic of the device, which is measured on multiply-adds "
        "that stay in registers (Winograd's convolutions multiply less, so that more than 100 % "
        "is possible); and the peak memory, counted from before the network is made. "
        "--augment-only tells what a batch of views costs one core, or the device that makes it.",
    .options = options,
    .run = run,
};
