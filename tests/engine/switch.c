/*
 * A switch of objective and a resume: a run that is cut right after the switch and continued from
 * its checkpoint is the run that was never cut, bit for bit.
 */
#include "tests/engine/tiny.h"

#include "engine/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PER_EPOCH = 6, STEPS = 2 * PER_EPOCH, BACK_AFTER = 2 };

static const struct change {
    const char *from, *to;
    int step; /* after so many */
} changes[] = {
    {"supcon", "cross-entropy", 3}, {"supcon", "cross-entropy", PER_EPOCH},
    {"cross-entropy", "supcon", 3}, {"cross-entropy", "supcon", PER_EPOCH},
    {"simclr", "supcon", 3},        {"simclr", "supcon", PER_EPOCH},
};

struct path { /* of a run: the numbers of each step, and where it ended */
    struct step_stats step[STEPS];
    float *value, *slot, *stats;
    int64_t batches;
};

static struct settings settings_of(const char *objective, const char *epochs)
{
    char name[64];
    const char *const more[] = {name,
                                "optimizer.name=sgd",
                                "optimizer.nesterov=true",
                                "optimizer.weight_decay=0.001",
                                epochs,
                                NULL};
    snprintf(name, sizeof name, "objective.name=%s", objective);
    return tiny_settings(more);
}

static void open_at(struct trainer *t, const struct settings *s, const char *checkpoint)
{
    struct err e = {0};
    if (trainer_open(t, s, NULL, NULL, &e) != 0 || trainer_ready(t, checkpoint, NULL, &e) != 0)
        fail_msg("%s", e.msg);
}

static void change_to(struct trainer *t, const char *objective)
{
    struct err e = {0};
    if (trainer_switch(t, objective, &e) != 0)
        fail_msg("%s", e.msg);
}

/* As the engine does it: validation follows the last step of an epoch. */
static void steps(struct trainer *t, struct path *p, int from, int to)
{
    struct err e = {0};
    for (int i = from; i < to; i++) {
        struct validation v;
        if (trainer_step(t, 0, &p->step[i], &e) != 0 ||
            (trainer_wants_validation(t) && validate(t, NULL, NULL, &v, &e) != 0))
            fail_msg("%s", e.msg);
        assert_true(p->step[i].finite);
    }
}

static float *duplicate(const float *x, int64_t n)
{
    float *y = malloc((size_t)n * sizeof *y + 1);
    assert_non_null(y);
    return memcpy(y, x, (size_t)n * sizeof *y);
}

static void take_end(struct path *p, const struct trainer *t)
{
    const struct params *q = t->net.params;
    p->value = duplicate(q->value, q->n_trainable);
    p->slot = duplicate(q->slot[0], q->n_trainable);
    p->stats = duplicate(q->stats, q->n_stats);
    p->batches = q->batches;
}

static void drop(struct path *p)
{
    free(p->value);
    free(p->slot);
    free(p->stats);
}

static bool ends_as(const struct path *p, const struct trainer *t)
{
    const struct params *q = t->net.params;
    size_t bytes = (size_t)q->n_trainable * sizeof(float);
    return memcmp(p->value, q->value, bytes) == 0 && memcmp(p->slot, q->slot[0], bytes) == 0 &&
           memcmp(p->stats, q->stats, (size_t)q->n_stats * sizeof(float)) == 0 &&
           p->batches == q->batches;
}

/* After the switch, some steps, the switch back, and the rest. */
static void rest(struct trainer *t, const struct change *c, struct path *p)
{
    steps(t, p, c->step, c->step + BACK_AFTER);
    change_to(t, c->from);
    steps(t, p, c->step + BACK_AFTER, STEPS);
}

static void save(const struct trainer *t, const char *dir, struct checkpoint_saved *saved)
{
    struct err e = {0};
    struct checkpoint_source source = {.dir = dir,
                                       .net = &t->net,
                                       .settings = &t->settings,
                                       .tuning = t->tuning,
                                       .state = &t->state,
                                       .keep = 1};
    if (checkpoint_save(&source, saved, &e) != 0)
        fail_msg("%s", e.msg);
}

static void same_numbers(const struct step_stats *a, const struct step_stats *b,
                         const struct change *c)
{
    if (a->loss != b->loss || a->grad_norm != b->grad_norm || a->lr != b->lr || a->acc != b->acc ||
        a->views != b->views)
        fail_msg("%s to %s after %d steps: step %lld has loss %.9g, uninterrupted %.9g", c->from,
                 c->to, c->step, (long long)b->step, b->loss, a->loss);
}

static void check(const struct change *c, int number)
{
    struct settings s = settings_of(c->from, "train.epochs=2");
    struct path whole = {0}, cut = {0};
    struct trainer t;
    struct checkpoint_saved saved;
    char name[32];
    open_at(&t, &s, NULL);
    assert_int_equal(t.per_epoch, PER_EPOCH);
    steps(&t, &whole, 0, c->step);
    change_to(&t, c->to);
    rest(&t, c, &whole);
    take_end(&whole, &t);
    trainer_close(&t);

    open_at(&t, &s, NULL);
    steps(&t, &cut, 0, c->step);
    change_to(&t, c->to);
    snprintf(name, sizeof name, "switch-%d", number);
    save(&t, tiny_path(name), &saved);
    trainer_close(&t);
    open_at(&t, &s, saved.path);
    assert_string_equal(t.objective->name, c->to);
    rest(&t, c, &cut);
    for (int i = 0; i < STEPS; i++)
        same_numbers(&whole.step[i], &cut.step[i], c);
    if (!ends_as(&whole, &t))
        fail_msg("%s to %s after %d steps: resumed, it ends with other weights", c->from, c->to,
                 c->step);
    drop(&whole);
    trainer_close(&t);
}

static void resumed_after_a_switch_it_is_the_uninterrupted_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        check(&changes[i], (int)i);
}

/* The end of a run of `total` steps that switches after `at`. */
static void reference(struct path *p, const struct settings *s, int64_t at, const char *to,
                      int64_t total)
{
    struct trainer t;
    struct step_stats ignored;
    struct err e = {0};
    open_at(&t, s, NULL);
    for (int64_t i = 0; i < total; i++) {
        if (i == at)
            change_to(&t, to);
        if (trainer_step(&t, 0, &ignored, &e) != 0)
            fail_msg("%s", e.msg);
    }
    take_end(p, &t);
    trainer_close(&t);
}

static void accepted(struct tiny_engine *t, enum command_kind kind, const char *text)
{
    const struct event *ev = tiny_ack(t, tiny_post(t, kind, text, 0));
    if (!ev->u.ack.accepted)
        fail_msg("%s: %s", command_name(kind), ev->u.ack.reason);
}

/* Paused somewhere, saved, switched, stopped before another step. Returns after how many steps. */
static int64_t save_switch_stop(const struct engine_options *o, const char *to)
{
    struct tiny_engine t;
    struct err e = {0};
    tiny_start(&t, o);
    tiny_run(&t);
    tiny_wait(&t, EV_ITER, 0);
    accepted(&t, CMD_PAUSE, NULL);
    accepted(&t, CMD_SAVE, NULL);
    accepted(&t, CMD_SWITCH, to);
    int64_t at = t.events[tiny_wait(&t, EV_SWITCH, 0)].u.sw.giter;
    tiny_post(&t, CMD_STOP, NULL, 0);
    assert_int_equal(tiny_join(&t, &e), 0);
    assert_int_equal(t.events[t.n - 1].u.done.giter, at);
    tiny_free(&t);
    return at;
}

static void to_the_end(const char *dir)
{
    struct engine_options again = {0};
    struct tiny_engine t;
    struct err e = {0};
    snprintf(again.resume, sizeof again.resume, "%s", dir);
    tiny_start(&t, &again);
    tiny_run(&t);
    assert_int_equal(tiny_join(&t, &e), 0);
    tiny_free(&t);
}

/* The step was saved before the switch: stopping must save it again, with the new objective. */
static void a_switch_after_a_save_is_saved_too(void **state)
{
    enum { TOTAL = 40 * PER_EPOCH };
    struct engine_options o = {.settings = settings_of("supcon", "train.epochs=40")};
    struct checkpoint_state saved;
    struct err e = {0};
    struct path whole = {0};
    struct trainer t;
    char path[PATH_BYTES], checkpoints[PATH_BYTES];
    (void)state;
    snprintf(o.run_dir, sizeof o.run_dir, "%s", tiny_path("save-switch-stop"));
    snprintf(checkpoints, sizeof checkpoints, "%.900s/checkpoints", o.run_dir);
    int64_t at = save_switch_stop(&o, "cross-entropy");
    assert_int_equal(checkpoint_latest(checkpoints, path, &e), 0);
    assert_int_equal(checkpoint_read(path, &saved, NULL, NULL, &e), 0);
    assert_int_equal(saved.step, at);
    assert_string_equal(saved.objective, "cross-entropy");
    assert_int_equal(saved.n_switches, 1);
    to_the_end(o.run_dir);
    reference(&whole, &o.settings, at, "cross-entropy", TOTAL);
    assert_int_equal(checkpoint_latest(checkpoints, path, &e), 0);
    open_at(&t, &o.settings, path);
    assert_int_equal(t.state.step, TOTAL);
    assert_true(ends_as(&whole, &t));
    drop(&whole);
    trainer_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_after_a_switch_it_is_the_uninterrupted_run),
        cmocka_unit_test(a_switch_after_a_save_is_saved_too),
    };
    return cmocka_run_group_tests(tests, tiny_init, tiny_done);
}
