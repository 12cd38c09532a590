/* Learning rates over the steps of a run. Cosine values from the reference code of Khosla et al.
 * (rate 0.5, 1000 epochs, floor 0.1^3). */
#include "optim/optim.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

/* 5e-9: the reference's values are given to eight decimals. */
static void assert_rate(const struct schedule_conf *c, double rate, int64_t step, int64_t total,
                        int64_t per_epoch, double want)
{
    double got = schedule_rate(c, rate, step, total, per_epoch);
    if (!(fabs(got - want) <= 5e-9))
        fail_msg("step %d: rate %.9g, expected %.9g", (int)step, got, want);
}

static void constant_stays(void **state)
{
    struct schedule_conf c = {.name = "constant"};
    (void)state;
    assert_rate(&c, 0.3, 0, 100, 10, 0.3);
    assert_rate(&c, 0.3, 99, 100, 10, 0.3);
}

static void cosine_follows_the_reference(void **state)
{
    static const struct {
        int epoch;
        double rate;
    } known[] = {{1, .49999877}, {10, .49987676}, {500, .25025}, {999, .00050123}, {1000, .0005}};
    struct schedule_conf c = {.name = "cosine", .floor = 1e-3};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_rate(&c, 0.5, known[i].epoch, 1000, 1, known[i].rate);
}

static void cosine_begins_after_the_warm_up(void **state)
{
    struct schedule_conf c = {.name = "cosine", .warmup_epochs = 2};
    (void)state;
    assert_rate(&c, 1, 20, 120, 10, 1);   /* 20 steps of warm-up, then from the top */
    assert_rate(&c, 1, 70, 120, 10, 0.5); /* half of the remaining 100 */
    assert_rate(&c, 1, 119, 120, 10, 0.5 * (1 + cos(M_PI * 0.99)));
}

static void warm_up_is_linear_from_its_first_share(void **state)
{
    struct schedule_conf c = {.name = "constant", .warmup_epochs = 0.5};
    (void)state;
    assert_rate(&c, 0.8, 0, 1000, 16, 0.1); /* 8 steps: 1/8 of the rate first */
    assert_rate(&c, 0.8, 3, 1000, 16, 0.4);
    assert_rate(&c, 0.8, 7, 1000, 16, 0.8);
    assert_rate(&c, 0.8, 8, 1000, 16, 0.8);
}

static void warm_up_longer_than_the_run_is_cut(void **state)
{
    struct schedule_conf c = {.name = "cosine", .warmup_epochs = 10};
    (void)state;
    for (int step = 0; step < 20; step++) {
        double rate = schedule_rate(&c, 1, step, 20, 10);
        assert_true(rate >= 0 && rate <= 1); /* never NaN */
    }
}

static void steps_multiply_at_their_epochs(void **state)
{
    struct schedule_conf c = {.name = "step", .n_steps = 3, .steps = {60, 75, 90}, .gamma = 0.2};
    (void)state;
    assert_rate(&c, 5, 60 * 98 - 1, 9800, 98, 5);
    assert_rate(&c, 5, 60 * 98, 9800, 98, 1);
    assert_rate(&c, 5, 75 * 98, 9800, 98, 0.2);
    assert_rate(&c, 5, 9799, 9800, 98, 0.04);
}

static void a_run_within_its_warm_up_climbs_to_its_end(void **state)
{
    (void)state;
    for (int epochs = 1; epochs <= 2; epochs++) {
        struct schedule_conf c = {.name = "cosine", .warmup_epochs = 2};
        for (int step = 0; step < 10 * epochs; step++) {
            double got = schedule_rate(&c, 1.0, step, 10 * epochs, 10);
            if (!(fabs(got - (step + 1) / 20.0) < 1e-12))
                fail_msg("step %d of %d: %g", step, 10 * epochs, got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_stays),
        cmocka_unit_test(cosine_follows_the_reference),
        cmocka_unit_test(cosine_begins_after_the_warm_up),
        cmocka_unit_test(a_run_within_its_warm_up_climbs_to_its_end),
        cmocka_unit_test(warm_up_is_linear_from_its_first_share),
        cmocka_unit_test(warm_up_longer_than_the_run_is_cut),
        cmocka_unit_test(steps_multiply_at_their_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
