/*
 * supcon loss: the value and gradient of a loss for features or logits from a file, so that other
 * programs can be compared with this one.
 */
#include "backend/backend.h"
#include "base/safetensors.h"
#include "cmd/cmd.h"
#include "objective/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a loss takes from the file. */
struct given {
    const char *path;
    const struct st_tensor *input; /* features [N,V,D] or [N,D], or logits [N,K] */
    struct loss_problem problem;
    float *rows, *gradient; /* [V*N, width] */
    int32_t *labels;
};

static const struct st_tensor *tensor_of(const struct st_file *f, const char *name, int rank,
                                         const char *shape, struct err *e)
{
    const struct st_tensor *t = st_find(f, name);
    if (!t) {
        err_set(e, EXIT_DATA, "%s: there is no tensor \"%s\"; expected %s %s", f->path, name, name,
                shape);
        return NULL;
    }
    if (t->ndim != rank || t->count == 0) {
        err_set(e, EXIT_DATA, "%s: \"%s\" has %d dimensions and %lld elements; expected %s",
                f->path, name, t->ndim, (long long)t->count, shape);
        return NULL;
    }
    return t;
}

static bool whole_numbers(enum st_dtype t)
{
    return t != ST_F16 && t != ST_BF16 && t != ST_F32 && t != ST_F64 && t != ST_BOOL;
}

static int read_labels(const struct st_file *f, struct given *g, struct err *e)
{
    const struct st_tensor *t = tensor_of(f, "labels", 1, "[N], whole numbers", e);
    if (!t)
        return -1;
    if (!whole_numbers(t->dtype))
        return err_set(e, EXIT_DATA, "%s: \"labels\" are %s; expected whole numbers", f->path,
                       st_dtype_name(t->dtype));
    if (t->count != g->problem.samples)
        return err_set(e, EXIT_DATA, "%s: %lld labels for %lld samples of \"%s\"", f->path,
                       (long long)t->count, (long long)g->problem.samples, g->input->name);
    g->labels = malloc((size_t)t->count * sizeof *g->labels);
    if (!g->labels)
        return err_set(e, EXIT_OS, "out of memory");
    g->problem.labels = g->labels;
    return st_read_i32(f, t, g->labels, e);
}

/* File order [N,V,D] and row order [V*N,D]; one view: the same. */
static void reorder(const struct loss_problem *p, const float *from, float *to, bool to_rows)
{
    for (int64_t n = 0; n < p->samples; n++)
        for (int v = 0; v < p->views; v++) {
            int64_t in_file = n * p->views + v, in_rows = v * p->samples + n;
            memcpy(to + (to_rows ? in_rows : in_file) * p->width,
                   from + (to_rows ? in_file : in_rows) * p->width, (size_t)p->width * sizeof *to);
        }
}

static int check_finite(const struct given *g, const float *x, struct err *e)
{
    for (int64_t i = 0; i < g->input->count; i++)
        if (!isfinite(x[i]))
            return err_set(e, EXIT_DATA,
                           "%s: element %lld of \"%s\" is %g; a loss needs finite numbers", g->path,
                           (long long)i, g->input->name, (double)x[i]);
    return 0;
}

static int read_rows(const struct st_file *f, struct given *g, struct err *e)
{
    size_t bytes = (size_t)g->input->count * sizeof *g->rows;
    float *x = malloc(bytes);
    g->rows = malloc(bytes);
    g->gradient = malloc(bytes);
    int rc = x && g->rows && g->gradient ? 0 : err_set(e, EXIT_OS, "out of memory");
    if (rc == 0)
        rc = st_read_f32(f, g->input, x, e) || check_finite(g, x, e) ? -1 : 0;
    if (rc == 0)
        reorder(&g->problem, x, g->rows, true);
    free(x);
    g->problem.rows = g->rows;
    g->problem.gradient = g->gradient;
    return rc;
}

/* [N,D], as embed writes them, is one view of each sample. */
static const struct st_tensor *features_of(const struct st_file *f,
                                           const struct objective_class *objective, struct err *e)
{
    const struct st_tensor *t = st_find(f, "features");
    if (!t || t->ndim != 2)
        return tensor_of(f, "features", 3, "[N,V,D], or [N,D] for one view", e);
    if (objective->min_views < 2)
        return tensor_of(f, "features", 2, "[N,D]", e);
    err_set(e, EXIT_DATA,
            "%s: \"features\" are [N,D], one view of each sample, and %s compares views; stack "
            "those of V views as [N,V,D]",
            f->path, objective->name);
    return NULL;
}

static int read_given(const struct st_file *f, struct given *g, struct err *e)
{
    bool contrastive = g->problem.objective->contrastive;
    g->input = contrastive ? features_of(f, g->problem.objective, e)
                           : tensor_of(f, "logits", 2, "[N,K]", e);
    if (!g->input)
        return -1;
    bool views = g->input->ndim == 3;
    if (g->input->count > INT32_MAX)
        return err_set(e, EXIT_DATA, "%s: \"%s\" has %lld elements; at most %d are supported",
                       f->path, g->input->name, (long long)g->input->count, INT32_MAX);
    g->problem.samples = g->input->dim[0];
    g->problem.views = views ? (int)g->input->dim[1] : 1;
    g->problem.width = g->input->dim[views ? 2 : 1];
    return read_rows(f, g, e) || read_labels(f, g, e) ? -1 : 0;
}

static int write_gradient(struct given *g, const char *path, struct err *e)
{
    struct st_out out = {.name = "grad", .dtype = ST_F32, .ndim = g->input->ndim};
    float *grad = malloc((size_t)g->input->count * sizeof *grad);
    if (!grad)
        return err_set(e, EXIT_OS, "out of memory");
    reorder(&g->problem, g->gradient, grad, false);
    memcpy(out.dim, g->input->dim, sizeof out.dim);
    out.data = grad;
    int rc = st_write(path, &out, 1, NULL, e);
    free(grad);
    return rc;
}

static void print_loss(const struct loss_problem *p, bool json)
{
    double rows = (double)p->stats[STAT_ROWS], loss = (double)p->stats[STAT_LOSS];
    double top1 = 100 * (double)p->stats[STAT_TOP1] / rows;
    if (json)
        printf("{\"loss\": %.9g, \"acc\": %.6g, \"rows\": %.0f, \"lonely\": %.0f}\n", loss, top1,
               rows, (double)p->stats[STAT_LONELY]);
    else
        printf("Loss : %.9g, Acc: %.3f\n", loss, top1);
}

/* So little work is done soonest on the CPU: it is the default here. */
static int read_settings(const struct cmd_args *args, struct settings *s, struct err *e)
{
    struct conf_origin *origin = conf_origin_new();
    if (!origin)
        return err_set(e, EXIT_OS, "out of memory");
    int rc = cmd_settings(args, NULL, s, origin, e);
    if (strcmp(conf_origin_of(origin, settings_table, "device"), "default") == 0)
        snprintf(s->run.device, sizeof s->run.device, "cpu");
    conf_origin_free(origin);
    return rc;
}

static int solve(const struct settings *s, struct given *g, struct err *e)
{
    struct device dev = {0};
    struct device_options options = {.threads = (int)s->run.threads,
                                     .deterministic = s->run.deterministic};
    if (device_open(&dev, s->run.device, &options, e))
        return -1;
    int rc = loss_solve(&dev, &g->problem, e);
    device_close(&dev);
    return rc ? err_prefix(e, "%s", g->path) : 0;
}

static int evaluate(const struct cmd_args *args, const struct settings *s, struct given *g,
                    struct err *e)
{
    const char *output = cmd_value(args, "output");
    struct st_file f;
    if (st_open(&f, g->path, e))
        return -1;
    int rc = read_given(&f, g, e);
    if (rc == 0)
        rc = solve(s, g, e);
    if (rc == 0 && output)
        rc = write_gradient(g, output, e);
    if (rc == 0)
        print_loss(&g->problem, cmd_has(args, "json"));
    st_close(&f);
    free(g->rows);
    free(g->gradient);
    free(g->labels);
    return rc;
}

static int run(const struct cmd_args *args, struct err *e)
{
    struct settings *s = calloc(1, sizeof *s);
    int rc = s ? read_settings(args, s, e) : err_set(e, EXIT_OS, "out of memory");
    struct given g = {.path = args->words[0]};
    if (rc == 0) {
        g.problem.conf = &s->objective;
        g.problem.objective = objective_find(s->objective.name, e);
        rc = g.problem.objective ? evaluate(args, s, &g, e) : -1;
    }
    free(s);
    return rc;
}

static const struct cmd_option options[] = {
    {"loss", 'l', "LOSS", "compute the loss LOSS [supcon]", "objective.name", false},
    CMD_OPTION_SET,
    {"output", 'o', "FILE", "write the gradient to the safetensors file FILE, as grad", NULL,
     false},
    CMD_OPTION_DEVICE,
    CMD_OPTION_JSON,
    {0},
};

const struct cmd_class cmd_loss = {
    .name = "loss",
    .operands = "FILE",
    .help =
        "Print the loss of given features or logits, and write its gradient\n\n"
        "FILE is a safetensors file. A contrastive loss takes features [N,V,D], or [N,D] for one "
        "view (supcon only), which are used as they are given (those of embed are not "
        "normalised), cross-entropy takes logits [N,K]; both take labels [N], whole numbers. "
        "Other tensors are ignored; numbers that are not finite are refused. The gradient has "
        "the shape of the input.",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run};
