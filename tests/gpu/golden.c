/*
 * Stored networks on one device (SUPCON_TEST_DEVICE, "cuda" where it is not set): logits, loss,
 * running statistics and norms of gradients against the stored numbers in f32, and every gradient
 * against the CPU's in f32 and bf16. What is measured is printed, so that a report can hold the
 * figures; here only what is far off fails. Which networks there are is read from the folder of
 * stored vectors; words on the command line select some.
 */
#include "tests/model/golden.h"

#include "arch/arch.h"
#include "backend/backend.h"
#include "backend/tuning.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 10, BATCH_MAX = 64, MODELS_MAX = 32 };

/* A measured error fails here from this on; tighter bounds are the report's. bf16 rounds at every
 * layer, and gradients pass through all of them. */
static const double FAR_F32 = 5e-2, FAR_BF16 = 0.5;

struct model {
    char name[64], arch[64], stem[16];
    int64_t images[4];
    struct st_file file;
    struct tuning *timed; /* the CPU's choices, of which single algorithms are forced */
};

struct rig { /* a network on its device */
    struct tuning *tuning;
    struct device dev;
    struct params *params;
    struct plan *plan;
};

static int number;

static void report(const struct model *m, const char *what, int rc, const struct err *e)
{
    printf("%sok %d - %s: %s\n", rc ? "not " : "", ++number, m->name, what);
    if (rc)
        printf("# %s\n", e->msg);
    fflush(stdout);
}

static int measured(const struct model *m, enum dtype dtype, const char *what, double error,
                    struct err *e)
{
    double far = dtype == DT_F32 ? FAR_F32 : FAR_BF16;
    printf("# measured %s %s %s %.9g\n", m->name, dtype_name(dtype), what, error);
    return error <= far ? 0
                        : err_set(e, EXIT_SOFTWARE, "%s in %s is off by %.3g; at most %g", what,
                                  dtype_name(dtype), error, far);
}

/* --- a network -------------------------------------------------------------------------------- */

static void rig_close(struct rig *r)
{
    plan_free(r->plan);
    params_free(r->params);
    device_close(&r->dev);
    tuning_free(r->tuning);
    *r = (struct rig){0};
}

static int build(struct rig *r, const struct model *m, enum dtype dtype, bool training,
                 struct err *e)
{
    struct graph *g = classifier_graph(m->arch, m->stem, dtype, training, m->images, CLASSES, e);
    int rc = g ? 0 : -1;
    if (rc == 0 && !r->params) {
        r->params = params_new(&r->dev);
        rc = !r->params || params_declare(r->params, g, e) || params_alloc(r->params, e) ||
                     golden_fill_params(r->params, "v1", e)
                 ? -1
                 : 0;
    }
    plan_free(r->plan);
    r->plan = rc ? NULL : plan_compile(&r->dev, g, r->params, e);
    graph_free(g);
    return r->plan ? 0 : -1;
}

static int feed(struct rig *r, const struct model *m, bool labelled, struct err *e)
{
    int64_t n = m->images[0] * m->images[1] * m->images[2] * m->images[3];
    float *x = malloc((size_t)n * sizeof *x);
    int32_t labels[BATCH_MAX];
    if (!x)
        return err_set(e, EXIT_OS, "out of memory");
    golden_fill(x, n, "input", "v1", 0, 1);
    for (int i = 0; i < BATCH_MAX; i++)
        labels[i] = i % CLASSES;
    int rc = plan_upload(r->plan, "images", x, e);
    free(x);
    return rc || (labelled && plan_upload(r->plan, "labels", labels, e)) ? -1 : 0;
}

/* With the algorithms that `force` names (NULL: as timed). */
static int rig_open(struct rig *r, const char *device, const struct model *m, const char *force,
                    struct err *e)
{
    *r = (struct rig){.tuning = force ? tuning_forced(m->timed, force, e) : tuning_new()};
    if (!r->tuning)
        return -1;
    return device_open(&r->dev, device,
                       &(struct device_options){.deterministic = true, .tuning = r->tuning}, e);
}

/* Only the CPU has algorithms of these names; as a device under test it computes as the reference
 * does, so that nothing but the test itself is tried. */
static const char *force_on(const char *device)
{
    return strncmp(device, "cpu", 3) == 0 ? "direct" : NULL;
}

/* One step of training; gradients stay in the parameter store. */
static int train(struct rig *r, const struct model *m, enum dtype dtype, struct err *e)
{
    return build(r, m, dtype, true, e) || feed(r, m, true, e) || plan_forward(r->plan, e) ||
                   plan_backward(r->plan, e)
               ? -1
               : 0;
}

/* --- against stored numbers ------------------------------------------------------------------- */

static int stored(const struct model *m, const char *kind, const char *name, double *out,
                  int64_t count, struct err *e)
{
    char key[600];
    snprintf(key, sizeof key, "%s%s", kind, name);
    const struct st_tensor *t = st_find(&m->file, key);
    if (!t || t->count != count)
        return err_set(e, EXIT_DATA, "%s: no tensor %s of %lld elements", m->file.path, key,
                       (long long)count);
    return st_read_f64(&m->file, t, out, e);
}

static int logits_error(struct rig *r, const struct model *m, const char *name, double *out,
                        struct err *e)
{
    int64_t n = m->images[0] * CLASSES;
    float got[BATCH_MAX * CLASSES];
    double mine[BATCH_MAX * CLASSES], want[BATCH_MAX * CLASSES];
    if (stored(m, "", name, want, n, e) || plan_download(r->plan, "logits", got, e))
        return -1;
    for (int64_t i = 0; i < n; i++)
        mine[i] = got[i];
    *out = relative_error(mine, want, n);
    return 0;
}

static int norm_of(const struct params *params, const struct param *p, bool gradient, double *out,
                   struct err *e)
{
    struct param source = *p;
    float *host = malloc((size_t)p->count * sizeof *host);
    if (gradient)
        source.value = p->grad;
    int rc = host ? params_get(params, &source, host, e) : err_set(e, EXIT_OS, "out of memory");
    *out = 0;
    for (int64_t i = 0; rc == 0 && i < p->count; i++)
        *out += (double)host[i] * host[i];
    *out = sqrt(*out);
    free(host);
    return rc;
}

/* Layers before the third stage lie below so many ReLUs that one of them falls on the other side by
 * chance; their gradients are compared with the CPU's as a whole instead. */
static bool is_late(const char *name)
{
    return strncmp(name, "layer3", 6) == 0 || strncmp(name, "layer4", 6) == 0 ||
           strncmp(name, "fc", 2) == 0;
}

/* The worst relative error over norms: of gradients, or of running statistics. */
static int norms_error(struct rig *r, const struct model *m, bool gradient, double *out,
                       struct err *e)
{
    *out = 0;
    for (int i = 0; i < r->params->n; i++) {
        const struct param *p = &r->params->items[i];
        double mine, want;
        if (p->trainable != gradient || (gradient && !is_late(p->spec.name)))
            continue;
        if (stored(m, gradient ? "grad_norm/" : "stat_norm/", p->spec.name, &want, 1, e) ||
            norm_of(r->params, p, gradient, &mine, e))
            return -1;
        *out = fmax(*out, relative_error(&mine, &want, 1));
    }
    return 0;
}

static int compare_stored(struct rig *r, const struct model *m, struct err *e)
{
    double eval, training, loss, norms, statistics;
    float stats[STAT_N];
    if (build(r, m, DT_F32, false, e) || feed(r, m, false, e) || plan_forward(r->plan, e) ||
        logits_error(r, m, "logits_eval", &eval, e) || train(r, m, DT_F32, e) ||
        logits_error(r, m, "logits_train", &training, e) || stored(m, "", "loss", &loss, 1, e) ||
        plan_download(r->plan, "loss", stats, e) || norms_error(r, m, true, &norms, e) ||
        plan_commit(r->plan, NULL, e) || norms_error(r, m, false, &statistics, e))
        return -1;
    double mine = stats[STAT_LOSS];
    return measured(m, DT_F32, "logits", fmax(eval, training), e) ||
                   measured(m, DT_F32, "loss", relative_error(&mine, &loss, 1), e) ||
                   measured(m, DT_F32, "grad_norm", norms, e) ||
                   measured(m, DT_F32, "statistics", statistics, e)
               ? -1
               : 0;
}

/* --- against the CPU -------------------------------------------------------------------------- */

/* All gradients in the order of the store; the caller frees. NULL on failure. */
static double *gradients(struct rig *r, struct err *e)
{
    int64_t n = r->params->n_trainable;
    struct param all = {.count = n,
                        .value = {.name = "gradients",
                                  .dtype = DT_F32,
                                  .ndim = 1,
                                  .dim = {n, 1, 1, 1},
                                  .bytes = (size_t)n * sizeof(float),
                                  .data = r->params->grad}};
    float *host = malloc((size_t)n * sizeof *host);
    double *out = malloc((size_t)n * sizeof *out);
    int rc =
        host && out ? params_get(r->params, &all, host, e) : err_set(e, EXIT_OS, "out of memory");
    for (int64_t i = 0; rc == 0 && i < n; i++)
        out[i] = host[i];
    free(host);
    if (rc == 0)
        return out;
    free(out);
    return NULL;
}

static double *gradients_on(const char *device, const struct model *m, const char *force,
                            enum dtype dtype, int64_t *n, struct err *e)
{
    struct rig r;
    double *out = NULL;
    if (rig_open(&r, device, m, force, e) == 0 && train(&r, m, dtype, e) == 0) {
        *n = r.params->n_trainable;
        out = gradients(&r, e);
    }
    rig_close(&r);
    return out;
}

/* The distance of one device's gradients from the CPU's by direct convolutions in f32. */
static int distance(const char *device, const struct model *m, const char *force, enum dtype dtype,
                    double *out, struct err *e)
{
    int64_t n = 0;
    double *want = gradients_on("cpu", m, "direct", DT_F32, &n, e);
    double *mine = want ? gradients_on(device, m, force, dtype, &n, e) : NULL;
    *out = mine ? relative_error(mine, want, n) : 0;
    free(want);
    free(mine);
    return mine ? 0 : -1;
}

/* Besides the device's error the CPU's own: by another algorithm in f32, and in bf16. */
static int compare_gradients(const char *device, const struct model *m, enum dtype dtype,
                             struct err *e)
{
    double error, own;
    struct err unsupported = {0};
    if (distance(device, m, force_on(device), dtype, &error, e))
        return -1;
    if (distance("cpu", m, dtype == DT_F32 ? "winograd" : "direct", dtype, &own, &unsupported) == 0)
        measured(m, dtype, "cpu-itself", own, &unsupported);
    return measured(m, dtype, "gradient", error, e);
}

/* Times the CPU's algorithms once. */
static int time_cpu(struct model *m, struct err *e)
{
    struct rig r = {0};
    m->timed = tuning_new();
    struct device_options options = {.deterministic = true, .tuning = m->timed};
    int rc = device_open(&r.dev, "cpu", &options, e) || build(&r, m, DT_F32, true, e) ? -1 : 0;
    rig_close(&r);
    return rc;
}

/* --- which ------------------------------------------------------------------------------------ */

/* "model_resnet18_cifar.safetensors"; false: not a network this program knows. */
static bool open_model(struct model *m, const char *folder, const char *file)
{
    char path[4096];
    struct err e = {0};
    *m = (struct model){.stem = "imagenet"};
    if (strncmp(file, "model_resnet", 12) != 0)
        return false;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(m->name, sizeof m->name, "%.*s", (int)strcspn(file + 6, "."), file + 6);
    snprintf(m->arch, sizeof m->arch, "%.*s", (int)strcspn(m->name, "_"), m->name);
    if (strstr(m->name, "_cifar"))
        snprintf(m->stem, sizeof m->stem, "cifar");
    if (!arch_find(m->arch, &e) || st_open(&m->file, path, &e))
        return false;
    const char *size = st_metadata(&m->file, "image_size"), *batch = st_metadata(&m->file, "batch");
    int side = size ? atoi(size) : 0;
    memcpy(m->images, (int64_t[]){batch ? atoi(batch) : 0, 3, side, side}, sizeof m->images);
    if (side > 0 && m->images[0] > 0 && m->images[0] <= BATCH_MAX)
        return true;
    st_close(&m->file);
    return false;
}

static bool selected(const struct model *m, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], m->name) == 0)
            return true;
    return argc < 2;
}

static void one_model(struct model *m, const char *device)
{
    struct rig r = {0};
    struct err e = {0};
    int rc = time_cpu(m, &e) || rig_open(&r, device, m, force_on(device), &e) ||
                     compare_stored(&r, m, &e)
                 ? -1
                 : 0;
    char why[128];
    bool narrow = rc == 0 && r.dev.class->has_dtype(&r.dev, DT_BF16, why, sizeof why);
    rig_close(&r);
    report(m, "stored numbers, f32", rc, &e);
    e = (struct err){0};
    report(m, "gradients against the CPU's, f32", compare_gradients(device, m, DT_F32, &e), &e);
    if (narrow)
        report(m, "gradients against the CPU's, bf16", compare_gradients(device, m, DT_BF16, &e),
               &e);
    tuning_free(m->timed);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int each_model(const char *folder, const char *device, int argc, char **argv)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, by_name), known = 0;
    for (int i = 0; i < n; i++) {
        struct model m;
        if (open_model(&m, folder, entry[i]->d_name)) {
            if (selected(&m, argc, argv)) {
                one_model(&m, device);
                known++;
            }
            st_close(&m.file);
        }
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    return known;
}

int main(int argc, char **argv)
{
    const char *shared = getenv("SUPCON_SHARED"), *device = getenv("SUPCON_TEST_DEVICE");
    char folder[4096];
    struct device dev;
    struct err e = {0};
    device = device && *device ? device : "cuda";
    snprintf(folder, sizeof folder, "%s/golden", shared ? shared : "../shared");
    if (device_open(&dev, device, &(struct device_options){0}, &e)) {
        printf("1..1\nok 1 - stored networks # SKIP %s\n", e.msg);
        return 0;
    }
    device_close(&dev);
    if (each_model(folder, device, argc, argv) == 0)
        printf("ok %d - stored networks # SKIP there are none in %s\n", ++number, folder);
    printf("1..%d\n", number);
    return 0;
}
