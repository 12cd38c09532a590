/* The parameter store: groups, memory, initial values. */
#include "nn/params.h"
#include "tests/unit/fake_device.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct device dev = {.class = &fake_backend};

/* Declared so that groups come mixed. */
static struct graph *network(int64_t classes)
{
    struct graph *g = graph_new(DT_F32, true);
    int x = graph_input(g, "images", DT_F32, 4, (int64_t[]){2, 3, 8, 8});
    int r = graph_globalpool(
        g, graph_batchnorm(g, "bn1", graph_conv(g, "conv1", x, 64, 3, 1, 1, true)));
    graph_linear(g, "fc", r, classes);
    graph_linear(g, "projection.0", r, 32);
    graph_linear(g, "probe", r, classes);
    graph_batchnorm(g, "bn2", x);
    return g;
}

static struct params *store(uint64_t seed)
{
    struct err e = {0};
    struct graph *g = network(10);
    struct params *p = params_new(&dev);
    assert_int_equal(params_declare(p, g, &e), 0);
    assert_int_equal(params_alloc(p, &e), 0);
    assert_int_equal(params_init(p, seed, &e), 0);
    graph_free(g);
    return p;
}

static void groups_are_contiguous_and_cover_everything(void **state)
{
    (void)state;
    struct params *p = store(1);
    int64_t end = 0;
    for (int g = 0; g < GROUP_N; g++) {
        if (p->group[g].end == 0)
            continue;
        assert_int_equal(p->group[g].begin, end);
        end = p->group[g].end;
    }
    assert_int_equal(end, p->n_trainable);
    for (int i = 0; i < p->n; i++) {
        const struct param *q = &p->items[i];
        int64_t room = q->trainable ? p->group[q->group].end : p->n_stats;
        assert_true(q->offset + q->count <= room);
        assert_int_equal(q->offset % 16, 0);
        assert_ptr_equal(q->value.data, (q->trainable ? p->value : p->stats) + q->offset);
        assert_int_equal(q->grad.data == NULL, !q->trainable);
    }
    assert_int_equal(params_find(p, "fc.weight")->group, GROUP_FC);
    assert_int_equal(params_find(p, "projection.0.bias")->group, GROUP_PROJECTION);
    assert_int_equal(params_find(p, "probe.bias")->group, GROUP_PROBE);
    assert_int_equal(params_find(p, "bn2.weight")->group, GROUP_ENCODER);
    assert_null(params_find(p, "fc"));
    params_free(p);
}

static void known_parameters_are_kept_and_others_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct params *p = store(1);
    struct graph *same = network(10), *other = network(11);
    int n = p->n;
    assert_int_equal(params_declare(p, same, &e), 0);
    assert_int_equal(p->n, n);
    assert_int_equal(params_declare(p, other, &e), -1);
    assert_non_null(strstr(e.msg, "fc.weight has shape [10,64]"));
    graph_free(same);
    graph_free(other);
    params_free(p);
}

static void moments(const struct param *q, double *mean, double *std, double *most)
{
    const float *x = q->value.data;
    double sum = 0, squares = 0;
    *most = 0;
    for (int64_t i = 0; i < q->count; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
        *most = fmax(*most, fabs((double)x[i]));
    }
    *mean = sum / (double)q->count;
    *std = sqrt(squares / (double)q->count - *mean * *mean);
}

/* 1728 to 2048 values: the deviation of a sample deviates by 1/sqrt(2n) < 2 %, held to 10 %. */
static void initial_values_follow_the_rules(void **state)
{
    (void)state;
    struct params *p = store(5);
    double mean, std, most;
    moments(params_find(p, "conv1.weight"), &mean, &std, &most);
    assert_true(fabs(std / sqrt(2.0 / (64 * 9)) - 1) < 0.1 && fabs(mean) < std / 10);
    assert_true(most > 2.5 * std); /* normal, not uniform */
    moments(params_find(p, "projection.0.weight"), &mean, &std, &most);
    assert_true(fabs(std / (1 / 8.0 / sqrt(3)) - 1) < 0.1 && most <= 1 / 8.0);
    moments(params_find(p, "projection.0.bias"), &mean, &std, &most);
    assert_true(most <= 1 / 8.0 && std > 0);
    moments(params_find(p, "conv1.bias"), &mean, &std, &most);
    assert_true(most <= 1 / sqrt(27) && std > 0);
    static const struct {
        const char *name;
        float value;
    } constant[] = {
        {"bn1.weight", 1}, {"bn1.bias", 0}, {"bn1.running_mean", 0}, {"bn1.running_var", 1}};
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++)
        for (int c = 0; c < 64; c++)
            assert_true(((float *)params_find(p, constant[i].name)->value.data)[c] ==
                        constant[i].value);
    params_free(p);
}

static void values_depend_on_seed_and_name_alone(void **state)
{
    (void)state;
    struct err e = {0};
    struct params *a = store(7), *b = store(7), *c = store(8);
    size_t bytes = (size_t)a->n_trainable * sizeof(float);
    assert_memory_equal(a->value, b->value, bytes);
    assert_true(memcmp(a->value, c->value, bytes) != 0);
    assert_true(memcmp(params_find(a, "fc.weight")->value.data,
                       params_find(a, "probe.weight")->value.data, 40) != 0);
    memset(b->value, 0, bytes);
    assert_int_equal(params_init_group(b, GROUP_FC, 7, &e), 0);
    const struct param *q = params_find(b, "fc.weight");
    assert_memory_equal(q->value.data, a->value + q->offset, (size_t)q->count * sizeof(float));
    assert_true(b->value[0] == 0); /* the encoder was not touched */
    params_free(a);
    params_free(b);
    params_free(c);
}

static void slots_are_filled_once(void **state)
{
    (void)state;
    struct err e = {0};
    struct params *p = store(1);
    assert_int_equal(params_need_slots(p, 2, (float[]){0, 1}, &e), 0);
    assert_true(p->slot[0][3] == 0 && p->slot[1][3] == 1 && p->slot[1][p->n_trainable - 1] == 1);
    p->slot[1][3] = 5;
    assert_int_equal(params_need_slots(p, 2, (float[]){0, 1}, &e), 0);
    assert_true(p->slot[1][3] == 5);
    params_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_contiguous_and_cover_everything),
        cmocka_unit_test(known_parameters_are_kept_and_others_refused),
        cmocka_unit_test(initial_values_follow_the_rules),
        cmocka_unit_test(values_depend_on_seed_and_name_alone),
        cmocka_unit_test(slots_are_filled_once),
    };
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
