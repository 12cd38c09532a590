/* Text, canvas, glyphs, axes, bins and smoothing, each by itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tui/axis.h"
#include "tui/canvas.h"
#include "tui/series.h"
#include "tui/text.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct canvas canvas;

static void drawn(const char *want)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    canvas_dump(&canvas, f);
    fclose(f);
    assert_string_equal(text, want);
    free(text);
}

static void blank(int rows, int cols, const char *glyphs)
{
    canvas_done(&canvas);
    assert_int_equal(canvas_init(&canvas, rows, cols, glyphs_find(glyphs)), 0);
}

static void text_that_does_not_fit_ends_with_an_ellipsis(void **state)
{
    (void)state;
    blank(1, 10, "braille");
    assert_int_equal(canvas_text(&canvas, 0, 0, 6, STYLE_TEXT, "abcdefgh"), 6);
    drawn("abcde\u2026\n");
    blank(1, 10, "ascii");
    canvas_text(&canvas, 0, 0, 6, STYLE_TEXT, "abcdefgh");
    drawn("abcd..\n");
    blank(1, 10, "ascii");
    canvas_text(&canvas, 0, 0, 1, STYLE_TEXT, "abcdefgh");
    drawn("a\n");
}

static void nothing_reaches_the_terminal_as_control(void **state)
{
    (void)state;
    blank(1, 60, "braille");
    canvas_text(&canvas, 0, 0, 60, STYLE_TEXT, "a\x1b[31m\tb\x7f\xc2\x9b\u202eback\u200b");
    drawn("a\\x1b[31m\\x09b\\x7f\\x9bback\n");
    blank(1, 20, "braille");
    canvas_text(&canvas, 0, 0, 20, STYLE_TEXT, "bad \xff\xc3 utf8 \xed\xa0\x80");
    drawn("bad \ufffd\ufffd utf8 \ufffd\ufffd\ufffd\n");
}

static void ascii_screens_hold_ascii_only(void **state)
{
    (void)state;
    blank(1, 20, "ascii");
    canvas_text(&canvas, 0, 0, 20, STYLE_TEXT, "h\u00f6he \u4e2d");
    canvas_put(&canvas, 0, 10, 0x2588, STYLE_TEXT);
    drawn("h?he ?    ?\n");
}

static void names_lose_their_middle(void **state)
{
    (void)state;
    blank(1, 20, "ascii");
    assert_int_equal(canvas_text_middle(&canvas, 0, 0, 10, STYLE_TEXT, "abcdefghijklmnop"), 10);
    drawn("abcd..mnop\n");
    blank(1, 20, "braille");
    canvas_text_middle(&canvas, 0, 0, 9, STYLE_TEXT, "\u00e4bcdefgh\u00f6\u00fcmn\u00f6p");
    drawn("\u00e4bcd\u2026mn\u00f6p\n");
    blank(1, 20, "ascii");
    canvas_text_middle(&canvas, 0, 0, 16, STYLE_TEXT, "abcdefghijklmnop");
    drawn("abcdefghijklmnop\n");
}

static void text_is_cut_at_blanks_to_be_wrapped(void **state)
{
    (void)state;
    blank(1, 20, "ascii");
    assert_int_equal(canvas_fit(&canvas, "one two three", 20), 13);
    assert_int_equal(canvas_fit(&canvas, "one two three", 10), 8); /* with the blank */
    assert_int_equal(canvas_fit(&canvas, "a bcdefghijklmn", 8), 8);
    assert_int_equal(canvas_fit(&canvas, "\x1b[31m", 3), 1); /* four columns: at least one */
    assert_int_equal(canvas_fit(&canvas, "", 5), 0);
}

static void wide_characters_take_two_columns_and_never_half(void **state)
{
    (void)state;
    blank(1, 5, "braille");
    assert_int_equal(canvas_text(&canvas, 0, 0, 5, STYLE_TEXT, "\u4e2d\u4e2d"), 4);
    drawn("\u4e2d\u4e2d\n");
    canvas_put(&canvas, 0, 1, 'x', STYLE_TEXT);
    drawn(" x\u4e2d\n");
    blank(1, 5, "braille");
    canvas_text(&canvas, 0, 4, 5, STYLE_TEXT, "\u4e2d");
    drawn("\n");
}

static void drawing_outside_is_clipped(void **state)
{
    (void)state;
    blank(2, 3, "braille");
    canvas_text(&canvas, -1, 0, 3, STYLE_TEXT, "abc");
    canvas_text(&canvas, 1, -1, 9, STYLE_TEXT, "abcdefgh");
    canvas_fill(&canvas, (struct rect){-5, -5, 6, 6}, '#', STYLE_TEXT);
    drawn("#\nbcd\n");
}

static void durations_and_sizes_read_well(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } time[] = {{0, "0 s"},        {59.4, "59 s"}, {591, "9m51s"}, {4320, "1h12m"},
                {273600, "3d04h"}, {-1, "-"},      {NAN, "-"},     {INFINITY, "-"}};
    char out[32];
    (void)state;
    for (size_t i = 0; i < sizeof time / sizeof *time; i++)
        assert_string_equal(text_duration(out, sizeof out, time[i].seconds), time[i].text);
    assert_string_equal(text_bytes(out, sizeof out, 44773120), "42.7M");
    assert_string_equal(text_bytes(out, sizeof out, 12), "12B");
    assert_string_equal(text_number(out, sizeof out, 2.0153), "2.0153");
    assert_string_equal(text_number(out, sizeof out, 1e-9), "1.000e-09");
    assert_string_equal(text_number(out, sizeof out, NAN), "-");
}

static void glyphs_follow_codeset_and_terminal(void **state)
{
    static const struct {
        const char *wish, *codeset, *term, *got;
    } c[] = {{"auto", "UTF-8", "xterm-256color", "braille"},
             {NULL, "UTF-8", "linux", "ascii"},
             {NULL, "UTF-8", "vt100", "ascii"},
             {NULL, "ANSI_X3.4-1968", "xterm", "ascii"},
             {"braille", "ANSI_X3.4-1968", "xterm", "ascii"},
             {"block", "UTF-8", "xterm", "block"},
             {"block", "UTF-8", "linux", "block"},
             {"nonsense", "UTF-8", "xterm", "braille"}};
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        assert_string_equal(glyphs_choose(c[i].wish, c[i].codeset, c[i].term)->name, c[i].got);
}

static void axes_cover_their_values_with_ticks_of_1_2_5(void **state)
{
    static const double ends[][2] = {
        {0, 1}, {2.31, 5.02},    {-3, 7},          {1e-30, 1e30},   {5, 5},
        {0, 0}, {-1e300, 1e300}, {1e-320, 1e-310}, {99.99, 100.01}, {1e9, 1e9 + 1}};
    char label[32];
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int max = 2; max < 30; max++)
            for (int log = 0; log < 2; log++) {
                struct axis a;
                axis_fit(&a, ends[i][0], ends[i][1], max, log);
                assert_true(a.n >= 2 && a.n <= AXIS_TICKS);
                assert_true(axis_place(&a, ends[i][0]) >= -1e-6);
                assert_true(axis_place(&a, ends[i][1]) <= 1 + 1e-6);
                for (int t = 1; t < a.n; t++)
                    assert_true(a.tick[t] > a.tick[t - 1]);
                for (int t = 0; t < a.n; t++)
                    assert_true(strlen(axis_label(&a, a.tick[t], label, sizeof label)) <= 9);
                double digit = a.step / pow(10, floor(log10(a.step) + 1e-9));
                assert_true(a.log || fabs(digit - 1) < 1e-6 || fabs(digit - 2) < 1e-6 ||
                            fabs(digit - 5) < 1e-6);
            }
}

static struct series series;

static void bins_are_powers_of_two_and_lose_no_extreme(void **state)
{
    double min, max;
    (void)state;
    series_init(&series);
    for (int64_t x = 0; x < 100000; x++)
        series_add(&series, x, x == 54321 ? 99 : x == 11 ? -5 : 1);
    assert_int_equal(series.shift, 7); /* 100000 / 128 = 782 bins */
    assert_int_equal(series.n, 782);
    assert_true(series_range(&series, &min, &max));
    assert_true(min == -5 && max == 99);
    assert_true(series.bin[54321 >> 7].max == 99);
    assert_int_equal(series.bin[0].n, 128);
    assert_int_equal(series.last, 99999);
}

static void bins_keep_their_place_while_a_run_grows(void **state)
{
    struct bin before[512];
    (void)state;
    series_init(&series);
    for (int64_t x = 0; x < 1024; x++)
        series_add(&series, x, (double)x);
    memcpy(before, series.bin, sizeof before);
    series_add(&series, 1023, 7);
    assert_memory_equal(before, series.bin, sizeof before);
    series_add(&series, 1024, 7); /* now pairs are merged */
    assert_int_equal(series.shift, 1);
    assert_true(series.bin[3].min == 6 && series.bin[3].max == 7 && series.bin[3].sum == 13);
}

static void values_that_are_not_finite_are_holes(void **state)
{
    double min, max;
    (void)state;
    series_init(&series);
    series_add(&series, 0, 1);
    series_add(&series, 1, NAN);
    series_add(&series, 2, INFINITY);
    series_add(&series, -5, 3);
    series_add(&series, (int64_t)1 << 40, 2);
    assert_true(series_range(&series, &min, &max));
    assert_true(min == 1 && max == 2);
    assert_int_equal(series.bin[0].n_holes, 2);
}

static void averaging_a_constant_gives_the_constant(void **state)
{
    (void)state;
    for (int i = 0; i < SMOOTH_LEVELS; i++) {
        struct ema e = {.weight = smooth_weights[i], .decay = 1};
        for (int k = 0; k < 5000; k++)
            assert_true(ema_next(&e, 3.7) == 3.7);
    }
}

/* (1-a) sum a^(n-i) y_i / (1 - a^n), in long double */
static void averages_are_debiased(void **state)
{
    (void)state;
    for (int i = 0; i < SMOOTH_LEVELS; i++) {
        struct ema e = {.weight = smooth_weights[i], .decay = 1};
        long double a = smooth_weights[i], sum = 0, weight = 0;
        for (int k = 0; k < 2000; k++) {
            double y = sin(k * .7) + k * .01;
            sum = a * sum + (1 - a) * y;
            weight = a * weight + (1 - a);
            double got = ema_next(&e, y);
            assert_true(fabs(got - (double)(sum / weight)) < 1e-12 * (1 + fabs(got)));
        }
    }
}

static void a_nan_does_not_poison_the_average(void **state)
{
    struct ema with = {.weight = .9, .decay = 1}, without = with;
    (void)state;
    for (int k = 0; k < 50; k++) {
        double y = k * .5;
        if (k == 20)
            assert_true(isnan(ema_next(&with, NAN)));
        assert_true(ema_next(&with, y) == ema_next(&without, y));
    }
}

/* smoothing comes before binning: more data later must not change the past */
static void smoothed_past_does_not_depend_on_the_future(void **state)
{
    struct curve *few = curve_new(), *many = curve_new();
    (void)state;
    for (int64_t x = 0; x < 100000; x++) {
        double y = sin((double)x * .01) + ((x * 7919) % 13) * .1;
        if (x < 1000)
            curve_add(few, x, y);
        curve_add(many, x, y);
    }
    const struct series *f = &few->level[3], *m = &many->level[3];
    for (int i = 0; i < 7; i++) { /* 7 * 128 < 1000 */
        struct bin sum = {.min = INFINITY, .max = -INFINITY};
        for (int k = i << m->shift; k < (i + 1) << m->shift; k++) {
            sum.sum += f->bin[k].sum;
            sum.min = fmin(sum.min, f->bin[k].min);
            sum.max = fmax(sum.max, f->bin[k].max);
        }
        assert_true(fabs(sum.sum - m->bin[i].sum) < 1e-9);
        assert_true(sum.min == m->bin[i].min && sum.max == m->bin[i].max);
    }
    curve_free(few);
    curve_free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_does_not_fit_ends_with_an_ellipsis),
        cmocka_unit_test(nothing_reaches_the_terminal_as_control),
        cmocka_unit_test(ascii_screens_hold_ascii_only),
        cmocka_unit_test(names_lose_their_middle),
        cmocka_unit_test(text_is_cut_at_blanks_to_be_wrapped),
        cmocka_unit_test(wide_characters_take_two_columns_and_never_half),
        cmocka_unit_test(drawing_outside_is_clipped),
        cmocka_unit_test(durations_and_sizes_read_well),
        cmocka_unit_test(glyphs_follow_codeset_and_terminal),
        cmocka_unit_test(axes_cover_their_values_with_ticks_of_1_2_5),
        cmocka_unit_test(bins_are_powers_of_two_and_lose_no_extreme),
        cmocka_unit_test(bins_keep_their_place_while_a_run_grows),
        cmocka_unit_test(values_that_are_not_finite_are_holes),
        cmocka_unit_test(averaging_a_constant_gives_the_constant),
        cmocka_unit_test(averages_are_debiased),
        cmocka_unit_test(a_nan_does_not_poison_the_average),
        cmocka_unit_test(smoothed_past_does_not_depend_on_the_future),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    int failed = cmocka_run_group_tests_name("tui/pieces", tests, NULL, NULL);
    canvas_done(&canvas);
    return failed;
}
