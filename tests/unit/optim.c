/* Optimizer rules step by step against PyTorch's SGD and TensorFlow's RMSProp (f64 runs of them),
 * and the CPU's loop over flat memory. */
#include "backend/backend.h"
#include "optim/optim.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct optim_class *rule(const char *name)
{
    struct err e = {0};
    const struct optim_class *class = optim_find(name, &e);
    assert_non_null(class);
    return class;
}

/* 1e-6: f32, weights near 1. */
static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-6 * fmax(1, fabs(want))))
        fail_msg("got %.9g, expected %.9g", got, want);
}

static void check_sgd(bool nesterov, const double *want)
{
    float w = 1, g, buf = rule("sgd")->slot_init[0];
    struct update u = {
        .rule = rule("sgd"),
        .n = 1,
        .w = &w,
        .g = &g,
        .slot = {&buf, NULL},
        .hyper = &(struct optim_hyper){
            .lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f, .nesterov = nesterov}};
    for (int i = 0; i < 3; i++) {
        g = 0.5f - 0.25f * (float)i;
        u.rule->apply(&u, 0, 1);
        assert_near((double)w, want[i]);
    }
}

static void sgd_follows_pytorch(void **state)
{
    (void)state;
    check_sgd(false, (const double[]){0.949, 0.877151, 0.811609749});
    check_sgd(true, (const double[]){0.9031, 0.81257411, 0.752869708191});
}

static void rmsprop_follows_tensorflow(void **state)
{
    static const double ms[] = {0.925, 0.8575, 0.79675};
    static const double mom[] = {0.6235133507, 1.2087236353, 1.7596170007};
    static const double want[] = {0.3764866493, -0.8322369860, -2.5918539867};
    const struct optim_class *class = rule("rmsprop");
    float w = 1, g = 0.5f, a = class->slot_init[0], b = class->slot_init[1];
    struct update u = {
        .rule = class,
        .n = 1,
        .w = &w,
        .g = &g,
        .slot = {&a, &b},
        .hyper = &(struct optim_hyper){.lr = 1.2f, .momentum = 0.9f, .rho = 0.9f, .eps = 1e-3f}};
    (void)state;
    assert_int_equal(class->n_slots, 2);
    for (int i = 0; i < 3; i++) {
        class->apply(&u, 0, 1);
        assert_near((double)b, ms[i]);
        assert_near((double)a, mom[i]);
        assert_near((double)w, want[i]);
    }
}

static void rules_stay_within_their_range(void **state)
{
    float w[5] = {1, 1, 1, 1, 1}, g[5] = {1, 1, 1, 1, 1}, buf[5] = {0};
    struct update u = {.rule = rule("sgd"),
                       .n = 5,
                       .w = w,
                       .g = g,
                       .slot = {buf, NULL},
                       .hyper = &(struct optim_hyper){.lr = 0.5f}};
    (void)state;
    u.rule->apply(&u, 1, 4);
    for (int i = 0; i < 5; i++)
        assert_near((double)w[i], i >= 1 && i < 4 ? 0.5 : 1);
}

static void unknown_rule_names_the_nearest(void **state)
{
    struct err e = {0};
    (void)state;
    assert_null(optim_find("rmsprob", &e));
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "rmsprop"));
}

enum { MANY = 100003 }; /* some chunks and a rest */

struct run {
    float w[MANY], g[MANY], buf[MANY];
    double squares;
};

static struct run *run_with(int threads)
{
    struct run *r = calloc(1, sizeof *r);
    struct device dev = {0};
    struct device_options options = {.threads = threads};
    struct err e = {0};
    assert_non_null(r);
    for (int i = 0; i < MANY; i++)
        r->g[i] = sinf((float)i);
    assert_int_equal(device_open(&dev, "cpu", &options, &e), 0);
    struct optim_hyper hyper = {.lr = 0.1f, .momentum = 0.9f};
    struct update u = {.rule = rule("sgd"),
                       .n = MANY,
                       .w = r->w,
                       .g = r->g,
                       .slot = {r->buf, NULL},
                       .hyper = &hyper};
    for (int i = 0; i < 2; i++)
        assert_int_equal(dev.class->update(&dev, &u, &e), 0);
    assert_int_equal(dev.class->sum_squares(&dev, r->w, MANY, &r->squares, &e), 0);
    device_close(&dev);
    return r;
}

static void update_and_norm_do_not_depend_on_threads(void **state)
{
    struct run *one = run_with(1), *three = run_with(3);
    double sum = 0;
    (void)state;
    assert_memory_equal(one, three, sizeof *one);
    for (int i = 0; i < MANY; i++)
        sum += (double)one->w[i] * (double)one->w[i];
    assert_true(fabs(one->squares - sum) <= 1e-12 * sum);         /* f64 sums in another order */
    assert_near((double)one->w[MANY - 1], -0.29 * sin(MANY - 1)); /* 0.1 g + 0.1 (1.9 g) */
    free(one);
    free(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_follows_pytorch),
        cmocka_unit_test(rmsprop_follows_tensorflow),
        cmocka_unit_test(rules_stay_within_their_range),
        cmocka_unit_test(unknown_rule_names_the_nearest),
        cmocka_unit_test(update_and_norm_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
