/*
 * The record of timed choices as JSON objects: key -> {"algorithm": NAME, "ms": TIME}; see
 * tuning.h. `used` names the keys that were asked for and found, or put: what a run depends on.
 */
#include "backend/tuning.h"

#include "base/file.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_CAP = 8 << 20, NAME_MAX_BYTES = 160 };

struct tuning {
    json_t *choices, *used;
    bool dirty;
    tuning_watch_fn *watch;
    void *watch_ctx;
    int part, parts; /* of the preparation */
};

struct tuning *tuning_new(void)
{
    struct tuning *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->choices = json_object();
    t->used = json_object();
    if (t->choices && t->used)
        return t;
    tuning_free(t);
    return NULL;
}

void tuning_free(struct tuning *t)
{
    if (!t)
        return;
    json_decref(t->choices);
    json_decref(t->used);
    free(t);
}

struct tuning *tuning_copy(const struct tuning *t)
{
    struct tuning *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->choices = json_deep_copy(t->choices);
    copy->used = json_deep_copy(t->used);
    copy->dirty = t->dirty;
    if (copy->choices && copy->used)
        return copy;
    tuning_free(copy);
    return NULL;
}

const char *tuning_get(const struct tuning *t, const char *key, double *ms)
{
    json_t *choice = json_object_get(t->choices, key);
    if (!choice)
        return NULL;
    json_object_set(t->used, key, choice);
    if (ms)
        *ms = json_number_value(json_object_get(choice, "ms"));
    return json_string_value(json_object_get(choice, "algorithm"));
}

void tuning_put(struct tuning *t, const char *key, const char *algorithm, double ms)
{
    json_t *choice = json_pack("{s:s, s:f}", "algorithm", algorithm, "ms", ms);
    json_object_set(t->used, key, choice);
    json_object_set_new(t->choices, key, choice);
    t->dirty = true;
}

bool tuning_dirty(const struct tuning *t)
{
    return t->dirty;
}

void tuning_watch(struct tuning *t, tuning_watch_fn *fn, void *ctx)
{
    if (!t)
        return;
    t->watch = fn;
    t->watch_ctx = ctx;
    t->part = t->parts = 0;
}

static int ask(const struct tuning *t, bool timing, struct err *e)
{
    if (!t->watch || t->watch(t->watch_ctx, t->part, t->parts, timing))
        return 0;
    return err_set(e, EXIT_AGAIN, "stopped while choosing algorithms, part %d of %d", t->part,
                   t->parts);
}

int tuning_part(struct tuning *t, int part, int parts, struct err *e)
{
    if (!t)
        return 0;
    t->part = part;
    t->parts = parts;
    return ask(t, false, e);
}

int tuning_timing(struct tuning *t, struct err *e)
{
    return t ? ask(t, true, e) : 0;
}

json_t *tuning_json(const struct tuning *t)
{
    return json_deep_copy(t->used);
}

static int check_choice(const char *key, const json_t *choice, struct err *e)
{
    const char *name = json_string_value(json_object_get(choice, "algorithm"));
    const json_t *ms = json_object_get(choice, "ms");
    if (!name || !*name || strlen(name) >= NAME_MAX_BYTES)
        return err_set(e, EXIT_DATA, "record of algorithms: '%.200s' has no algorithm's name", key);
    if (!json_is_number(ms) || !(json_number_value(ms) >= 0))
        return err_set(e, EXIT_DATA, "record of algorithms: '%.200s' has no time in ms", key);
    return 0;
}

int tuning_add_json(struct tuning *t, const json_t *record, struct err *e)
{
    const char *key;
    json_t *choice;
    if (!json_is_object(record))
        return err_set(e, EXIT_DATA, "record of algorithms: expected a JSON object");
    json_object_foreach((json_t *)record, key, choice)
    {
        if (check_choice(key, choice, e))
            return -1;
    }
    json_t *copy = json_deep_copy(record);
    int rc = copy ? json_object_update(t->choices, copy) : -1;
    json_decref(copy);
    return rc ? err_set(e, EXIT_OS, "record of algorithms: out of memory") : 0;
}

/* --- the cache -------------------------------------------------------------------------------- */

/* What stands in the file now; NULL with a message if it is damaged, an empty object if missing. */
static json_t *read_file(const char *path, struct err *e)
{
    char *text;
    size_t n;
    json_error_t at;
    if (!path_exists(path))
        return json_object();
    if (file_read(path, CACHE_CAP, &text, &n, e))
        return NULL;
    json_t *record = json_loadb(text, n, JSON_REJECT_DUPLICATES, &at);
    free(text);
    if (!record)
        err_set(e, EXIT_DATA, "%s:%d: %s", path, at.line, at.text);
    return record;
}

static int add_file(struct tuning *t, const char *path, struct err *e)
{
    json_t *record = read_file(path, e);
    int rc = record ? tuning_add_json(t, record, e) : -1;
    json_decref(record);
    return rc;
}

void tuning_load_cache(struct tuning *t)
{
    char path[PATH_BYTES];
    struct err e = {0};
    if (xdg_cache(path, "tuning.json", &e) || add_file(t, path, &e))
        log_warn("algorithms are timed anew, the cache is unreadable: %s", e.msg);
    t->dirty = false;
}

static int write_merged(const struct tuning *ours, const char *path, struct err *e)
{
    struct err damaged = {0};
    struct tuning *all = tuning_new();
    if (!all)
        return err_set(e, EXIT_OS, "out of memory");
    add_file(all, path, &damaged); /* damage was logged when it was loaded; it is replaced now */
    json_object_update(all->choices, ours->choices);
    char *text = json_dumps(all->choices, JSON_INDENT(1) | JSON_SORT_KEYS);
    int rc =
        text ? file_replace(path, text, strlen(text), e) : err_set(e, EXIT_OS, "out of memory");
    free(text);
    tuning_free(all);
    return rc;
}

void tuning_save_cache(const struct tuning *t)
{
    char path[PATH_BYTES], dir[PATH_BYTES];
    struct err e = {0};
    if (!t->dirty)
        return;
    if (xdg_cache(dir, NULL, &e) || dir_make(dir, &e) || xdg_cache(path, "tuning.json", &e) ||
        write_merged(t, path, &e))
        log_warn("timed choices are not remembered: %s", e.msg);
    else
        ((struct tuning *)t)->dirty = false; /* bookkeeping; what is recorded is unchanged */
}
