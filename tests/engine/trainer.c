/* The training step, switching objectives, and validation, without engine or files of a run. */
#include "tests/engine/tiny.h"

#include "engine/validate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void open_trainer(struct trainer *t, const char *const *more)
{
    struct err e = {0};
    struct settings s = tiny_settings(more);
    if (trainer_open(t, &s, NULL, NULL, &e) != 0 || trainer_ready(t, NULL, NULL, &e) != 0)
        fail_msg("%s", e.msg);
}

static struct step_stats step(struct trainer *t)
{
    struct step_stats s;
    struct err e = {0};
    if (trainer_step(t, 0, &s, &e) != 0)
        fail_msg("%s", e.msg);
    return s;
}

static void change_objective(struct trainer *t, const char *name)
{
    struct err e = {0};
    if (trainer_switch(t, name, &e) != 0)
        fail_msg("%s", e.msg);
}

/* Host memory is device memory on the CPU. */
struct copy {
    float *value, *slot, *stats;
};

static float *duplicate(const float *x, int64_t n)
{
    float *y = malloc((size_t)n * sizeof *y + 1);
    assert_non_null(y);
    return memcpy(y, x, (size_t)n * sizeof *y);
}

static struct copy copy_of(const struct trainer *t)
{
    const struct params *p = t->net.params;
    return (struct copy){duplicate(p->value, p->n_trainable), duplicate(p->slot[0], p->n_trainable),
                         duplicate(p->stats, p->n_stats)};
}

static void copy_free(struct copy *c)
{
    free(c->value);
    free(c->slot);
    free(c->stats);
}

static bool same(const float *a, const float *b, int64_t begin, int64_t end)
{
    return memcmp(a + begin, b + begin, (size_t)(end - begin) * sizeof *a) == 0;
}

static bool group_is(const struct trainer *t, const struct copy *c, enum param_group g)
{
    const struct params *p = t->net.params;
    return same(p->value, c->value, p->group[g].begin, p->group[g].end) &&
           same(p->slot[0], c->slot, p->group[g].begin, p->group[g].end);
}

static bool all_is(const struct trainer *t, const struct copy *c)
{
    const struct params *p = t->net.params;
    return same(p->value, c->value, 0, p->n_trainable) &&
           same(p->slot[0], c->slot, 0, p->n_trainable) && same(p->stats, c->stats, 0, p->n_stats);
}

static void a_step_counts_and_learns(void **state)
{
    struct trainer t;
    (void)state;
    open_trainer(&t, NULL);
    struct copy before = copy_of(&t);
    for (int i = 0; i < 7; i++) {
        struct step_stats s = step(&t);
        assert_true(s.finite && isfinite(s.loss) && s.grad_norm > 0);
        assert_int_equal(s.step, i);
        assert_int_equal(s.batch, 8);
        assert_int_equal(s.views, 2);
        assert_true(s.acc >= 0 && s.acc <= 100 && s.probe >= 0 && s.probe <= 100);
    }
    assert_int_equal(t.per_epoch, 6);
    assert_int_equal(t.state.epoch, 1);
    assert_int_equal(t.state.position, 1);
    assert_false(group_is(&t, &before, GROUP_ENCODER));
    assert_false(group_is(&t, &before, GROUP_PROJECTION));
    assert_false(group_is(&t, &before, GROUP_PROBE));
    assert_true(group_is(&t, &before, GROUP_FC));
    copy_free(&before);
    trainer_close(&t);
}

/* One weight of the last layer is made infinite: the step must leave everything as it was, and
 * the same batch must come again once the weight is sound. */
static void non_finite_never_enters(void **state)
{
    static const char *const names[] = {"objective.name=supcon", "objective.name=cross-entropy"};
    static const char *const weights[] = {"projection.2.weight", "fc.weight"};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    struct trainer t, undisturbed;
    (void)state;
    for (int k = 0; k < 2; k++) {
        const char *const more[] = {names[k], NULL};
        open_trainer(&t, more);
        open_trainer(&undisturbed, more);
        step(&t);
        step(&undisturbed);
        float *w = params_find(t.net.params, weights[k])->value.data;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            float sound = w[0];
            w[0] = bad[i];
            struct copy before = copy_of(&t);
            struct step_stats s = step(&t);
            if (s.finite)
                fail_msg("%s with %g gave a finite step", weights[k], (double)bad[i]);
            assert_true(all_is(&t, &before));
            assert_int_equal(t.state.step, 1);
            assert_int_equal(t.net.params->batches, 1);
            w[0] = sound;
            copy_free(&before);
        }
        struct step_stats a = step(&t), b = step(&undisturbed);
        assert_true(a.finite && a.loss == b.loss && a.grad_norm == b.grad_norm);
        struct copy want = copy_of(&undisturbed);
        assert_true(all_is(&t, &want));
        copy_free(&want);
        trainer_close(&undisturbed);
        trainer_close(&t);
    }
}

static void a_switch_keeps_everything_and_parks_the_head(void **state)
{
    struct trainer t;
    struct err e = {0};
    (void)state;
    open_trainer(&t, NULL);
    step(&t);
    struct copy before = copy_of(&t);
    change_objective(&t, "cross-entropy");
    assert_true(all_is(&t, &before));
    struct step_stats s = step(&t);
    assert_int_equal(s.views, 1);
    assert_true(isnan(s.temperature) && isnan(s.probe));
    assert_false(group_is(&t, &before, GROUP_ENCODER));
    assert_false(group_is(&t, &before, GROUP_FC));
    assert_true(group_is(&t, &before, GROUP_PROJECTION));
    assert_true(group_is(&t, &before, GROUP_PROBE));
    struct copy parked = copy_of(&t);
    change_objective(&t, "supcon");
    assert_true(all_is(&t, &parked));
    assert_int_equal(step(&t).views, 2);
    assert_true(group_is(&t, &parked, GROUP_FC));
    assert_int_equal(t.state.n_switches, 2);
    assert_int_equal(t.state.switches[1].step, 2);
    assert_string_equal(t.state.switches[1].from, "cross-entropy");
    assert_int_equal(trainer_switch(&t, "supcon", &e), -1);
    assert_non_null(strstr(e.msg, "already"));
    assert_int_equal(trainer_switch(&t, "supkon", &e), -1);
    assert_int_equal(t.state.n_switches, 2);
    assert_true(step(&t).finite);
    copy_free(&before);
    copy_free(&parked);
    trainer_close(&t);
}

/* The batches after a switch are those that would have come: what the encoder sees of the epoch is
 * each image once. */
static void a_switch_goes_on_in_the_epoch(void **state)
{
    static const char *const ce[] = {"objective.name=cross-entropy", NULL};
    struct trainer t, plain;
    (void)state;
    open_trainer(&t, NULL);
    open_trainer(&plain, ce);
    for (int i = 0; i < 2; i++) {
        step(&t);
        step(&plain);
    }
    change_objective(&t, "cross-entropy");
    for (int i = 0; i < 2; i++) {
        struct batch *a, *b;
        struct err e = {0};
        assert_int_equal(loader_next(t.loader, &a, &e), 0);
        assert_int_equal(loader_next(plain.loader, &b, &e), 0);
        assert_memory_equal(a->samples, b->samples, 8 * sizeof *a->samples);
        assert_int_equal(a->first, b->first);
        loader_release(t.loader, a);
        loader_release(plain.loader, b);
    }
    trainer_close(&t);
    trainer_close(&plain);
}

/* Two runs that switch at the same steps are the same, bit for bit, whatever clocks say. */
static void steps_are_reproducible(void **state)
{
    struct step_stats seen[6];
    (void)state;
    for (int run = 0; run < 2; run++) {
        struct trainer t;
        open_trainer(&t, NULL);
        for (int i = 0; i < 6; i++) {
            if (i == 3)
                change_objective(&t, "cross-entropy");
            struct step_stats s = step(&t);
            if (run == 0)
                seen[i] = s;
            assert_true(seen[i].loss == s.loss && seen[i].grad_norm == s.grad_norm);
            assert_true(seen[i].acc == s.acc && seen[i].lr == s.lr);
        }
        trainer_close(&t);
    }
}

static void validation_leaves_no_trace(void **state)
{
    struct trainer t;
    struct validation v, again;
    struct err e = {0};
    (void)state;
    open_trainer(&t, NULL);
    step(&t);
    struct copy before = copy_of(&t);
    assert_int_equal(validate(&t, NULL, NULL, &v, &e), 0);
    assert_int_equal(validate(&t, NULL, NULL, &again, &e), 0);
    assert_int_equal(v.n, 16);
    assert_true(v.probe && v.loss == again.loss && v.top1 == again.top1 && v.top5 == again.top5);
    assert_true(v.top5 >= v.top1 && v.loss > 0);
    assert_true(all_is(&t, &before));
    copy_free(&before);
    trainer_close(&t);
}

static void validation_sums_in_double(void **state)
{
    struct validation v = {0};
    float clear[4] = {1, 3, 2, 0}, tie[4] = {5, 5, 5, 5}, none[4] = {NAN, 0, 0, 0};
    (void)state;
    validation_add(&v, clear, 4, 1);
    assert_float_equal(v.loss, log(exp(-2) + 1 + exp(-1) + exp(-3)), 1e-12);
    assert_true(v.top1 == 1 && v.top5 == 1);
    validation_add(&v, tie, 4, 0); /* the lower class wins */
    assert_true(v.top1 == 2);
    validation_add(&v, tie, 4, 2);
    assert_true(v.top1 == 2 && v.top5 == 3);
    validation_add(&v, none, 4, 0);
    assert_true(v.top1 == 2);
    assert_int_equal(v.n, 4);
}

static void views_follow_the_objective(void **state)
{
    static const char *const three[] = {"augment.views=3", NULL};
    struct settings s = tiny_settings(three);
    struct err e = {0};
    (void)state;
    assert_int_equal(trainer_views(&s, objective_find("supcon", &e)), 3);
    assert_int_equal(trainer_views(&s, objective_find("simclr", &e)), 3);
    assert_int_equal(trainer_views(&s, objective_find("cross-entropy", &e)), 1);
}

static void max_iters_limits_the_run_but_not_the_schedule(void **state)
{
    static const char *const more[] = {"train.max_iters=3", NULL};
    struct trainer t;
    (void)state;
    open_trainer(&t, more);
    assert_int_equal(t.total, 3);
    assert_int_equal(t.scheduled, 12);
    for (int i = 0; i < 3; i++) {
        assert_false(trainer_finished(&t));
        step(&t);
    }
    assert_true(trainer_finished(&t));
    trainer_close(&t);
}

static void a_batch_larger_than_the_split_is_refused(void **state)
{
    static const char *const more[] = {"train.batch_size=49", NULL};
    struct settings s = tiny_settings(more);
    struct trainer t;
    struct err e = {0};
    (void)state;
    assert_int_equal(trainer_open(&t, &s, NULL, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "only 48 training images"));
    trainer_close(&t);
}

static bool never(void *ctx, const char *text, int part, int parts)
{
    int *calls = ctx;
    (void)part;
    (void)parts;
    return text[0] && ++*calls < 3;
}

static void preparation_can_be_stopped(void **state)
{
    struct settings s = tiny_settings(NULL);
    struct trainer t;
    struct err e = {0};
    int calls = 0;
    struct trainer_watch w = {never, &calls};
    (void)state;
    assert_int_equal(trainer_open(&t, &s, NULL, &w, &e), 0);
    assert_int_equal(trainer_ready(&t, NULL, &w, &e), -1);
    assert_int_equal(e.code, EXIT_AGAIN);
    trainer_close(&t);
}

/* Stops at the n-th call that counts layers. */
struct patience {
    int left, seen, part, parts;
};

static bool until_tired(void *ctx, const char *text, int part, int parts)
{
    struct patience *p = ctx;
    if (parts == 0)
        return true;
    assert_non_null(strstr(text, "choosing algorithms"));
    assert_true(part >= 1 && part <= parts && (part >= p->part || parts != p->parts));
    p->part = part;
    p->parts = parts;
    p->seen++;
    return --p->left > 0;
}

/* Nothing is known of these shapes, so there are more calls than layers, and it ends between two
 * timings; what was timed so far is remembered. */
static void choosing_algorithms_counts_and_can_be_stopped(void **state)
{
    static const char *const more[] = {"train.batch_size=11", NULL};
    struct settings s = tiny_settings(more);
    int total = 0;
    (void)state;
    for (int limit = 1000000; limit > 0; limit = limit > total ? total / 3 : 0) {
        struct patience p = {.left = limit};
        struct trainer_watch w = {until_tired, &p};
        struct trainer t;
        struct err e = {0};
        unlink(tiny_path("supcon/tuning.json"));
        assert_int_equal(trainer_open(&t, &s, NULL, &w, &e), 0);
        assert_int_equal(trainer_ready(&t, NULL, &w, &e), limit > total && total == 0 ? 0 : -1);
        if (total == 0) {
            total = p.seen;
            assert_true(total > 3 * p.parts);
        } else {
            assert_int_equal(e.code, EXIT_AGAIN);
            assert_int_equal(p.seen, limit);
            assert_int_equal(access(tiny_path("supcon/tuning.json"), R_OK), 0);
        }
        trainer_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_counts_and_learns),
        cmocka_unit_test(non_finite_never_enters),
        cmocka_unit_test(a_switch_keeps_everything_and_parks_the_head),
        cmocka_unit_test(a_switch_goes_on_in_the_epoch),
        cmocka_unit_test(steps_are_reproducible),
        cmocka_unit_test(validation_leaves_no_trace),
        cmocka_unit_test(validation_sums_in_double),
        cmocka_unit_test(views_follow_the_objective),
        cmocka_unit_test(max_iters_limits_the_run_but_not_the_schedule),
        cmocka_unit_test(a_batch_larger_than_the_split_is_refused),
        cmocka_unit_test(preparation_can_be_stopped),
        cmocka_unit_test(choosing_algorithms_counts_and_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, tiny_init, tiny_done);
}
