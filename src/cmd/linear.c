/*
 * supcon linear: linear evaluation of a checkpoint without a run going on. The settings come from
 * the checkpoint itself, so that its folder alone is enough.
 */
#include "backend/backend.h"
#include "backend/tuning.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/batch.h"
#include "cmd/cmd.h"
#include "engine/checkpoint.h"
#include "engine/linear_event.h"
#include "engine/run.h"
#include "engine/run_path.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The newest checkpoint of a run that can be read. Nothing is renamed: the run may be going on. */
static int newest_of(const char *run, char path[PATH_BYTES], struct err *e)
{
    char dir[PATH_BYTES];
    int64_t *steps;
    int n;
    if (path_join(dir, run, "checkpoints", e) < 0 || checkpoint_list(dir, &steps, &n, e) < 0)
        return -1;
    err_set(e, EXIT_NOINPUT, "the run %s has no checkpoint yet", run);
    int r = -1;
    for (int i = n - 1; i >= 0 && r < 0; i--) {
        struct checkpoint_state state;
        if (checkpoint_path(dir, steps[i], path, e) == 0)
            r = checkpoint_read(path, &state, NULL, NULL, e);
        if (r < 0 && n > 1)
            log_warn("damaged checkpoint: %s", e->msg);
        else if (r == 0 && i < n - 1)
            log_warn("evaluating step %lld, %s, instead of step %lld", (long long)steps[i], path,
                     (long long)steps[n - 1]);
    }
    free(steps);
    return r < 0 && n > 0 ? err_prefix(e, "no checkpoint of the run %s can be used", run) : r;
}

/* The checkpoint's folder without links, so that the run above it is found from anywhere. */
static int find_checkpoint(const char *word, char path[PATH_BYTES], struct err *e)
{
    char real[PATH_MAX], chosen[PATH_BYTES];
    if (run_path_check(word, WANT_CHECKPOINT, e) < 0)
        return -1;
    if (run_is(word)) {
        if (newest_of(word, chosen, e) < 0)
            return -1;
        word = chosen;
    }
    if (!realpath(word, real))
        return err_errno(e, EXIT_NOINPUT, errno, "cannot open the checkpoint %s", word);
    if (strlen(real) >= PATH_BYTES)
        return err_set(e, EXIT_NOINPUT, "path too long: %s", real);
    snprintf(path, PATH_BYTES, "%s", real);
    return 0;
}

/* RUN of RUN/checkpoints/step-N; false if the checkpoint lies elsewhere. */
static bool find_run(const char *checkpoint, char run[PATH_BYTES])
{
    snprintf(run, PATH_BYTES, "%s", checkpoint);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(run, '/');
        if (!slash || slash == run)
            return false;
        *slash = '\0';
    }
    return run_is(run);
}

struct shown {
    struct batch_text text;
    struct err *e; /* why output failed */
};

/* Progress in the lines of --batch. Nobody to read them ends the evaluation. */
static bool show(void *ctx, const struct linear_progress *p)
{
    struct shown *s = ctx;
    if (p->phase[0])
        return false;
    struct event ev = linear_progress_event(p);
    batch_text_class.event(&s->text, &ev, stdout);
    return cmd_flush(s->e) < 0;
}

static void print_rates(const struct linear_result *r)
{
    for (int i = 0; i < r->n_rates; i++) {
        const struct linear_rate *a = &r->rates[i];
        printf("[Linear: %06lld][Lr: %g] >> ", (long long)r->step, a->lr);
        if (a->diverged)
            printf("diverged\n");
        else
            printf("Loss : %.4f, Top1: %.3f, Top5: %.3f, Valid: %.3f\n", a->test_loss, a->test_top1,
                   a->test_top5, a->valid_top1);
    }
}

static void print_result(const struct cmd_args *args, struct batch_text *text,
                         const struct linear_result *r)
{
    struct event ev = linear_result_event(r);
    print_rates(r);
    batch_text_class.event(text, &ev, stdout);
    char *line = cmd_has(args, "json") ? linear_json(r) : NULL;
    if (line)
        printf("%s\n", line);
    free(line);
}

/* Of what the run kept before, the result that the new one took the place of. */
static void tell_replaced(const char *run, const struct linear_result *kept, int n, int64_t step)
{
    for (int i = 0; i < n; i++)
        if (kept[i].step == step)
            log_info("replaced the earlier result of step %lld in %s: Top1: %.3f, Lr: %g, "
                     "Epochs: %d",
                     (long long)step, run, kept[i].top1, kept[i].lr, kept[i].epochs);
}

static int evaluate(const struct cmd_args *args, const char *checkpoint, const struct settings *s,
                    struct device *dev, struct err *e)
{
    char run[PATH_BYTES];
    struct linear_result result, *kept = NULL;
    struct err ignored;
    int n_kept = 0;
    struct shown shown = {.text.log_every = s->train.log_every, .e = e};
    struct linear_request q = {.checkpoint = checkpoint,
                               .settings = s,
                               .dev = dev,
                               .store = find_run(checkpoint, run) ? run : NULL};
    if (q.store)
        linear_results(q.store, &kept, &n_kept, &ignored);
    int rc = linear_evaluate(&q, show, &shown, &result, e) < 0 || result.cancelled ? -1 : 0;
    if (rc == 0) {
        print_result(args, &shown.text, &result);
        tell_replaced(run, kept, n_kept, result.step);
    }
    free(kept);
    return rc;
}

static int evaluate_on_device(const struct cmd_args *args, const char *checkpoint,
                              struct settings *s, struct tuning *tuning, struct err *e)
{
    struct checkpoint_state state;
    struct device dev = {0};
    tuning_load_cache(tuning);
    if (checkpoint_read(checkpoint, &state, s, tuning, e) < 0) {
        cmd_advise_checkpoint(e, checkpoint, "supcon linear ", "");
        return -1;
    }
    if (cmd_settings_change(args, s, e) < 0)
        return -1;
    struct device_options options = {
        .threads = (int)s->run.threads, .deterministic = s->run.deterministic, .tuning = tuning};
    if (device_open(&dev, s->run.device, &options, e) < 0)
        return -1;
    int r = evaluate(args, checkpoint, s, &dev, e);
    device_close(&dev);
    if (r == 0 && tuning_dirty(tuning))
        tuning_save_cache(tuning);
    return r;
}

static int run(const struct cmd_args *args, struct err *e)
{
    char checkpoint[PATH_BYTES];
    if (find_checkpoint(args->words[0], checkpoint, e) < 0)
        return -1;
    struct settings *s = calloc(1, sizeof *s);
    struct tuning *tuning = tuning_new();
    int r = s && tuning ? evaluate_on_device(args, checkpoint, s, tuning, e)
                        : err_set(e, EXIT_OS, "out of memory");
    tuning_free(tuning);
    free(s);
    return r;
}

static const struct cmd_option options[] = {
    CMD_OPTION_SET,
    CMD_OPTION_DEVICE,
    CMD_OPTION_JSON,
    {0},
};

const struct cmd_class cmd_linear = {
    .name = "linear",
    .operands = "CHECKPOINT",
    .help = "Evaluate a checkpoint by a linear classifier\n\n"
            "Trains a linear classifier on the features of the frozen encoder and reports its "
            "accuracy on the test images. CHECKPOINT is the folder of a checkpoint, or of a run, "
            "whose newest one is taken. All rates of the key linear.lr are trained side by side; "
            "the one that is best on the validation images is reported. The result is kept in the "
            "run, in linear/step-NNNNNNNN.json, in place of an earlier one, which is named; the "
            "checkpoint is only read. With --json the last line is the result.",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run};
