/*
 * Plans of convolutions, made by cuDNN itself for GPUs that are not here: the library takes a GPU's
 * properties instead of a GPU, and answers what it has for it. Nothing is run. What the backend
 * relies on is that every shape has engines of the wanted kind, and that the text of a choice makes
 * the same plan again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "absent_gpu.h"

/* n, channels in, side, channels out, kernel, stride: of ResNet-18 and -50, and odd ones. */
static const int shapes[][6] = {
    {2048, 8, 32, 64, 3, 1},   {2048, 64, 32, 64, 3, 1},    {2048, 64, 32, 128, 3, 2},
    {2048, 64, 32, 128, 1, 2}, {2048, 512, 4, 512, 3, 1},   {512, 8, 224, 64, 7, 2},
    {512, 256, 56, 64, 1, 1},  {512, 1024, 14, 2048, 1, 2}, {3, 24, 7, 24, 3, 1},
    {1, 16, 1, 32, 3, 1},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static void make_graph(struct dnn_graph *g, struct fixture *f, const struct dnn_shape *s, int pass)
{
    struct err e = {0};
    if (dnn_graph_init(g, &f->dev, s, (enum conv_pass)pass, &e))
        fail_msg("%s", e.msg);
}

/* The same plan once more, from the text alone. */
static void remake(const struct dnn_graph *g, const struct dnn_config *c, const struct dnn_plan *p)
{
    struct dnn_config again;
    struct dnn_plan plan;
    struct err e = {0};
    if (dnn_config_parse(&again, g, c->text, &e) || dnn_plan_init(&plan, g, &again, &e))
        fail_msg("%s: %s", c->text, e.msg);
    assert_int_equal(again.notes, c->notes);
    assert_int_equal(plan.workspace_bytes, p->workspace_bytes);
    dnn_plan_done(&plan);
    dnn_config_done(&again);
}

/* Addresses are only written down; a plan without workspace gets none. */
static void bind(struct dnn_plan *p)
{
    struct err e = {0};
    static _Alignas(64) char somewhere[4][64];
    void *const data[DNN_ALL] = {somewhere[0], somewhere[1], somewhere[2]};
    if (dnn_plan_bind(p, data, p->workspace_bytes ? somewhere[3] : NULL, &e))
        fail_msg("%s", e.msg);
}

/* How many plans have none of the notes. */
static int count_plans(struct fixture *f, const struct dnn_shape *s, int pass, unsigned unwanted)
{
    struct dnn_config *all = calloc(DNN_CONFIGS, sizeof *all);
    struct dnn_graph g;
    struct err e = {0};
    int wanted = 0;
    assert_non_null(all);
    make_graph(&g, f, s, pass);
    int n = dnn_configs(&g, all);
    for (int i = 0; i < n; i++) {
        struct dnn_plan plan;
        if (dnn_plan_init(&plan, &g, &all[i], &e) == 0) {
            wanted += (all[i].notes & unwanted) == 0;
            remake(&g, &all[i], &plan);
            bind(&plan);
            dnn_plan_done(&plan);
        }
        dnn_config_done(&all[i]);
    }
    dnn_graph_done(&g);
    free(all);
    return wanted;
}

static void each_shape(cudnnDataType_t type, unsigned unwanted)
{
    for (int gpu = 0; gpu < N_GPUS; gpu++) {
        struct fixture f;
        assert_int_equal(take_gpu(&f, gpus[gpu], &(struct err){0}), 0);
        for (int i = 0; i < N_SHAPES; i++) {
            struct dnn_shape s = shape_of(shapes[i], type);
            int plans[N_CONV_PASSES];
            for (int pass = 0; pass < N_CONV_PASSES; pass++)
                if ((plans[pass] = count_plans(&f, &s, pass, unwanted)) == 0)
                    fail_msg("GPU %d, shape %d, pass %d: no plan", gpu, i, pass);
            s.adds = true; /* adding to a gradient costs no engine */
            assert_int_equal(count_plans(&f, &s, CONV_DATA, unwanted), plans[CONV_DATA]);
        }
        dnn_drop(&f.cuda.gpu);
    }
}

static void every_bf16_shape_has_deterministic_plans_on_tensor_cores(void **state)
{
    (void)state;
    each_shape(CUDNN_DATA_BFLOAT16, DNN_NONDETERMINISTIC | DNN_ROUNDS_SUMS | DNN_COMPILES);
}

static void every_f32_shape_has_deterministic_plans_without_tf32(void **state)
{
    (void)state;
    each_shape(CUDNN_DATA_FLOAT,
               DNN_NONDETERMINISTIC | DNN_ROUNDS_SUMS | DNN_TENSOR_CORE | DNN_ROUNDS_INPUTS);
}

static void text_that_is_no_choice_is_refused(void **state)
{
    static const char *const texts[] = {"",     "x",      "999999", "-5",      "1:",    "1:2",
                                        "1:2=", "1:2=4;", "1:2=4,", "1:777=0", "1,2=4", "1:2=4 "};
    struct fixture f;
    struct dnn_graph g;
    struct dnn_shape s = shape_of(shapes[1], CUDNN_DATA_BFLOAT16);
    (void)state;
    assert_int_equal(take_gpu(&f, gpus[0], &(struct err){0}), 0);
    make_graph(&g, &f, &s, CONV_FORWARD);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct dnn_config c;
        struct dnn_plan p = {0};
        struct err e = {0};
        if (dnn_config_parse(&c, &g, texts[i], &e) == 0 && dnn_plan_init(&p, &g, &c, &e) == 0)
            fail_msg("'%s' made a plan", texts[i]);
        dnn_plan_done(&p);
        dnn_config_done(&c);
    }
    dnn_graph_done(&g);
    dnn_drop(&f.cuda.gpu);
}

static void choice_of_another_operation_is_refused(void **state)
{
    struct fixture f;
    struct dnn_graph g;
    struct dnn_shape s = shape_of(shapes[1], CUDNN_DATA_BFLOAT16);
    struct dnn_config c;
    struct dnn_plan p = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(take_gpu(&f, gpus[0], &(struct err){0}), 0);
    make_graph(&g, &f, &s, CONV_FORWARD);
    /* an engine of the gradient of the weights */
    bool made = dnn_config_parse(&c, &g, "65:2=5,13=1,18=1,25=0,27=1,28=3", &e) == 0 &&
                dnn_plan_init(&p, &g, &c, &e) == 0;
    assert_false(made);
    assert_int_not_equal(e.code, 0);
    dnn_plan_done(&p);
    dnn_config_done(&c);
    dnn_graph_done(&g);
    dnn_drop(&f.cuda.gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bf16_shape_has_deterministic_plans_on_tensor_cores),
        cmocka_unit_test(every_f32_shape_has_deterministic_plans_without_tf32),
        cmocka_unit_test(text_that_is_no_choice_is_refused),
        cmocka_unit_test(choice_of_another_operation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
