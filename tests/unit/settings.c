/* The table over all settings: sound entries, promised names, and what several keys must agree on.
 */
#include "engine/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct settings defaults(void)
{
    static struct settings s;
    memset(&s, 0, sizeof s);
    conf_defaults(settings_table, &s, NULL);
    return s;
}

static void defaults_pass_their_own_checks(void **state)
{
    (void)state;
    struct settings s = defaults();
    struct err e = {0};
    if (settings_check(&s, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(settings_check_all(&s, &e, 1), 0);
    assert_string_equal(s.data.name, "cifar10");
    assert_string_equal(s.augment.policy, "simaugment");
    assert_string_equal(s.objective.name, "supcon");
    assert_true(s.objective.temperature == 0.1 && s.objective.base_temperature == 0);
    assert_int_equal(s.train.log_every, 10);
    assert_int_equal(s.linear.n_lr, 3);
}

static void the_promised_keys_are_there(void **state)
{
    (void)state;
    static const char *const keys[] = {"seed",
                                       "threads",
                                       "device",
                                       "deterministic",
                                       "data.name",
                                       "data.path",
                                       "data.order",
                                       "data.valid_fraction",
                                       "loader.threads",
                                       "augment.policy",
                                       "augment.views",
                                       "model.arch",
                                       "model.stem",
                                       "model.dtype",
                                       "objective.name",
                                       "objective.temperature",
                                       "objective.base_temperature",
                                       "objective.contrast_mode",
                                       "objective.label_smoothing",
                                       "optimizer.name",
                                       "optimizer.lr",
                                       "optimizer.momentum",
                                       "optimizer.nesterov",
                                       "optimizer.weight_decay",
                                       "schedule.name",
                                       "schedule.warmup_epochs",
                                       "train.epochs",
                                       "train.batch_size",
                                       "train.max_iters",
                                       "train.log_every",
                                       "checkpoint.every_epochs",
                                       "checkpoint.every_iters",
                                       "checkpoint.keep",
                                       "linear.epochs",
                                       "linear.lr",
                                       "linear.batch_size",
                                       "linear.optimizer",
                                       "init.weights"};
    struct settings s = defaults();
    char text[64];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (conf_get(settings_table, &s, keys[i], text, sizeof text) < 0)
            fail_msg("%s is missing", keys[i]);
}

/* Names fit their fields, every key has its sentence, no two keys share a byte of the struct. */
static void entries_of_the_table_are_sound(void **state)
{
    (void)state;
    static unsigned char taken[sizeof(struct settings)];
    for (const struct conf_section *s = settings_table; s->name; s++)
        for (const struct conf_field *f = s->fields; f->name; f++) {
            assert_non_null(f->help);
            assert_int_equal(f->help[strlen(f->help) - 1], '.');
            assert_true(f->type != CONF_CHOICE || f->choices);
            for (int i = 0; f->choices && f->choices(i); i++)
                assert_true(strlen(f->choices(i)) < f->size);
            for (size_t b = 0; b < f->size; b++)
                assert_int_equal(taken[s->offset + f->offset + b]++, 0);
        }
}

static void disagreeing_keys_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set[2], *said;
    } c[] = {
        {{"device=gpu", NULL}, "device: "},
        {{"device=cuda:x", NULL}, "device: "},
        {{"device=cuda:", NULL}, "device: "},
        {{"name=a/b", NULL}, "name: "},
        {{"name=.hidden", NULL}, "name: "},
        {{"runs=", NULL}, "runs: "},
        {{"model.arch=resnet20", "model.stem=imagenet"}, "model.stem: "},
        {{"objective.name=simclr", "augment.views=1"}, "augment.views: "},
        {{"augment.crop_min=0.9", "augment.crop_max=0.5"}, "augment.crop_min: "},
        {{"optimizer.nesterov=true", "optimizer.momentum=0"}, "optimizer.nesterov: "},
        {{"schedule.steps=[30, 20]", NULL}, "schedule.steps: "},
        {{"linear.lr=[]", NULL}, "linear.lr: "},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct settings s = defaults();
        struct err e = {0};
        for (int k = 0; k < 2 && c[i].set[k]; k++)
            assert_int_equal(conf_set(settings_table, &s, c[i].set[k], NULL, &e), 0);
        assert_int_equal(settings_check(&s, &e), -1);
        assert_int_equal(e.code, EXIT_CONFIG);
        assert_memory_equal(e.msg, c[i].said, strlen(c[i].said));
    }
}

static void agreeing_keys_are_accepted(void **state)
{
    (void)state;
    static const char *const sets[] = {"device=cuda:12",
                                       "device=auto",
                                       "augment.views=1",
                                       "model.stem=imagenet",
                                       "objective.temperature=0.005",
                                       "schedule.steps=[20, 30.5]"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct settings s = defaults();
        struct err e = {0};
        assert_int_equal(conf_set(settings_table, &s, sets[i], NULL, &e), 0);
        if (settings_check(&s, &e) < 0)
            fail_msg("%s", e.msg);
    }
}

static void all_disagreements_are_found(void **state)
{
    (void)state;
    struct settings s = defaults();
    struct err e[8];
    strcpy(s.run.device, "gpu");
    s.augment.crop_min = 0.9;
    s.augment.crop_max = 0.1;
    s.linear.n_lr = 0;
    assert_int_equal(settings_check_all(&s, e, 8), 3);
    assert_int_equal(settings_check_all(&s, e, 2), 2);
}

static void views_are_the_objectives_unless_given(void **state)
{
    (void)state;
    struct settings s = defaults();
    struct err e = {0};
    assert_int_equal(settings_views(&s, objective_find("supcon", &e)), 2);
    assert_int_equal(settings_views(&s, objective_find("cross-entropy", &e)), 1);
    s.augment.views = 4;
    assert_int_equal(settings_views(&s, objective_find("supcon", &e)), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_pass_their_own_checks),
        cmocka_unit_test(the_promised_keys_are_there),
        cmocka_unit_test(entries_of_the_table_are_sound),
        cmocka_unit_test(disagreeing_keys_are_refused),
        cmocka_unit_test(agreeing_keys_are_accepted),
        cmocka_unit_test(all_disagreements_are_found),
        cmocka_unit_test(views_are_the_objectives_unless_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
