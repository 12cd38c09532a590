/*
 * A device that augments: whether it holds the data set or gets what a batch needs, training and
 * validation see the images that the CPU's loader would have made.
 */
#include "tests/engine/tiny.h"

#include "data/augment.h"
#include "engine/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The CPU, but for making views itself. */
static struct backend_class augmenting;
static int made;

static int augment(struct device *dev, const struct device_augment *a, struct tensor *out,
                   struct err *e)
{
    const struct augment_shape *s = a->shape;
    size_t values = (size_t)s->channels * (size_t)s->height * (size_t)s->width;
    size_t bytes = (size_t)s->channels * (size_t)s->from_height * (size_t)s->from_width;
    float *views = calloc((size_t)out->dim[0] * values, sizeof *views);
    float *work = calloc(augment_scratch(s), sizeof *work);
    assert_true(views && work);
    for (int64_t i = 0; i < out->dim[0]; i++) {
        const struct view_params *p = &a->params[i];
        if (p->sample >= 0)
            augment_apply(s, p, a->images + (size_t)p->sample * bytes, views + (size_t)i * values,
                          work);
        made += p->sample >= 0;
    }
    int rc = dev->class->upload(dev, out, views, e);
    free(views);
    free(work);
    return rc;
}

/* Plans fit; when the images come, nearly nothing is left unless there is room. */
static bool tight, has_room;

static size_t memory_free(struct device *dev)
{
    (void)dev;
    return tight ? 1 : (size_t)1 << 30;
}

static bool on_phase(void *ctx, const char *text, int part, int parts)
{
    (void)ctx;
    (void)part;
    (void)parts;
    tight = !has_room && strstr(text, "loader");
    return true;
}

static void open_trainer(struct trainer *t, bool augments, bool roomy)
{
    struct err e = {0};
    struct settings s = tiny_settings(NULL);
    if (trainer_open(t, &s, NULL, NULL, &e) != 0)
        fail_msg("%s", e.msg);
    if (augments) {
        augmenting = *t->dev.class;
        augmenting.augment = augment;
        augmenting.memory_free = memory_free;
        t->dev.class = &augmenting;
    }
    struct trainer_watch watch = {on_phase, NULL};
    tight = false;
    has_room = roomy;
    if (trainer_ready(t, NULL, &watch, &e) != 0)
        fail_msg("%s", e.msg);
}

static void compare(bool roomy)
{
    struct trainer plain, own;
    struct step_stats a, b;
    struct validation v, w;
    struct err e = {0};
    open_trainer(&plain, false, false);
    open_trainer(&own, true, roomy);
    assert_false(plain.feed.on_device);
    assert_true(own.feed.on_device && own.feed.resident == roomy);
    for (int i = 0; i < 8; i++) {
        made = 0;
        if (trainer_step(&plain, 0, &a, &e) != 0 || trainer_step(&own, 0, &b, &e) != 0)
            fail_msg("%s", e.msg);
        assert_int_equal(made, b.batch * b.views);
        assert_true(a.loss == b.loss && a.grad_norm == b.grad_norm && a.probe == b.probe);
    }
    if (validate(&plain, NULL, NULL, &v, &e) != 0 || validate(&own, NULL, NULL, &w, &e) != 0)
        fail_msg("%s", e.msg);
    assert_true(v.n == w.n && v.loss == w.loss && v.top5 == w.top5);
    trainer_close(&plain);
    trainer_close(&own);
}

static void a_resident_data_set_gives_the_loaders_images(void **state)
{
    (void)state;
    compare(true);
}

static void gathered_images_give_the_loaders_images(void **state)
{
    (void)state;
    compare(false);
}

static void a_switch_keeps_the_data_set_there(void **state)
{
    struct trainer t;
    struct step_stats s;
    struct err e = {0};
    (void)state;
    open_trainer(&t, true, true);
    const void *images = t.feed.images;
    made = 0;
    if (trainer_switch(&t, "cross-entropy", &e) != 0 || trainer_step(&t, 0, &s, &e) != 0)
        fail_msg("%s", e.msg);
    assert_ptr_equal(t.feed.images, images);
    assert_int_equal(made, s.batch * s.views);
    trainer_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resident_data_set_gives_the_loaders_images),
        cmocka_unit_test(gathered_images_give_the_loaders_images),
        cmocka_unit_test(a_switch_keeps_the_data_set_there),
    };
    return cmocka_run_group_tests(tests, tiny_init, tiny_done);
}
