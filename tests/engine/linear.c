/* Linear evaluation: the classifiers learn what softmax regression in double learns; rates that
 * diverge are left out; it can be cancelled; results are kept. */
#include "backend/backend.h"
#include "backend/tuning.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/checkpoint.h"
#include "engine/linear_part.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { BATCH = 16, DIM = 8, CLASSES = 3, STEPS = 12 };

/* A run with one checkpoint of an untrained network. */
struct place {
    struct device dev;
    struct tuning *tuning;
    char dir[PATH_BYTES], checkpoint[PATH_BYTES];
    struct settings s;
    int sink;
};

static void quiet(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static int save_untrained(struct place *p, struct err *e)
{
    struct dataset data;
    struct network net = {0};
    struct checkpoint_state state = {.step = 5, .metrics_bytes = -1};
    struct checkpoint_saved saved;
    char dir[PATH_BYTES];
    snprintf(state.objective, sizeof state.objective, "supcon");
    if (dataset_open(&data, &p->s.data, e) < 0 || path_join(dir, p->dir, "checkpoints", e) < 0)
        return -1;
    struct network_shape shape = {data.channels, data.height, data.width, data.n_classes};
    struct checkpoint_source source = {
        .dir = dir, .net = &net, .settings = &p->s, .state = &state, .keep = 1};
    int r = network_init(&net, &p->dev, &p->s.model, &shape, 1, e);
    if (r == 0)
        r = checkpoint_save(&source, &saved, e);
    if (r == 0)
        snprintf(p->checkpoint, sizeof p->checkpoint, "%s", saved.path);
    network_done(&net);
    dataset_close(&data);
    return r;
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    struct err e = {0};
    p->tuning = tuning_new();
    struct device_options options = {.threads = 2, .deterministic = true, .tuning = p->tuning};
    *state = p;
    p->sink = log_add(quiet, NULL);
    snprintf(p->dir, sizeof p->dir, "%s/linear-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    conf_defaults(settings_table, &p->s, NULL);
    snprintf(p->s.data.name, sizeof p->s.data.name, "shapes");
    snprintf(p->s.model.arch, sizeof p->s.model.arch, "resnet8");
    snprintf(p->s.model.stem, sizeof p->s.model.stem, "cifar");
    p->s.data.train_images = 80;
    p->s.data.test_images = 30;
    p->s.data.valid_fraction = 0.25;
    p->s.train.batch_size = 16;
    p->s.linear.epochs = 2;
    p->s.linear.batch_size = 20;
    if (mkdtemp(p->dir) && device_open(&p->dev, "cpu", &options, &e) == 0 &&
        save_untrained(p, &e) == 0)
        return 0;
    fprintf(stderr, "%s\n", e.msg);
    return -1;
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct err e;
    device_close(&p->dev);
    tuning_free(p->tuning);
    int r = dir_remove(p->dir, &e);
    log_remove(p->sink);
    free(p);
    return r;
}

/* Softmax regression by SGD with momentum, in double. */
struct reference {
    double w[CLASSES][DIM + 1], v[CLASSES][DIM + 1]; /* the last column is the bias */
};

static double probabilities(const struct reference *r, const float *x, int label, double *p)
{
    double top = -INFINITY, sum = 0;
    for (int k = 0; k < CLASSES; k++) {
        p[k] = r->w[k][DIM];
        for (int d = 0; d < DIM; d++)
            p[k] += r->w[k][d] * (double)x[d];
        top = fmax(top, p[k]);
    }
    for (int k = 0; k < CLASSES; k++)
        sum += exp(p[k] - top);
    double loss = top + log(sum) - p[label];
    for (int k = 0; k < CLASSES; k++)
        p[k] = exp(p[k] - top) / sum;
    return loss;
}

static double reference_step(struct reference *r, const float *x, const int32_t *label, double lr)
{
    double g[CLASSES][DIM + 1] = {{0}}, loss = 0, p[CLASSES];
    for (int i = 0; i < BATCH; i++) {
        const float *row = x + (size_t)i * DIM;
        loss += probabilities(r, row, label[i], p) / BATCH;
        for (int k = 0; k < CLASSES; k++)
            for (int d = 0; d <= DIM; d++)
                g[k][d] += (p[k] - (k == label[i])) * (d < DIM ? (double)row[d] : 1) / BATCH;
    }
    for (int k = 0; k < CLASSES; k++)
        for (int d = 0; d <= DIM; d++) {
            r->v[k][d] = 0.9 * r->v[k][d] + g[k][d];
            r->w[k][d] -= lr * r->v[k][d];
        }
    return loss;
}

static void make_batch(uint32_t step, float *x, int32_t *label)
{
    struct rng rng = rng_at(3, RNG_SUBSET, 0, 0, step, 0);
    for (int i = 0; i < BATCH; i++) {
        label[i] = (int32_t)rng_below(&rng, CLASSES);
        for (int d = 0; d < DIM; d++)
            x[i * DIM + d] = rng_range(&rng, -1, 1) + (d == label[i] ? 1.5f : 0);
    }
}

static struct linear_conf small_conf(void)
{
    struct linear_conf c = {.epochs = 1, .n_lr = 2, .lr = {0.1, 0.7}, .momentum = 0.9};
    snprintf(c.optimizer, sizeof c.optimizer, "sgd");
    snprintf(c.schedule, sizeof c.schedule, "constant");
    return c;
}

static void read_start(struct heads *h, struct reference *r)
{
    float w[CLASSES * DIM], b[CLASSES];
    struct err e = {0};
    assert_int_equal(params_get(h->params, params_find(h->params, "head.1.weight"), w, &e), 0);
    assert_int_equal(params_get(h->params, params_find(h->params, "head.1.bias"), b, &e), 0);
    for (int k = 0; k < CLASSES; k++) {
        for (int d = 0; d < DIM; d++)
            r->w[k][d] = (double)w[k * DIM + d];
        r->w[k][DIM] = (double)b[k];
    }
}

static void heads_learn_what_regression_in_double_learns(void **state)
{
    struct place *p = *state;
    struct heads h;
    struct err e = {0};
    struct linear_conf c = small_conf();
    struct reference r[2] = {0};
    assert_int_equal(heads_open(&h, &p->dev, &(struct heads_shape){BATCH, DIM, CLASSES}, &c, 1, &e),
                     0);
    h.total = h.per_epoch = STEPS;
    read_start(&h, &r[0]); /* both heads start from the same weights */
    read_start(&h, &r[1]);
    for (int step = 0; step < STEPS; step++) {
        float x[BATCH * DIM];
        int32_t label[BATCH];
        double loss[CONF_LIST_MAX], acc[CONF_LIST_MAX];
        make_batch((uint32_t)step, x, label);
        assert_int_equal(heads_step(&h, step, x, label, loss, acc, &e), 0);
        for (int k = 0; k < 2; k++) /* f32 sums of 16 rows: 1e-5 leaves room for 12 steps */
            assert_true(fabs(loss[k] - reference_step(&r[k], x, label, c.lr[k])) < 1e-5);
    }
    heads_close(&h);
}

static void measuring_counts_the_rows_of_a_partial_batch(void **state)
{
    struct place *p = *state;
    struct heads h;
    struct err e = {0};
    struct linear_conf c = small_conf();
    float x[2 * BATCH * DIM];
    int32_t label[2 * BATCH];
    double loss, top1, top5, want = 0, correct = 0;
    struct reference r = {0};
    assert_int_equal(heads_open(&h, &p->dev, &(struct heads_shape){BATCH, DIM, CLASSES}, &c, 1, &e),
                     0);
    read_start(&h, &r);
    make_batch(0, x, label);
    make_batch(1, x + BATCH * DIM, label + BATCH);
    struct features f = {.n = BATCH + 5, .dim = DIM, .x = x, .label = label};
    for (int i = 0; i < f.n; i++) {
        double q[CLASSES];
        int best = 0;
        want += probabilities(&r, x + (size_t)i * DIM, label[i], q) / (double)f.n;
        for (int k = 1; k < CLASSES; k++)
            best = q[k] > q[best] ? k : best;
        correct += best == label[i];
    }
    assert_int_equal(heads_measure(&h, 0, &f, &loss, &top1, &top5, &e), 0);
    assert_true(fabs(loss - want) < 1e-6);
    assert_true(fabs(top1 - 100 * correct / (double)f.n) < 1e-9);
    assert_true(top5 == 100); /* three classes */
    heads_close(&h);
}

static struct linear_request request(struct place *p)
{
    return (struct linear_request){
        .checkpoint = p->checkpoint, .settings = &p->s, .dev = &p->dev, .store = p->dir};
}

static void a_diverging_rate_is_left_out(void **state)
{
    struct place *p = *state;
    struct linear_request q = request(p);
    struct linear_result r;
    struct err e = {0};
    p->s.linear.n_lr = 2;
    p->s.linear.lr[0] = 1e38;
    p->s.linear.lr[1] = 0.1;
    assert_int_equal(linear_evaluate(&q, NULL, NULL, &r, &e), 0);
    assert_true(r.rates[0].diverged && isnan(r.rates[0].test_top1));
    assert_false(r.rates[1].diverged);
    assert_true(r.lr == 0.1 && r.top1 == r.rates[1].test_top1);
    p->s.linear.n_lr = 1;
    assert_int_equal(linear_evaluate(&q, NULL, NULL, &r, &e), -1);
    assert_int_equal(e.code, EXIT_DIVERGED);
}

struct limit {
    int calls, most, choices, features, iterations;
};

static bool stop_at(void *ctx, const struct linear_progress *p)
{
    struct limit *l = ctx;
    bool choosing = strncmp(p->phase, "choosing", 8) == 0;
    *(choosing ? &l->choices : p->phase[0] ? &l->features : &l->iterations) += 1;
    return ++l->calls >= l->most;
}

static void it_can_be_cancelled_anywhere(void **state)
{
    struct place *p = *state;
    struct linear_request q = request(p);
    struct linear_result r, *kept;
    struct err e = {0};
    int n;
    struct limit first = {.most = 100000}, all = first;
    assert_int_equal(linear_evaluate(&q, stop_at, &first, &r, &e), 0);
    assert_int_equal(linear_evaluate(&q, stop_at, &all, &r, &e), 0);
    assert_true(all.choices > 0 && first.choices > all.choices); /* timed once, then known */
    assert_int_equal(all.iterations, 2 * (60 / 20));
    assert_int_equal(all.features, 4 + 2 + 2); /* 60, 20 and 30 images by 16 */
    assert_int_equal(linear_results(p->dir, &kept, &n, &e), 0);
    free(kept);
    assert_int_equal(n, 1);
    p->s.run.seed = 2; /* would give another result */
    for (int most = 1; most <= all.calls; most += 4) {
        struct limit l = {.most = most};
        assert_int_equal(linear_evaluate(&q, stop_at, &l, &r, &e), 0);
        assert_true(r.cancelled);
        assert_int_equal(l.calls, most);
    }
}

static void results_are_kept_by_step(void **state)
{
    struct place *p = *state;
    struct linear_request q = request(p);
    struct linear_result r, *kept;
    struct err e = {0};
    int n;
    assert_int_equal(linear_results(p->dir, &kept, &n, &e), 0);
    assert_int_equal(n, 0);
    assert_int_equal(linear_evaluate(&q, NULL, NULL, &r, &e), 0);
    assert_int_equal(r.step, 5);
    assert_int_equal(r.n_train, 60);
    assert_int_equal(r.n_valid, 20);
    assert_int_equal(r.n_test, 30);
    assert_false(r.held_out);
    assert_int_equal(linear_results(p->dir, &kept, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(kept[0].step, 5);
    assert_true(fabs(kept[0].top1 - r.top1) < 1e-6);
    assert_int_equal(kept[0].n_rates, p->s.linear.n_lr);
    assert_string_equal(kept[0].data, "shapes");
    free(kept);
}

static void a_batch_larger_than_the_images_is_cut(void **state)
{
    struct place *p = *state;
    struct linear_request q = request(p);
    struct linear_result r;
    struct err e = {0};
    p->s.linear.batch_size = 5000;
    assert_int_equal(linear_evaluate(&q, NULL, NULL, &r, &e), 0);
    assert_int_equal(r.batch, 60);
}

static void another_architecture_is_refused(void **state)
{
    struct place *p = *state;
    struct linear_request q = request(p);
    struct linear_result r;
    struct err e = {0};
    snprintf(p->s.model.arch, sizeof p->s.model.arch, "resnet20");
    assert_int_equal(linear_evaluate(&q, NULL, NULL, &r, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, "model.safetensors"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(heads_learn_what_regression_in_double_learns),
        T(measuring_counts_the_rows_of_a_partial_batch),
        T(a_diverging_rate_is_left_out),
        T(it_can_be_cancelled_anywhere),
        T(results_are_kept_by_step),
        T(a_batch_larger_than_the_images_is_cut),
        T(another_architecture_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
