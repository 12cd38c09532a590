/* Policies: every draw depends on its key alone, probabilities are met, settings are obeyed. */
#include "data/augment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <cmocka.h>

enum { SIDE = 32, N = SIDE * SIDE, VALUES = 3 * N };

static const struct augment_shape shape = {3, SIDE, SIDE, {0, 0, 0}, {1, 1, 1}, SIDE, SIDE};
static const struct augment_conf usual = {
    .crop_min = .2, .crop_max = 1, .flip = .5, .jitter = .5, .jitter_p = .8, .grayscale = .2};

static uint8_t image[VALUES];

static int make_image(void **state)
{
    (void)state;
    for (int i = 0; i < VALUES; i++)
        image[i] = (uint8_t)(i * 7 + i / N * 60 + i / SIDE * 3);
    return 0;
}

static void apply_to(const struct augment_shape *s, const char *policy,
                     const struct augment_conf *conf, struct augment_key key, float *view)
{
    static float scratch[4 * VALUES];
    struct err e = {0};
    struct view_params p;
    const struct augment_class *class = augment_find(policy, &e);
    assert_non_null(class);
    assert_true(augment_scratch(s) <= sizeof scratch / sizeof *scratch);
    class->draw(conf, s, &key, &p);
    augment_apply(s, &p, image, view, scratch);
}

static void apply(const char *policy, const struct augment_conf *conf, struct augment_key key,
                  float *view)
{
    apply_to(&shape, policy, conf, key, view);
}

static void views_are_functions_of_their_key(void **state)
{
    (void)state;
    static float a[VALUES], b[VALUES];
    static const struct augment_key keys[] = {{1, 0, 5, 2}, {2, 0, 5, 2}, {1, 1, 5, 2},
                                              {1, 0, 6, 2}, {1, 0, 5, 3}, {1ull << 40, 0, 5, 2}};
    for (int i = 0; augment_classes[i]; i++) {
        const char *name = augment_classes[i]->name;
        bool random = strcmp(name, "none") != 0;
        apply(name, &usual, keys[0], a);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            memset(b, 0xff, sizeof b);
            apply(name, &usual, keys[k], b);
            assert_int_equal(memcmp(a, b, sizeof a) != 0, random && k > 0);
        }
    }
}

static void values_stay_in_range(void **state)
{
    (void)state;
    static float view[VALUES];
    struct augment_conf strong = usual;
    strong.jitter = 2;
    for (uint32_t k = 0; k < 300; k++) {
        apply("simaugment", &strong, (struct augment_key){1, 0, k, 0}, view);
        for (int i = 0; i < VALUES; i++)
            assert_true(view[i] >= 0 && view[i] <= 1);
    }
}

static bool is_grey(const float *view)
{
    for (int i = 0; i < N; i++)
        if (fabsf(view[i] - view[N + i]) > 1e-6f || fabsf(view[i] - view[2 * N + i]) > 1e-6f)
            return false;
    return true;
}

/* The share of views that are grey, flipped, or changed at all, with only that step switched on. */
struct count {
    const char *what;
    struct augment_conf conf;
    bool (*seen)(const float *view, const float *plain);
    double share;
};

static bool seen_grey(const float *view, const float *plain)
{
    (void)plain;
    return is_grey(view);
}

static bool seen_change(const float *view, const float *plain)
{
    return memcmp(view, plain, sizeof(float) * VALUES) != 0;
}

static bool seen_flip(const float *view, const float *plain)
{
    for (int y = 0; y < 3 * SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            if (view[y * SIDE + x] != plain[y * SIDE + SIDE - 1 - x])
                return false;
    return true;
}

static void probabilities_are_met(void **state)
{
    (void)state;
    static float plain[VALUES], view[VALUES];
    static const struct count counts[] = {
        {"grayscale", {.crop_min = 1, .crop_max = 1, .grayscale = .2}, seen_grey, .2},
        {"jitter", {.crop_min = 1, .crop_max = 1, .jitter = .5, .jitter_p = .8}, seen_change, .8},
        {"flip", {.crop_min = 1, .crop_max = 1, .flip = .5}, seen_flip, .5},
        {"blur", {.crop_min = 1, .crop_max = 1, .blur = .5}, seen_change, .5},
        {"always", {.crop_min = 1, .crop_max = 1, .flip = 1}, seen_flip, 1},
        {"never", {.crop_min = 1, .crop_max = 1}, seen_change, 0},
    };
    apply("none", &usual, (struct augment_key){0}, plain);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        /* A crop of the whole area is drawn only at ratio 1; so the fallback, the image, is taken
         * nearly always, and where a rounded ratio fits it is the image too. */
        int n = 1000, seen = 0;
        for (int k = 0; k < n; k++) {
            apply("simaugment", &counts[c].conf, (struct augment_key){7, 1, (uint32_t)k, 3}, view);
            seen += counts[c].seen(view, plain);
        }
        double p = counts[c].share, sigma = sqrt(p * (1 - p) / n);
        if (fabs((double)seen / n - p) > 4 * sigma)
            fail_msg("%s: %d of %d", counts[c].what, seen, n);
    }
}

static void none_is_the_normalised_image(void **state)
{
    (void)state;
    static float view[VALUES];
    const struct augment_shape s = {
        3, SIDE, SIDE, {.4914f, .4822f, .4465f}, {.247f, .2435f, .2616f}, SIDE, SIDE};
    apply_to(&s, "none", &usual, (struct augment_key){0}, view);
    for (int i = 0; i < VALUES; i++)
        assert_float_equal(view[i], (image[i] / 255. - s.mean[i / N]) / s.std[i / N], 1e-6);
}

/* Which shift (and flip) of the padded image a view is; -1 if none. */
static int offset_of(const float *view)
{
    for (int code = 0; code < 2 * 9 * 9; code++) {
        int dx = code % 9 - 4, dy = code / 9 % 9 - 4, flip = code / 81;
        bool same = true;
        for (int i = 0; same && i < VALUES; i++) {
            int x = (flip ? SIDE - 1 - i % SIDE : i % SIDE) - dx, y = i % N / SIDE - dy;
            bool inside = x >= 0 && x < SIDE && y >= 0 && y < SIDE;
            same = view[i] == (inside ? (float)image[i / N * N + y * SIDE + x] / 255 : 0);
        }
        if (same)
            return code;
    }
    return -1;
}

static void crop_flip_reaches_every_offset(void **state)
{
    (void)state;
    static float view[VALUES];
    int seen[162] = {0}, distinct = 0;
    for (uint32_t k = 0; k < 1500; k++) {
        apply("crop-flip", &usual, (struct augment_key){1, 0, k, 0}, view);
        int code = offset_of(view);
        assert_true(code >= 0);
        distinct += seen[code]++ == 0;
    }
    assert_int_equal(distinct, 162); /* one is missed with a chance of 162 exp(-1500/162) = 1.5 % */
}

static void images_without_colour_are_cropped_and_flipped_only(void **state)
{
    (void)state;
    static float a[N], b[N];
    const struct augment_shape grey = {1, SIDE, SIDE, {0}, {1}, SIDE, SIDE};
    struct augment_conf no_colour = usual;
    struct augment_key key = {3, 0, 9, 1};
    no_colour.jitter_p = no_colour.grayscale = 0;
    apply_to(&grey, "simaugment", &usual, key, a);
    apply_to(&grey, "simaugment", &no_colour, key, b);
    assert_memory_equal(a, b, sizeof a);
}

/* The same view, value by value, as a kernel with one thread for each value makes it. */
static void one_value(const struct augment_shape *s, const struct view_params *p, float mean_grey,
                      int at, struct pixel *out)
{
    struct pixel v;
    float *value[3] = {&v.r, &v.g, &v.b};
    for (int c = 0; c < 3; c++)
        *value[c] = augment_sample(image + (ptrdiff_t)c * s->from_height * s->from_width, s, p,
                                   at / s->width, at % s->width);
    for (int i = 0; i < p->n_colour; i++) {
        float a = p->amount[i];
        float rest = p->order[i] == COLOUR_CONTRAST ? augment_contrast_rest(a, mean_grey) : 0;
        if (p->order[i] == COLOUR_SATURATION)
            v = augment_saturate(v, a);
        else if (p->order[i] == COLOUR_HUE)
            v = augment_turn_hue(v, a);
        else
            v = (struct pixel){augment_blend(v.r, a, rest), augment_blend(v.g, a, rest),
                               augment_blend(v.b, a, rest)};
    }
    *out = v;
}

/* Contrast comes first, so that its mean grey is that of the crop; flipped, from a larger image. */
static void views_are_the_shared_arithmetic_value_by_value(void **state)
{
    (void)state;
    enum { VIEW = 20 };
    static float view[3 * VIEW * VIEW], scratch[4 * VALUES];
    const struct augment_shape s = {3, VIEW, VIEW, {0}, {1, 1, 1}, SIDE, SIDE};
    const struct view_params plain = {.box = {3, -2, 11, 32}, .flip = 1};
    struct view_params p = plain;
    float sum = 0;
    augment_apply(&s, &plain, image, view, scratch);
    for (int i = 0; i < VIEW * VIEW; i++)
        sum +=
            augment_grey((struct pixel){view[i], view[VIEW * VIEW + i], view[2 * VIEW * VIEW + i]});
    p.n_colour = N_COLOUR_OPS;
    memcpy(p.order, (uint8_t[]){COLOUR_CONTRAST, COLOUR_HUE, COLOUR_BRIGHTNESS, COLOUR_SATURATION},
           sizeof p.order);
    memcpy(p.amount, (float[]){.7f, .2f, 1.3f, .4f}, sizeof p.amount);
    augment_apply(&s, &p, image, view, scratch);
    for (int i = 0; i < VIEW * VIEW; i++) {
        struct pixel want;
        one_value(&s, &p, sum / (VIEW * VIEW), i, &want);
        /* The mean may be summed in another order: a relative error of 400 * 2^-24 of .3. */
        assert_float_equal(view[i], want.r, 1e-5);
        assert_float_equal(view[VIEW * VIEW + i], want.g, 1e-5);
        assert_float_equal(view[2 * VIEW * VIEW + i], want.b, 1e-5);
    }
}

static void none_takes_the_middle_of_a_larger_image(void **state)
{
    (void)state;
    static float view[3 * 20 * 24];
    const struct augment_shape s = {3, 20, 24, {0}, {1, 1, 1}, SIDE, SIDE};
    apply_to(&s, "none", &usual, (struct augment_key){0}, view);
    for (int i = 0; i < 3 * 20 * 24; i++) {
        int c = i / (20 * 24), y = i / 24 % 20 + 6, x = i % 24 + 4;
        assert_true(view[i] == (float)image[c * N + y * SIDE + x] / 255);
    }
}

static void parameters_have_no_padding(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct view_params), 48);
}

static void an_unknown_policy_is_named_with_the_nearest(void **state)
{
    (void)state;
    struct err e = {0};
    assert_null(augment_find("simaugmant", &e));
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "\"simaugmant\""));
    assert_non_null(strstr(e.msg, "did you mean \"simaugment\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_functions_of_their_key),
        cmocka_unit_test(values_stay_in_range),
        cmocka_unit_test(probabilities_are_met),
        cmocka_unit_test(none_is_the_normalised_image),
        cmocka_unit_test(crop_flip_reaches_every_offset),
        cmocka_unit_test(images_without_colour_are_cropped_and_flipped_only),
        cmocka_unit_test(views_are_the_shared_arithmetic_value_by_value),
        cmocka_unit_test(none_takes_the_middle_of_a_larger_image),
        cmocka_unit_test(parameters_have_no_padding),
        cmocka_unit_test(an_unknown_policy_is_named_with_the_nearest),
    };
    return cmocka_run_group_tests(tests, make_image, NULL);
}
