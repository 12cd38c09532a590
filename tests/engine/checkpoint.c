/* Checkpoints: bit-exact round trips, damage of every kind, pruning, full disks. */
#include "base/log.h"
#include "engine/checkpoint_part.h"
#include "engine/crc32c.h"
#include "small_net.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char dir[PATH_BYTES];
    struct small_net s;
    int sink, warnings;
    char last[1200], before[1200]; /* lines of the log */
};

static void listen(void *ctx, enum log_level level, const char *line)
{
    struct place *p = ctx;
    p->warnings += level != LOG_INFO;
    memcpy(p->before, p->last, sizeof p->before);
    snprintf(p->last, sizeof p->last, "%s", line);
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    struct err e = {0};
    snprintf(p->dir, sizeof p->dir, "%s/checkpoint-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    p->sink = log_add(listen, p);
    *state = p;
    return mkdtemp(p->dir) && small_net_init(&p->s, 6, &e) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct err e;
    int r = dir_remove(p->dir, &e);
    small_net_done(&p->s);
    log_remove(p->sink);
    free(p);
    return r;
}

static struct checkpoint_saved save(struct place *p, int64_t step, int keep)
{
    struct checkpoint_saved saved;
    struct err e = {0};
    if (small_net_save(&p->s, p->dir, step, keep, &saved, &e) < 0)
        fail_msg("%s", e.msg);
    return saved;
}

static struct checkpoint_saved save_state(struct place *p, const struct checkpoint_state *state,
                                          int keep)
{
    struct checkpoint_saved saved;
    struct err e = {0};
    struct checkpoint_source source = {
        .dir = p->dir, .net = &p->s.net, .settings = &p->s.settings, .state = state, .keep = keep};
    small_net_fill(&p->s, state->step);
    if (checkpoint_save(&source, &saved, &e) < 0)
        fail_msg("%s", e.msg);
    return saved;
}

static int entries(const char *dir, const char *part)
{
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d));)
        n += strstr(entry->d_name, part) != NULL;
    closedir(d);
    return n;
}

static int64_t latest(struct place *p, struct err *e)
{
    char path[PATH_BYTES];
    struct checkpoint_state state;
    *e = (struct err){0};
    if (checkpoint_latest(p->dir, path, e) < 0 || checkpoint_read(path, &state, NULL, NULL, e) < 0)
        return -1;
    return state.step;
}

static void crc32c_has_its_check_values(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0}, ones[32], count[32];
    memset(ones, 0xFF, sizeof ones);
    for (int i = 0; i < 32; i++)
        count[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(0, count, 32), 0x46dd794e);
    assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
}

static void everything_comes_back_bit_for_bit(void **state)
{
    struct place *p = *state;
    struct checkpoint_saved saved = save(p, 7, 3);
    struct err e = {0};
    struct small_net other;
    assert_true(small_net_equals(&p->s, 7)); /* saving changed nothing */
    assert_int_equal(small_net_init(&other, 6, &e), 0);
    assert_int_equal(checkpoint_restore(saved.path, &other.net, &e), 0);
    assert_true(small_net_equals(&other, 7));
    assert_false(small_net_equals(&other, 8));
    assert_true(other.net.live[GROUP_PROJECTION]);
    assert_false(other.net.live[GROUP_FC]);
    small_net_done(&other);
}

static void the_state_comes_back(void **state)
{
    struct place *p = *state;
    struct checkpoint_state a = small_net_state(123456789), b;
    struct err e = {0};
    struct settings *settings = calloc(1, sizeof *settings);
    a.valid_top1 = 87.25;
    a.valid_loss = 0.1;
    a.n_switches = 2;
    a.switches[1].step = 99;
    snprintf(a.switches[1].from, 32, "supcon");
    snprintf(a.switches[1].to, 32, "cross-entropy");
    p->s.settings.objective.temperature = 0.12345678901234567;
    struct checkpoint_saved saved = save_state(p, &a, 3);
    assert_non_null(strstr(saved.path, "step-123456789"));
    assert_int_equal(checkpoint_read(saved.path, &b, settings, NULL, &e), 0);
    assert_int_equal(b.step, a.step);
    assert_int_equal(b.epoch, a.epoch);
    assert_int_equal(b.position, a.position);
    assert_int_equal(b.seed, 42);
    assert_int_equal(b.metrics_bytes, a.metrics_bytes);
    assert_true(b.valid_top1 == 87.25 && b.valid_loss == 0.1 && isnan(b.valid_top5));
    assert_int_equal(b.n_switches, 2);
    assert_int_equal(b.switches[1].step, 99);
    assert_string_equal(b.switches[1].to, "cross-entropy");
    assert_string_equal(b.data, "shapes 1234");
    assert_true(settings->objective.temperature == 0.12345678901234567);
    free(settings);
}

static void weights_have_no_metadata(void **state)
{
    struct place *p = *state;
    struct checkpoint_saved saved = save(p, 1, 3);
    struct st_file f;
    struct err e = {0};
    char path[PATH_BYTES];
    path_join(path, saved.path, CHECKPOINT_MODEL, &e);
    assert_int_equal(st_open(&f, path, &e), 0);
    assert_null(f.metadata);
    assert_non_null(st_find(&f, "conv1.weight"));
    assert_non_null(st_find(&f, "bn1.num_batches_tracked"));
    assert_non_null(st_find(&f, "projection.0.bias"));
    assert_null(st_find(&f, "probe.weight"));
    assert_null(st_find(&f, "fc.weight"));
    st_close(&f);
}

static void the_newest_are_kept_and_the_best(void **state)
{
    struct place *p = *state;
    for (int64_t step = 1; step <= 6; step++) {
        struct checkpoint_state s = small_net_state(step);
        s.valid_top1 = step == 2 ? 90 : (double)(50 + step);
        struct checkpoint_saved saved = save_state(p, &s, 2);
        assert_int_equal(saved.best, step <= 2);
        if (step == 6) {
            assert_int_equal(saved.n_pruned, 1);
            assert_int_equal(saved.pruned[0], 4);
        }
    }
    int64_t *steps;
    int n;
    struct err e = {0};
    assert_int_equal(checkpoint_list(p->dir, &steps, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_int_equal(steps[0], 2);
    assert_int_equal(steps[1], 5);
    assert_int_equal(steps[2], 6);
    free(steps);
    assert_int_equal(checkpoint_best(p->dir), 2);
    assert_int_equal(entries(p->dir, "."), 2); /* "." and "..": no temporary name is left */
}

static void saving_a_step_again_is_nothing_new(void **state)
{
    struct place *p = *state;
    struct stat a, b;
    struct checkpoint_saved first = save(p, 3, 3);
    stat(first.path, &a);
    struct checkpoint_saved again = save(p, 3, 3);
    stat(first.path, &b);
    assert_true(a.st_ino == b.st_ino);
    assert_int_equal(again.bytes, first.bytes);
    assert_int_equal(entries(p->dir, "step-"), 1);
}

static void a_step_is_replaced_when_its_state_changed(void **state)
{
    struct place *p = *state;
    struct checkpoint_state s = small_net_state(3), back;
    struct err e = {0};
    save(p, 3, 3);
    snprintf(s.objective, sizeof s.objective, "cross-entropy");
    s.n_switches = 1;
    struct checkpoint_saved saved = save_state(p, &s, 3);
    assert_int_equal(checkpoint_read(saved.path, &back, NULL, NULL, &e), 0);
    assert_string_equal(back.objective, "cross-entropy");
    assert_int_equal(entries(p->dir, "step-"), 1);
}

static void change_byte(const char *path, int64_t at, unsigned char mask)
{
    unsigned char c;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= mask;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static const char *const all_files[] = {CHECKPOINT_MODEL, CHECKPOINT_TRAIN, CHECKPOINT_MANIFEST};

/* The older one is used, the damaged one named and set aside; then everything is put back. */
static void expect_fallback(struct place *p, const char *file)
{
    char damaged[PATH_BYTES], aside[PATH_BYTES + 16];
    struct err e;
    checkpoint_path(p->dir, 10, damaged, &e);
    snprintf(aside, sizeof aside, "%s.corrupt", damaged);
    assert_int_equal(latest(p, &e), 5);
    assert_non_null(strstr(p->before, file));
    assert_non_null(strstr(p->before, "offset "));
    assert_non_null(strstr(p->last, "continuing from step 5, "));
    assert_non_null(strstr(p->last, "instead of step 10"));
    assert_int_equal(rename(aside, damaged), 0);
}

static void any_flipped_bit_falls_back(void **state)
{
    struct place *p = *state;
    save(p, 5, 3);
    struct checkpoint_saved newest = save(p, 10, 3);
    unsigned seed = 1;
    for (int i = 0; i < 500; i++) {
        char path[PATH_BYTES];
        struct err e;
        struct stat st;
        const char *file = all_files[i % 3];
        path_join(path, newest.path, file, &e);
        assert_int_equal(stat(path, &st), 0);
        int64_t at = rand_r(&seed) % st.st_size;
        unsigned char mask = (unsigned char)(1 << rand_r(&seed) % 8);
        change_byte(path, at, mask);
        expect_fallback(p, file);
        change_byte(path, at, mask);
    }
    struct err e;
    assert_int_equal(latest(p, &e), 10); /* all flips were undone */
}

static void any_truncation_falls_back(void **state)
{
    struct place *p = *state;
    save(p, 5, 3);
    struct checkpoint_saved newest = save(p, 10, 3);
    unsigned seed = 2;
    for (int i = 0; i < 200; i++) {
        char path[PATH_BYTES], *text;
        size_t n;
        struct err e = {0};
        path_join(path, newest.path, all_files[i % 3], &e);
        assert_int_equal(file_read(path, 1 << 24, &text, &n, &e), 0);
        int64_t at = i < 3 ? 0 : rand_r(&seed) % (int64_t)n;
        assert_int_equal(truncate(path, at), 0);
        expect_fallback(p, all_files[i % 3]);
        assert_int_equal(file_replace(path, text, n, &e), 0);
        free(text);
    }
}

static void a_missing_file_falls_back(void **state)
{
    struct place *p = *state;
    struct err e;
    char path[PATH_BYTES];
    save(p, 5, 3);
    struct checkpoint_saved newest = save(p, 10, 3);
    path_join(path, newest.path, CHECKPOINT_TRAIN, &e);
    unlink(path);
    assert_int_equal(latest(p, &e), 5);
    assert_int_equal(entries(p->dir, ".corrupt"), 1);
}

static void all_damaged_is_an_error_and_stays_one(void **state)
{
    struct place *p = *state;
    struct err e;
    for (int64_t step = 1; step <= 3; step++) {
        char path[PATH_BYTES];
        struct checkpoint_saved saved = save(p, step, 5);
        path_join(path, saved.path, CHECKPOINT_MODEL, &e);
        assert_int_equal(truncate(path, 100), 0);
    }
    assert_int_equal(latest(p, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, "all 3 are damaged"));
    assert_int_equal(latest(p, &e), -1); /* never taken for a run that has not saved yet */
    assert_int_equal(e.code, EXIT_DATA);
}

static void no_checkpoint_is_another_error(void **state)
{
    struct place *p = *state;
    struct err e;
    assert_int_equal(latest(p, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
}

static void leftovers_are_removed_and_never_loaded(void **state)
{
    struct place *p = *state;
    struct err e;
    char from[PATH_BYTES], to[PATH_BYTES];
    save(p, 5, 3);
    save(p, 10, 3);
    checkpoint_path(p->dir, 10, from, &e);
    path_join(to, p->dir, "step-00000010.tmp-123-0badcafe", &e);
    rename(from, to);
    assert_int_equal(latest(p, &e), 5);
    checkpoint_clean(p->dir);
    assert_int_equal(entries(p->dir, "step-"), 1);
    assert_int_equal(entries(p->dir, "latest"), 1);
}

/* The manifest of a later format, with a correct seal. */
static void make_newer(const char *checkpoint)
{
    char path[PATH_BYTES], *text, *out;
    size_t n;
    struct err e = {0};
    path_join(path, checkpoint, CHECKPOINT_MANIFEST, &e);
    assert_int_equal(file_read(path, 1 << 24, &text, &n, &e), 0);
    char *format = strstr(text, "\"format\": 1"), *seal = strstr(text, ",\n  \"manifest_crc32c\"");
    assert_true(format && seal);
    format[10] = '2';
    *seal = '\0';
    int bytes = asprintf(&out, "%s,\n  \"manifest_crc32c\": \"%08x\"\n}\n", text,
                         (unsigned)crc32c(0, text, strlen(text)));
    assert_int_equal(file_replace(path, out, (size_t)bytes, &e), 0);
    free(text);
    free(out);
}

static void a_newer_format_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    struct err e;
    save(p, 5, 3);
    struct checkpoint_saved newest = save(p, 10, 3);
    make_newer(newest.path);
    assert_int_equal(latest(p, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, "format 2"));
    assert_non_null(strstr(e.msg, "format 1"));
    assert_true(path_exists(newest.path));
}

static void another_model_is_refused_by_tensor(void **state)
{
    struct place *p = *state;
    struct small_net other;
    struct err e = {0};
    struct checkpoint_saved saved = save(p, 5, 3);
    assert_int_equal(small_net_init(&other, 8, &e), 0);
    assert_int_equal(checkpoint_restore(saved.path, &other.net, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_true(strstr(e.msg, "conv1.") || strstr(e.msg, "bn1."));
    assert_non_null(strstr(e.msg, CHECKPOINT_MODEL));
    small_net_done(&other);
}

static void a_foreign_tensor_is_refused_by_name(void **state)
{
    struct place *p = *state;
    struct err e = {0};
    float x[2] = {1, 2};
    char path[PATH_BYTES];
    int64_t n = 3;
    const struct {
        struct st_out t;
        const char *word;
    } cases[] = {
        {{.name = "conv9.weight", .dtype = ST_F32, .ndim = 1, .dim = {2}, .data = x}, "missing"},
        {{.name = "num_batches", .dtype = ST_I64, .data = &n}, "missing"},
        {{.name = "slot7.conv1.weight", .dtype = ST_F32, .ndim = 1, .dim = {2}, .data = x},
         "missing"},
    };
    struct checkpoint_saved saved = save(p, 5, 3);
    path_join(path, saved.path, CHECKPOINT_TRAIN, &e);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(st_write(path, &cases[i].t, 1, NULL, &e), 0);
        assert_int_equal(checkpoint_restore(saved.path, &p->s.net, &e), -1);
        assert_int_equal(e.code, EXIT_DATA);
        assert_non_null(strstr(e.msg, CHECKPOINT_TRAIN));
        assert_non_null(strstr(e.msg, cases[i].word));
    }
}

static void a_hostile_header_is_refused(void **state)
{
    struct place *p = *state;
    struct err e = {0};
    char path[PATH_BYTES];
    struct checkpoint_saved saved = save(p, 5, 3);
    path_join(path, saved.path, CHECKPOINT_TRAIN, &e);
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {{"", 0},
                 {"\x3c\0\0\0\0\xff\xff\xff{}", 10},
                 {"\2\0\0\0\0\0\0\0{}trailing", 18},
                 {"\1\0\0\0\0\0\0\0\xff", 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(file_replace(path, cases[i].bytes, cases[i].n, &e), 0);
        assert_int_equal(checkpoint_restore(saved.path, &p->s.net, &e), -1);
        assert_int_equal(e.code, EXIT_DATA);
        assert_non_null(strstr(e.msg, CHECKPOINT_TRAIN));
    }
}

static void a_full_disk_leaves_the_old_one_alone(void **state)
{
    struct place *p = *state;
    struct err e = {0};
    struct rlimit old;
    struct checkpoint_saved saved;
    save(p, 5, 3);
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < 2000; limit += 150) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, old.rlim_max});
        int r = small_net_save(&p->s, p->dir, 10, 3, &saved, &e);
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_equal(r, -1);
        assert_int_equal(e.code, EXIT_IO);
        assert_non_null(strstr(e.msg, "bytes needed"));
        assert_non_null(strstr(e.msg, "free"));
        assert_int_equal(entries(p->dir, ".tmp-"), 0);
        assert_int_equal(latest(p, &e), 5);
    }
    save(p, 10, 3);
    assert_int_equal(latest(p, &e), 10);
}

static void what_changed_since_is_noticed(void **state)
{
    struct place *p = *state;
    struct checkpoint_saved saved = save(p, 5, 3);
    assert_int_equal(checkpoint_compare(saved.path, &p->s.net, "shapes 1234"), 0);
    p->s.dev.threads = 3;
    assert_int_equal(checkpoint_compare(saved.path, &p->s.net, "shapes 1234"), 1);
    assert_non_null(strstr(p->last, "threads was 2, is now 3"));
    assert_int_equal(checkpoint_compare(saved.path, &p->s.net, "shapes 99"), 2);
}

static void a_digest_sees_every_byte(void **state)
{
    struct place *p = *state;
    struct err e = {0};
    struct checkpoint_saved saved = save(p, 5, 3);
    for (int i = 0; i < 3; i++) {
        char path[PATH_BYTES];
        uint32_t a, b;
        int64_t bytes;
        path_join(path, saved.path, all_files[i], &e);
        assert_int_equal(checkpoint_digest(saved.path, &a, &bytes, &e), 0);
        change_byte(path, 20, 1);
        assert_int_equal(checkpoint_digest(saved.path, &b, &bytes, &e), 0);
        assert_int_not_equal(a, b);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_has_its_check_values),
        T(everything_comes_back_bit_for_bit),
        T(the_state_comes_back),
        T(weights_have_no_metadata),
        T(the_newest_are_kept_and_the_best),
        T(saving_a_step_again_is_nothing_new),
        T(a_step_is_replaced_when_its_state_changed),
        T(any_flipped_bit_falls_back),
        T(any_truncation_falls_back),
        T(a_missing_file_falls_back),
        T(all_damaged_is_an_error_and_stays_one),
        T(no_checkpoint_is_another_error),
        T(leftovers_are_removed_and_never_loaded),
        T(a_newer_format_is_refused_and_left_alone),
        T(another_model_is_refused_by_tensor),
        T(a_foreign_tensor_is_refused_by_name),
        T(a_hostile_header_is_refused),
        T(a_full_disk_leaves_the_old_one_alone),
        T(what_changed_since_is_noticed),
        T(a_digest_sees_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
