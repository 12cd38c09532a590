/*
 * Losses against stored vectors, computed elsewhere in f64: features or logits, labels, expected
 * loss and gradient, and the loss's parameters in the metadata. The tolerances are those the
 * vectors ask of f32, 1e-5 relative in the loss and 1e-4 in the L2 norm of the gradient, or those
 * that the command line gives: golden_losses [DEVICE [LOSS GRADIENT]].
 */
#include "base/safetensors.h"
#include "objective/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
    "cross_entropy",
    "cross_entropy_1000",
    "label_smoothing",
    "simclr_large",
    "simclr_small",
    "supcon_base_temperature",
    "supcon_large",
    "supcon_many_views",
    "supcon_one_anchor_view",
    "supcon_one_class",
    "supcon_paper_temperature",
    "supcon_single_view_lonely_anchor",
    "supcon_small",
    "supcon_tiny_temperature",
};

enum { N_NAMES = sizeof names / sizeof *names };

struct tolerances {
    double loss, gradient;
};

struct vector {
    struct objective_conf conf;
    struct loss_problem problem;
    int64_t count;
    float *x, *rows, *gradient;
    double *want, loss;
    int32_t *labels;
};

static double number(const struct st_file *f, const char *key)
{
    const char *text = st_metadata(f, key);
    return text ? strtod(text, NULL) : 0;
}

static int describe(const struct st_file *f, struct vector *v, struct err *e)
{
    const char *loss = st_metadata(f, "loss"), *mode = st_metadata(f, "contrast_mode");
    v->conf = (struct objective_conf){.temperature = number(f, "temperature"),
                                      .base_temperature = number(f, "base_temperature"),
                                      .label_smoothing = number(f, "label_smoothing")};
    snprintf(v->conf.contrast_mode, sizeof v->conf.contrast_mode, "%s", mode ? mode : "all");
    v->problem.conf = &v->conf;
    v->problem.objective = objective_find(loss ? loss : "", e);
    return v->problem.objective ? 0 : -1;
}

/* [N,V,D] of the file to rows v*N+n, or back. */
static void reorder(const struct vector *v, const float *from, float *to, bool to_rows)
{
    const struct loss_problem *p = &v->problem;
    for (int64_t i = 0; i < v->count; i++) {
        int64_t n = i / p->width / p->views, view = i / p->width % p->views;
        int64_t row = (view * p->samples + n) * p->width + i % p->width;
        to[to_rows ? row : i] = from[to_rows ? i : row];
    }
}

static int read_vector(const struct st_file *f, struct vector *v, struct err *e)
{
    const struct st_tensor *features = st_find(f, "features"), *logits = st_find(f, "logits");
    const struct st_tensor *x = features ? features : logits;
    const struct st_tensor *y = st_find(f, "labels"), *g = st_find(f, "grad"),
                           *l = st_find(f, "loss");
    if (!x || !y || !g || !l || g->count != x->count || describe(f, v, e))
        return err_set(e, EXIT_DATA, "%s: not a loss vector", f->path);
    v->count = x->count;
    v->problem.samples = x->dim[0];
    v->problem.views = features ? (int)x->dim[1] : 1;
    v->problem.width = x->dim[x->ndim - 1];
    v->x = malloc((size_t)x->count * sizeof *v->x);
    v->problem.rows = v->rows = malloc((size_t)x->count * sizeof *v->rows);
    v->problem.gradient = v->gradient = malloc((size_t)x->count * sizeof *v->gradient);
    v->want = malloc((size_t)x->count * sizeof *v->want);
    v->problem.labels = v->labels = malloc((size_t)y->count * sizeof *v->labels);
    if (!v->x || !v->rows || !v->gradient || !v->want || !v->labels)
        return err_set(e, EXIT_OS, "out of memory");
    return st_read_f32(f, x, v->x, e) || st_read_i32(f, y, v->labels, e) ||
                   st_read_f64(f, g, v->want, e) || st_read_f64(f, l, &v->loss, e)
               ? -1
               : 0;
}

static int compare(struct vector *v, const struct tolerances *t, struct err *e)
{
    double loss = (double)v->problem.stats[STAT_LOSS], error = 0, norm = 0;
    reorder(v, v->gradient, v->x, false);
    for (int64_t i = 0; i < v->count; i++) {
        error += ((double)v->x[i] - v->want[i]) * ((double)v->x[i] - v->want[i]);
        norm += v->want[i] * v->want[i];
    }
    if (!(fabs(loss - v->loss) <= t->loss * fabs(v->loss)))
        return err_set(e, EXIT_SOFTWARE, "loss %.9g, expected %.9g", loss, v->loss);
    if (!(sqrt(error / norm) <= t->gradient))
        return err_set(e, EXIT_SOFTWARE, "gradient off by %.3g", sqrt(error / norm));
    return 0;
}

static int check(struct device *dev, const char *path, const struct tolerances *t, struct err *e)
{
    struct vector v = {0};
    struct st_file f;
    if (st_open(&f, path, e))
        return -1;
    int rc = read_vector(&f, &v, e);
    if (rc == 0) {
        reorder(&v, v.x, v.rows, true);
        rc = loss_solve(dev, &v.problem, e) || compare(&v, t, e) ? -1 : 0;
    }
    st_close(&f);
    free(v.x);
    free(v.rows);
    free(v.gradient);
    free(v.want);
    free(v.labels);
    return rc;
}

int main(int argc, char **argv)
{
    const char *shared = getenv("SUPCON_SHARED");
    struct device dev = {0};
    struct device_options options = {.threads = 0};
    struct tolerances t = {1e-5, 1e-4};
    struct err e = {0};
    int failures = 0;
    if (argc > 3)
        t = (struct tolerances){strtod(argv[2], NULL), strtod(argv[3], NULL)};
    if (device_open(&dev, argc > 1 ? argv[1] : "cpu", &options, &e)) {
        printf("Bail out! %s\n", e.msg);
        return 1;
    }
    printf("1..%d\n", N_NAMES);
    for (int i = 0; i < N_NAMES; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/golden/%s.safetensors", shared ? shared : "", names[i]);
        if (!shared || access(path, R_OK)) {
            printf("ok %d - %s # SKIP no stored vectors in SUPCON_SHARED\n", i + 1, names[i]);
            continue;
        }
        int rc = check(&dev, path, &t, &e);
        printf("%sok %d - %s\n", rc ? "not " : "", i + 1, names[i]);
        if (rc)
            printf("# %s\n", e.msg);
        failures += rc != 0;
    }
    device_close(&dev);
    return failures > 0;
}
