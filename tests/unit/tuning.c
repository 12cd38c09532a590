/* The record of timed choices: what is asked for is remembered, and files of it are not trusted. */
#include "backend/tuning.h"
#include "base/file.h"
#include "base/log.h"
#include "temp.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static char cache[PATH_BYTES];
static int warnings;

static void count_warning(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)line;
    warnings += level == LOG_WARN;
}

static void write_cache(const char *text)
{
    char path[PATH_BYTES];
    struct err e = {0};
    assert_int_equal(xdg_cache(path, NULL, &e), 0);
    assert_int_equal(dir_make(path, &e), 0);
    assert_int_equal(xdg_cache(path, "tuning.json", &e), 0);
    assert_int_equal(file_replace(path, text, strlen(text), &e), 0);
}

static void an_unknown_key_is_null(void **state)
{
    struct tuning *t = tuning_new();
    (void)state;
    assert_null(tuning_get(t, "conv", NULL));
    assert_false(tuning_dirty(t));
    tuning_free(t);
}

static void what_was_put_is_found(void **state)
{
    struct tuning *t = tuning_new();
    double ms = 0;
    (void)state;
    tuning_put(t, "conv", "direct", 3);
    tuning_put(t, "conv", "winograd", 1.5);
    assert_string_equal(tuning_get(t, "conv", &ms), "winograd");
    assert_true(ms == 1.5);
    assert_true(tuning_dirty(t));
    tuning_free(t);
}

static void only_keys_in_use_are_written(void **state)
{
    struct tuning *t = tuning_new();
    struct err e = {0};
    json_t *record = json_pack("{s:{s:s,s:f},s:{s:s,s:i}}", "a", "algorithm", "direct", "ms", 1.0,
                               "b", "algorithm", "winograd", "ms", 2);
    (void)state;
    assert_int_equal(tuning_add_json(t, record, &e), 0);
    assert_string_equal(tuning_get(t, "b", NULL), "winograd");
    tuning_put(t, "c", "direct", 3);
    json_t *out = tuning_json(t);
    assert_int_equal(json_object_size(out), 2);
    assert_non_null(json_object_get(out, "b"));
    assert_non_null(json_object_get(out, "c"));
    json_decref(out);
    json_decref(record);
    tuning_free(t);
}

/* 40 characters; four of them are longer than any name. */
#define FORTY "0123456789012345678901234567890123456789"

static void a_damaged_record_is_refused_whole(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"k\":{\"algorithm\":\"direct\",\"ms\":1},\"j\":7}",
        "{\"k\":{\"algorithm\":\"direct\"}}",
        "{\"k\":{\"algorithm\":\"direct\",\"ms\":-1}}",
        "{\"k\":{\"algorithm\":\"\",\"ms\":1}}",
        "{\"k\":{\"algorithm\":\"" FORTY FORTY FORTY FORTY "\",\"ms\":1}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tuning *t = tuning_new();
        struct err e = {0};
        json_t *record = json_loads(bad[i], 0, NULL);
        assert_int_equal(tuning_add_json(t, record, &e), -1);
        assert_int_equal(e.code, EXIT_DATA);
        assert_null(tuning_get(t, "k", NULL));
        json_decref(record);
        tuning_free(t);
    }
}

static void the_cache_remembers_and_merges(void **state)
{
    struct tuning *a = tuning_new(), *b = tuning_new(), *c = tuning_new();
    (void)state;
    tuning_load_cache(a);
    tuning_load_cache(b);
    tuning_put(a, "a", "direct", 1);
    tuning_save_cache(a);
    assert_false(tuning_dirty(a));
    tuning_put(b, "b", "winograd", 2);
    tuning_save_cache(b); /* did not know of a's entry */
    tuning_load_cache(c);
    assert_string_equal(tuning_get(c, "a", NULL), "direct");
    assert_string_equal(tuning_get(c, "b", NULL), "winograd");
    tuning_free(a);
    tuning_free(b);
    tuning_free(c);
}

static void a_damaged_cache_is_an_empty_one_and_is_mentioned(void **state)
{
    struct tuning *t = tuning_new();
    (void)state;
    write_cache("{\"k\": {\"algorithm\": \"direct\", ");
    warnings = 0;
    tuning_load_cache(t);
    assert_int_equal(warnings, 1);
    assert_null(tuning_get(t, "k", NULL));
    tuning_put(t, "k", "winograd", 1);
    tuning_save_cache(t);
    struct tuning *again = tuning_new();
    tuning_load_cache(again);
    assert_string_equal(tuning_get(again, "k", NULL), "winograd");
    tuning_free(again);
    tuning_free(t);
}

static int make_cache(void **state)
{
    (void)state;
    if (temp_dir(cache, sizeof cache))
        return -1;
    return setenv("XDG_CACHE_HOME", cache, 1);
}

static int remove_cache(void **state)
{
    struct err e = {0};
    (void)state;
    return dir_remove(cache, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_key_is_null),
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(only_keys_in_use_are_written),
        cmocka_unit_test(a_damaged_record_is_refused_whole),
        cmocka_unit_test_setup_teardown(the_cache_remembers_and_merges, make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(a_damaged_cache_is_an_empty_one_and_is_mentioned,
                                        make_cache, remove_cache),
    };
    log_add(count_warning, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
