/* The generated data set, and the validation split made of it and of lopsided ones. */
#include "data/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- a data set of labels alone --------------------------------------------------------------- */

static const struct dataset_class label_dataset = {.name = "labels"};

/* count[k] images of class k, mixed. The caller frees impl, the labels. */
static struct dataset of_counts(const int *count, int n_classes)
{
    struct dataset d = {.class = &label_dataset, .channels = 1, .height = 1, .width = 1};
    int total = 0, left[16], n = 0;
    for (int k = 0; k < n_classes; k++)
        total += left[k] = count[k];
    int32_t *labels = calloc((size_t)total + 1, sizeof *labels);
    for (int k = 0; n < total; k = (k + 1) % n_classes)
        if (left[k] > 0) {
            labels[n++] = k;
            left[k]--;
        }
    d.n_classes = n_classes;
    d.n[PART_TRAIN] = total;
    d.labels = d.impl = labels;
    return d;
}

static void check_split(const struct dataset *d, double fraction, const int *count)
{
    struct split train, valid;
    struct err e = {0};
    int n_valid[16] = {0};
    const int32_t *labels = d->labels;
    if (split_make(d, fraction, 5, &train, &valid, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(valid.n, llround(fraction * (double)d->n[PART_TRAIN]));
    assert_int_equal(train.n + valid.n, d->n[PART_TRAIN]);
    for (int64_t i = 0, t = 0, v = 0; i < d->n[PART_TRAIN]; i++) /* both in order, none twice */
        if (v < valid.n && valid.index[v] == i) {
            n_valid[labels[i]]++;
            v++;
        } else
            assert_int_equal(train.index[t++], i);
    for (int k = 0; k < d->n_classes; k++) /* within one image of the exact share */
        assert_true(fabs(n_valid[k] - fraction * count[k]) < 1);
    split_free(&train);
    split_free(&valid);
}

static void totals_are_exact_and_classes_keep_their_share(void **state)
{
    (void)state;
    static const int counts[][5] = {{100, 100, 100, 100, 100},
                                    {1, 2, 3, 4, 5},
                                    {1000, 1, 1, 1, 7},
                                    {0, 50, 0, 3, 33},
                                    {2, 2, 2, 2, 2}};
    static const double fractions[] = {0, .01, .05, .1, .29, .333333, .5, .77, .9};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct dataset d = of_counts(counts[c], 5);
        for (size_t f = 0; f < sizeof fractions / sizeof *fractions; f++)
            check_split(&d, fractions[f], counts[c]);
        free(d.impl);
    }
}

static void the_choice_follows_the_seed_alone(void **state)
{
    (void)state;
    static const int count[] = {300, 300};
    struct dataset d = of_counts(count, 2);
    struct split train[3], valid[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(split_make(&d, .2, i == 2 ? 8 : 7, &train[i], &valid[i], NULL), 0);
    assert_memory_equal(valid[0].index, valid[1].index, sizeof(int64_t) * (size_t)valid[0].n);
    assert_memory_not_equal(valid[0].index, valid[2].index, sizeof(int64_t) * (size_t)valid[0].n);
    for (int i = 0; i < 3; i++) {
        split_free(&train[i]);
        split_free(&valid[i]);
    }
    free(d.impl);
}

/* Each image is chosen equally often over many seeds. */
static void the_choice_is_even(void **state)
{
    (void)state;
    static const int count[] = {20, 30};
    enum { SEEDS = 2000 };
    int chosen[50] = {0};
    struct dataset d = of_counts(count, 2);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct split train, valid;
        assert_int_equal(split_make(&d, .2, seed, &train, &valid, NULL), 0);
        for (int64_t i = 0; i < valid.n; i++)
            chosen[valid.index[i]]++;
        split_free(&train);
        split_free(&valid);
    }
    for (int i = 0; i < 50; i++) /* 4.5 sigma = 4.5 sqrt(2000 * .2 * .8) = 80 */
        assert_true(abs(chosen[i] - SEEDS / 5) < 81);
    free(d.impl);
}

static void nothing_left_to_train_on_is_an_error(void **state)
{
    (void)state;
    static const int count[] = {1};
    struct dataset d = of_counts(count, 1);
    struct split train, valid;
    struct err e = {0};
    assert_int_equal(split_make(&d, .9, 1, &train, &valid, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "data.valid_fraction 0.9"));
    free(d.impl);
}

/* --- shapes ------------------------------------------------------------------------------------
 */

static int open_shapes(struct dataset *d, int64_t train, int64_t test, struct err *e)
{
    struct data_conf conf = {.name = "shapes", .train_images = train, .test_images = test};
    return dataset_open(d, &conf, e);
}

/* The pixels are part of what a run repeats, on every machine: a change of the drawing must be
 * meant. */
static void shapes_are_the_same_everywhere(void **state)
{
    (void)state;
    struct dataset d;
    struct err e = {0};
    assert_int_equal(open_shapes(&d, 40, 20, &e), 0);
    assert_string_equal(d.fingerprint, "shapes train=40 test=20 hash=11af5a3e3795efaa");
    dataset_close(&d);
}

static void shapes_do_not_depend_on_how_many_there_are(void **state)
{
    (void)state;
    struct dataset few, many;
    struct err e = {0};
    uint8_t a[3072], b[3072], test[3072];
    int32_t label_a, label_b;
    assert_int_equal(open_shapes(&few, 20, 10, &e), 0);
    assert_int_equal(open_shapes(&many, 200, 50, &e), 0);
    for (int64_t i = 0; i < 20; i++) {
        assert_int_equal(dataset_read(&few, PART_TRAIN, i, a, &label_a, &e), 0);
        assert_int_equal(dataset_read(&many, PART_TRAIN, i, b, &label_b, &e), 0);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(label_a, label_b);
    }
    for (int64_t i = 0; i < 10; i++) {
        assert_int_equal(dataset_read(&few, PART_TEST, i, a, &label_a, &e), 0);
        assert_int_equal(dataset_read(&many, PART_TEST, i, test, &label_b, &e), 0);
        assert_int_equal(dataset_read(&many, PART_TRAIN, i, b, &label_b, &e), 0);
        assert_memory_equal(a, test, sizeof a);
        assert_memory_not_equal(test, b, sizeof b); /* no test image among the training images */
    }
    assert_int_equal(dataset_read(&few, PART_TRAIN, 20, a, &label_a, &e), -1);
    dataset_close(&few);
    dataset_close(&many);
}

static void classes_of_shapes_are_balanced_and_alike_in_colour(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct dataset d;
    struct err e = {0};
    double mean[10] = {0}, all = 0;
    int count[10] = {0};
    assert_int_equal(open_shapes(&d, N, 10, &e), 0);
    for (int64_t i = 0; i < N; i++) {
        uint8_t image[3072];
        int32_t label;
        double sum = 0;
        assert_int_equal(dataset_read(&d, PART_TRAIN, i, image, &label, &e), 0);
        for (int p = 0; p < 3072; p++)
            sum += image[p];
        count[label]++;
        mean[label] += sum / 3072 / 255 / (N / 10.);
        all += sum / 3072 / 255 / N;
    }
    for (int k = 0; k < 10; k++) {
        assert_int_equal(count[k], N / 10);
        /* Filled shapes are a little brighter; images of one class differ by .1 and more. */
        assert_float_equal(mean[k], all, .07);
    }
    dataset_close(&d);
}

static void too_few_shapes_are_refused(void **state)
{
    (void)state;
    struct dataset d;
    struct err e = {0};
    assert_int_equal(open_shapes(&d, 9, 100, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "data.train_images"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_exact_and_classes_keep_their_share),
        cmocka_unit_test(the_choice_follows_the_seed_alone),
        cmocka_unit_test(the_choice_is_even),
        cmocka_unit_test(nothing_left_to_train_on_is_an_error),
        cmocka_unit_test(shapes_are_the_same_everywhere),
        cmocka_unit_test(shapes_do_not_depend_on_how_many_there_are),
        cmocka_unit_test(classes_of_shapes_are_balanced_and_alike_in_colour),
        cmocka_unit_test(too_few_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
