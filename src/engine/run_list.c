/* Looking at run directories from outside, without locking them. */
#include "engine/checkpoint_part.h"
#include "engine/run_part.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool has(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    struct err ignored;
    return path_join(path, dir, name, &ignored) == 0 && path_exists(path);
}

bool run_is(const char *dir)
{
    return has(dir, RUN_CONFIG) && has(dir, RUN_IDENTITY);
}

/* What run_create itself puts there before run.json; temporary names included. */
static bool is_early(const char *name)
{
    return strcmp(name, RUN_LOCK) == 0 || strcmp(name, RUN_CHECKPOINTS) == 0 ||
           strcmp(name, RUN_LOG) == 0 || strncmp(name, RUN_CONFIG, strlen(RUN_CONFIG)) == 0 ||
           strncmp(name, RUN_IDENTITY ".tmp-", strlen(RUN_IDENTITY) + 5) == 0;
}

enum run_found run_look(const char *dir)
{
    enum run_found found = RUN_EMPTY;
    bool locked = has(dir, RUN_LOCK);
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? RUN_NONE : RUN_NO_FOLDER;
    if (run_is(dir)) {
        closedir(d);
        return RUN_THERE;
    }
    for (struct dirent *entry; (entry = readdir(d));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        bool ours = locked && is_early(entry->d_name);
        if (found != RUN_FOREIGN)
            found = ours ? RUN_UNFINISHED : RUN_FOREIGN;
    }
    closedir(d);
    return found;
}

int run_settings(const char *dir, struct settings *s, struct err *e)
{
    char path[PATH_BYTES];
    if (!run_is(dir))
        return err_set(e, EXIT_NOINPUT, "%s is not a run: it has no %s and %s", dir, RUN_CONFIG,
                       RUN_IDENTITY);
    if (path_join(path, dir, RUN_CONFIG, e) < 0 || run_config_read(path, s, e) < 0)
        return -1;
    return settings_check(s, e) < 0 ? err_prefix(e, "%s", path) : 0;
}

static void copy_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", s ? s : "");
}

static int64_t changed(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    struct err ignored;
    struct stat st;
    if (path_join(path, dir, name, &ignored) < 0 || stat(path, &st) < 0)
        return 0;
    return (int64_t)st.st_mtime;
}

static int64_t last_step(const char *dir)
{
    char path[PATH_BYTES];
    struct err ignored;
    int64_t *steps, last = -1;
    int n;
    if (path_join(path, dir, RUN_CHECKPOINTS, &ignored) < 0 ||
        checkpoint_list(path, &steps, &n, &ignored) < 0)
        return -1;
    if (n > 0)
        last = steps[n - 1];
    free(steps);
    return last;
}

/* The one the run goes on with: it may have been switched since it began. */
static void objective_of(const char *dir, int64_t step, char *out, size_t size)
{
    char all[PATH_BYTES], path[PATH_BYTES];
    struct err ignored;
    json_t *m = path_join(all, dir, RUN_CHECKPOINTS, &ignored) == 0 &&
                        checkpoint_path(all, step, path, &ignored) == 0
                    ? checkpoint_manifest(path, &ignored)
                    : NULL;
    if (json_is_string(json_object_get(m, "objective")))
        copy_text(m, "objective", out, size);
    json_decref(m);
}

static void describe(struct run_entry *r)
{
    char path[PATH_BYTES];
    struct err ignored;
    json_error_t why;
    json_t *id =
        path_join(path, r->dir, RUN_IDENTITY, &ignored) < 0 ? NULL : json_load_file(path, 0, &why);
    copy_text(id, "arch", r->arch, sizeof r->arch);
    copy_text(id, "objective", r->objective, sizeof r->objective);
    json_decref(id);
    r->step = last_step(r->dir);
    if (r->step >= 0)
        objective_of(r->dir, r->step, r->objective, sizeof r->objective);
    r->busy = run_busy(r->dir, NULL, 0);
    int64_t metrics = changed(r->dir, "metrics.jsonl"), log = changed(r->dir, RUN_IDENTITY);
    r->time = metrics > log ? metrics : log;
}

static int newest_first(const void *a, const void *b)
{
    const struct run_entry *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? 1 : -1;
    return strcmp(y->name, x->name);
}

static int add_entry(struct run_entry **out, int *n, const char *runs, const char *name,
                     struct err *e)
{
    char dir[PATH_BYTES];
    if (name[0] == '.' || path_join(dir, runs, name, e) < 0 || !run_is(dir))
        return 0;
    struct run_entry *more = realloc(*out, sizeof **out * (size_t)(*n + 1));
    if (!more)
        return err_set(e, EXIT_OS, "out of memory listing runs");
    *out = more;
    struct run_entry *r = &more[(*n)++];
    memset(r, 0, sizeof *r);
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    snprintf(r->name, sizeof r->name, "%s", name);
    describe(r);
    return 0;
}

int run_list(const char *runs, struct run_entry **out, int *n, struct err *e)
{
    *out = NULL;
    *n = 0;
    DIR *d = opendir(runs);
    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return err_errno(e, 0, errno, "cannot list the runs in %s", runs);
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(d));)
        r = add_entry(out, n, runs, entry->d_name, e);
    closedir(d);
    if (r == 0 && *n > 0)
        qsort(*out, (size_t)*n, sizeof **out, newest_first);
    if (r < 0) {
        free(*out);
        *out = NULL;
        *n = 0;
    }
    return r;
}
