/* Placing buffers: the invariant, that a broken plan is told, and how near the floor it comes. */
#include "base/rng.h"
#include "nn/memplan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { N_MAX = 200 };

static int random_extents(struct extent *x, uint32_t seed)
{
    struct rng r = rng_at(seed, RNG_NOISE, 0, 0, 0, 0);
    int n = 1 + (int)rng_below(&r, N_MAX);
    for (int i = 0; i < n; i++) {
        int first = (int)rng_below(&r, 100);
        x[i] = (struct extent){.bytes = rng_below(&r, 5) ? rng_below(&r, 1 << 16) : 0,
                               .first = first,
                               .last = first + (int)rng_below(&r, 30)};
    }
    return n;
}

static void live_extents_never_overlap(void **state)
{
    (void)state;
    struct extent x[N_MAX];
    for (uint32_t seed = 0; seed < 200; seed++) {
        int n = random_extents(x, seed), a, b;
        bool ok;
        size_t total = memplan_place(x, n, &ok);
        assert_true(ok);
        if (!memplan_check(x, n, total, &a, &b))
            fail_msg("seed %u: extents %d and %d", seed, a, b);
        assert_true(total >= memplan_floor(x, n));
    }
}

static void plans_stay_near_the_floor(void **state)
{
    (void)state;
    struct extent x[N_MAX];
    double worst = 0;
    for (uint32_t seed = 0; seed < 200; seed++) {
        int n = random_extents(x, seed);
        bool ok;
        size_t floor = memplan_floor(x, n), total = memplan_place(x, n, &ok);
        double ratio = floor ? (double)total / (double)floor : 1;
        worst = ratio > worst ? ratio : worst;
    }
    /* Best fit by decreasing size stays within a quarter on random lifetimes. */
    if (worst > 1.25)
        fail_msg("the worst plan takes %.3f of the floor", worst);
}

static void chains_reuse_two_buffers(void **state)
{
    (void)state;
    struct extent x[50];
    bool ok;
    for (int i = 0; i < 50; i++) /* each is made while the one before is read */
        x[i] = (struct extent){.bytes = 1000, .first = i, .last = i + 1};
    assert_int_equal(memplan_place(x, 50, &ok), 2 * 1024);
}

static void broken_plans_are_found(void **state)
{
    (void)state;
    int a, b;
    struct extent overlap[] = {{100, 0, 0, 5}, {100, 64, 5, 9}};
    assert_false(memplan_check(overlap, 2, 1024, &a, &b));
    assert_int_equal(a, 1);
    assert_int_equal(b, 0);
    struct extent apart[] = {{100, 0, 0, 4}, {100, 64, 5, 9}};
    assert_true(memplan_check(apart, 2, 1024, &a, &b));
    assert_false(memplan_check(apart, 2, 128, &a, &b)); /* the second ends beyond */
    assert_int_equal(b, -1);
    struct extent crooked[] = {{100, 32, 0, 4}};
    assert_false(memplan_check(crooked, 1, 1024, &a, &b));
}

static void nothing_needs_nothing(void **state)
{
    (void)state;
    bool ok;
    struct extent empty = {.bytes = 0, .first = 0, .last = 9};
    assert_int_equal(memplan_place(&empty, 1, &ok), 0);
    assert_int_equal(memplan_place(NULL, 0, &ok), 0);
    assert_true(ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_extents_never_overlap), cmocka_unit_test(plans_stay_near_the_floor),
        cmocka_unit_test(chains_reuse_two_buffers),   cmocka_unit_test(broken_plans_are_found),
        cmocka_unit_test(nothing_needs_nothing),
    };
    return cmocka_run_group_tests_name("memplan", tests, NULL, NULL);
}
