/* The CPU as a device: names, threads, memory, layouts, copies, and choices of algorithms. */
#include "backend/cpu/cpu.h"
#include "backend/cpu/memory.h"
#include "base/log.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static void quiet(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static void open_with(struct device *dev, struct device_options o)
{
    struct err e = {0};
    if (device_open(dev, "cpu", &o, &e))
        fail_msg("%s", e.msg);
}

static struct tensor activation(struct device *dev, enum dtype dtype, int64_t n, int64_t c,
                                int64_t h, int64_t w)
{
    struct tensor t = {.name = "t", .dtype = dtype, .ndim = 4, .dim = {n, c, h, w}};
    struct err e = {0};
    dev->class->layout(dev, &t);
    assert_int_equal(dev->class->alloc(dev, t.bytes, &t.data, &e), 0);
    return t;
}

static void drop(struct device *dev, struct tensor *t)
{
    dev->class->free(dev, t->data, t->bytes);
}

/* --- devices ---------------------------------------------------------------------------------- */

static void names_that_are_no_device_are_unavailable(void **state)
{
    static const char *const bad[] = {"",       "gpu",     "cpu:1",       "cpu:",   "cpux",
                                      "cuda:x", "cuda:1x", "cuda:999999", "Cuda:0", "cpu:-1"};
    struct device_options o = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct device dev;
        struct err e = {0};
        assert_int_equal(device_open(&dev, bad[i], &o, &e), -1);
        assert_int_equal(e.code, EXIT_UNAVAILABLE);
        assert_true(strlen(e.msg) > 0);
        device_close(&dev);
    }
}

static void auto_opens_something(void **state)
{
    struct device dev;
    struct device_options o = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(device_open(&dev, "auto", &o, &e), 0);
    assert_true(dev.info.usable);
    assert_true(strlen(dev.info.name) > 0);
    assert_true(strstr(dev.info.libraries, "oneDNN") || dev.class != &cpu_backend);
    device_close(&dev);
}

static void threads_follow_the_option_then_slurm(void **state)
{
    struct device dev;
    (void)state;
    setenv("SLURM_CPUS_PER_TASK", "1", 1);
    open_with(&dev, (struct device_options){0});
    assert_int_equal(dev.threads, 1);
    device_close(&dev);
    open_with(&dev, (struct device_options){.threads = 3});
    assert_int_equal(dev.threads, 3);
    assert_non_null(strstr(dev.info.detail, "3 threads"));
    device_close(&dev);
    unsetenv("SLURM_CPUS_PER_TASK");
}

static void types_it_cannot_do_come_with_a_reason(void **state)
{
    struct device dev;
    char why[128] = "";
    (void)state;
    open_with(&dev, (struct device_options){0});
    assert_true(dev.class->has_dtype(&dev, DT_F32, why, sizeof why));
    assert_false(dev.class->has_dtype(&dev, DT_F64, why, sizeof why));
    assert_true(strlen(why) > 0);
    device_close(&dev);
}

/* --- memory and layouts ----------------------------------------------------------------------- */

static void memory_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = {0, 1, 4097, (2 << 20) - 1, 2 << 20, (5 << 20) + 3};
    struct device dev;
    (void)state;
    open_with(&dev, (struct device_options){0});
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *p;
        struct err e = {0};
        assert_int_equal(dev.class->alloc(&dev, sizes[i], &p, &e), 0);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t b = 0; b < sizes[i]; b++)
            if (((char *)p)[b])
                fail_msg("byte %zu of %zu is not zero", b, sizes[i]);
        memset(p, 0xA5, sizes[i]);
        dev.class->free(&dev, p, sizes[i]);
    }
    device_close(&dev);
}

static void too_much_memory_is_an_error(void **state)
{
    struct device dev;
    void *p;
    struct err e = {0};
    (void)state;
    open_with(&dev, (struct device_options){0});
    assert_int_equal(dev.class->alloc(&dev, SIZE_MAX / 4, &p, &e), -1);
    assert_int_equal(e.code, EXIT_OS);
    device_close(&dev);
}

static void check_round_trip(struct device *dev, enum dtype dtype, int64_t c, int64_t h)
{
    struct err e = {0};
    struct tensor t = activation(dev, dtype, 2, c, h, 3);
    int64_t n = tensor_count(&t);
    float *in = malloc((size_t)n * sizeof *in), *out = calloc((size_t)n, sizeof *out);
    for (int64_t i = 0; i < n; i++)
        in[i] = (float)(i % 251) - 125; /* exact in bf16 */
    assert_int_equal(dev->class->upload(dev, &t, in, &e), 0);
    assert_int_equal(dev->class->download(dev, &t, out, &e), 0);
    assert_memory_equal(in, out, (size_t)n * sizeof *in);
    free(in);
    free(out);
    drop(dev, &t);
}

static void uploads_come_back(void **state)
{
    static const int64_t channels[] = {1, 3, 4, 5, 8, 16, 24, 33};
    struct device dev;
    (void)state;
    open_with(&dev, (struct device_options){.threads = 2});
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int64_t h = 1; h < 6; h += 4) {
            check_round_trip(&dev, DT_F32, channels[i], h);
            if (dev.class->has_dtype(&dev, DT_BF16, NULL, 0))
                check_round_trip(&dev, DT_BF16, channels[i], h);
        }
    device_close(&dev);
}

static void bf16_rounds_to_nearest_even(void **state)
{
    /* 2^-8 is half a unit of the last place at 1: ties go to the even neighbour. */
    const float in[6] = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, 1 + 0x1.8p-8f, -1 - 0x1p-8f, NAN, INFINITY};
    const float want[6] = {1, 1 + 4 * 0x1p-8f, 1 + 0x1p-7f, -1, NAN, INFINITY};
    struct device dev;
    float out[6];
    struct err e = {0};
    (void)state;
    open_with(&dev, (struct device_options){0});
    struct tensor t = activation(&dev, DT_BF16, 1, 1, 2, 3);
    assert_int_equal(dev.class->upload(&dev, &t, in, &e), 0);
    assert_int_equal(dev.class->download(&dev, &t, out, &e), 0);
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == want[i] || (isnan(out[i]) && isnan(want[i])));
    drop(&dev, &t);
    device_close(&dev);
}

static void gradients_accumulate(void **state)
{
    struct device dev;
    struct err e = {0};
    float in[2 * 20 * 6], out[2 * 20 * 6];
    (void)state;
    open_with(&dev, (struct device_options){0});
    struct tensor x = activation(&dev, DT_F32, 2, 20, 2, 3);
    struct tensor y = activation(&dev, DT_F32, 2, 20, 2, 3);
    struct tensor other = activation(&dev, DT_F32, 2, 20, 2, 2);
    for (int i = 0; i < 240; i++)
        in[i] = (float)i;
    assert_int_equal(dev.class->upload(&dev, &x, in, &e), 0);
    assert_int_equal(dev.class->upload(&dev, &y, in, &e), 0);
    assert_int_equal(dev.class->accumulate(&dev, &y, &x, &e), 0);
    assert_int_equal(dev.class->download(&dev, &y, out, &e), 0);
    for (int i = 0; i < 240; i++)
        assert_true(out[i] == 2 * in[i]);
    assert_int_equal(dev.class->accumulate(&dev, &y, &other, &e), -1);
    drop(&dev, &x);
    drop(&dev, &y);
    drop(&dev, &other);
    device_close(&dev);
}

/* --- a convolution ---------------------------------------------------------------------------- */

struct layer {
    struct tensor x, w, y;
    struct call call;
};

static int make_layer(struct layer *l, struct device *dev, int64_t n, struct err *e)
{
    memset(l, 0, sizeof *l);
    l->x = activation(dev, DT_F32, n, 32, 16, 16);
    l->y = activation(dev, DT_F32, n, 32, 16, 16);
    l->w = (struct tensor){.name = "w", .ndim = 4, .dim = {32, 32, 3, 3}, .bytes = 32 * 32 * 9 * 4};
    assert_int_equal(dev->class->alloc(dev, l->w.bytes, &l->w.data, e), 0);
    l->call = (struct call){.op = OP_CONV, .name = "layer1", .n_in = 2, .in = {&l->x, &l->w}};
    l->call.attr.stride = l->call.attr.pad = 1;
    l->call.out = &l->y;
    return dev->class->kernels[OP_CONV]->prepare(dev, &l->call, e);
}

static void bind_layer(struct layer *l, struct device *dev)
{
    struct err e = {0};
    assert_int_equal(dev->class->alloc(dev, l->call.scratch_bytes[0], &l->call.scratch[0], &e), 0);
    assert_int_equal(dev->class->kernels[OP_CONV]->bind(dev, &l->call, &e), 0);
}

static void free_layer(struct layer *l, struct device *dev)
{
    dev->class->kernels[OP_CONV]->done(dev, &l->call);
    dev->class->free(dev, l->call.scratch[0], l->call.scratch_bytes[0]);
    drop(dev, &l->x);
    drop(dev, &l->y);
    drop(dev, &l->w);
}

static void a_choice_is_recorded_and_followed(void **state)
{
    struct tuning *t = tuning_new();
    struct device dev;
    struct layer l;
    struct err e = {0};
    const char *key;
    json_t *choice;
    (void)state;
    open_with(&dev, (struct device_options){.tuning = t});
    assert_int_equal(make_layer(&l, &dev, 2, &e), 0);
    free_layer(&l, &dev);
    json_t *record = tuning_json(t);
    assert_int_equal(json_object_size(record), 1);
    json_object_foreach(record, key, choice)
    {
        tuning_put(t, key, "direct", 123);
    }
    assert_int_equal(make_layer(&l, &dev, 2, &e), 0);
    assert_int_equal(strncmp(l.call.algorithm[0], "direct ", 7), 0);
    assert_true(l.call.ms[0] == 123); /* not timed again */
    free_layer(&l, &dev);
    json_decref(record);
    device_close(&dev);
    tuning_free(t);
}

static void an_unknown_algorithm_on_record_is_named(void **state)
{
    struct tuning *t = tuning_new();
    struct device dev;
    struct layer l;
    struct err e = {0};
    const char *key;
    json_t *choice;
    (void)state;
    open_with(&dev, (struct device_options){.tuning = t});
    assert_int_equal(make_layer(&l, &dev, 2, &e), 0);
    free_layer(&l, &dev);
    json_t *record = tuning_json(t);
    json_object_foreach(record, key, choice)
    {
        tuning_put(t, key, "strassen", 1);
    }
    assert_int_equal(make_layer(&l, &dev, 2, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, "strassen"));
    assert_non_null(strstr(e.msg, "layer1"));
    free_layer(&l, &dev);
    json_decref(record);
    device_close(&dev);
    tuning_free(t);
}

struct job {
    struct device *dev;
    struct layer *layer;
    int rc;
};

static void *run_job(void *arg)
{
    struct job *j = arg;
    struct err e = {0};
    j->rc = j->dev->class->kernels[OP_CONV]->forward(j->dev, &j->layer->call, &e);
    return NULL;
}

static void run_elsewhere(struct device *dev, struct layer *l)
{
    struct job job = {dev, l, -1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_job, &job), 0);
    pthread_join(thread, NULL);
    assert_int_equal(job.rc, 0);
}

/* oneDNN's own scratchpad would crash in the second thread. */
static void another_thread_computes_the_same_bits(void **state)
{
    struct device dev;
    struct layer l;
    struct err e = {0};
    (void)state;
    open_with(&dev, (struct device_options){.threads = 2});
    assert_int_equal(make_layer(&l, &dev, 8, &e), 0);
    bind_layer(&l, &dev);
    for (size_t i = 0; i < l.x.bytes / 4; i++)
        ((float *)l.x.data)[i] = sinf((float)i);
    for (size_t i = 0; i < l.w.bytes / 4; i++)
        ((float *)l.w.data)[i] = cosf((float)i);
    char *first = malloc(l.y.bytes);
    assert_int_equal(cpu_backend.kernels[OP_CONV]->forward(&dev, &l.call, &e), 0);
    memcpy(first, l.y.data, l.y.bytes);
    memset(l.y.data, 0, l.y.bytes);
    run_elsewhere(&dev, &l);
    assert_memory_equal(first, l.y.data, l.y.bytes);
    free(first);
    free_layer(&l, &dev);
    device_close(&dev);
}

/* --- loops ------------------------------------------------------------------------------------ */

static double reciprocal_sum(void *ctx, int64_t begin, int64_t end)
{
    double sum = 0;
    (void)ctx;
    for (int64_t i = begin; i < end; i++)
        sum += 1.0 / (double)(i + 1);
    return sum;
}

static void sums_do_not_depend_on_threads(void **state)
{
    double sum[4];
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct device dev;
        open_with(&dev, (struct device_options){.threads = threads});
        sum[threads - 1] = cpu_chunk_sum(&dev, 300001, 7, reciprocal_sum, NULL);
        device_close(&dev);
    }
    for (int i = 1; i < 4; i++)
        assert_memory_equal(&sum[0], &sum[i], sizeof *sum);
    assert_true(fabs(sum[0] - (log(300001) + 0.5772156649)) < 1e-5);
}

/* Even under a sanitizer; and a processor that multiplies bf16 is no slower at it than at f32. */
static void peak_arithmetic_is_measured(void **state)
{
    struct device dev;
    double f32 = -1, bf16 = -1;
    struct err e = {0};
    char why[128];
    (void)state;
    open_with(&dev, (struct device_options){.threads = 1});
    assert_int_equal(dev.class->peak(&dev, DT_F32, &f32, &e), 0);
    assert_int_equal(dev.class->peak(&dev, DT_BF16, &bf16, &e), 0);
    assert_true(f32 > 0.1 && f32 < 1e5);
    bool emulated = !dev.class->has_dtype(&dev, DT_BF16, why, sizeof why) || why[0];
    assert_true(bf16 == 0 || (!emulated && bf16 > f32));
    device_close(&dev);
}

/* Channel 0 has a variance beyond f32, whose output is finite all the same: it keeps its running
 * statistics, the other channel takes the batch's. */
static void statistics_that_are_not_finite_are_not_taken(void **state)
{
    struct device dev;
    struct err e = {0};
    float x[16], running[2] = {0, 0};
    (void)state;
    open_with(&dev, (struct device_options){.threads = 1});
    struct tensor in = activation(&dev, DT_F32, 2, 2, 2, 2), out = in, vector[4];
    assert_int_equal(dev.class->alloc(&dev, out.bytes, &out.data, &e), 0);
    for (int i = 0; i < 16; i++)
        x[i] = (i % 2 ? 1.0f : -1.0f) * (i / 4 % 2 ? 2.0f : 1e30f);
    assert_int_equal(dev.class->upload(&dev, &in, x, &e), 0);
    struct call c = {.op = OP_BATCHNORM,
                     .attr = {.training = true, .momentum = 0.1f, .eps = 1e-5f},
                     .n_in = 5,
                     .in = {&in},
                     .out = &out};
    float values[4][2] = {{1, 1}, {0, 0}, {0.5f, 0.5f}, {3, 3}};
    for (int i = 0; i < 4; i++) {
        vector[i] = (struct tensor){
            .dtype = DT_F32, .ndim = 1, .dim = {2, 1, 1, 1}, .bytes = 8, .data = values[i]};
        c.in[i + 1] = &vector[i];
    }
    const struct kernel *k = dev.class->kernels[OP_BATCHNORM];
    assert_int_equal(k->prepare(&dev, &c, &e), 0);
    c.saved = calloc(1, c.saved_bytes + 1);
    c.workspace = aligned_alloc(64, (c.workspace_bytes + 64) / 64 * 64);
    assert_int_equal(k->bind ? k->bind(&dev, &c, &e) : 0, 0);
    assert_int_equal(k->forward(&dev, &c, &e), 0);
    assert_int_equal(k->commit(&dev, &c, NULL, &e), 0);
    memcpy(running, values[3], sizeof running);
    assert_true(values[2][0] == 0.5f && running[0] == 3);
    assert_true(values[2][1] == 0.45f && fabsf(running[1] - (2.7f + 0.1f * 32 / 7)) < 1e-5f);
    k->done(&dev, &c);
    free(c.saved);
    free(c.workspace);
    drop(&dev, &out);
    drop(&dev, &in);
    device_close(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_no_device_are_unavailable),
        cmocka_unit_test(auto_opens_something),
        cmocka_unit_test(threads_follow_the_option_then_slurm),
        cmocka_unit_test(types_it_cannot_do_come_with_a_reason),
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(too_much_memory_is_an_error),
        cmocka_unit_test(uploads_come_back),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(a_choice_is_recorded_and_followed),
        cmocka_unit_test(an_unknown_algorithm_on_record_is_named),
        cmocka_unit_test(another_thread_computes_the_same_bits),
        cmocka_unit_test(sums_do_not_depend_on_threads),
        cmocka_unit_test(peak_arithmetic_is_measured),
        cmocka_unit_test(statistics_that_are_not_finite_are_not_taken),
    };
    log_add(quiet, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
