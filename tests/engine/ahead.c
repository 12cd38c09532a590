/*
 * A device that lets three steps be on their way: results are those of one at a time, bit for bit,
 * and a step that is not finite holds back the steps behind it.
 */
#include "tests/engine/tiny.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 3, POST_MAX = 4096 };

/* The CPU, but for its post box, which has as many slots as there are steps on their way. */
static struct backend_class ahead;
static char slots[DEPTH][POST_MAX];
static bool full[DEPTH];
static int most;

static int post(struct device *dev, int slot, const void *src, size_t bytes, struct err *e)
{
    (void)dev;
    int used = 1;
    for (int i = 0; i < DEPTH; i++)
        used += full[i];
    if (slot < 0 || slot >= DEPTH || bytes > POST_MAX || full[slot])
        return err_set(e, EXIT_SOFTWARE, "slot %d is in use", slot);
    memcpy(slots[slot], src, bytes);
    full[slot] = true;
    most = used > most ? used : most;
    return 0;
}

static int fetch(struct device *dev, int slot, void *dst, size_t bytes, bool wait, struct err *e)
{
    (void)dev;
    (void)wait;
    if (!full[slot])
        return err_set(e, EXIT_SOFTWARE, "slot %d is empty", slot);
    memcpy(dst, slots[slot], bytes);
    full[slot] = false;
    return 1;
}

static void open_trainer(struct trainer *t, bool runs_ahead)
{
    struct err e = {0};
    struct settings s = tiny_settings(NULL);
    if (trainer_open(t, &s, NULL, NULL, &e) != 0)
        fail_msg("%s", e.msg);
    memset(full, 0, sizeof full);
    most = 0;
    if (runs_ahead) {
        ahead = *t->dev.class;
        ahead.depth = DEPTH;
        ahead.post = post;
        ahead.fetch = fetch;
        t->dev.class = &ahead;
    }
    if (trainer_ready(t, NULL, NULL, &e) != 0)
        fail_msg("%s", e.msg);
}

static struct step_stats step(struct trainer *t, int64_t limit)
{
    struct step_stats s;
    struct err e = {0};
    if (trainer_step(t, limit, &s, &e) != 0)
        fail_msg("%s", e.msg);
    return s;
}

static void assert_same(const struct trainer *a, const struct trainer *b)
{
    const struct params *p = a->net.params, *q = b->net.params;
    assert_memory_equal(p->value, q->value, (size_t)p->n_trainable * sizeof(float));
    assert_memory_equal(p->slot[0], q->slot[0], (size_t)p->n_trainable * sizeof(float));
    assert_memory_equal(p->stats, q->stats, (size_t)p->n_stats * sizeof(float));
    assert_int_equal(p->batches, q->batches);
    assert_int_equal(a->state.step, b->state.step);
}

static void steps_ahead_change_no_bit(void **state)
{
    struct trainer one, three;
    (void)state;
    open_trainer(&one, false);
    open_trainer(&three, true);
    for (int i = 0; i < 10; i++) {
        struct step_stats a = step(&one, 10), b = step(&three, 10);
        assert_int_equal(a.step, b.step);
        assert_true(a.loss == b.loss && a.grad_norm == b.grad_norm && a.lr == b.lr);
        assert_true(a.position == b.position && a.acc == b.acc && a.probe == b.probe);
        assert_int_equal(trainer_in_flight(&one), 0);
        assert_int_equal(trainer_in_flight(&three), 9 - i < DEPTH - 1 ? 9 - i : DEPTH - 1);
    }
    assert_int_equal(most, DEPTH);
    assert_same(&one, &three);
    trainer_close(&one);
    trainer_close(&three);
}

static void nothing_runs_past_the_limit(void **state)
{
    struct trainer t;
    (void)state;
    open_trainer(&t, true);
    step(&t, 2);
    assert_int_equal(trainer_in_flight(&t), 1);
    step(&t, 2);
    assert_int_equal(trainer_in_flight(&t), 0);
    step(&t, 0); /* drained: one at a time */
    assert_int_equal(trainer_in_flight(&t), 0);
    trainer_close(&t);
}

/* The rate makes the first update so large that the second step overflows, with others behind it.
 */
static void a_held_step_holds_those_behind_it(void **state)
{
    struct trainer one, three;
    (void)state;
    open_trainer(&one, false);
    open_trainer(&three, true);
    one.settings.optimizer.lr = three.settings.optimizer.lr = 1e30; /* no recipe may say so */
    for (int i = 0; i < 4; i++) {
        struct step_stats a = step(&one, 10), b = step(&three, 10);
        assert_int_equal(a.step, b.step);
        assert_int_equal(a.finite, b.finite);
        if (i > 0) {
            assert_false(b.finite);
            assert_int_equal(b.step, 1); /* the same batch again and again */
            assert_int_equal(trainer_in_flight(&three), 0);
            assert_same(&one, &three);
        }
    }
    trainer_close(&one);
    trainer_close(&three);
}

/* Once the weights are sound again, training goes on from the held step's batch. */
static void training_goes_on_after_a_held_step(void **state)
{
    struct trainer undisturbed, t;
    (void)state;
    open_trainer(&undisturbed, false);
    open_trainer(&t, true);
    step(&undisturbed, 10);
    step(&t, 1);
    float *w = params_find(t.net.params, "projection.2.weight")->value.data, sound = w[0];
    w[0] = NAN;
    assert_false(step(&t, 10).finite);
    w[0] = sound;
    for (int i = 0; i < 3; i++) {
        struct step_stats a = step(&undisturbed, 4), b = step(&t, 4);
        assert_true(b.finite && a.loss == b.loss);
    }
    assert_same(&undisturbed, &t);
    trainer_close(&undisturbed);
    trainer_close(&t);
}

static size_t room; /* bytes; 0: not known */

static size_t memory_free(struct device *dev)
{
    (void)dev;
    return room;
}

static int ready_within(struct trainer *t, size_t bytes, struct err *e)
{
    struct settings s = tiny_settings(NULL);
    assert_int_equal(trainer_open(t, &s, NULL, NULL, e), 0);
    ahead = *t->dev.class;
    ahead.memory_free = memory_free;
    t->dev.class = &ahead;
    room = bytes;
    return trainer_ready(t, NULL, NULL, e);
}

/* To the byte, with the algorithms of the first time. */
static void too_large_a_batch_is_refused_with_what_fits(void **state)
{
    struct trainer t;
    struct err e = {0};
    (void)state;
    assert_int_equal(ready_within(&t, 0, &e), 0);
    size_t need = plan_arena_bytes(t.plan);
    trainer_close(&t);
    assert_int_equal(ready_within(&t, need, &e), 0);
    trainer_close(&t);
    assert_int_equal(ready_within(&t, need - 1, &e), -1);
    trainer_close(&t);
    assert_int_equal(e.code, EXIT_OS);
    assert_non_null(strstr(e.msg, "16 images at once")); /* 8 of two views */
    assert_non_null(strstr(e.msg, "about 14 images would fit"));
    assert_int_equal(ready_within(&t, 1 << 20, &e), -1);
    trainer_close(&t);
    assert_non_null(strstr(e.msg, "activations alone")); /* refused before timing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_ahead_change_no_bit),
        cmocka_unit_test(nothing_runs_past_the_limit),
        cmocka_unit_test(a_held_step_holds_those_behind_it),
        cmocka_unit_test(training_goes_on_after_a_held_step),
        cmocka_unit_test(too_large_a_batch_is_refused_with_what_fits),
    };
    return cmocka_run_group_tests(tests, tiny_init, tiny_done);
}
