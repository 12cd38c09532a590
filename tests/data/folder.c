/* The folder data set: what is listed, what is refused, what the index remembers, and that images
 * in memory and images decoded as needed are the same. */
#include "base/file.h"
#include "data/loader.h"
#include "tests/data/folder_files.h"
#include "tests/unit/temp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { SIDE = 8, BYTES = 3 * SIDE * SIDE };

static char dir[512], root[PATH_BYTES], path[PATH_BYTES];

/* NAME below the root, with its folders made. */
static const char *at(const char *name)
{
    char folder[PATH_BYTES];
    assert_int_equal(path_join(path, root, name, NULL), 0);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(dir_make(folder, NULL), 0);
    return path;
}

static void put(const char *name, uint8_t value)
{
    put_png(at(name),
            &(struct picture){SIDE, SIDE, 3, .stripes = 1, .value = {value, value, value}});
}

/* Three classes; five training and two test images, first values 10, 11, ... */
static int make_folder(void **state)
{
    (void)state;
    if (temp_dir(dir, sizeof dir) || path_join(root, dir, "set", NULL) ||
        setenv("XDG_CACHE_HOME", dir, 1))
        return -1;
    put("train/cat/b.png", 11);
    put("train/cat/a.PNG", 10);
    put("train/cat/more/c.png", 12);
    put("train/cat-2/x.png", 13);
    put("train/Dog/y.png", 14);
    put("test/cat/t.png", 20);
    put("test/Dog/u.png", 21);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(dir, NULL);
}

static struct data_conf conf_of(const char *bad_images, int64_t memory)
{
    struct data_conf conf = {.name = "folder", .memory = memory};
    snprintf(conf.path, sizeof conf.path, "%s", root);
    snprintf(conf.bad_images, sizeof conf.bad_images, "%s", bad_images);
    return conf;
}

static struct dataset open_with(const struct data_conf *conf)
{
    struct dataset d;
    struct err e = {0};
    if (dataset_open(&d, conf, &e))
        fail_msg("%s", e.msg);
    return d;
}

static void refuse(const struct data_conf *conf, int code, const char *said, const char *name)
{
    struct dataset d;
    struct err e = {0};
    assert_int_equal(dataset_open(&d, conf, &e), -1);
    if (e.code != code || !strstr(e.msg, said) || !strstr(e.msg, name))
        fail_msg("%d: %s", e.code, e.msg);
}

/* First value of an image; -1: reading failed. */
static int first_value(const struct dataset *d, enum data_part part, int64_t i, struct err *e)
{
    uint8_t image[BYTES];
    int32_t label;
    assert_int_equal(dataset_image_bytes(d), BYTES);
    return dataset_read(d, part, i, image, &label, e) ? -1 : image[0];
}

static void images_are_listed_by_class_and_path(void **state)
{
    (void)state;
    static const int value[] = {14, 10, 11, 12, 13}, label[] = {0, 1, 1, 1, 2};
    put_file(at("train/cat/notes.txt"), "x", 1);
    put_file(at("train/cat/.hidden.png"), "x", 1);
    put_file(at("train/.cache/z.png"), "x", 1);
    assert_int_equal(mkfifo(at("train/cat/pipe.png"), 0600), 0); /* would be waited for for ever */
    const struct data_conf conf = conf_of("error", 0);
    struct dataset d = open_with(&conf);
    assert_int_equal(d.n[PART_TRAIN], 5);
    assert_int_equal(d.n[PART_TEST], 2);
    assert_int_equal(d.n_classes, 3);
    assert_int_equal(d.height, SIDE);
    assert_int_equal(d.from_width, SIDE);
    assert_string_equal(d.class_names[0], "Dog");
    assert_string_equal(d.class_names[1], "cat");
    assert_string_equal(d.class_names[2], "cat-2");
    assert_non_null(d.images);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(first_value(&d, PART_TRAIN, i, NULL), value[i]);
        assert_int_equal(d.labels[i], label[i]);
        assert_int_equal(d.images[i * BYTES], value[i]);
    }
    assert_int_equal(first_value(&d, PART_TEST, 0, NULL), 21);
    assert_int_equal(first_value(&d, PART_TEST, 1, NULL), 20);
    dataset_close(&d);
}

static void more(const char *name, int n)
{
    char file[64];
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof file, "train/%s/%03d.png", name, i);
        put_png(at(file), &(struct picture){100, 120, 3, .stripes = 1, .value = {(uint8_t)i}});
    }
}

/* data.memory of 1 MiB holds less than the images need. */
static void images_in_memory_and_on_demand_are_the_same(void **state)
{
    (void)state;
    struct data_conf conf = conf_of("error", 1000);
    struct err e = {0};
    more("cat", 40);
    conf.size = 64;
    conf.resize = 100;
    struct dataset kept = open_with(&conf);
    conf.memory = 1;
    struct dataset read = open_with(&conf);
    assert_non_null(kept.images);
    assert_null(read.images);
    assert_string_equal(kept.fingerprint, read.fingerprint);
    assert_int_equal(kept.from_height, 100);
    assert_int_equal(kept.height, 64);
    struct split split;
    assert_int_equal(split_part(&kept, PART_TRAIN, &split, NULL), 0);
    struct loader *a, *b;
    struct loader_options o = {
        .data = &kept, .split = &split, .batch = 5, .views = 1, .threads = 2};
    assert_int_equal(loader_open(&a, &o, NULL), 0);
    o.data = &read;
    assert_int_equal(loader_open(&b, &o, NULL), 0);
    for (int i = 0; i < 9; i++) {
        struct batch *x, *y;
        if (loader_next(a, &x, &e) || loader_next(b, &y, &e))
            fail_msg("%s", e.msg);
        assert_memory_equal(x->images, y->images, sizeof(float) * 5 * 3 * 64 * 64);
        assert_memory_equal(x->labels, y->labels, sizeof(int32_t) * 5);
        loader_release(a, x);
        loader_release(b, y);
    }
    loader_close(a);
    loader_close(b);
    split_free(&split);
    dataset_close(&kept);
    dataset_close(&read);
}

static void sizes_are_asked_for_where_images_differ(void **state)
{
    (void)state;
    struct data_conf conf = conf_of("error", 0);
    more("cat", 1);
    refuse(&conf, EXIT_CONFIG, "the images have no common size", "data.size");
    conf.size = 112;
    struct dataset d = open_with(&conf);
    assert_int_equal(d.height, 112);
    assert_int_equal(d.from_height, 128); /* 8/7 */
    dataset_close(&d);
    conf.resize = 111;
    refuse(&conf, EXIT_CONFIG, "at least as large as views", "data.resize");
    conf.resize = 224;
    refuse(&conf, EXIT_CONFIG, "less than twice as large", "data.resize");
}

static void folders_of_another_shape_are_refused(void **state)
{
    (void)state;
    struct data_conf conf = conf_of("error", 0);
    assert_int_equal(dir_make(at("train/empty/in"), NULL), 0);
    assert_int_equal(dir_make(at("train/empty/in/none"), NULL), 0);
    refuse(&conf, EXIT_DATA, "a class without images", "train/empty");
    assert_int_equal(dir_remove(at("train/empty"), NULL), 0);
    put("test/bird/b.png", 1);
    refuse(&conf, EXIT_DATA, "a class that is not among the 3", "test/bird");
    assert_int_equal(dir_remove(at("train"), NULL), 0);
    refuse(&conf, EXIT_NOINPUT, "there is no folder train in it", root);
    assert_int_equal(dir_make(at("train"), NULL), 0);
    refuse(&conf, EXIT_DATA, "no folders of classes", "train");
    assert_int_equal(dir_remove(root, NULL), 0);
    refuse(&conf, EXIT_NOINPUT, "there is no such folder", root);
}

static void a_folder_without_test_has_no_test_images(void **state)
{
    (void)state;
    const struct data_conf conf = conf_of("error", 0);
    struct split split, valid;
    assert_int_equal(dir_remove(at("test"), NULL), 0);
    struct dataset d = open_with(&conf);
    assert_int_equal(d.n[PART_TEST], 0);
    assert_int_equal(split_make(&d, .4, 1, &split, &valid, NULL), 0);
    assert_int_equal(valid.n, 2);
    split_free(&split);
    split_free(&valid);
    dataset_close(&d);
}

static void bad_images_end_it_or_are_left_out(void **state)
{
    (void)state;
    put_file(at("train/cat/b.png"), "", 0);
    struct data_conf conf = conf_of("error", 0);
    refuse(&conf, EXIT_DATA, "the file is empty", "train/cat/b.png");
    for (int again = 0; again < 3; again++) { /* found, then known from the index */
        conf = conf_of("skip", 0);
        struct dataset d = open_with(&conf);
        assert_int_equal(d.n[PART_TRAIN], 4);
        assert_int_equal(d.n[PART_TEST], 2);
        assert_int_equal(first_value(&d, PART_TRAIN, 2, NULL), 12);
        assert_int_equal(first_value(&d, PART_TEST, 1, NULL), 20);
        assert_int_equal(d.labels[3], 2);
        dataset_close(&d);
    }
    conf = conf_of("error", 0); /* known to be bad, but asked again */
    refuse(&conf, EXIT_DATA, "the file is empty", "train/cat/b.png");
    conf = conf_of("skip", 0);
    put_file(at("train/Dog/y.png"), "no", 2);
    refuse(&conf, EXIT_DATA, "no image of this class can be decoded", "train/Dog");
}

/* The header is right: only decoding shows it. */
static void an_image_cut_short_is_found_by_decoding(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = get_file(at("train/cat/b.png"), &n);
    put_file(path, bytes, n - 30);
    free(bytes);
    struct data_conf conf = conf_of("error", 0);
    refuse(&conf, EXIT_DATA, "a damaged PNG image", "train/cat/b.png");
    conf = conf_of("skip", 0);
    more("cat", 40);
    conf.size = 100;
    for (conf.memory = 1000; conf.memory > 0; conf.memory -= 999) {
        struct dataset d = open_with(&conf);
        assert_true((d.images != NULL) == (conf.memory == 1000));
        assert_int_equal(d.n[PART_TRAIN], 44);
        dataset_close(&d);
    }
}

static void set_times(const char *file, const struct stat *st)
{
    assert_int_equal(utimensat(AT_FDCWD, file, (struct timespec[]){st->st_atim, st->st_mtim}, 0),
                     0);
}

/* A file that is no image any more, with size and time as before: the index says it is one. */
static void the_index_is_believed_until_a_file_changes(void **state)
{
    (void)state;
    static char junk[1 << 16];
    struct data_conf conf = conf_of("error", 1);
    struct stat st;
    more("cat", 40);
    conf.size = 100;
    struct dataset d = open_with(&conf);
    char before[sizeof d.fingerprint];
    memcpy(before, d.fingerprint, sizeof before);
    dataset_close(&d);
    assert_int_equal(stat(at("train/cat/007.png"), &st), 0);
    put_file(path, junk, (size_t)st.st_size);
    set_times(path, &st);
    d = open_with(&conf);
    assert_string_equal(d.fingerprint, before);
    struct err e = {0};
    uint8_t *image = malloc(dataset_image_bytes(&d));
    int32_t label;
    for (int64_t i = 0; e.code == 0 && i < d.n[PART_TRAIN]; i++)
        dataset_read(&d, PART_TRAIN, i, image, &label, &e);
    assert_int_equal(e.code, EXIT_DATA); /* said when it is needed */
    assert_non_null(strstr(e.msg, "train/cat/007.png"));
    free(image);
    dataset_close(&d);
    st.st_mtim.tv_sec++;
    set_times(path, &st);
    refuse(&conf, EXIT_DATA, "begins with bytes 00 00 00 00", "train/cat/007.png");
    assert_int_equal(unlink(path), 0);
    d = open_with(&conf);
    assert_int_equal(d.n[PART_TRAIN], 44);
    assert_string_not_equal(d.fingerprint, before);
    dataset_close(&d);
}

static const char *index_file(void)
{
    static char file[PATH_BYTES];
    char command[2 * PATH_BYTES];
    snprintf(command, sizeof command, "ls '%s'/supcon/folders/*.index", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(file, sizeof file, f));
    pclose(f);
    file[strcspn(file, "\n")] = '\0';
    return file;
}

static void a_damaged_index_is_made_again(void **state)
{
    (void)state;
    const struct data_conf conf = conf_of("error", 0);
    struct dataset d = open_with(&conf);
    char before[sizeof d.fingerprint];
    memcpy(before, d.fingerprint, sizeof before);
    dataset_close(&d);
    size_t n, m;
    const char *file = index_file();
    uint8_t *whole = get_file(file, &n);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *bytes = malloc(n);
        memcpy(bytes, whole, n);
        bytes[cut] ^= 0x15; /* digits to others, blanks and ends of line to neither */
        put_file(file, bytes, cut % 2 ? cut : n);
        d = open_with(&conf); /* whatever it says, images are decoded */
        assert_int_equal(first_value(&d, PART_TRAIN, 0, NULL), 14);
        dataset_close(&d);
        if (cut % 2) { /* cut short: not believed, made again */
            uint8_t *again = get_file(file, &m);
            assert_int_equal(m, n);
            assert_memory_equal(again, whole, n);
            free(again);
        }
        free(bytes);
    }
    put_file(file, whole, n);
    d = open_with(&conf);
    assert_string_equal(d.fingerprint, before);
    dataset_close(&d);
    free(whole);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(images_are_listed_by_class_and_path),
        FOLDER_TEST(images_in_memory_and_on_demand_are_the_same),
        FOLDER_TEST(sizes_are_asked_for_where_images_differ),
        FOLDER_TEST(folders_of_another_shape_are_refused),
        FOLDER_TEST(a_folder_without_test_has_no_test_images),
        FOLDER_TEST(bad_images_end_it_or_are_left_out),
        FOLDER_TEST(an_image_cut_short_is_found_by_decoding),
        FOLDER_TEST(the_index_is_believed_until_a_file_changes),
        FOLDER_TEST(a_damaged_index_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
