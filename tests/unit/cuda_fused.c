/*
 * Convolutions fused with the sums of their output, for GPUs that are not here: cuDNN compiles
 * their kernels when a plan is made, for which a stand-in takes the driver's place
 * (modules/driver.c), and the compiled code is kept in the cache folder. Nothing is run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "absent_gpu.h"
#include "base/file.h"
#include "temp.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

static const int shapes[][6] = {
    {2048, 8, 32, 64, 3, 1}, {256, 64, 32, 128, 3, 2}, {2048, 512, 4, 512, 3, 1},
    {512, 8, 224, 64, 7, 2}, {512, 64, 56, 256, 1, 1}, {512, 1024, 14, 2048, 1, 2},
    {3, 24, 7, 24, 3, 1},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static char folder[PATH_BYTES];

struct fused {
    struct fixture gpu;
    struct dnn_graph graph;
    struct dnn_config *all;
    int n;
};

static void forward_new(struct fused *f, const char *properties, const int s[6], bool sums)
{
    struct err e = {0};
    struct dnn_shape shape = shape_of(s, CUDNN_DATA_BFLOAT16);
    shape.sums = sums;
    if (take_gpu(&f->gpu, properties, &e))
        fail_msg("%s", e.msg);
    if (dnn_graph_init(&f->graph, &f->gpu.dev, &shape, CONV_FORWARD, &e))
        fail_msg("%s", e.msg);
    f->all = calloc(DNN_CONFIGS, sizeof *f->all);
    assert_non_null(f->all);
    f->n = dnn_configs(&f->graph, f->all);
}

static void fused_new(struct fused *f, const char *properties, const int s[6])
{
    forward_new(f, properties, s, true);
}

static void fused_free(struct fused *f)
{
    for (int i = 0; i < f->n; i++)
        dnn_config_done(&f->all[i]);
    free(f->all);
    dnn_graph_done(&f->graph);
    dnn_drop(&f->gpu.cuda.gpu);
}

/* One of each is made; the others differ in the size of their tiles. */
static void every_bf16_shape_has_plans_with_sums(void **state)
{
    (void)state;
    for (int i = 0; i < N_GPUS * N_SHAPES; i++) {
        struct fused f;
        struct dnn_plan p;
        struct err e = {.msg = "no engine"};
        bool made = false;
        fused_new(&f, gpus[i / N_SHAPES], shapes[i % N_SHAPES]);
        for (int k = 0; k < f.n && !made; k++)
            if (!(f.all[k].notes & DNN_ROUNDS_SUMS))
                made = dnn_plan_init(&p, &f.graph, &f.all[k], &e) == 0;
        if (!made)
            fail_msg("GPU %d, shape %d: %s", i / N_SHAPES, i % N_SHAPES, e.msg);
        assert_int_equal(p.n_tensors, DNN_ALL);
        dnn_plan_done(&p);
        fused_free(&f);
    }
}

/* --- the cache -------------------------------------------------------------------------------- */

/* How many files the cache has; path: of one of them. */
static int files(char path[PATH_BYTES])
{
    char dir[PATH_BYTES];
    struct err e = {0};
    int n = 0;
    assert_int_equal(path_join(dir, folder, "supcon/plans", &e), 0);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.') {
            assert_int_equal(path_join(path, dir, entry->d_name, &e), 0);
            n++;
        }
    closedir(d);
    return n;
}

/* The one file of the cache: its path and when it was written, to the nanosecond. */
static struct timespec cached(char path[PATH_BYTES])
{
    struct stat s;
    assert_int_equal(files(path), 1);
    assert_int_equal(stat(path, &s), 0);
    return s.st_mtim;
}

/* As the backend does for each layer: everything is made anew. (cuDNN does not compile twice what
 * one description of an engine says.) */
static void make_plan(const char *key)
{
    struct fused f;
    struct dnn_plan p;
    struct err e = {0};
    fused_new(&f, gpus[0], shapes[2]);
    assert_true(f.n > 0 && f.all[0].notes & DNN_COMPILES);
    if (dnn_plan_make(&p, &f.graph, &f.all[0], key, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(p.n_tensors, DNN_ALL);
    dnn_plan_done(&p);
    fused_free(&f);
}

static void damage(const char *path, size_t at, const char *how)
{
    char *file;
    size_t n;
    struct err e = {0};
    assert_int_equal(file_read(path, 64 << 20, &file, &n, &e), 0);
    memcpy(file + at, how, strlen(how));
    assert_int_equal(file_replace(path, file, n, &e), 0);
    free(file);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void compiled_code_is_kept_and_damage_is_compiled_again(void **state)
{
    static const char key[] = "test|bf16|conv forward, sums|x 2048x512x4x4";
    static const size_t places[] = {0, 30, 200, 40000};
    char path[PATH_BYTES];
    (void)state;
    make_plan(key);
    struct timespec first = cached(path);
    make_plan(key);
    assert_true(same_time(first, cached(path)));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        damage(path, places[i], "#");
        struct timespec damaged = cached(path);
        make_plan(key);
        struct timespec mended = cached(path);
        assert_false(same_time(damaged, mended));
        make_plan(key);
        assert_true(same_time(mended, cached(path)));
    }
}

/* A forward pass without and with sums are candidates under one key, and the same choice of an
 * engine may make either. */
static void plan_of_another_graph_is_another_file(void **state)
{
    static const char key[] = "test|bf16|two ways", text[] = "3:24=1";
    char path[PATH_BYTES];
    (void)state;
    cached(path);
    assert_int_equal(unlink(path), 0);
    for (int way = 0; way < 2; way++) {
        struct fused f;
        struct dnn_plan p = {0};
        struct err e = {.msg = "no engine that compiles"};
        int made = -1;
        forward_new(&f, gpus[0], shapes[2], way);
        for (int k = 0; k < f.n && made; k++) {
            snprintf(f.all[k].text, sizeof f.all[k].text, "%s", text);
            if (f.all[k].notes & DNN_COMPILES)
                made = dnn_plan_make(&p, &f.graph, &f.all[k], key, &e);
        }
        if (made)
            fail_msg("way %d: %s", way, e.msg);
        assert_int_equal(files(path), 1 + way);
        dnn_plan_done(&p);
        fused_free(&f);
    }
}

/* A cache that cannot be written is done without. */
static void plan_is_made_without_a_cache(void **state)
{
    (void)state;
    setenv("XDG_CACHE_HOME", "/proc/nonexistent", 1);
    make_plan("key");
    setenv("XDG_CACHE_HOME", folder, 1);
}

static int prepare(void **state)
{
    char driver[PATH_BYTES + 64];
    const char *build = getenv("SUPCON_BUILDDIR");
    (void)state;
    snprintf(driver, sizeof driver, "%s/tests/unit/modules/libcuda.so.1", build ? build : ".");
    if (!dlopen(driver, RTLD_NOW | RTLD_GLOBAL)) {
        print_error("%s\n", dlerror());
        return -1;
    }
    return temp_dir(folder, sizeof folder) || setenv("XDG_CACHE_HOME", folder, 1);
}

static int clean(void **state)
{
    struct err e = {0};
    (void)state;
    return dir_remove(folder, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bf16_shape_has_plans_with_sums),
        cmocka_unit_test(compiled_code_is_kept_and_damage_is_compiled_again),
        cmocka_unit_test(plan_of_another_graph_is_another_file),
        cmocka_unit_test(plan_is_made_without_a_cache),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
