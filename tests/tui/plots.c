/* Plots compared with pictures: what is hard to draw, in every set of glyphs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "expect.h"
#include "tui/plot.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct series a, b;

static void wave(void)
{
    for (int i = 0; i < 300; i++)
        series_add(&a, i, 2 + sin(i * .05) * exp(-i * .01));
}

static void nothing(void)
{
}

static void one_point(void)
{
    series_add(&a, 0, 2.5);
}

static void constant(void)
{
    for (int i = 0; i < 40; i++)
        series_add(&a, i, 2.3026);
}

static void gaps(void)
{
    for (int i = 0; i < 60; i++)
        series_add(&a, i, i % 20 < 14 ? i : NAN);
}

static void only_nan(void)
{
    for (int i = 0; i < 60; i++)
        series_add(&a, i, NAN);
}

static void huge(void)
{
    for (int i = 0; i < 61; i++)
        series_add(&a, i, pow(10, i - 30));
}

static void spike(void)
{
    for (int i = 0; i < 100000; i++)
        series_add(&a, i, i == 50000 ? 9 : 1);
}

static void sparse(void)
{
    wave();
    for (int i = 50; i < 300; i += 50)
        series_add(&b, i, 2 + i * .002);
}

static void late(void)
{
    for (int i = 2000; i < 4000; i++)
        series_add(&a, i, 1000. / i);
}

static const struct picture {
    const char *name;
    void (*fill)(void);
    bool log;
    enum line_style line;
} pictures[] = {
    {"empty", nothing, false, LINE_SOLID},          {"one point", one_point, false, LINE_SOLID},
    {"constant", constant, false, LINE_SOLID},      {"gaps", gaps, false, LINE_SOLID},
    {"only nan", only_nan, false, LINE_SOLID},      {"1e-30 to 1e30", huge, false, LINE_SOLID},
    {"1e-30 to 1e30, log", huge, true, LINE_SOLID}, {"spike", spike, false, LINE_SOLID},
    {"dashed", wave, false, LINE_DASHED},           {"dotted", wave, false, LINE_DOTTED},
    {"points", sparse, false, LINE_SOLID},          {"begins late", late, false, LINE_SOLID},
};

static void draw(FILE *f, const struct picture *p, int rows, int cols, const char *glyphs)
{
    struct canvas c;
    const struct plot_series series[] = {
        {.data = &a, .line = p->line, .style = STYLE_SERIES, .letter = '*', .spread = true},
        {.data = &b, .line = LINE_POINTS, .style = STYLE_SERIES + 1, .letter = 'o'}};
    const struct plot_mark mark = {2500, "mark"};
    const struct plot plot = {.series = series,
                              .n_series = 2,
                              .log = p->log,
                              .marks = &mark,
                              .n_marks = a.last > 2500 && a.last < 5000,
                              .empty = "nothing yet"};
    assert_int_equal(canvas_init(&c, rows, cols, glyphs_find(glyphs)), 0);
    plot_draw(&c, (struct rect){0, 0, rows, cols}, &plot);
    fprintf(f, "== %s\n", p->name);
    canvas_dump(&c, f);
    canvas_done(&c);
}

static void all_pictures(const char *glyphs)
{
    char *text, name[64];
    size_t n;
    FILE *f = open_memstream(&text, &n);
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        series_init(&a);
        series_init(&b);
        pictures[i].fill();
        draw(f, &pictures[i], 9, 50, glyphs);
    }
    fclose(f);
    snprintf(name, sizeof name, "plots-%s.txt", glyphs);
    expect_file(name, text);
    free(text);
}

static void plots_in_braille(void **state)
{
    (void)state;
    all_pictures("braille");
}

static void plots_in_blocks(void **state)
{
    (void)state;
    all_pictures("block");
}

static void plots_in_ascii(void **state)
{
    (void)state;
    all_pictures("ascii");
}

static void plots_draw_at_every_size(void **state)
{
    FILE *nowhere = fopen("/dev/null", "w");
    (void)state;
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        series_init(&a);
        series_init(&b);
        pictures[i].fill();
        for (int rows = 1; rows < 12; rows++)
            for (int cols = 1; cols < 60; cols += 3)
                draw(nowhere, &pictures[i], rows, cols, cols % 2 ? "braille" : "ascii");
    }
    fclose(nowhere);
}

/* at least four fifths are in use, it never shrinks, and it ends with the run */
static void the_axis_grows_in_steps_and_ends_with_the_run(void **state)
{
    int64_t before = 0;
    int changes = 0;
    (void)state;
    for (int64_t last = 0; last < 100000; last++) {
        int64_t span = plot_span(last, 0);
        assert_true(span > last && span >= before);
        assert_true(last < 8 || span * 4 <= (last + 1) * 5);
        changes += span != before;
        before = span;
        assert_true(plot_span(last, 100000) <= 100000);
    }
    assert_true(changes < 4 * 16);
    assert_int_equal(plot_span(99999, 100000), 100000);
    assert_int_equal(plot_span(100001, 100000), plot_span(100001, 0));
    assert_true(plot_span((int64_t)1 << 40, 0) > (int64_t)1 << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plots_in_braille),
        cmocka_unit_test(plots_in_blocks),
        cmocka_unit_test(plots_in_ascii),
        cmocka_unit_test(plots_draw_at_every_size),
        cmocka_unit_test(the_axis_grows_in_steps_and_ends_with_the_run),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    return cmocka_run_group_tests_name("tui/plots", tests, NULL, NULL);
}
