/*
 * The choice among algorithms of cuBLASLt for fully connected layers, on an emulated GPU whose
 * algorithms are told apart by their numbers: 25 adds partial sums in any order, 21 rounds to TF32,
 * 40 cannot be run, and these are the fastest; 24 and 7 are what is left, 7 without the epilogues
 * of the backward pass. Attribute 5 turns the order of the sums around.
 */
#include "backend/backend.h"
#include "backend/tuning.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 3, WIDTH = 67, OUTPUTS = 128 };

/* A layer with its ReLU; tensors of its gradients have no memory. */
struct layer {
    struct device dev;
    struct tuning *record;
    struct tensor x, w, b, y, dx, dw, db, dy;
    struct call call;
};

static struct tensor matrix(int64_t rows, int64_t columns)
{
    return (struct tensor){.name = "matrix",
                           .dtype = DT_F32,
                           .ndim = 2,
                           .dim = {rows, columns, 1, 1},
                           .bytes = (size_t)(rows * columns) * sizeof(float)};
}

static void open_layer(struct layer *l, bool deterministic)
{
    struct err e = {0};
    *l = (struct layer){.record = tuning_new()};
    const struct device_options options = {.deterministic = deterministic, .tuning = l->record};
    if (device_open(&l->dev, "cuda", &options, &e))
        fail_msg("%s", e.msg);
    l->x = l->dx = matrix(ROWS, WIDTH);
    l->w = l->dw = matrix(OUTPUTS, WIDTH);
    l->b = l->db = matrix(OUTPUTS, 1);
    l->y = l->dy = matrix(ROWS, OUTPUTS);
}

static void close_layer(struct layer *l)
{
    device_close(&l->dev);
    tuning_free(l->record);
}

static const struct kernel *kernel_of(const struct layer *l)
{
    return l->dev.class->kernels[OP_LINEAR];
}

static int prepare(struct layer *l, bool backward, struct err *e)
{
    l->call = (struct call){.op = OP_LINEAR,
                            .name = "head",
                            .attr = {.relu = true},
                            .want_backward = backward,
                            .n_in = 3,
                            .in = {&l->x, &l->w, &l->b},
                            .out = &l->y};
    if (backward) {
        l->call.din[0] = &l->dx;
        l->call.din[1] = &l->dw;
        l->call.din[2] = &l->db;
        l->call.dout = &l->dy;
    }
    return kernel_of(l)->prepare(&l->dev, &l->call, e);
}

static void prepare_and_forget(struct layer *l)
{
    struct err e = {0};
    if (prepare(l, true, &e))
        fail_msg("%s", e.msg);
    kernel_of(l)->done(&l->dev, &l->call);
}

/* Another algorithm for every key. */
static void record_all_as(struct layer *l, const char *text)
{
    struct err e = {0};
    const char *key;
    json_t *choice, *all = tuning_json(l->record);
    json_object_foreach(all, key, choice)
    {
        json_object_set_new(choice, "algorithm", json_string(text));
    }
    assert_true(json_object_size(all) > 0);
    assert_int_equal(tuning_add_json(l->record, all, &e), 0);
    json_decref(all);
}

/* --- what is chosen --------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* One expected without a way may be fused or apart: beside a slow product neither shows. */
static bool is_choice(const char *text, const char *expected)
{
    static const char library[] = "cublasLt ";
    if (!begins(text, library))
        return false;
    const char *choice = text + strlen(library), *way = strchr(choice, '/');
    return begins(choice, expected) || (way && begins(way + 1, expected));
}

static void expect_choices(bool deterministic, const char *forward, const char *data,
                           const char *weights)
{
    const char *const expected[] = {forward, data, weights};
    struct layer l;
    open_layer(&l, deterministic);
    prepare_and_forget(&l);
    for (int i = 0; i < 3; i++) {
        if (!is_choice(l.call.algorithm[i], expected[i]))
            fail_msg("pass %d: %s, not %s", i, l.call.algorithm[i], expected[i]);
        assert_true(l.call.ms[i] > 0);
    }
    close_layer(&l);
}

static void order_of_sums_is_fixed_under_deterministic(void **state)
{
    (void)state;
    expect_choices(true, "24:", "24:", "24:");
}

static void fastest_is_taken_where_nothing_is_asked_of_it(void **state)
{
    (void)state;
    expect_choices(false, "25:", "25:", "fused/25:");
}

static void tf32_is_taken_where_it_is_allowed(void **state)
{
    (void)state;
    setenv("SUPCON_CUDA_TF32", "on", 1);
    expect_choices(true, "21=", "21=", "21="); /* with all its bytes */
    unsetenv("SUPCON_CUDA_TF32");
}

static void what_no_epilogue_makes_is_made_apart(void **state)
{
    (void)state;
    setenv("SUPCON_EMULATION_EPILOGUES", "off", 1);
    expect_choices(true, "apart/24:", "24:", "apart/24:");
    unsetenv("SUPCON_EMULATION_EPILOGUES");
}

/* --- the record ------------------------------------------------------------------------------- */

static void choices_are_recorded_and_taken_from_the_record(void **state)
{
    struct layer l;
    (void)state;
    open_layer(&l, true);
    prepare_and_forget(&l);
    json_t *first = tuning_json(l.record);
    assert_int_equal(json_object_size(first), 3);
    prepare_and_forget(&l);
    json_t *second = tuning_json(l.record);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    close_layer(&l);
}

static void text_that_is_no_algorithm_of_the_product_is_refused(void **state)
{
    static const char *const texts[] = {
        "24:1=20,2=2,3=2,5=1,8=2",    /* which way? */
        "fused/4711:1=20",            /* no such algorithm */
        "fused/24",                   /* without its tile */
        "fused/7:1=18,8=2",           /* it has no such epilogue */
        "apart/24:1=20,2=2,3=1,8=2",  /* not its reduction */
        "apart/24:1=20,2=3000000000", /* out of range */
        "apart/24:1=20,8=70000",      /* a number of two bytes */
        "apart/24:1=20,77=1",         /* no such attribute */
        "apart/24:0=7,1=20",          /* its number is no attribute to set */
        "apart/24:1=20,2=2,3=2,8=2;", /* something behind it */
        "apart/:1=20",                /* no number */
        "fused/21=0123456789abcdef",  /* bytes are missing */
        "direct",                     /* of something else */
    };
    struct layer l;
    (void)state;
    open_layer(&l, true);
    prepare_and_forget(&l);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err e = {0};
        record_all_as(&l, texts[i]);
        if (prepare(&l, true, &e) == 0)
            fail_msg("'%s' made a product", texts[i]);
        kernel_of(&l)->done(&l.dev, &l.call);
        assert_int_equal(e.code, EXIT_DATA);
        assert_non_null(strstr(e.msg, "head: the algorithm on record, '"));
        assert_non_null(strstr(e.msg, texts[i]));
        assert_non_null(strstr(e.msg, "delete the entry"));
    }
    close_layer(&l);
}

/* --- what is computed ------------------------------------------------------------------------- */

static void give_memory(struct layer *l, struct tensor *t, uint32_t seed)
{
    struct err e = {0};
    float *values = malloc(t->bytes);
    assert_non_null(values);
    for (size_t i = 0; i < t->bytes / sizeof *values; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)seed * 0x1p-31f;
    }
    if (l->dev.class->alloc(&l->dev, t->bytes, &t->data, &e) ||
        l->dev.class->upload(&l->dev, t, values, &e))
        fail_msg("%s", e.msg);
    free(values);
}

/* The output by the algorithm on record. */
static void compute(struct layer *l, float y[ROWS * OUTPUTS])
{
    struct err e = {0};
    if (prepare(l, false, &e))
        fail_msg("%s", e.msg);
    size_t bytes = l->call.workspace_bytes;
    if (l->dev.class->alloc(&l->dev, bytes, &l->call.workspace, &e) ||
        kernel_of(l)->bind(&l->dev, &l->call, &e) || kernel_of(l)->forward(&l->dev, &l->call, &e) ||
        l->dev.class->download(&l->dev, &l->y, y, &e))
        fail_msg("%s", e.msg);
    l->dev.class->free(&l->dev, l->call.workspace, bytes);
    kernel_of(l)->done(&l->dev, &l->call);
}

static void all_of_an_algorithm_comes_from_its_text(void **state)
{
    static const char *const texts[] = {"7:1=18,8=2", "7:1=18,5=1,8=2", "24:1=20,2=2,3=2,8=2",
                                        "24:1=20,2=5,3=2,8=2"};
    enum { N = sizeof texts / sizeof *texts };
    static float y[N][ROWS * OUTPUTS], again[ROWS * OUTPUTS];
    struct layer l;
    (void)state;
    open_layer(&l, true);
    struct tensor *const all[] = {&l.x, &l.w, &l.b, &l.y};
    for (uint32_t i = 0; i < 4; i++)
        give_memory(&l, all[i], i + 1);
    compute(&l, again); /* puts the key on record */
    for (int i = 0; i < N; i++) {
        record_all_as(&l, texts[i]);
        compute(&l, y[i]);
        compute(&l, again);
        assert_memory_equal(y[i], again, sizeof again);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(y[i], y[k], sizeof again);
    }
    for (int i = 0; i < 4; i++)
        l.dev.class->free(&l.dev, all[i]->data, all[i]->bytes);
    close_layer(&l);
}

static bool use_emulation(void)
{
    const char *build = getenv("SUPCON_BUILDDIR");
    char folder[PATH_BYTES], module[PATH_BYTES + 32];
    snprintf(folder, sizeof folder, "%s/tests/emu", build ? build : ".");
    snprintf(module, sizeof module, "%s/supcon-cuda.so", folder);
    return setenv("SUPCON_BACKEND_PATH", folder, 1) == 0 && path_exists(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_sums_is_fixed_under_deterministic),
        cmocka_unit_test(fastest_is_taken_where_nothing_is_asked_of_it),
        cmocka_unit_test(tf32_is_taken_where_it_is_allowed),
        cmocka_unit_test(what_no_epilogue_makes_is_made_apart),
        cmocka_unit_test(choices_are_recorded_and_taken_from_the_record),
        cmocka_unit_test(text_that_is_no_algorithm_of_the_product_is_refused),
        cmocka_unit_test(all_of_an_algorithm_comes_from_its_text),
    };
    if (use_emulation())
        return cmocka_run_group_tests(tests, NULL, NULL);
    printf("1..0 # SKIP CUDA is not emulated in this build\n");
    return 0;
}
