/*
 * supcon embed: features (and logits, where the weights hold a classifier) of images from a file or
 * a data set, in evaluation mode and f32.
 */
#include "backend/backend.h"
#include "backend/tuning.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "cmd/cmd.h"
#include "data/loader.h"
#include "engine/checkpoint.h"
#include "engine/network.h"
#include "engine/run_path.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };

struct embed {
    struct settings s;
    struct tuning *tuning; /* choices of algorithms are remembered, so that features repeat */
    struct device dev;
    struct network net;
    struct plan *plan;
    struct network_shape shape;
    int64_t n;
    float *images;            /* [N,C,H,W], normalised */
    int32_t *labels;          /* [N], NULL when the input has none */
    float *features, *logits; /* [N,D], [N,K] or NULL */
};

static int read_tensor(struct embed *m, const struct st_file *f, struct err *e)
{
    const struct st_tensor *t = st_find(f, "images");
    if (!t)
        return err_set(
            e, EXIT_DATA,
            "%s: there is no tensor \"images\"; expected images [N,3,H,W], f32, normalised",
            f->path);
    if (t->ndim != 4 || t->count == 0 || t->dim[0] > INT32_MAX || t->dim[2] > 65536 ||
        t->dim[3] > 65536)
        return err_set(e, EXIT_DATA,
                       "%s: \"images\" has %d dimensions and %lld elements; expected [N,3,H,W]",
                       f->path, t->ndim, (long long)t->count);
    if (t->dim[1] != 3)
        return err_set(e, EXIT_DATA, "%s: \"images\" has %lld channels; expected 3", f->path,
                       (long long)t->dim[1]);
    m->n = t->dim[0];
    m->shape.channels = 3;
    m->shape.height = (int)t->dim[2];
    m->shape.width = (int)t->dim[3];
    m->images = malloc((size_t)t->count * sizeof *m->images);
    if (!m->images)
        return err_set(e, EXIT_OS, "out of memory for the images of %s", f->path);
    return st_read_f32(f, t, m->images, e);
}

static int read_file(struct embed *m, const char *path, struct err *e)
{
    struct st_file f;
    if (st_open(&f, path, e) != 0)
        return -1;
    int rc = read_tensor(m, &f, e);
    st_close(&f);
    return rc;
}

static int copy_batches(struct embed *m, struct loader *l, struct err *e)
{
    size_t pixels = (size_t)m->shape.channels * (size_t)m->shape.height * (size_t)m->shape.width;
    m->images = malloc((size_t)m->n * pixels * sizeof *m->images);
    m->labels = malloc((size_t)m->n * sizeof *m->labels);
    if (!m->images || !m->labels)
        return err_set(e, EXIT_OS, "out of memory for %lld images", (long long)m->n);
    for (int64_t i = 0; i < m->n;) {
        struct batch *b;
        if (loader_next(l, &b, e) != 0)
            return -1;
        memcpy(m->images + (size_t)i * pixels, b->images, (size_t)b->n * pixels * sizeof(float));
        memcpy(m->labels + i, b->labels, (size_t)b->n * sizeof(int32_t));
        i += b->n;
        loader_release(l, b);
    }
    return 0;
}

/* The test part of a data set, in its order, normalised and not augmented. */
static int read_dataset(struct embed *m, const char *name, struct err *e)
{
    struct dataset data = {0};
    struct split split = {0};
    struct loader *l = NULL;
    snprintf(m->s.data.name, sizeof m->s.data.name, "%s", name);
    if (dataset_open(&data, &m->s.data, e) != 0)
        return -1;
    int rc = split_part(&data, PART_TEST, &split, e);
    m->n = split.n;
    m->shape = (struct network_shape){data.channels, data.height, data.width, m->shape.n_classes};
    if (rc == 0)
        rc = loader_open(
            &l,
            &(struct loader_options){
                .data = &data, .split = &split, .batch = BATCH, .views = 1, .keep_partial = true},
            e);
    if (rc == 0)
        rc = copy_batches(m, l, e);
    if (l)
        loader_close(l);
    split_free(&split);
    dataset_close(&data);
    return rc;
}

static bool is_dataset(const char *word)
{
    for (int i = 0; dataset_classes[i]; i++)
        if (strcmp(dataset_classes[i]->name, word) == 0)
            return true;
    return false;
}

static const char *dataset_at(void *ctx, int i)
{
    (void)ctx;
    return dataset_classes[i] ? dataset_classes[i]->name : NULL;
}

/* A word that is no file may have been meant as a data set. */
static int no_input(const char *word, struct err *e)
{
    char names[256] = "";
    size_t n = 0;
    const char *near = nearest_word(word, dataset_at, NULL);
    if (near)
        return err_set(e, EXIT_NOINPUT,
                       "--input: %s is neither a file nor a data set; did you mean %s?", word,
                       near);
    for (int i = 0; dataset_classes[i] && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "",
                              dataset_classes[i]->name);
    return err_set(e, EXIT_NOINPUT, "--input: there is no file %s; the data sets are %s", word,
                   names);
}

static int read_input(struct embed *m, const char *word, struct err *e)
{
    if (!is_dataset(word))
        return path_exists(word) ? read_file(m, word, e) : no_input(word, e);
    if (read_dataset(m, word, e) == 0)
        return 0;
    cmd_rename_key(e, "data.name", "input");
    return -1;
}

static int read_options(const struct cmd_args *args, struct embed *m, struct err *e)
{
    static const char *const needed[] = {"weights", "input", "output"};
    long classes;
    for (int i = 0; i < 3; i++)
        if (!cmd_value(args, needed[i]))
            return err_set(e, EXIT_USAGE,
                           "missing option '--%s'; it takes --weights, --input and --output, try "
                           "'supcon embed --help'",
                           needed[i]);
    if (cmd_int(args, "classes", 1, 1 << 20, 10, &classes, e) != 0)
        return -1;
    m->shape.n_classes = (int)classes;
    if (run_path_check(cmd_value(args, "weights"), WANT_WEIGHTS, e) != 0)
        return err_prefix(e, "--weights");
    return cmd_settings(args, NULL, &m->s, NULL, e);
}

/* Weights of a checkpoint that do not match its manifest are damaged; those that do merely differ
 * from what was asked for. */
static void advise(const char *weights, struct err *e)
{
    char folder[PATH_BYTES];
    struct checkpoint_state state;
    struct err ignored;
    snprintf(folder, sizeof folder, "%s", weights);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return;
    *slash = '\0';
    if (checkpoint_read(folder, &state, NULL, NULL, &ignored) < 0)
        cmd_advise_checkpoint(e, folder, "--weights ", "/model.safetensors");
}

static int prepare(struct embed *m, const char *weights, struct err *e)
{
    m->tuning = tuning_new();
    struct device_options options = {
        .threads = (int)m->s.run.threads, .deterministic = true, .tuning = m->tuning};
    if (!m->tuning)
        return err_set(e, EXIT_OS, "out of memory");
    tuning_load_cache(m->tuning);
    snprintf(m->s.model.dtype, sizeof m->s.model.dtype, "f32");
    if (device_open(&m->dev, m->s.run.device, &options, e) != 0 ||
        network_init(&m->net, &m->dev, &m->s.model, &m->shape, 1, e) != 0)
        return -1;
    if (network_load_weights(&m->net, weights, e) != 0) {
        advise(weights, e);
        return -1;
    }
    enum param_group head = m->net.live[GROUP_FC] ? GROUP_FC : GROUP_ENCODER;
    int batch = m->n < BATCH ? (int)m->n : BATCH;
    m->plan = network_eval_plan(&m->net, batch, head, e);
    if (m->plan && tuning_dirty(m->tuning))
        tuning_save_cache(m->tuning);
    return m->plan ? 0 : -1;
}

static int allocate(struct embed *m, struct err *e)
{
    m->features = malloc((size_t)m->n * (size_t)m->net.arch->features * sizeof(float));
    if (m->net.live[GROUP_FC])
        m->logits = malloc((size_t)m->n * (size_t)m->shape.n_classes * sizeof(float));
    return m->features && (m->logits || !m->net.live[GROUP_FC])
               ? 0
               : err_set(e, EXIT_OS, "out of memory for the features");
}

/* Batches of the plan's size; the last one overlaps the one before it, so that none is short. */
static int compute(struct embed *m, struct err *e)
{
    int64_t batch = m->n < BATCH ? m->n : BATCH, d = m->net.arch->features;
    size_t pixels = (size_t)m->shape.channels * (size_t)m->shape.height * (size_t)m->shape.width;
    for (int64_t next = 0; next < m->n; next += batch) {
        int64_t at = next + batch <= m->n ? next : m->n - batch;
        if (plan_upload(m->plan, "images", m->images + (size_t)at * pixels, e) != 0 ||
            plan_forward(m->plan, e) != 0 ||
            plan_download(m->plan, "features", m->features + at * d, e) != 0 ||
            (m->logits &&
             plan_download(m->plan, "logits", m->logits + at * m->shape.n_classes, e) != 0))
            return -1;
    }
    return 0;
}

static int write_result(const struct embed *m, const char *path, struct err *e)
{
    struct st_out out[3] = {{"features", ST_F32, 2, {m->n, m->net.arch->features}, m->features}};
    int n = 1;
    if (m->logits)
        out[n++] = (struct st_out){"logits", ST_F32, 2, {m->n, m->shape.n_classes}, m->logits};
    if (m->labels)
        out[n++] = (struct st_out){"labels", ST_I32, 1, {m->n}, m->labels};
    return st_write(path, out, n, NULL, e);
}

static void done(struct embed *m)
{
    plan_free(m->plan);
    network_done(&m->net);
    device_close(&m->dev);
    tuning_free(m->tuning);
    free(m->images);
    free(m->labels);
    free(m->features);
    free(m->logits);
    free(m);
}

static int run(const struct cmd_args *args, struct err *e)
{
    struct embed *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(e, EXIT_OS, "out of memory");
    int rc = read_options(args, m, e);
    if (rc == 0)
        rc = read_input(m, cmd_value(args, "input"), e);
    if (rc == 0)
        rc = prepare(m, cmd_value(args, "weights"), e);
    if (rc == 0)
        rc = allocate(m, e);
    if (rc == 0)
        rc = compute(m, e);
    if (rc == 0)
        rc = write_result(m, cmd_value(args, "output"), e);
    done(m);
    return rc;
}

static const struct cmd_option options[] = {
    {"arch", 0, "ARCH", "the weights are those of the architecture ARCH [resnet18]", "model.arch",
     false},
    {"stem", 0, "STEM", "with the stem imagenet or cifar [cifar]", "model.stem", false},
    {"classes", 0, "K", "and a classifier, if any, of K classes [10]", NULL, false},
    {"weights", 'w', "FILE", "read weights from the safetensors file FILE (needed)", NULL, false},
    {"input", 'i', "INPUT", "read images from a safetensors file, or from a data set (needed)",
     NULL, false},
    {"output", 'o', "FILE", "write features to the safetensors file FILE (needed)", NULL, false},
    {"size", 0, "H", "use views of H x H of a folder whose images differ in size", "data.size",
     false},
    {"data-path", 0, "DIR", "find the data set in the folder DIR", "data.path", false},
    CMD_OPTION_DEVICE,
    CMD_OPTION_THREADS,
    {0},
};

const struct cmd_class cmd_embed = {
    .name = "embed",
    .operands = "",
    .help =
        "Compute the features of images\n\n"
        "The weights bear torchvision's names. The input is a safetensors file with the tensor "
        "images [N,3,H,W], f32 and normalised, or the name of a data set, of which the test part is "
        "taken. The output holds features [N,D], logits [N,K] when the weights hold a classifier, "
        "and the labels of a data set.",
    .options = options,
    .run = run,
};
