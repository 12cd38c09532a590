/* The loader: batches depend on seed, epoch and position alone; errors, seeking, shutdown. */
#include "base/rng.h"
#include "data/loader.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { SIDE = 8, VALUES = 3 * SIDE * SIDE, IMAGES = 103 };

/* A small data set that can be told to fail. */
static int pattern_read(const struct dataset *d, enum data_part part, int64_t index, uint8_t *image,
                        struct err *e)
{
    const int64_t *bad = d->impl;
    if (bad && index == *bad)
        return err_set(e, EXIT_DATA, "image %d of part %d is damaged", (int)index, (int)part);
    for (int i = 0; i < VALUES; i++)
        image[i] = (uint8_t)(index * 31 + i * 7 + part);
    return 0;
}

static const struct dataset_class pattern_dataset = {.name = "pattern", .read = pattern_read};

static const struct augment_conf simaugment = {.policy = "simaugment",
                                               .crop_min = .2,
                                               .crop_max = 1,
                                               .flip = .5,
                                               .jitter = .5,
                                               .jitter_p = .8,
                                               .grayscale = .2};

/* One data set, its training part as a split, and options over them. */
struct fixture {
    struct dataset data;
    struct split split;
    struct loader_options options;
    int32_t labels[IMAGES + 20];
};

static struct fixture *fixture(void **state)
{
    return *state;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    for (int i = 0; i < IMAGES + 20; i++)
        f->labels[i] = i % 10;
    f->data = (struct dataset){.class = &pattern_dataset,
                               .channels = 3,
                               .height = SIDE,
                               .width = SIDE,
                               .from_height = SIDE,
                               .from_width = SIDE,
                               .labels = f->labels,
                               .n_classes = 10,
                               .n = {IMAGES, 20},
                               .mean = {.5, .5, .5},
                               .std = {.25, .25, .25}};
    if (split_part(&f->data, PART_TRAIN, &f->split, NULL))
        return -1;
    f->options = (struct loader_options){.data = &f->data,
                                         .split = &f->split,
                                         .augment = &simaugment,
                                         .batch = 8,
                                         .views = 2,
                                         .shuffle = true,
                                         .seed = 11,
                                         .threads = 2,
                                         .prefetch = 2};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    split_free(&f->split);
    free(f);
    return 0;
}

static struct loader *open_loader(const struct loader_options *o)
{
    struct loader *l;
    struct err e = {0};
    if (loader_open(&l, o, &e))
        fail_msg("%s", e.msg);
    return l;
}

static struct batch *next(struct loader *l)
{
    struct batch *b;
    struct err e = {0};
    if (loader_next(l, &b, &e))
        fail_msg("%s", e.msg);
    return b;
}

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t hash_batch(uint64_t h, const struct loader_options *o, const struct batch *b)
{
    h = hash_bytes(h, &b->n, sizeof b->n);
    h = hash_bytes(h, &b->epoch, sizeof b->epoch);
    h = hash_bytes(h, &b->first, sizeof b->first);
    h = hash_bytes(h, b->images, sizeof(float) * VALUES * (size_t)(o->batch * o->views));
    h = hash_bytes(h, b->labels, sizeof *b->labels * (size_t)o->batch);
    return hash_bytes(h, b->samples, sizeof *b->samples * (size_t)o->batch);
}

/* Of `n` batches from the present position on. */
static uint64_t hash_next(struct loader *l, const struct loader_options *o, int n)
{
    uint64_t h = 1;
    for (int i = 0; i < n; i++) {
        struct batch *b = next(l);
        h = hash_batch(h, o, b);
        loader_release(l, b);
    }
    return h;
}

static void batches_do_not_depend_on_threads_or_prefetch(void **state)
{
    static const int threads[] = {1, 2, 3, 8}, prefetch[] = {1, 4};
    struct loader_options o = fixture(state)->options;
    uint64_t want = 0;
    for (int t = 0; t < 4; t++)
        for (int p = 0; p < 2; p++) {
            o.threads = threads[t];
            o.prefetch = prefetch[p];
            struct loader *l = open_loader(&o);
            uint64_t got = hash_next(l, &o, 60); /* five epochs of 12 */
            loader_close(l);
            if (t == 0 && p == 0)
                want = got;
            assert_true(got == want);
        }
}

static void seeking_gives_what_running_on_gives(void **state)
{
    struct loader_options o = fixture(state)->options;
    struct loader *l = open_loader(&o);
    enum { TOTAL = 40 };
    uint64_t each[TOTAL];
    int64_t batches = loader_batches(l);
    for (int i = 0; i < TOTAL; i++)
        each[i] = hash_next(l, &o, 1);
    static const int to[] = {0, 39, 7, 12, 11, 13, 24, 1, 38, 37};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        assert_int_equal(loader_seek(l, to[i] / batches, to[i] % batches, NULL), 0);
        assert_true(hash_next(l, &o, 1) == each[to[i]]);
        if (to[i] + 1 < TOTAL)
            assert_true(hash_next(l, &o, 1) == each[to[i] + 1]);
    }
    assert_int_equal(loader_seek(l, 1, batches, NULL), 0); /* the end of an epoch */
    assert_true(hash_next(l, &o, 1) == each[2 * batches]);
    loader_close(l);
    l = open_loader(&o); /* at once after opening */
    assert_int_equal(loader_seek(l, 2, 3, NULL), 0);
    assert_true(hash_next(l, &o, 1) == each[2 * batches + 3]);
    loader_close(l);
}

static int slow_read(const struct dataset *d, enum data_part part, int64_t index, uint8_t *image,
                     struct err *e)
{
    usleep(1000);
    return pattern_read(d, part, index, image, e);
}

/* Each seek finds all workers at work on batches that nobody wants; a lost slot is missed. */
static void seeking_while_workers_are_busy_loses_no_slot(void **state)
{
    static const struct dataset_class slow = {.name = "slow", .read = slow_read};
    struct fixture *f = fixture(state);
    f->data.class = &slow;
    f->options.threads = 3; /* as many as there are slots */
    f->options.prefetch = 1;
    struct loader *l = open_loader(&f->options);
    alarm(30); /* ends the test if it waits */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(loader_seek(l, 5, i, NULL), 0);
        usleep(4000); /* half of a batch */
        assert_int_equal(loader_seek(l, 0, i, NULL), 0);
        struct batch *b = next(l);
        assert_int_equal(b->first, i * 8);
        loader_release(l, b);
    }
    alarm(0);
    loader_close(l);
}

static void seeking_outside_is_refused(void **state)
{
    struct loader *l = open_loader(&fixture(state)->options);
    static const int64_t bad[][2] = {{-1, 0}, {0, -1}, {0, 13}, {INT64_C(1) << 40, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        assert_int_equal(loader_seek(l, bad[i][0], bad[i][1], &e), -1);
        assert_int_equal(e.code, EXIT_DATA);
    }
    loader_close(l);
}

/* Counts how often each sample comes in one epoch. */
static void count_epoch(struct loader *l, int *count, int64_t epoch)
{
    memset(count, 0, IMAGES * sizeof *count);
    for (int64_t i = 0; i < loader_batches(l); i++) {
        struct batch *b = next(l);
        assert_int_equal(b->epoch, epoch);
        assert_int_equal(b->first, i * 8);
        for (int k = 0; k < b->n; k++) {
            count[b->samples[k]]++;
            assert_int_equal(b->labels[k], b->samples[k] % 10);
        }
        loader_release(l, b);
    }
}

static void an_epoch_has_no_sample_twice(void **state)
{
    struct loader *l = open_loader(&fixture(state)->options);
    int count[IMAGES], missing[2][IMAGES];
    for (int epoch = 0; epoch < 2; epoch++) {
        int sum = 0;
        count_epoch(l, count, epoch);
        for (int i = 0; i < IMAGES; i++) {
            assert_true(count[i] <= 1);
            sum += count[i];
            missing[epoch][i] = !count[i];
        }
        assert_int_equal(sum, IMAGES / 8 * 8);
    }
    assert_memory_not_equal(missing[0], missing[1], sizeof missing[0]); /* another seven */
    loader_close(l);
}

static void a_partial_batch_is_kept_when_asked(void **state)
{
    struct loader_options o = fixture(state)->options;
    int count[IMAGES];
    o.keep_partial = true;
    struct loader *l = open_loader(&o);
    assert_int_equal(loader_batches(l), 13);
    count_epoch(l, count, 0);
    for (int i = 0; i < IMAGES; i++)
        assert_int_equal(count[i], 1);
    assert_int_equal(loader_seek(l, 0, 12, NULL), 0);
    struct batch *b = next(l);
    assert_int_equal(b->n, IMAGES % 8);
    for (int v = 0; v < 2; v++)
        for (int k = b->n; k < 8; k++)
            for (int i = 0; i < VALUES; i++)
                assert_true(b->images[((size_t)v * 8 + k) * VALUES + i] == 0);
    assert_int_equal(b->labels[7], 0);
    loader_release(l, b);
    loader_close(l);
}

static void a_small_set_fits_into_one_partial_batch(void **state)
{
    struct loader_options o = fixture(state)->options;
    o.keep_partial = true;
    o.batch = 200;
    struct loader *l = open_loader(&o);
    struct batch *b = next(l);
    assert_int_equal(loader_batches(l), 1);
    assert_int_equal(b->n, IMAGES);
    loader_release(l, b);
    loader_close(l);
}

static void the_order_follows_seed_and_epoch(void **state)
{
    struct loader_options o = fixture(state)->options;
    o.augment = NULL;
    int64_t order[3][8], sequential[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct loader *l = open_loader(&o);
    memcpy(order[0], next(l)->samples, sizeof order[0]);
    assert_int_equal(loader_seek(l, 1, 0, NULL), 0);
    memcpy(order[1], next(l)->samples, sizeof order[1]);
    loader_close(l);
    o.seed++;
    l = open_loader(&o);
    memcpy(order[2], next(l)->samples, sizeof order[2]);
    loader_close(l);
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    assert_memory_not_equal(order[0], order[2], sizeof order[0]);
    o.shuffle = false;
    l = open_loader(&o);
    assert_memory_equal(next(l)->samples, sequential, sizeof sequential);
    loader_close(l);
}

/* Row v * batch + n is view v of sample n. */
static void rows_are_view_major(void **state)
{
    struct loader_options o = fixture(state)->options;
    uint8_t image[VALUES];
    o.augment = NULL;
    o.views = 3;
    struct loader *l = open_loader(&o);
    struct batch *b = next(l);
    for (int row = 0; row < 3 * 8; row++) {
        pattern_read(&fixture(state)->data, PART_TRAIN, b->samples[row % 8], image, NULL);
        for (int i = 0; i < VALUES; i++)
            assert_float_equal(b->images[row * VALUES + i], (image[i] / 255. - .5) / .25, 1e-5);
    }
    loader_close(l);
}

static void views_differ_and_so_do_epochs(void **state)
{
    struct loader_options o = fixture(state)->options;
    o.shuffle = false;
    struct loader *l = open_loader(&o);
    size_t view = 8 * VALUES, bytes = view * sizeof(float);
    float *first = malloc(bytes);
    struct batch *b = next(l);
    memcpy(first, b->images, bytes);
    assert_memory_not_equal(first, b->images + view, bytes);
    loader_release(l, b);
    assert_int_equal(loader_seek(l, 1, 0, NULL), 0);
    b = next(l);
    assert_memory_not_equal(first, b->images, bytes);
    loader_release(l, b);
    free(first);
    loader_close(l);
}

static void a_damaged_image_is_reported_at_its_place(void **state)
{
    struct fixture *f = fixture(state);
    int64_t bad = 37;
    f->data.impl = &bad;
    f->options.shuffle = false;
    for (f->options.threads = 1; f->options.threads <= 4; f->options.threads++) {
        struct loader *l = open_loader(&f->options);
        struct batch *b;
        hash_next(l, &f->options, 4); /* samples 0..31 come as if nothing were wrong */
        for (int again = 0; again < 2; again++) {
            struct err e = {0};
            assert_int_equal(loader_next(l, &b, &e), -1);
            assert_int_equal(e.code, EXIT_DATA);
            assert_string_equal(e.msg, "image 37 of part 0 is damaged");
        }
        assert_int_equal(loader_seek(l, 0, 5, NULL), 0);
        hash_next(l, &f->options, 3);
        loader_close(l);
    }
}

static void two_batches_can_be_held_in_any_order(void **state)
{
    struct loader_options o = fixture(state)->options;
    uint64_t want[20];
    o.prefetch = 1;
    struct loader *l = open_loader(&o);
    for (int i = 0; i < 20; i++)
        want[i] = hash_next(l, &o, 1);
    assert_int_equal(loader_seek(l, 0, 0, NULL), 0);
    struct batch *kept = next(l), *third;
    for (int i = 1; i < 20; i++) {
        struct batch *b = next(l);
        struct err e = {0};
        assert_int_equal(loader_next(l, &third, &e), -1);
        assert_int_equal(e.code, EXIT_SOFTWARE);
        assert_true(hash_batch(1, &o, b) == want[i]);
        loader_release(l, b);
    }
    assert_true(hash_batch(1, &o, kept) == want[0]); /* untouched all the while */
    loader_release(l, kept);
    loader_close(l);
}

static void what_cannot_be_is_refused(void **state)
{
    struct loader_options o = fixture(state)->options;
    static const struct {
        int batch, views;
        const char *policy, *word, *other;
    } cases[] = {
        {104, 2, "none", "104", "103"},
        {104, 2, "none", "train.batch_size", "data.valid_fraction"},
        {0, 2, "none", "train.batch_size", "0"},
        {8, 0, "none", "augment.views", "0"},
        {8, 2, "nine", "augment.policy", "did you mean \"none\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct augment_conf augment = simaugment;
        struct loader *l;
        struct err e = {0};
        strcpy(augment.policy, cases[i].policy);
        o.augment = &augment;
        o.batch = cases[i].batch;
        o.views = cases[i].views;
        assert_int_equal(loader_open(&l, &o, &e), -1);
        assert_null(l);
        assert_int_equal(e.code, EXIT_CONFIG);
        assert_non_null(strstr(e.msg, cases[i].word));
        assert_non_null(strstr(e.msg, cases[i].other));
    }
}

static void an_empty_split_is_refused(void **state)
{
    struct loader_options o = fixture(state)->options;
    struct split empty = {.part = PART_TRAIN};
    struct loader *l;
    struct err e = {0};
    o.split = &empty;
    o.keep_partial = true;
    assert_int_equal(loader_open(&l, &o, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
}

static void closing_is_safe_at_any_time(void **state)
{
    struct loader_options o = fixture(state)->options;
    for (int i = 0; i < 60; i++) {
        o.threads = 1 + i % 4;
        struct loader *l = open_loader(&o);
        for (int k = 0; k < i % 3; k++)
            next(l); /* held while it is closed */
        if (i % 2)
            assert_int_equal(loader_seek(l, i, 1, NULL), 0);
        loader_close(l);
    }
    loader_close(NULL);
}

static pthread_t signalled;

static void note_thread(int number)
{
    (void)number;
    signalled = pthread_self();
}

/* Blocked here and sent to the process, a signal would go to a worker that did not block it. */
static void workers_take_no_signals(void **state)
{
    struct loader *l = open_loader(&fixture(state)->options);
    struct sigaction act = {.sa_handler = note_thread}, old;
    sigset_t mask, before;
    sigaction(SIGUSR1, &act, &old);
    hash_next(l, &fixture(state)->options, 3);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    signalled = 0;
    kill(getpid(), SIGUSR1);
    hash_next(l, &fixture(state)->options, 20);
    assert_true(signalled == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_true(pthread_equal(signalled, pthread_self()));
    sigaction(SIGUSR1, &old, NULL);
    loader_close(l);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(batches_do_not_depend_on_threads_or_prefetch),
        TEST(seeking_gives_what_running_on_gives),
        TEST(seeking_while_workers_are_busy_loses_no_slot),
        TEST(seeking_outside_is_refused),
        TEST(an_epoch_has_no_sample_twice),
        TEST(a_partial_batch_is_kept_when_asked),
        TEST(a_small_set_fits_into_one_partial_batch),
        TEST(the_order_follows_seed_and_epoch),
        TEST(rows_are_view_major),
        TEST(views_differ_and_so_do_epochs),
        TEST(a_damaged_image_is_reported_at_its_place),
        TEST(two_batches_can_be_held_in_any_order),
        TEST(what_cannot_be_is_refused),
        TEST(an_empty_split_is_refused),
        TEST(closing_is_safe_at_any_time),
        TEST(workers_take_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
