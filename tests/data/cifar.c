/* CIFAR files: whole ones are read value by value; each kind of damage is named with its place. */
#include "base/file.h"
#include "data/dataset.h"
#include "tests/unit/temp.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { PIXELS = 3072, RECORDS_MAX = 7 };

static char dir[512];

static const struct kind {
    const char *name, *folder;
    int n_labels, n_files;
    const char *file[6];
    int records[6];
} kinds[] = {
    {"cifar10",
     "cifar-10-batches-bin",
     1,
     6,
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin"},
     {3, 1, 2, 4, 7, 5}},
    {"cifar100", "cifar-100-binary", 2, 2, {"train.bin", "test.bin"}, {6, 4}},
};

static uint8_t pixel(int file, int record, int i)
{
    return (uint8_t)(file * 50 + record * 7 + i);
}

static int label(const struct kind *k, int file, int record)
{
    return k->n_labels == 1 ? (file + record) % 10 : (file * 17 + record * 13) % 100;
}

static void put(const char *name, const void *bytes, size_t n)
{
    char path[PATH_BYTES];
    assert_int_equal(path_join(path, dir, name, NULL), 0);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static size_t make_file(const struct kind *k, int file, uint8_t *out)
{
    uint8_t *at = out;
    for (int r = 0; r < k->records[file]; r++) {
        if (k->n_labels == 2)
            *at++ = (uint8_t)(r % 20);
        *at++ = (uint8_t)label(k, file, r);
        for (int i = 0; i < PIXELS; i++)
            *at++ = pixel(file, r, i);
    }
    return (size_t)(at - out);
}

static void make_files(const struct kind *k, const char *folder)
{
    static uint8_t bytes[RECORDS_MAX * (PIXELS + 2)];
    char name[128];
    for (int f = 0; f < k->n_files; f++) {
        snprintf(name, sizeof name, "%s%s%s", folder, folder[0] ? "/" : "", k->file[f]);
        put(name, bytes, make_file(k, f, bytes));
    }
}

static int open_set(struct dataset *d, const char *name, const char *path, struct err *e)
{
    struct data_conf conf = {0};
    snprintf(conf.name, sizeof conf.name, "%s", name);
    snprintf(conf.path, sizeof conf.path, "%s", path);
    *e = (struct err){0};
    return dataset_open(d, &conf, e);
}

/* Opening fails with this code, and the message holds both words. */
static void refused(const char *name, int code, const char *word, const char *other)
{
    struct dataset d;
    struct err e;
    assert_int_equal(open_set(&d, name, dir, &e), -1);
    if (e.code != code || !strstr(e.msg, word) || !strstr(e.msg, other))
        fail_msg("expected %d, \"%s\" and \"%s\" in: %d %s", code, word, other, e.code, e.msg);
    dataset_close(&d);
}

static int fresh(void **state)
{
    (void)state;
    return dir_remove(dir, NULL) || dir_make(dir, NULL);
}

static void check_part(const struct dataset *d, const struct kind *k, enum data_part part)
{
    uint8_t image[PIXELS];
    int32_t got;
    int64_t index = 0;
    int from = part == PART_TEST ? k->n_files - 1 : 0;
    int to = part == PART_TEST ? k->n_files : k->n_files - 1;
    for (int f = from; f < to; f++)
        for (int r = 0; r < k->records[f]; r++, index++) {
            assert_int_equal(dataset_read(d, part, index, image, &got, NULL), 0);
            assert_int_equal(got, label(k, f, r));
            for (int i = 0; i < PIXELS; i++)
                assert_int_equal(image[i], pixel(f, r, i));
        }
    assert_int_equal(index, d->n[part]);
    struct err e = {0};
    assert_int_equal(dataset_read(d, part, index, image, &got, &e), -1);
    assert_int_equal(dataset_read(d, part, -1, image, &got, &e), -1);
}

static void whole_files_are_read(void **state)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct dataset d;
        struct err e;
        fresh(state);
        make_files(&kinds[i], "");
        if (open_set(&d, kinds[i].name, dir, &e))
            fail_msg("%s", e.msg);
        assert_int_equal(d.channels * d.height * d.width, PIXELS);
        assert_int_equal(d.n_classes, i ? 100 : 10);
        assert_non_null(strstr(d.fingerprint, kinds[i].name));
        assert_string_equal(d.class_names[d.n_classes - 1], i ? "worm" : "truck");
        check_part(&d, &kinds[i], PART_TRAIN);
        check_part(&d, &kinds[i], PART_TEST);
        dataset_close(&d);
    }
}

static void the_archives_own_folder_is_found(void **state)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct dataset d;
        struct err e;
        char path[PATH_BYTES];
        fresh(state);
        path_join(path, dir, kinds[i].folder, NULL);
        assert_int_equal(dir_make(path, NULL), 0);
        make_files(&kinds[i], kinds[i].folder);
        assert_int_equal(open_set(&d, kinds[i].name, dir, &e), 0);
        dataset_close(&d);
    }
}

static void the_default_folder_is_under_xdg_data_home(void **state)
{
    (void)state;
    struct dataset d;
    struct err e;
    char path[PATH_BYTES];
    setenv("XDG_DATA_HOME", dir, 1);
    assert_int_equal(open_set(&d, "cifar10", "", &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    snprintf(path, sizeof path, "%s/supcon/cifar10", dir);
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(dir_make(path, NULL), 0);
    make_files(&kinds[0], "supcon/cifar10");
    assert_int_equal(open_set(&d, "cifar10", "", &e), 0);
    dataset_close(&d);
    unsetenv("XDG_DATA_HOME");
}

static void missing_files_are_named(void **state)
{
    (void)state;
    refused("cifar10", EXIT_NOINPUT, "data_batch_1.bin", "cifar-10-binary.tar.gz");
    refused("cifar100", EXIT_NOINPUT, "train.bin, test.bin", "cifar-100-binary.tar.gz");
    refused("cifar10", EXIT_NOINPUT, dir, "https://www.cs.toronto.edu/~kriz/cifar.html");
    make_files(&kinds[0], "");
    for (int f = 0; f < kinds[0].n_files; f++) {
        char path[PATH_BYTES], moved[PATH_BYTES];
        path_join(path, dir, kinds[0].file[f], NULL);
        path_join(moved, dir, "away", NULL);
        assert_int_equal(rename(path, moved), 0);
        refused("cifar10", EXIT_NOINPUT, path, "cifar-10-binary.tar.gz");
        assert_int_equal(rename(moved, path), 0);
    }
}

/* Every length around the records' edges, and some between. */
static void partial_records_are_named_with_their_offset(void **state)
{
    (void)state;
    static uint8_t bytes[4 * (PIXELS + 2)];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int record = PIXELS + kinds[i].n_labels;
        fresh(state);
        make_files(&kinds[i], "");
        for (int n = 1; n <= 3 * record; n += n % record < 3 || n % record > record - 4 ? 1 : 200) {
            if (n % record == 0)
                continue;
            char where[64];
            snprintf(where, sizeof where, "%s: offset %d: ", kinds[i].file[0], n - n % record);
            put(kinds[i].file[0], bytes, (size_t)n);
            refused(kinds[i].name, EXIT_DATA, where, " bytes");
        }
    }
}

static void empty_files_are_refused(void **state)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fresh(state);
        make_files(&kinds[i], "");
        put(kinds[i].file[kinds[i].n_files - 1], "", 0);
        refused(kinds[i].name, EXIT_DATA, kinds[i].file[kinds[i].n_files - 1],
                ": offset 0: the file is empty");
    }
}

/* The given byte of a file set to this value is refused with this place. */
static void spoil(const struct kind *k, int file, int offset, uint8_t value, const char *range)
{
    static uint8_t bytes[RECORDS_MAX * (PIXELS + 2)];
    char where[128];
    size_t n = make_file(k, file, bytes);
    bytes[offset] = value;
    put(k->file[file], bytes, n);
    snprintf(where, sizeof where, "%s: offset %d: record %d has", k->file[file], offset,
             offset / (PIXELS + k->n_labels));
    refused(k->name, EXIT_DATA, where, range);
    make_files(k, "");
}

static void labels_out_of_range_are_named_with_their_place(void **state)
{
    fresh(state);
    make_files(&kinds[0], "");
    spoil(&kinds[0], 0, 0, 10, "label 10, expected 0..9");
    spoil(&kinds[0], 4, 6 * 3073, 255, "label 255, expected 0..9");
    spoil(&kinds[0], 5, 2 * 3073, 0x80, "label 128, expected 0..9");
    fresh(state);
    make_files(&kinds[1], "");
    spoil(&kinds[1], 0, 3 * 3074, 20, "coarse label 20, expected 0..19");
    spoil(&kinds[1], 1, 3074 + 1, 100, "fine label 100, expected 0..99");
}

static void files_of_the_other_kind_are_recognised(void **state)
{
    (void)state;
    static uint8_t bytes[RECORDS_MAX * (PIXELS + 2)];
    make_files(&kinds[0], "");
    put("data_batch_2.bin", bytes, make_file(&kinds[1], 0, bytes));
    refused("cifar10", EXIT_DATA, "data_batch_2.bin", "set data.name to cifar100?");
    make_files(&kinds[1], "");
    put("test.bin", bytes, make_file(&kinds[0], 0, bytes));
    refused("cifar100", EXIT_DATA, "test.bin", "set data.name to cifar10?");
}

static void a_folder_in_place_of_a_file_is_refused(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    make_files(&kinds[0], "");
    path_join(path, dir, "data_batch_3.bin", NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    refused("cifar10", EXIT_DATA, path, "a folder, where a file");
}

static void a_file_in_place_of_the_folder_is_missing_input(void **state)
{
    (void)state;
    struct dataset d;
    struct err e;
    char path[PATH_BYTES];
    put("file", "x", 1);
    path_join(path, dir, "file", NULL);
    assert_int_equal(open_set(&d, "cifar10", path, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    assert_non_null(strstr(e.msg, path));
}

static void the_fingerprint_follows_the_content(void **state)
{
    (void)state;
    static uint8_t bytes[RECORDS_MAX * (PIXELS + 2)];
    struct dataset a, b;
    struct err e;
    make_files(&kinds[0], "");
    assert_int_equal(open_set(&a, "cifar10", dir, &e), 0);
    assert_int_equal(open_set(&b, "cifar10", dir, &e), 0);
    assert_string_equal(a.fingerprint, b.fingerprint);
    dataset_close(&b);
    size_t n = make_file(&kinds[0], 3, bytes);
    bytes[n - 1] ^= 0x80;
    put("data_batch_4.bin", bytes, n);
    assert_int_equal(open_set(&b, "cifar10", dir, &e), 0);
    assert_string_not_equal(a.fingerprint, b.fingerprint);
    dataset_close(&a);
    dataset_close(&b);
}

static void constants_of_the_recipe_win(void **state)
{
    (void)state;
    struct dataset d;
    struct err e = {0};
    struct data_conf conf = {.name = "cifar10", .n_mean = 1, .mean = {.5}};
    snprintf(conf.path, sizeof conf.path, "%s", dir);
    make_files(&kinds[0], "");
    assert_int_equal(dataset_open(&d, &conf, &e), 0);
    assert_float_equal(d.mean[2], .5, 0);
    assert_float_equal(d.std[2], .2616, 0);
    dataset_close(&d);
    conf.n_std = 2;
    assert_int_equal(dataset_open(&d, &conf, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "data.std has 2 values"));
    conf.n_std = 3;
    assert_int_equal(dataset_open(&d, &conf, &e), -1);
    assert_non_null(strstr(e.msg, "data.std[0] is 0"));
}

static void an_unknown_data_set_is_named_with_the_nearest(void **state)
{
    (void)state;
    refused("cifar1O", EXIT_CONFIG, "\"cifar1O\"", "did you mean \"cifar10\"");
}

static int setup(void **state)
{
    (void)state;
    return temp_dir(dir, sizeof dir);
}

static int teardown(void **state)
{
    (void)state;
    return dir_remove(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whole_files_are_read, fresh),
        cmocka_unit_test_setup(the_archives_own_folder_is_found, fresh),
        cmocka_unit_test_setup(the_default_folder_is_under_xdg_data_home, fresh),
        cmocka_unit_test_setup(missing_files_are_named, fresh),
        cmocka_unit_test_setup(partial_records_are_named_with_their_offset, fresh),
        cmocka_unit_test_setup(empty_files_are_refused, fresh),
        cmocka_unit_test_setup(labels_out_of_range_are_named_with_their_place, fresh),
        cmocka_unit_test_setup(files_of_the_other_kind_are_recognised, fresh),
        cmocka_unit_test_setup(a_folder_in_place_of_a_file_is_refused, fresh),
        cmocka_unit_test_setup(a_file_in_place_of_the_folder_is_missing_input, fresh),
        cmocka_unit_test_setup(the_fingerprint_follows_the_content, fresh),
        cmocka_unit_test_setup(constants_of_the_recipe_win, fresh),
        cmocka_unit_test_setup(an_unknown_data_set_is_named_with_the_nearest, fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
