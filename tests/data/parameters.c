/* Batches of parameters for a device: applied to the images they name, they are the batches that
 * the loader makes itself. */
#include "data/augment.h"
#include "data/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FROM = 12, SIDE = 8, IMAGES = 30, TESTS = 7, ROWS = IMAGES + TESTS, BATCH = 4, VIEWS = 2 };
enum { IMAGE_BYTES = 3 * FROM * FROM, VALUES = 3 * SIDE * SIDE };

static uint8_t images[ROWS * IMAGE_BYTES];
static int32_t labels[ROWS];

static int copy_image(const struct dataset *d, enum data_part part, int64_t index, uint8_t *image,
                      struct err *e)
{
    (void)e;
    memcpy(image, images + dataset_row(d, part, index) * IMAGE_BYTES, IMAGE_BYTES);
    return 0;
}

static const struct dataset_class memory_dataset = {.name = "memory", .read = copy_image};

static const struct augment_conf simaugment = {.policy = "simaugment",
                                               .crop_min = .2,
                                               .crop_max = 1,
                                               .flip = .5,
                                               .jitter = .5,
                                               .jitter_p = .8,
                                               .grayscale = .2,
                                               .blur = .5};

static int make_images(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS * IMAGE_BYTES; i++)
        images[i] = (uint8_t)(i * 7 + i / IMAGE_BYTES * 31 + i * i / 977);
    for (int i = 0; i < ROWS; i++)
        labels[i] = i % 5;
    return 0;
}

static struct dataset open_images(bool resident)
{
    return (struct dataset){.class = &memory_dataset,
                            .channels = 3,
                            .height = SIDE,
                            .width = SIDE,
                            .from_height = FROM,
                            .from_width = FROM,
                            .n_classes = 5,
                            .n = {IMAGES, TESTS},
                            .mean = {.4, .5, .6},
                            .std = {.25, .2, .3},
                            .labels = labels,
                            .images = resident ? images : NULL};
}

static struct batch *next(struct loader *l)
{
    struct batch *b;
    struct err e = {0};
    if (loader_next(l, &b, &e))
        fail_msg("%s", e.msg);
    return b;
}

/* Row for row, from the images that the parameters name. */
static void compare(const struct dataset *d, struct loader *l, const struct batch *made,
                    const struct batch *drawn)
{
    static float view[VALUES], scratch[4 * VALUES];
    const struct augment_shape *s = loader_shape(l);
    assert_true(augment_scratch(s) <= sizeof scratch / sizeof *scratch);
    assert_null(drawn->images);
    assert_memory_equal(made->labels, drawn->labels, sizeof *made->labels * BATCH);
    assert_memory_equal(made->samples, drawn->samples, sizeof *made->samples * BATCH);
    for (int row = 0; row < VIEWS * BATCH; row++) {
        const struct view_params *p = &drawn->params[row];
        const uint8_t *from = drawn->sources ? drawn->sources : d->images;
        memset(view, 0, sizeof view);
        assert_true((p->sample < 0) == (row % BATCH >= drawn->n));
        if (p->sample >= 0)
            augment_apply(s, p, from + (ptrdiff_t)p->sample * IMAGE_BYTES, view, scratch);
        assert_memory_equal(view, made->images + (ptrdiff_t)row * VALUES, sizeof view);
    }
}

static void check_part(bool resident, bool gather, enum data_part part,
                       const struct augment_conf *conf)
{
    struct dataset d = open_images(resident);
    struct split split;
    struct loader *pixels, *params;
    assert_int_equal(split_part(&d, part, &split, NULL), 0);
    struct loader_options o = {.data = &d,
                               .split = &split,
                               .augment = conf,
                               .batch = BATCH,
                               .views = VIEWS,
                               .shuffle = part == PART_TRAIN,
                               .keep_partial = part == PART_TEST,
                               .seed = 3,
                               .threads = 2};
    assert_int_equal(loader_open(&pixels, &o, NULL), 0);
    o.parameters = true;
    o.gather = gather;
    assert_int_equal(loader_open(&params, &o, NULL), 0);
    for (int i = 0; i < 9; i++) { /* more than one epoch, with partial batches */
        struct batch *a = next(pixels), *b = next(params);
        assert_true((b->sources != NULL) == (gather || !resident));
        compare(&d, params, a, b);
        loader_release(pixels, a);
        loader_release(params, b);
    }
    loader_close(pixels);
    loader_close(params);
    split_free(&split);
}

static void parameters_of_a_resident_set_give_the_same_views(void **state)
{
    (void)state;
    check_part(true, false, PART_TRAIN, &simaugment);
    check_part(true, false, PART_TEST, NULL);
}

static void parameters_come_with_images_that_are_not_resident(void **state)
{
    (void)state;
    check_part(false, false, PART_TRAIN, &simaugment);
    check_part(false, true, PART_TEST, NULL);
}

static void images_come_along_where_they_are_asked_for(void **state)
{
    (void)state;
    check_part(true, true, PART_TRAIN, &simaugment);
    check_part(true, true, PART_TEST, NULL);
}

static void images_are_read_by_part_and_index(void **state)
{
    (void)state;
    uint8_t image[IMAGE_BYTES];
    int32_t label;
    for (int resident = 0; resident < 2; resident++) {
        struct dataset d = open_images(resident);
        struct err e = {0};
        assert_int_equal(dataset_image_bytes(&d), IMAGE_BYTES);
        assert_int_equal(dataset_read(&d, PART_TEST, 2, image, &label, &e), 0);
        assert_int_equal(label, (IMAGES + 2) % 5);
        assert_memory_equal(image, images + (IMAGES + 2) * IMAGE_BYTES, IMAGE_BYTES);
        assert_int_equal(dataset_read(&d, PART_TEST, TESTS, image, &label, &e), -1);
        assert_int_equal(e.code, EXIT_SOFTWARE);
        assert_int_equal(dataset_read(&d, PART_TRAIN, -1, image, &label, &e), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_of_a_resident_set_give_the_same_views),
        cmocka_unit_test(parameters_come_with_images_that_are_not_resident),
        cmocka_unit_test(images_come_along_where_they_are_asked_for),
        cmocka_unit_test(images_are_read_by_part_and_index),
    };
    return cmocka_run_group_tests(tests, make_images, NULL);
}
