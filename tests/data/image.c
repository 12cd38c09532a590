/* Image operations against torchvision's, against plain double references, and by what must hold.
 */
#include "data/augment.h"
#include "data/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { C = 3, H = 8, W = 10, N = H * W };

enum change {
    CHANGE_CROP,
    CHANGE_BRIGHTNESS,
    CHANGE_CONTRAST,
    CHANGE_SATURATION,
    CHANGE_HUE,
    CHANGE_GRAYSCALE,
    CHANGE_FLIP,
    N_CHANGES
};

#include "image_golden.h"

/* Grey is .2989 R + .587 G + .114 B in torchvision's tensor functions, .299 in ours and in its
 * image functions: up to 1e-4, times a factor up to 1. Hue: three roundings of values up to 6. */
static const double tolerance[N_CHANGES] = {
    [CHANGE_CROP] = 1e-6,         [CHANGE_BRIGHTNESS] = 1e-6, [CHANGE_CONTRAST] = 1.1e-4,
    [CHANGE_SATURATION] = 1.1e-4, [CHANGE_HUE] = 4e-6,        [CHANGE_GRAYSCALE] = 1.1e-4,
    [CHANGE_FLIP] = 1e-6,
};

static const struct augment_shape shape = {C, H, W, {.1f, .2f, .3f}, {.5f, 1, 2}, H, W};

static void pattern(uint8_t *out)
{
    for (int c = 0; c < C; c++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                *out++ = (uint8_t)((c * 97 + y * 31 + x * 17 + x * y * 5) % 256);
}

/* `in` moved by (dy, dx), as floats. */
static void move_image(const uint8_t *in, int dy, int dx, float *out)
{
    float scratch[4 * W];
    assert_true(image_row_scratch(&shape) <= sizeof scratch / sizeof *scratch);
    image_crop_resize(in, &shape, (struct crop_box){-dy, -dx, H, W}, out, scratch);
}

static void change_image(const struct golden *g, const uint8_t *in, float *out)
{
    float scratch[4 * W];
    const float *a = g->amount;
    move_image(in, 0, 0, out);
    if (g->change == CHANGE_CROP)
        image_crop_resize(in, &shape, (struct crop_box){(int)a[0], (int)a[1], (int)a[2], (int)a[3]},
                          out, scratch);
    else if (g->change == CHANGE_FLIP)
        image_flip(out, &shape);
    else if (g->change == CHANGE_GRAYSCALE)
        image_grayscale(out, N);
    else {
        static void (*const colour[N_CHANGES])(float *, int, float) = {
            [CHANGE_BRIGHTNESS] = image_brightness,
            [CHANGE_CONTRAST] = image_contrast,
            [CHANGE_SATURATION] = image_saturation,
            [CHANGE_HUE] = image_hue,
        };
        colour[g->change](out, N, a[0]);
    }
}

static void operations_agree_with_torchvision(void **state)
{
    (void)state;
    uint8_t in[C * N];
    float out[C * N];
    pattern(in);
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        change_image(&goldens[i], in, out);
        for (size_t k = 0; k < sizeof golden_picks / sizeof *golden_picks; k++) {
            double got = out[golden_picks[k]], want = goldens[i].value[k];
            if (!(fabs(got - want) <= tolerance[goldens[i].change]))
                fail_msg("case %zu, value %d: got %.7g, want %.7g", i, golden_picks[k], got, want);
        }
    }
}

/* Bilinear value at a position of the crop, in double, straight from the definition. */
static double sample(const uint8_t *plane, struct crop_box b, double y, double x)
{
    y = fmin(fmax(y, 0), b.height - 1);
    x = fmin(fmax(x, 0), b.width - 1);
    int y0 = (int)y, x0 = (int)x;
    int y1 = y0 + 1 < b.height ? y0 + 1 : y0, x1 = x0 + 1 < b.width ? x0 + 1 : x0;
#define AT(row, column) plane[(b.top + (row)) * W + b.left + (column)]
    double top = AT(y0, x0) + (x - x0) * (AT(y0, x1) - AT(y0, x0));
    double bottom = AT(y1, x0) + (x - x0) * (AT(y1, x1) - AT(y1, x0));
#undef AT
    return (top + (y - y0) * (bottom - top)) / 255;
}

static void every_crop_agrees_with_the_definition(void **state)
{
    (void)state;
    uint8_t in[C * N];
    float out[C * N], scratch[4 * W];
    pattern(in);
    struct crop_box b;
    for (b.height = 1; b.height <= H; b.height++)
        for (b.width = 1; b.width <= W; b.width++) {
            b.top = (H - b.height) / 2;
            b.left = W - b.width;
            image_crop_resize(in, &shape, b, out, scratch);
            for (int i = 0; i < C * N; i++) {
                double y = (i % N / W + .5) * b.height / H - .5;
                double x = (i % W + .5) * b.width / W - .5;
                /* Positions are rounded to float: 1e-6 of a pixel, times a step of 255. */
                assert_float_equal(out[i], sample(in + i / N * N, b, y, x), 1e-5);
            }
        }
}

static void hue_by_a_whole_turn_changes_nothing(void **state)
{
    (void)state;
    uint8_t in[C * N];
    float a[C * N], b[C * N];
    pattern(in);
    move_image(in, 0, 0, a);
    memcpy(b, a, sizeof a);
    for (int i = 0; i < 4; i++)
        image_hue(b, N, .25f);
    for (int i = 0; i < C * N; i++)
        assert_float_equal(a[i], b[i], 1e-5); /* four roundings of h, up to 6 */
}

static void grey_pixels_have_no_hue_and_no_saturation(void **state)
{
    (void)state;
    float a[C * 4] = {0, .3f, .7f, 1, 0, .3f, .7f, 1, 0, .3f, .7f, 1}, b[C * 4];
    memcpy(b, a, sizeof a);
    image_hue(b, 4, .3f);
    assert_memory_equal(a, b, sizeof a);
    image_saturation(b, 4, 1.5f);
    for (int i = 0; i < C * 4; i++)
        assert_float_equal(a[i], b[i], 1e-6);
}

/* Straight from the definition, in double: weights exp(-k^2 / 2 sigma^2) over their sum, zero
 * outside. */
static void blur_agrees_with_the_definition(void **state)
{
    (void)state;
    enum { BH = 23, BW = 41, R = 1 };
    static const struct augment_shape s = {1, BH, BW, {0}, {1}, BH, BW};
    float in[BH * BW], out[BH * BW], scratch[2 * BH * BW];
    double tap[2 * R + 1], sum = 0, sigma = .8;
    assert_int_equal(augment_blur_radius(BH), R);
    assert_int_equal(augment_blur_radius(224), 11);
    for (int k = -R; k <= R; k++)
        sum += tap[k + R] = exp(-k * k / (2 * sigma * sigma));
    for (int i = 0; i < BH * BW; i++)
        in[i] = out[i] = (float)(i * 37 % 101) / 100;
    image_blur(out, &s, (float)sigma, scratch);
    for (int i = 0; i < BH * BW; i++) {
        double want = 0;
        for (int ky = -R; ky <= R; ky++)
            for (int kx = -R; kx <= R; kx++) {
                int y = i / BW + ky, x = i % BW + kx;
                if (y >= 0 && y < BH && x >= 0 && x < BW)
                    want += tap[ky + R] * tap[kx + R] / (sum * sum) * in[y * BW + x];
            }
        assert_float_equal(out[i], want, 1e-6);
    }
}

static void shift_brings_in_black(void **state)
{
    (void)state;
    uint8_t in[C * N];
    float out[C * N];
    memset(in, 255, sizeof in);
    static const int moves[][2] = {{0, 0}, {2, -3}, {-1, 4}, {H, 0}, {0, -W}};
    for (size_t m = 0; m < sizeof moves / sizeof *moves; m++) {
        int dy = moves[m][0], dx = moves[m][1];
        move_image(in, dy, dx, out);
        for (int i = 0; i < C * N; i++) {
            int y = i % N / W - dy, x = i % W - dx;
            assert_true(out[i] == (y >= 0 && y < H && x >= 0 && x < W ? 1 : 0));
        }
    }
}

static void normalising_uses_each_channels_constants(void **state)
{
    (void)state;
    float in[C * N], out[C * N];
    for (int i = 0; i < C * N; i++)
        in[i] = (float)i / (C * N);
    image_normalise(in, &shape, out);
    for (int i = 0; i < C * N; i++)
        assert_float_equal(out[i], ((double)in[i] - shape.mean[i / N]) / shape.std[i / N], 1e-6);
}

static void boxes_lie_inside_and_have_the_asked_area(void **state)
{
    (void)state;
    static const struct augment_shape square = {.from_height = 32, .from_width = 32};
    double area = 0;
    int n = 4000, left_zero = 0;
    for (int i = 0; i < n; i++) {
        struct rng r = rng_at(1, RNG_AUGMENT, 0, 0, (uint32_t)i, 0);
        struct crop_box b = image_draw_box(&r, &square, .2, .6);
        assert_true(b.top >= 0 && b.left >= 0 && b.height >= 1 && b.width >= 1);
        assert_true(b.top + b.height <= 32 && b.left + b.width <= 32);
        double ratio = (double)b.width / b.height, share = b.width * b.height / 1024.;
        assert_true(ratio > .7 && ratio < 1.43); /* 3/4 .. 4/3, sides rounded to a pixel */
        assert_true(share > .18 && share < .64);
        area += share / n;
        left_zero += b.left == 0;
    }
    assert_float_equal(area, .4, .01); /* standard error .4 / sqrt(12 n) = .002 */
    assert_true(left_zero > n / 50 && left_zero < n / 4);
}

static void a_box_that_cannot_be_drawn_is_the_largest_central_one(void **state)
{
    (void)state;
    static const struct augment_shape wide = {.from_height = 10, .from_width = 100};
    struct rng r = rng_at(1, RNG_AUGMENT, 0, 0, 0, 0);
    struct crop_box b = image_draw_box(&r, &wide, 1, 1);
    assert_int_equal(b.height, 10);
    assert_int_equal(b.width, 13); /* 10 * 4/3 */
    assert_int_equal(b.left, 43);
    assert_int_equal(b.top, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_agree_with_torchvision),
        cmocka_unit_test(every_crop_agrees_with_the_definition),
        cmocka_unit_test(hue_by_a_whole_turn_changes_nothing),
        cmocka_unit_test(grey_pixels_have_no_hue_and_no_saturation),
        cmocka_unit_test(blur_agrees_with_the_definition),
        cmocka_unit_test(shift_brings_in_black),
        cmocka_unit_test(normalising_uses_each_channels_constants),
        cmocka_unit_test(boxes_lie_inside_and_have_the_asked_area),
        cmocka_unit_test(a_box_that_cannot_be_drawn_is_the_largest_central_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
