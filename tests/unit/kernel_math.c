/*
 * The arithmetic of the CUDA kernels that also runs here: rounding to bf16, how work is cut, the
 * moments of batch-norm, the windows of pools, the rings of the blur.
 */
#include "kernels/augment_band.h"
#include "kernels/element.h"
#include "kernels/grid.h"
#include "kernels/layout_math.h"
#include "kernels/norm_math.h"
#include "kernels/pool_math.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void bf16_rounds_to_nearest_even(void **state)
{
    static const struct {
        float x;
        uint16_t bits;
    } cases[] = {
        {1, 0x3f80},
        {-2, 0xc000},
        {1 + 0x1p-8f, 0x3f80}, /* half way: even */
        {1 + 3 * 0x1p-8f, 0x3f82},
        {1 + 0x1.1p-8f, 0x3f81},
        {0, 0},
        {INFINITY, 0x7f80},
        {0x1.fep127f, 0x7f7f},
        {0x1.ffp127f, 0x7f80}, /* to infinity */
        {0x1p-133f, 0x0001},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(bf16_narrow(cases[i].x).bits, cases[i].bits);
    assert_true(isnan(bf16_widen(bf16_narrow(NAN))));
    assert_true(isnan(bf16_widen(bf16_narrow(bits_float(0x7f800001)))));
    assert_int_equal(bf16_narrow2(1, -2), 0xc0003f80);
    for (unsigned bits = 0; bits < 0x7f80; bits += 7) { /* what is bf16 already stays */
        struct bfloat16 x = {(uint16_t)bits};
        assert_int_equal(bf16_narrow(bf16_widen(x)).bits, bits);
    }
}

static void relu_keeps_nan(void **state)
{
    (void)state;
    assert_true(isnan(relu_of(NAN)));
    assert_true(relu_of(-1) == 0 && relu_of(2) == 2);
}

/* Every row is in one chunk, every octet in one tile. */
static void columns_cover_everything_once(void **state)
{
    static const int64_t rows[] = {1, 2, 31, 32, 33, 1000, 4097, 2097152};
    (void)state;
    for (int octets = 1; octets <= 300; octets++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct columns c = columns_of(rows[i], octets);
            assert_true(c.width * c.height <= BLOCK && c.width <= COLUMN_WIDTH && c.height > 0);
            assert_true(c.tiles * c.width >= octets && (c.tiles - 1) * c.width < octets);
            assert_true(c.chunks * c.chunk >= rows[i] && (c.chunks - 1) * c.chunk < rows[i]);
            assert_true((int64_t)c.tiles * c.chunks <= COLUMN_GRID);
        }
}

/* The maps of ResNet-18 at 32 pixels and ResNet-50 at 224 keep every multiprocessor busy: at least
 * 9 of 10 places for blocks are taken. */
static void columns_fill_the_device(void **state)
{
    static const struct {
        int images, side, channels;
    } maps[] = {
        {2048, 32, 64}, {2048, 16, 128}, {2048, 8, 256}, {2048, 4, 512},  {256, 32, 64},
        {512, 112, 64}, {512, 56, 256},  {512, 28, 512}, {512, 14, 1024}, {512, 7, 2048},
    };
    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        struct columns c =
            columns_of((int64_t)maps[i].images * maps[i].side * maps[i].side, maps[i].channels / 8);
        assert_in_range(c.tiles * c.chunks, COLUMN_GRID * 9 / 10, COLUMN_GRID);
        assert_in_range(c.width * c.height, BLOCK * 9 / 10, BLOCK);
    }
}

static void strides_of_a_grid(void **state)
{
    (void)state;
    assert_int_equal(stride_blocks(0, 256, 10), 1);
    assert_int_equal(stride_blocks(257, 256, 10), 2);
    assert_int_equal(stride_blocks(1 << 20, 256, 10), 10);
}

/* Chunks of 1 .. 40 values around 1000, joined, against the whole in double. */
static void joined_moments_are_those_of_the_whole(void **state)
{
    struct joined j = {0, 0};
    double all = 0, mean = 0, square = 0, origin = 0;
    float got_mean, got_rstd;
    (void)state;
    for (int chunk = 1; chunk <= 40; chunk++) {
        float pivot = 0, sum = 0, squares = 0;
        for (int i = 0; i < chunk; i++) {
            float x = 1000 + sinf((float)(chunk * 50 + i));
            pivot = i == 0 ? x : pivot;
            sum += x - pivot;
            squares += (x - pivot) * (x - pivot);
            mean += (double)x - 1000;
            square += ((double)x - 1000) * ((double)x - 1000);
        }
        struct moments m = moments_of(pivot, sum, squares, (float)chunk);
        origin = chunk == 1 ? (double)m.mean : origin;
        moments_join(&j, m, chunk, origin);
        all += chunk;
    }
    mean /= all;
    joined_statistics(j, all, origin, 1e-5f, &got_mean, &got_rstd);
    double variance = square / all - mean * mean;
    assert_true(fabs((double)got_mean - 1000 - mean) < 1e-4);
    assert_true(fabs((double)got_rstd * sqrt(variance + 1e-5) - 1) < 1e-4);
    assert_true(fabs(norm_unbiased(got_rstd, 1e-5f, all) / (variance * all / (all - 1)) - 1) <
                1e-4);
}

static void equal_values_have_no_variance(void **state)
{
    float mean, rstd;
    struct joined j = {0, 0};
    (void)state;
    for (int i = 0; i < 5; i++)
        moments_join(&j, moments_of(.1f, 0, 0, 7), 7, (double).1f);
    joined_statistics(j, 35, (double).1f, 1e-5f, &mean, &rstd);
    assert_true(mean == .1f && fabs((double)rstd * sqrt(1e-5) - 1) < 1e-6);
    assert_true(norm_unbiased(rstd, 1e-5f, 35) < 1e-11);
}

/* A window covers an input place if and only if the place knows the window. */
static void pools_gather_what_windows_cover(void **state)
{
    (void)state;
    for (int window = 1; window <= 4; window++)
        for (int stride = 1; stride <= 4; stride++)
            for (int pad = 0; pad <= window / 2; pad++)
                for (int n = window; n < 12; n++) {
                    int n_out = (n + 2 * pad - window) / stride + 1;
                    for (int o = 0; o < n_out; o++)
                        for (int i = 0; i < n; i++) {
                            struct span taps = pool_taps(o, n, window, stride, pad);
                            struct span by = pool_covering(i, n_out, window, stride, pad);
                            int tap = i - (o * stride - pad);
                            int covered = tap >= 0 && tap < window;
                            assert_int_equal(covered, tap >= taps.begin && tap < taps.end);
                            assert_int_equal(covered, o >= by.begin && o < by.end);
                        }
                }
}

static void filter_tiles_fit(void **state)
{
    (void)state;
    for (int taps = 1; taps <= FILTER_TAPS_MAX; taps++)
        for (int channels = 8; channels <= 520; channels += 64) {
            int tile = filter_channels(taps, channels);
            assert_true(tile >= 8 && tile % 8 == 0 && tile <= channels);
            assert_true(tile * taps <= FILTER_TILE || tile == 8);
            assert_true(tile * taps * 4 <= 48 << 10);
        }
}

/* While a band is blurred, no two rows that it needs share a place of the ring. */
static void rings_hold_what_a_band_needs(void **state)
{
    struct augment_shape s = {.channels = 3, .from_height = 256, .from_width = 256};
    (void)state;
    for (int side = 8; side <= 400; side += 4) {
        s.height = s.width = side;
        struct augment_band b = augment_band_of(&s);
        assert_true(b.rows >= 1 && band_bytes(&b) <= BAND_BYTES_MAX);
        assert_true(b.rows == 1 || band_bytes(&b) <= BAND_BYTES);
        assert_int_equal(band_ring_at(&b, 0, band_ring_rows(&b), 0), 0);
        assert_true(band_ring_rows(&b) >= b.rows + 2 * augment_blur_radius(side));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(relu_keeps_nan),
        cmocka_unit_test(columns_cover_everything_once),
        cmocka_unit_test(columns_fill_the_device),
        cmocka_unit_test(strides_of_a_grid),
        cmocka_unit_test(joined_moments_are_those_of_the_whole),
        cmocka_unit_test(equal_values_have_no_variance),
        cmocka_unit_test(pools_gather_what_windows_cover),
        cmocka_unit_test(filter_tiles_fit),
        cmocka_unit_test(rings_hold_what_a_band_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
