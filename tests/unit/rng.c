/* Philox4x32-10 against Random123's known answers, and the draws built on it. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } c[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
        {{1, 0, 0, 0}, {0x2a, 0}, {0xfcdb2127, 0x53ba6cfd, 0x838f5a6e, 0x744e06fb}},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct rng4 in;
        for (int k = 0; k < 4; k++)
            in.v[k] = c[i].counter[k];
        struct rng4 out = philox4x32_10(in, c[i].key[0], c[i].key[1]);
        assert_memory_equal(out.v, c[i].out, sizeof c[i].out);
    }
}

static void a_stream_is_the_counter_spelled_out(void **state)
{
    (void)state;
    uint64_t seed = 0x123456789abcdef0u;
    struct rng r = rng_at(seed, RNG_AUGMENT, 3, 1, 77, 5);
    for (uint32_t draw = 0; draw < 3; draw++) {
        struct rng4 c = {{draw, (uint32_t)RNG_AUGMENT << 24 | 3u << 8 | 1u, 77, 5}};
        struct rng4 want = philox4x32_10(c, (uint32_t)seed, (uint32_t)(seed >> 32));
        for (int k = 0; k < 4; k++)
            assert_int_equal(rng_u32(&r), want.v[k]);
    }
}

static void every_part_of_the_place_changes_the_draws(void **state)
{
    (void)state;
    uint32_t first[7];
    struct rng r[] = {rng_at(1, RNG_AUGMENT, 0, 0, 0, 0), rng_at(2, RNG_AUGMENT, 0, 0, 0, 0),
                      rng_at(1, RNG_SHUFFLE, 0, 0, 0, 0), rng_at(1, RNG_AUGMENT, 1, 0, 0, 0),
                      rng_at(1, RNG_AUGMENT, 0, 1, 0, 0), rng_at(1, RNG_AUGMENT, 0, 0, 1, 0),
                      rng_at(1, RNG_AUGMENT, 0, 0, 0, 1)};
    for (int i = 0; i < 7; i++)
        first[i] = rng_u32(&r[i]);
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(first[i], first[k]);
}

static void floats_lie_in_the_half_open_unit_interval(void **state)
{
    (void)state;
    struct rng r = rng_at(9, RNG_NOISE, 0, 0, 0, 0);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        float u = rng_float(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    /* The mean of n uniform draws has deviation sqrt(1/12n) = 0.0009; five of them. */
    assert_true(sum / 100000 > 0.5 - 0.0046 && sum / 100000 < 0.5 + 0.0046);
}

static void bounded_draws_are_even(void **state)
{
    (void)state;
    enum { N = 7, DRAWS = 70000 };
    struct rng r = rng_at(4, RNG_SHUFFLE, 0, 0, 0, 0);
    int count[N] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t k = rng_below(&r, N);
        assert_true(k < N);
        count[k]++;
    }
    for (int k = 0; k < N; k++) /* deviation sqrt(10000 * 6/7) = 93; five of them */
        assert_true(count[k] > 10000 - 465 && count[k] < 10000 + 465);
    assert_int_equal(rng_below(&r, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(a_stream_is_the_counter_spelled_out),
        cmocka_unit_test(every_part_of_the_place_changes_the_draws),
        cmocka_unit_test(floats_lie_in_the_half_open_unit_interval),
        cmocka_unit_test(bounded_draws_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
