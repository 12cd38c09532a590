/*
 * Objectives: values and gradients worked out by hand in double for four samples in two views, the
 * bounds of the contrastive losses against the loss at those bounds, and the head each builds.
 */
#include "nn/graph.h"
#include "objective/problem.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SAMPLES = 4, VIEWS = 2, ROWS = SAMPLES * VIEWS, DIM = 3, MAX = 4096 };

/* View 0, then view 1; normalised before use. */
static const double raw[ROWS][DIM] = {{1, .2, -.3},  {.1, .9, .4}, {-.2, .8, .5}, {.3, -.5, 1},
                                      {.8, .4, -.1}, {.2, 1, .1},  {0, .6, .7},   {.5, -.4, .9}};
static const int32_t labels[SAMPLES] = {0, 1, 1, 2};

static double length(const double *w)
{
    return sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2]);
}

static void solve_on(int threads, struct loss_problem *p, const char *name)
{
    struct device dev = {0};
    struct device_options options = {.threads = threads};
    struct err e = {0};
    p->objective = objective_find(name, &e);
    assert_non_null(p->objective);
    assert_int_equal(device_open(&dev, "cpu", &options, &e), 0);
    if (loss_solve(&dev, p, &e))
        fail_msg("%s", e.msg);
    device_close(&dev);
}

/* The loss of the eight rows; dz may be NULL. */
static double by_hand(const char *name, const struct objective_conf *c, float *dz)
{
    float z[ROWS * DIM];
    struct loss_problem p = {.conf = c,
                             .samples = SAMPLES,
                             .width = DIM,
                             .views = VIEWS,
                             .rows = z,
                             .labels = labels,
                             .gradient = dz};
    for (int i = 0; i < ROWS * DIM; i++)
        z[i] = (float)(raw[i / DIM][i % DIM] / length(raw[i / DIM]));
    solve_on(1, &p, name);
    return (double)p.stats[STAT_LOSS];
}

static struct objective_conf conf(double temperature, double base, const char *mode)
{
    struct objective_conf c = {.temperature = temperature, .base_temperature = base};
    strcpy(c.contrast_mode, mode);
    return c;
}

/* 2e-6 absolute: values near 1 from scores up to 10 in f32. */
static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 2e-6))
        fail_msg("got %.9g, expected %.9g", got, want);
}

static void values_agree_with_those_by_hand(void **state)
{
    struct objective_conf tenth = conf(0.1, 0, "all"), half = conf(0.5, 0, "all"),
                          scaled = conf(0.1, 0.07, "all"), one = conf(0.1, 0, "one");
    (void)state;
    assert_near(by_hand("supcon", &tenth, NULL), 0.677197260);
    assert_near(by_hand("supcon", &half, NULL), 1.080303383);
    assert_near(by_hand("supcon", &scaled, NULL), 0.967424657);
    assert_near(by_hand("supcon", &one, NULL), 0.590208464);
    assert_near(by_hand("simclr", &half, NULL), 1.015346974);
}

static void gradients_agree_with_those_by_hand(void **state)
{
    static const double dz1[] = {0.07430289, 0.66122285, 0.11583399};
    static const double dw1[] = {0.00817439, 0.06599016, -0.15052146};
    static const double dw0[] = {-0.00011166, -0.00748252, -0.00536053};
    struct objective_conf c = conf(0.1, 0, "all");
    float dz[ROWS * DIM];
    (void)state;
    by_hand("supcon", &c, dz);
    for (int k = 0; k < DIM; k++)
        assert_near((double)dz[DIM + k], dz1[k]);
    for (int row = 0; row < 2; row++) {
        const double *w = raw[row];
        double along = 0, n = length(w);
        for (int k = 0; k < DIM; k++)
            along += w[k] / n * (double)dz[row * DIM + k];
        for (int k = 0; k < DIM; k++)
            assert_near(((double)dz[row * DIM + k] - w[k] / n * along) / n, row ? dw1[k] : dw0[k]);
    }
}

/* --- bounds --- */

/* Loss of n samples in two views whose embeddings depend on the group alone: the corners of a
 * simplex of `groups` points, or one point. */
static double loss_at(const char *name, const struct objective_conf *c, const int32_t *y, int n,
                      const int32_t *group, int groups, bool collapsed)
{
    static float z[MAX];
    double norm = sqrt(1 - 1.0 / groups);
    assert_true(2 * n * groups <= MAX);
    for (int i = 0; i < 2 * n; i++)
        for (int k = 0; k < groups; k++) {
            double corner = ((group[i % n] == k) - 1.0 / groups) / norm;
            z[i * groups + k] = collapsed ? (float)(k == 0) : (float)corner;
        }
    struct loss_problem p = {
        .conf = c, .samples = n, .width = groups, .views = 2, .rows = z, .labels = y};
    solve_on(1, &p, name);
    return (double)p.stats[STAT_LOSS];
}

static void check_bounds(const char *name, const int32_t *y, int n, const int32_t *group,
                         int groups)
{
    struct objective_conf c = conf(0.3, 0.07, "all");
    struct err e = {0};
    double low = NAN, high = NAN;
    assert_true(objective_find(name, &e)->bounds(&c, y, n, 2, 10, &low, &high));
    assert_near(low / high, loss_at(name, &c, y, n, group, groups, false) / high);
    assert_near(1, loss_at(name, &c, y, n, group, groups, true) / high);
}

static void bounds_are_losses_of_simplex_and_collapse(void **state)
{
    static const int32_t even[] = {0, 1, 2, 0, 1, 2, 0, 1, 2},
                         sample[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const int32_t uneven[] = {0, 0, 0, 0, 1, 2, 0, 1, 0}, far[] = {9, 9, 3, 9, 3, 9};
    static const int32_t far_group[] = {0, 0, 1, 0, 1, 0};
    (void)state;
    check_bounds("supcon", even, 9, even, 3);
    check_bounds("supcon", uneven, 9, uneven, 3);
    check_bounds("supcon", far, 6, far_group, 2); /* classes that are not in the batch */
    check_bounds("simclr", even, 9, sample, 9);
}

static void plateau_of_256_samples_in_two_views(void **state)
{
    struct objective_conf raw_loss = conf(0.1, 0, "all"), scaled = conf(0.1, 0.07, "all");
    struct err e = {0};
    int32_t y[256];
    double low, high;
    (void)state;
    for (int i = 0; i < 256; i++)
        y[i] = i % 10;
    const struct objective_class *o = objective_find("supcon", &e);
    assert_true(o->bounds(&raw_loss, y, 256, 2, 10, &low, &high));
    assert_true(fabs(high - 6.2364) < 5e-5 && fabs(low - 3.9162) < 1e-3); /* classes of 50, 52 */
    assert_true(o->bounds(&scaled, y, 256, 2, 10, &low, &high));
    assert_true(fabs(high - 8.9091) < 5e-5);
}

static void cross_entropy_has_no_bounds(void **state)
{
    struct objective_conf c = conf(0.1, 0, "all");
    struct err e = {0};
    double low, high;
    (void)state;
    assert_false(
        objective_find("cross-entropy", &e)->bounds(&c, labels, SAMPLES, 1, 3, &low, &high));
}

/* --- robustness of the kernels --- */

enum { N_LARGE = 331, D_LARGE = 40 };

static void random_rows(float *z, int32_t *y)
{
    uint32_t seed = 1;
    for (int i = 0; i < 2 * N_LARGE * D_LARGE; i++) {
        seed = seed * 1664525u + 1013904223u;
        z[i] = (float)(seed >> 8) * 0x1p-24f - 0.5f;
    }
    for (int i = 0; i < N_LARGE; i++)
        y[i] = (i * 7 % 5 - 2) * 1000000007; /* any integers are labels, negative ones too */
}

static void results_do_not_depend_on_threads(void **state)
{
    static float z[2 * N_LARGE * D_LARGE], grad[3][2 * N_LARGE * D_LARGE];
    static int32_t y[N_LARGE];
    struct objective_conf c = conf(0.1, 0, "all");
    struct loss_problem p[3];
    (void)state;
    random_rows(z, y);
    for (int t = 0; t < 3; t++) {
        p[t] = (struct loss_problem){.conf = &c,
                                     .samples = N_LARGE,
                                     .width = D_LARGE,
                                     .views = 2,
                                     .rows = z,
                                     .labels = y,
                                     .gradient = grad[t]};
        solve_on(t + 1, &p[t], "supcon");
        assert_memory_equal(p[t].stats, p[0].stats, sizeof p[t].stats);
        assert_memory_equal(grad[t], grad[0], sizeof grad[t]);
    }
    assert_true(p[0].stats[STAT_LONELY] == 0 && p[0].stats[STAT_ROWS] == 2 * N_LARGE);
}

static void a_number_that_is_none_makes_the_loss_none(void **state)
{
    static float z[2 * N_LARGE * D_LARGE];
    static int32_t y[N_LARGE];
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    struct objective_conf c = conf(0.1, 0, "all");
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int views = 1; views <= 2; views++) {
            struct loss_problem p = {.conf = &c,
                                     .samples = N_LARGE,
                                     .width = D_LARGE,
                                     .views = views,
                                     .rows = z,
                                     .labels = y};
            random_rows(z, y);
            z[100 * D_LARGE + 3] = bad[i];
            y[100] = 5; /* with one view, nobody else's label: a lonely anchor */
            solve_on(2, &p, "supcon");
            assert_false(isfinite(p.stats[STAT_LOSS]));
        }
}

static void equal_rows_are_no_accuracy(void **state)
{
    float z[12 * 2];
    int32_t y[6] = {0, 1, 2, 3, 4, 5};
    struct objective_conf c = conf(0.1, 0, "all");
    struct loss_problem p = {
        .conf = &c, .samples = 6, .width = 2, .views = 2, .rows = z, .labels = y};
    (void)state;
    for (int i = 0; i < 24; i++)
        z[i] = (float)(i % 2);
    solve_on(1, &p, "supcon");
    /* All others are as near: the first is taken, row 0, or row 1 for row 0. Only row 6 hits. */
    assert_true(p.stats[STAT_TOP1] == 1);
}

static void labels_beyond_the_classes_are_refused(void **state)
{
    float s[2 * 3] = {0};
    int32_t y[2] = {0, 3};
    struct objective_conf c = conf(0.1, 0, "all");
    struct device dev = {0};
    struct device_options options = {.threads = 1};
    struct err e = {0};
    struct loss_problem p = {.objective = objective_find("cross-entropy", &e),
                             .conf = &c,
                             .samples = 2,
                             .width = 3,
                             .views = 1,
                             .rows = s,
                             .labels = y};
    (void)state;
    assert_int_equal(device_open(&dev, "cpu", &options, &e), 0);
    assert_int_equal(loss_solve(&dev, &p, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    device_close(&dev);
}

/* --- heads --- */

static bool has_param(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_params; i++)
        if (strcmp(g->params[i].name, name) == 0)
            return true;
    return false;
}

static void objectives_build_their_heads(void **state)
{
    struct objective_conf c = conf(0.1, 0, "all");
    struct err e = {0};
    (void)state;
    for (int i = 0; objective_classes[i]; i++) {
        const struct objective_class *o = objective_classes[i];
        struct graph *g = graph_new(DT_F32, true);
        int r = graph_input(g, "features", DT_F32, 2, (int64_t[]){8, 32});
        int y = graph_input(g, "labels", DT_I32, 1, (int64_t[]){4});
        struct objective_input in = {&c, r, y, 2, 10, 16};
        assert_true(o->build(g, &in) >= 0);
        if (graph_finish(g, &e))
            fail_msg("%s: %s", o->name, e.msg);
        assert_true(has_param(g, o->contrastive ? "projection.0.weight" : "fc.weight"));
        assert_true(has_param(g, o->contrastive ? "projection.2.bias" : "fc.bias"));
        assert_int_equal(has_param(g, "fc.weight"), !o->contrastive);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_agree_with_those_by_hand),
        cmocka_unit_test(gradients_agree_with_those_by_hand),
        cmocka_unit_test(bounds_are_losses_of_simplex_and_collapse),
        cmocka_unit_test(plateau_of_256_samples_in_two_views),
        cmocka_unit_test(cross_entropy_has_no_bounds),
        cmocka_unit_test(results_do_not_depend_on_threads),
        cmocka_unit_test(a_number_that_is_none_makes_the_loss_none),
        cmocka_unit_test(equal_rows_are_no_accuracy),
        cmocka_unit_test(labels_beyond_the_classes_are_refused),
        cmocka_unit_test(objectives_build_their_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
