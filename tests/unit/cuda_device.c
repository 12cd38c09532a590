/*
 * The CUDA device on an emulated GPU whose work is done as late as it may be: what does not wait
 * for what it needs is found out. Transfers, letters, recording, memory, and plans on record.
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

static struct device dev;
static struct tuning *record;

static const struct backend_class *class(void)
{
    return dev.class;
}

static int open_gpu(void **state)
{
    struct device_options options = {.deterministic = true};
    struct err e = {0};
    (void)state;
    options.tuning = record = tuning_new();
    if (device_open(&dev, "cuda", &options, &e))
        fail_msg("%s", e.msg);
    return 0;
}

static int close_gpu(void **state)
{
    (void)state;
    device_close(&dev);
    tuning_free(record);
    return 0;
}

static void *take(size_t bytes)
{
    struct err e = {0};
    void *p = NULL;
    if (class()->alloc(&dev, bytes, &p, &e))
        fail_msg("%s", e.msg);
    return p;
}

static struct tensor bytes_at(void *data, size_t n)
{
    return (struct tensor){.name = "bytes",
                           .dtype = DT_U8,
                           .ndim = 1,
                           .dim = {(int64_t)n, 1, 1, 1},
                           .bytes = n,
                           .data = data};
}

static void put(void *to, const void *from, size_t n)
{
    struct err e = {0};
    struct tensor t = bytes_at(to, n);
    if (class()->upload(&dev, &t, from, &e))
        fail_msg("%s", e.msg);
}

static void get(void *to, void *from, size_t n)
{
    struct err e = {0};
    struct tensor t = bytes_at(from, n);
    if (class()->download(&dev, &t, to, &e))
        fail_msg("%s", e.msg);
}

static void fresh_memory_is_zero(void **state)
{
    enum { N = 100000 };
    uint8_t *host = malloc(N), *p = take(N);
    (void)state;
    memset(host, 1, N);
    get(host, p, N);
    for (int i = 0; i < N; i++)
        assert_int_equal(host[i], 0);
    class()->free(&dev, p, N);
    free(host);
}

/* Larger than the staging buffers, and no multiple of anything. */
static void large_transfers_come_back_whole(void **state)
{
    const size_t n = (65u << 20) + 3;
    uint8_t *from = malloc(n), *to = calloc(1, n), *p = take(n);
    (void)state;
    for (size_t i = 0; i < n; i++)
        from[i] = (uint8_t)(i * 2654435761u >> 24);
    put(p, from, n);
    get(to, p, n);
    assert_memory_equal(from, to, n);
    class()->free(&dev, p, n);
    free(from);
    free(to);
}

static void uploads_in_a_row_do_not_overwrite_each_other(void **state)
{
    enum { N = 20, BYTES = 4096 };
    uint8_t *p = take(N * BYTES), host[BYTES], back[BYTES];
    (void)state;
    for (int i = 0; i < N; i++) {
        memset(host, i + 1, sizeof host);
        put(p + i * BYTES, host, sizeof host);
    }
    for (int i = 0; i < N; i++) {
        memset(host, i + 1, sizeof host);
        get(back, p + i * BYTES, sizeof back);
        assert_memory_equal(host, back, sizeof host);
    }
    class()->free(&dev, p, N * BYTES);
}

/* bf16 keeps 8 bits, which 0 to 127 fit into; 5 channels are stored as 8. */
static void images_keep_their_values_and_layout(void **state)
{
    enum { N = 3, C = 5, H = 4, W = 7, COUNT = N * C * H * W };
    struct err e = {0};
    float from[COUNT], to[COUNT];
    (void)state;
    for (int dtype = 0; dtype < 2; dtype++) {
        struct tensor t = {.dtype = dtype ? DT_BF16 : DT_F32, .ndim = 4, .dim = {N, C, H, W}};
        class()->layout(&dev, &t);
        assert_int_equal(t.bytes, N * 8 * H * W * (dtype ? 2 : 4));
        t.data = take(t.bytes);
        for (int i = 0; i < COUNT; i++)
            from[i] = (float)(i % 128);
        assert_int_equal(class()->upload(&dev, &t, from, &e), 0);
        assert_int_equal(class()->download(&dev, &t, to, &e), 0);
        assert_memory_equal(from, to, sizeof from);
        class()->free(&dev, t.data, t.bytes);
    }
}

static void more_letters_than_the_ring_holds_arrive(void **state)
{
    enum { N = 100 };
    struct err e = {0};
    uint32_t *p = take(N * sizeof *p), back[N];
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        uint32_t letter = 7 * i;
        assert_int_equal(class()->write(&dev, p + i, &letter, sizeof letter, &e), 0);
        letter = 0; /* it has been copied */
    }
    get(back, p, sizeof back);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(back[i], 7 * i);
    class()->free(&dev, p, N * sizeof *p);
}

static void posts_in_all_slots_are_fetched_as_they_were(void **state)
{
    struct err e = {0};
    uint32_t *p = take(sizeof *p), got = 0;
    (void)state;
    assert_true(class()->depth >= 2 && class()->depth <= DEVICE_DEPTH_MAX);
    for (uint32_t slot = 0; slot < (uint32_t) class()->depth; slot++) {
        uint32_t value = 100 + slot;
        assert_int_equal(class()->write(&dev, p, &value, sizeof value, &e), 0);
        assert_int_equal(class()->post(&dev, (int)slot, p, sizeof value, &e), 0);
    }
    for (uint32_t slot = 0; slot < (uint32_t) class()->depth; slot++) {
        assert_int_equal(class()->fetch(&dev, (int)slot, &got, sizeof got, true, &e), 1);
        assert_int_equal(got, 100 + slot);
    }
    class()->free(&dev, p, sizeof *p);
}

static void letter_that_is_too_long_is_refused(void **state)
{
    struct err e = {0};
    void *p = take(1);
    (void)state;
    assert_int_equal(class()->write(&dev, p, p, DEVICE_FEW + 1, &e), -1);
    assert_int_equal(e.code, EXIT_SOFTWARE);
    class()->free(&dev, p, 1);
}

static void recording_is_done_when_it_is_replayed(void **state)
{
    struct err e = {0};
    uint32_t *from = take(4), *to = take(4), value = 1, got;
    void *recording = NULL;
    struct tensor t = bytes_at(from, 4);
    (void)state;
    put(from, &value, 4);
    assert_int_equal(class()->record_begin(&dev, &e), 0);
    assert_int_equal(class()->copy(&dev, to, from, 4, &e), 0);
    assert_int_equal(class()->upload(&dev, &t, &value, &e), -1); /* varies: no part of it */
    assert_non_null(strstr(e.msg, "cannot be part of a recorded step"));
    assert_int_equal(class()->record_end(&dev, &recording, &e), 0);
    get(&got, to, 4);
    assert_int_equal(got, 0);
    for (value = 5; value < 8; value++) {
        assert_int_equal(class()->write(&dev, from, &value, 4, &e), 0);
        assert_int_equal(class()->replay(&dev, recording, &e), 0);
        get(&got, to, 4);
        assert_int_equal(got, value);
    }
    class()->record_free(&dev, recording);
    class()->free(&dev, from, 4);
    class()->free(&dev, to, 4);
}

static void too_much_memory_says_what_is_needed_and_free(void **state)
{
    struct err e = {0};
    void *p = NULL;
    (void)state;
    assert_true(class()->memory_free(&dev) > 0);
    assert_int_equal(class()->alloc(&dev, (size_t)1 << 40, &p, &e), -1);
    assert_int_equal(e.code, EXIT_OS);
    assert_non_null(strstr(e.msg, "1048576.0 MiB more are needed"));
    assert_non_null(strstr(e.msg, "are free"));
    p = take(1000); /* it is none of the errors that stay */
    class()->free(&dev, p, 1000);
}

/* --- plans on record -------------------------------------------------------------------------- */

static int prepare_convolution(struct err *e)
{
    struct tensor x = {.dtype = DT_BF16, .ndim = 4, .dim = {2, 16, 8, 8}}, y = x;
    struct tensor w = {.dtype = DT_F32, .ndim = 4, .dim = {16, 16, 3, 3}, .bytes = 9216};
    struct call c = {.op = OP_CONV,
                     .name = "conv",
                     .attr = {.stride = 1, .pad = 1},
                     .n_in = 2,
                     .in = {&x, &w},
                     .out = &y};
    class()->layout(&dev, &x);
    class()->layout(&dev, &y);
    int rc = class()->kernels[OP_CONV]->prepare(&dev, &c, e);
    class()->kernels[OP_CONV]->done(&dev, &c);
    return rc;
}

/* The record with another algorithm for every key. */
static void record_all_as(const char *algorithm)
{
    struct err e = {0};
    const char *key;
    json_t *choice, *all = tuning_json(record);
    json_object_foreach(all, key, choice)
    {
        json_object_set_new(choice, "algorithm", json_string(algorithm));
    }
    assert_true(json_object_size(all) > 0);
    assert_int_equal(tuning_add_json(record, all, &e), 0);
    json_decref(all);
}

static void choice_is_recorded_and_taken_from_the_record(void **state)
{
    struct err e = {0};
    (void)state;
    assert_int_equal(prepare_convolution(&e), 0);
    json_t *first = tuning_json(record);
    assert_int_equal(json_object_size(first), 1);
    assert_int_equal(prepare_convolution(&e), 0);
    json_t *second = tuning_json(record);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

static void plan_on_record_that_cannot_be_made_is_bad_data(void **state)
{
    static const char *const texts[] = {"4711:1=2", "direct", "bf16/", "0:99=1"};
    struct err first = {0};
    (void)state;
    assert_int_equal(prepare_convolution(&first), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err e = {0};
        record_all_as(texts[i]);
        assert_int_equal(prepare_convolution(&e), -1);
        assert_int_equal(e.code, EXIT_DATA);
        assert_non_null(strstr(e.msg, "the plan on record, '"));
        assert_non_null(strstr(e.msg, texts[i]));
    }
}

/* The emulated GPU, with all work put off. */
static bool use_emulation(void)
{
    const char *build = getenv("SUPCON_BUILDDIR");
    char folder[PATH_BYTES], module[PATH_BYTES + 32];
    snprintf(folder, sizeof folder, "%s/tests/emu", build ? build : ".");
    snprintf(module, sizeof module, "%s/supcon-cuda.so", folder);
    setenv("SUPCON_EMULATION_DELAY", "1", 1);
    setenv("SUPCON_EMULATION_SEED", "3", 1);
    return setenv("SUPCON_BACKEND_PATH", folder, 1) == 0 && path_exists(module);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_gpu, close_gpu)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fresh_memory_is_zero),
        TEST(large_transfers_come_back_whole),
        TEST(uploads_in_a_row_do_not_overwrite_each_other),
        TEST(images_keep_their_values_and_layout),
        TEST(more_letters_than_the_ring_holds_arrive),
        TEST(posts_in_all_slots_are_fetched_as_they_were),
        TEST(letter_that_is_too_long_is_refused),
        TEST(recording_is_done_when_it_is_replayed),
        TEST(too_much_memory_says_what_is_needed_and_free),
        TEST(choice_is_recorded_and_taken_from_the_record),
        TEST(plan_on_record_that_cannot_be_made_is_bad_data),
    };
    if (use_emulation())
        return cmocka_run_group_tests(tests, NULL, NULL);
    printf("1..0 # SKIP CUDA is not emulated in this build\n");
    return 0;
}
