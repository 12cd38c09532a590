/* The sample of real CIFAR-10 images among the shared material; skipped where that is absent. */
#include "base/file.h"
#include "data/loader.h"
#include "tests/unit/temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static char dir[512];

static int unpack(void **state)
{
    (void)state;
    const char *shared = getenv("SUPCON_SHARED");
    char archive[PATH_BYTES], command[3 * PATH_BYTES];
    if (!shared || path_join(archive, shared, "data/cifar10-sample.tar.zst", NULL) ||
        !path_exists(archive) || temp_dir(dir, sizeof dir))
        return 0;
    snprintf(command, sizeof command,
             "zstd -dcq --long=27 '%s' | tar -x -C '%s' --strip-components=1", archive, dir);
    return system(command);
}

static int clean(void **state)
{
    (void)state;
    return dir[0] ? dir_remove(dir, NULL) : 0;
}

static void open_sample(struct dataset *d)
{
    struct data_conf conf = {.name = "cifar10"};
    struct err e = {0};
    snprintf(conf.path, sizeof conf.path, "%s", dir);
    if (dataset_open(d, &conf, &e))
        fail_msg("%s", e.msg);
}

static void the_sample_has_its_images_and_statistics(void **state)
{
    (void)state;
    struct dataset d;
    double sum[3] = {0}, square[3] = {0};
    uint8_t image[3072];
    int32_t label;
    if (!dir[0]) {
        print_message("the shared material is not there\n");
        skip();
    }
    open_sample(&d);
    assert_int_equal(d.n[PART_TRAIN], 5085);
    assert_int_equal(d.n[PART_TEST], 1017);
    for (int64_t i = 0; i < d.n[PART_TRAIN]; i++) {
        assert_int_equal(dataset_read(&d, PART_TRAIN, i, image, &label, NULL), 0);
        for (int p = 0; p < 3072; p++) {
            sum[p / 1024] += image[p] / 255.;
            square[p / 1024] += image[p] / 255. * image[p] / 255.;
        }
    }
    for (int c = 0; c < 3; c++) {
        /* The constants are those of all 50000 images. The mean of an image deviates by about .13,
         * so that of 5085 by .002; five times that is allowed. */
        double n = 1024. * (double)d.n[PART_TRAIN], mean = sum[c] / n;
        assert_float_equal(mean, d.mean[c], .01);
        assert_float_equal(sqrt(square[c] / n - mean * mean), d.std[c], .01);
    }
    dataset_close(&d);
}

static void its_first_labels_are_known(void **state)
{
    (void)state;
    /* frog, truck, truck, deer, automobile: the well-known start of data_batch_1. */
    static const int32_t want[] = {6, 9, 9, 4, 1};
    struct dataset d;
    uint8_t image[3072];
    if (!dir[0])
        skip();
    open_sample(&d);
    for (int64_t i = 0; i < 5; i++) {
        int32_t label;
        assert_int_equal(dataset_read(&d, PART_TRAIN, i, image, &label, NULL), 0);
        assert_int_equal(label, want[i]);
    }
    dataset_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_has_its_images_and_statistics),
        cmocka_unit_test(its_first_labels_are_known),
    };
    return cmocka_run_group_tests(tests, unpack, clean);
}
