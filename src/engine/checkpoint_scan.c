/*
 * The folder of checkpoints as a whole: which are there, which is the newest valid one, which is
 * best, which go. Names alone decide what is looked at; links are hints.
 */
#include "base/log.h"
#include "engine/checkpoint_part.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "step-" and digits only (eight, or more without a leading zero); the step, or -1. */
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step-", 5) != 0 || strspn(name + 5, "0123456789") != strlen(name + 5))
        return -1;
    size_t digits = strlen(name + 5);
    if (digits < 8 || digits > 18 || (digits > 8 && name[5] == '0'))
        return -1;
    return strtoll(name + 5, &end, 10);
}

static int by_step(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int add_step(int64_t **steps, int *n, int64_t step, struct err *e)
{
    int64_t *more = realloc(*steps, sizeof **steps * (size_t)(*n + 1));
    if (!more)
        return err_set(e, EXIT_OS, "out of memory listing checkpoints");
    more[(*n)++] = step;
    *steps = more;
    return 0;
}

int checkpoint_list(const char *dir, int64_t **steps, int *n, struct err *e)
{
    *steps = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return err_errno(e, 0, errno, "cannot list the checkpoints in %s", dir);
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(d));)
        if (step_of(entry->d_name) >= 0)
            r = add_step(steps, n, step_of(entry->d_name), e);
    closedir(d);
    if (r == 0 && *n > 0)
        qsort(*steps, (size_t)*n, sizeof **steps, by_step);
    if (r < 0) {
        free(*steps);
        *steps = NULL;
        *n = 0;
    }
    return r;
}

int64_t checkpoint_best(const char *dir)
{
    char path[PATH_BYTES], target[PATH_BYTES];
    struct err ignored;
    if (path_join(path, dir, "best", &ignored) < 0)
        return -1;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0 || !path_exists(path))
        return -1;
    target[n] = '\0';
    return step_of(target);
}

void checkpoint_set_aside(const char *path, const struct err *why)
{
    char aside[PATH_BYTES + 32];
    for (int i = 1; i < 100; i++) {
        snprintf(aside, sizeof aside, i == 1 ? "%s.corrupt" : "%s.corrupt-%d", path, i);
        if (path_exists(aside))
            continue;
        if (rename(path, aside) < 0)
            break;
        log_warn("damaged checkpoint: %s; renamed to %s", why->msg, aside);
        return;
    }
    log_warn("damaged checkpoint: %s; it could not be renamed (%s)", why->msg, strerror(errno));
}

/* Opening failures that are no fault of the data (permissions, memory) end the search. */
static bool damaged(const struct err *e)
{
    return e->code == EXIT_DATA || e->code == EXIT_NOINPUT;
}

/* A folder of a newer version is not damaged: it stays where it is, and nothing older is used. */
static int try_one(const char *path, struct err *e)
{
    struct checkpoint_state state;
    if (checkpoint_read(path, &state, NULL, NULL, e) == 0)
        return 1;
    if (!damaged(e))
        return -1;
    return strstr(e->msg, "newer version") ? -1 : 0;
}

static int newest_valid(const char *dir, const int64_t *steps, int n, char path[PATH_BYTES],
                        struct err *e)
{
    for (int i = n - 1; i >= 0; i--) {
        if (checkpoint_path(dir, steps[i], path, e) < 0)
            return -1;
        int found = try_one(path, e);
        if (found > 0 && i < n - 1)
            log_warn("continuing from step %lld, %s, instead of step %lld", (long long)steps[i],
                     path, (long long)steps[n - 1]);
        if (found != 0)
            return found < 0 ? -1 : 0;
        checkpoint_set_aside(path, e);
    }
    char last[512];
    snprintf(last, sizeof last, "%.500s", e->msg);
    return err_set(e, EXIT_DATA,
                   "no checkpoint in %s can be used: all %d are damaged, the oldest: %s; the run "
                   "can be repeated from its recipe, config.cfg",
                   dir, n, last);
}

static bool has_corrupt(const char *dir)
{
    DIR *d = opendir(dir);
    bool found = false;
    if (!d)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(d));)
        found = strncmp(entry->d_name, "step-", 5) == 0 && strstr(entry->d_name, ".corrupt");
    closedir(d);
    return found;
}

int checkpoint_latest(const char *dir, char path[PATH_BYTES], struct err *e)
{
    int64_t *steps;
    int n;
    if (checkpoint_list(dir, &steps, &n, e) < 0)
        return -1;
    int r;
    if (n > 0)
        r = newest_valid(dir, steps, n, path, e);
    else if (has_corrupt(dir))
        r = err_set(e, EXIT_DATA,
                    "no checkpoint in %s can be used: only damaged ones are left; the run can be "
                    "repeated from its recipe, config.cfg",
                    dir);
    else
        r = err_set(e, EXIT_NOINPUT, "there is no checkpoint in %s", dir);
    free(steps);
    return r;
}

static bool is_leftover(const char *name)
{
    return (strncmp(name, "step-", 5) == 0 && strstr(name, ".tmp-")) ||
           strncmp(name, ".trash-", 7) == 0 || strncmp(name, ".link-", 6) == 0;
}

void checkpoint_clean(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *entry; (entry = readdir(d));) {
        char path[PATH_BYTES];
        struct err e = {0};
        if (!is_leftover(entry->d_name) || path_join(path, dir, entry->d_name, &e) < 0)
            continue;
        if (dir_remove(path, &e) < 0)
            log_warn("%s", e.msg);
    }
    closedir(d);
}

int checkpoint_link(const char *dir, const char *name, const char *target, struct err *e)
{
    char path[PATH_BYTES], temp[PATH_BYTES], hidden[64];
    snprintf(hidden, sizeof hidden, ".link-%s-%ld", name, (long)getpid());
    if (path_join(path, dir, name, e) < 0 || path_join(temp, dir, hidden, e) < 0)
        return -1;
    unlink(temp);
    if (symlink(target, temp) < 0 || rename(temp, path) < 0) {
        int errnum = errno;
        unlink(temp);
        return err_errno(e, 0, errnum, "cannot set the link %s", path);
    }
    return dir_sync(dir, e);
}

static double valid_top1(const char *dir, int64_t step)
{
    char path[PATH_BYTES];
    struct err ignored;
    if (checkpoint_path(dir, step, path, &ignored) < 0)
        return NAN;
    json_t *manifest = checkpoint_manifest(path, &ignored);
    json_t *top1 = json_object_get(json_object_get(manifest, "valid"), "top1");
    double value = json_is_number(top1) ? json_number_value(top1) : NAN;
    json_decref(manifest);
    return value;
}

int64_t checkpoint_find_best(const char *dir)
{
    int64_t *steps, best = -1;
    int n;
    double top = -INFINITY;
    struct err ignored;
    if (checkpoint_list(dir, &steps, &n, &ignored) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        double value = valid_top1(dir, steps[i]);
        if (value > top) {
            top = value;
            best = steps[i];
        }
    }
    free(steps);
    return best;
}

/* Out of sight by one rename first: a half-removed checkpoint never bears its name. */
static int remove_one(const char *dir, int64_t step, struct err *e)
{
    char path[PATH_BYTES], trash[PATH_BYTES], name[64];
    snprintf(name, sizeof name, ".trash-%lld-%ld", (long long)step, (long)getpid());
    if (checkpoint_path(dir, step, path, e) < 0 || path_join(trash, dir, name, e) < 0)
        return -1;
    if (rename(path, trash) < 0)
        return err_errno(e, 0, errno, "cannot remove the checkpoint %s", path);
    return dir_remove(trash, e);
}

void checkpoint_prune(const char *dir, int keep, int64_t best, struct checkpoint_saved *saved)
{
    int64_t *steps;
    int n;
    struct err e = {0};
    if (checkpoint_list(dir, &steps, &n, &e) < 0) {
        log_warn("%s", e.msg);
        return;
    }
    int room = (int)(sizeof saved->pruned / sizeof saved->pruned[0]);
    for (int i = 0; i < n - keep && saved->n_pruned < room; i++) {
        if (steps[i] == best || steps[i] == saved->step)
            continue;
        if (remove_one(dir, steps[i], &e) < 0)
            log_warn("%s", e.msg);
        else
            saved->pruned[saved->n_pruned++] = steps[i];
    }
    free(steps);
}
