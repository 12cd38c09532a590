/*
 * Saving a checkpoint: everything goes to a temporary folder beside the others, and one rename
 * makes it count. Whatever goes wrong before that leaves the older checkpoints as they were.
 */
#include "engine/checkpoint.h"

#include "base/log.h"
#include "engine/checkpoint_part.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_BYTES = 1 << 20 }; /* manifest, folders, and not the last block of the disk */

int checkpoint_path(const char *dir, int64_t step, char path[PATH_BYTES], struct err *e)
{
    char name[32];
    snprintf(name, sizeof name, "step-%08lld", (long long)step);
    return path_join(path, dir, name, e);
}

static int check_space(const struct checkpoint_source *s, int64_t need, struct err *e)
{
    int64_t have = dir_free_bytes(s->dir);
    if (have < 0 || have >= need + SPARE_BYTES)
        return 0;
    return err_set(e, EXIT_IO,
                   "checkpoint of step %lld not saved: %s has no room: %lld bytes needed "
                   "(%lld for its files, the rest to spare), %lld free; make room, older "
                   "checkpoints are untouched",
                   (long long)s->state->step, s->dir, (long long)need + SPARE_BYTES,
                   (long long)need, (long long)have);
}

static int make_temp(const char *final, char temp[PATH_BYTES], struct err *e)
{
    uint32_t tag = 0;
    if (getrandom(&tag, sizeof tag, 0) != sizeof tag)
        tag = (uint32_t)clock_usec();
    int n = snprintf(temp, PATH_BYTES, "%s.tmp-%ld-%08x", final, (long)getpid(), (unsigned)tag);
    if (n >= PATH_BYTES)
        return err_set(e, EXIT_CANTCREATE, "path too long: %s", final);
    if (mkdir(temp, 0777) < 0)
        return err_errno(e, 0, errno, "cannot create %s", temp);
    return 0;
}

static int fill(const struct checkpoint_source *s, const char *temp, struct err *e)
{
    char path[PATH_BYTES];
    if (path_join(path, temp, CHECKPOINT_MODEL, e) < 0 || network_save_weights(s->net, path, e) < 0)
        return -1;
    if (path_join(path, temp, CHECKPOINT_TRAIN, e) < 0 ||
        checkpoint_write_train(s->net, path, e) < 0)
        return -1;
    if (checkpoint_write_manifest(temp, s, e) < 0)
        return -1;
    return dir_sync(temp, e);
}

/* Some file systems know no flags: a plain rename cannot replace a folder that is not empty. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? rename(from, to) : -1;
}

/* An older checkpoint of the same step changes places with the new one. */
static int rename_over(const char *from, const char *to)
{
    char aside[PATH_BYTES + 8];
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    snprintf(aside, sizeof aside, "%s-old", from);
    if (rename(to, aside) < 0)
        return -1;
    if (rename(from, to) < 0) {
        int errnum = errno;
        (void)!rename(aside, to);
        errno = errnum;
        return -1;
    }
    return rename(aside, from);
}

static int commit(const struct checkpoint_source *s, const char *temp, const char *final,
                  struct err *e)
{
    bool replace = path_exists(final);
    if ((replace ? rename_over : rename_new)(temp, final) < 0)
        return err_errno(e, 0, errno, "cannot put the checkpoint %s in place", final);
    if (dir_sync(s->dir, e) < 0)
        return -1;
    return replace ? dir_remove(temp, e) : 0;
}

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_state(const struct checkpoint_state *a, const struct checkpoint_state *b)
{
    return a->step == b->step && a->epoch == b->epoch && a->position == b->position &&
           strcmp(a->objective, b->objective) == 0 && a->n_switches == b->n_switches &&
           same_number(a->valid_top1, b->valid_top1) && same_number(a->valid_loss, b->valid_loss);
}

/* A valid checkpoint of exactly this state is there already. A damaged one is set aside. */
static bool saved_already(const struct checkpoint_source *s, const char *final)
{
    struct err why = {0};
    struct checkpoint_state old;
    if (!path_exists(final))
        return false;
    if (checkpoint_read(final, &old, NULL, NULL, &why) == 0)
        return same_state(&old, s->state);
    checkpoint_set_aside(final, &why);
    return false;
}

static int write_new(const struct checkpoint_source *s, const char *final, struct err *e)
{
    char temp[PATH_BYTES];
    int64_t need = checkpoint_need(s->net);
    if (check_space(s, need, e) < 0)
        return -1;
    if (make_temp(final, temp, e) < 0)
        return -1;
    if (fill(s, temp, e) == 0 && commit(s, temp, final, e) == 0)
        return 0;
    struct err ignored;
    dir_remove(temp, &ignored);
    int64_t have = dir_free_bytes(s->dir);
    if (e && e->code == EXIT_IO && have >= 0) {
        struct err cause = *e;
        err_set(e, EXIT_IO,
                "checkpoint of step %lld not saved: %.700s (%lld bytes needed, %lld "
                "for its files and the rest to spare; %lld free); older checkpoints are untouched",
                (long long)s->state->step, cause.msg, (long long)need + SPARE_BYTES,
                (long long)need, (long long)have);
    }
    return -1;
}

static void point(const struct checkpoint_source *s, struct checkpoint_saved *out)
{
    struct err e = {0};
    char target[32];
    int64_t best = checkpoint_find_best(s->dir);
    out->best = best == s->state->step;
    snprintf(target, sizeof target, "step-%08lld", (long long)s->state->step);
    if (checkpoint_link(s->dir, "latest", target, &e) < 0)
        log_warn("%s", e.msg);
    if (out->best && checkpoint_link(s->dir, "best", target, &e) < 0)
        log_warn("%s", e.msg);
    checkpoint_prune(s->dir, s->keep < 1 ? 1 : s->keep, best, out);
}

int checkpoint_save(const struct checkpoint_source *s, struct checkpoint_saved *out, struct err *e)
{
    int64_t start = clock_usec();
    memset(out, 0, sizeof *out);
    out->step = s->state->step;
    if (checkpoint_path(s->dir, s->state->step, out->path, e) < 0 || dir_make(s->dir, e) < 0)
        return -1;
    if (!saved_already(s, out->path) && write_new(s, out->path, e) < 0)
        return -1;
    json_t *manifest = checkpoint_manifest(out->path, e);
    if (!manifest)
        return -1;
    out->bytes = checkpoint_bytes(manifest);
    json_decref(manifest);
    point(s, out);
    out->sec = (double)(clock_usec() - start) * 1e-6;
    return 0;
}
