/*
 * Making and opening run directories. A run counts as one when config.cfg and run.json are there;
 * run.json is written last, so that a process killed while making a run leaves nothing that looks
 * like one.
 */
#include "engine/run.h"

#include "backend/backend.h"
#include "base/log.h"
#include "config.h"
#include "engine/run_part.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The run's name: the key `name`, else the recipe's file name without .cfg. */
static void choose_name(struct run *run, const struct settings *s, const char *recipe)
{
    const char *slash = strrchr(recipe, '/'), *base = slash ? slash + 1 : recipe;
    snprintf(run->name, sizeof run->name, "%s", s->run.name[0] ? s->run.name : base);
    size_t n = strlen(run->name);
    if (!s->run.name[0] && n > 4 && strcmp(run->name + n - 4, ".cfg") == 0)
        run->name[n - 4] = '\0';
    for (char *p = run->name; *p; p++)
        if (*p == '/' || iscntrl((unsigned char)*p) || (*p == '.' && p == run->name))
            *p = '-';
    if (!run->name[0])
        snprintf(run->name, sizeof run->name, "run");
}

/* RUNS/NAME-YYYYmmdd-HHMMSS; two runs in one second get -2, -3, ... */
static int make_stamped(struct run *run, const char *runs, struct err *e)
{
    char stamp[32], leaf[160], name[128];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    snprintf(name, sizeof name, "%s-%s", run->name, stamp);
    if (dir_make(runs, e) < 0)
        return -1;
    for (int i = 1; i < 1000; i++) {
        snprintf(leaf, sizeof leaf, i == 1 ? "%s" : "%s-%d", name, i);
        if (path_join(run->dir, runs, leaf, e) < 0)
            return -1;
        if (mkdir(run->dir, 0777) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return err_create(e, errno, "cannot create the run directory %s", run->dir);
}

static int make_exact(struct run *run, const char *dir, struct err *e)
{
    char who[128];
    if (strlen(dir) >= PATH_BYTES)
        return err_set(e, EXIT_CANTCREATE, "path too long: %s", dir);
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    switch (run_look(dir)) {
    case RUN_THERE:
        if (run_busy(dir, who, sizeof who))
            return err_set(e, EXIT_CANTCREATE,
                           "the run %s is in use by %s; choose another directory", dir, who);
        return err_set(e, EXIT_CANTCREATE,
                       "%s is a run already; continue it with --resume %s, or choose another "
                       "directory",
                       dir, dir);
    case RUN_FOREIGN:
        return err_set(e, EXIT_CANTCREATE,
                       "%s is not empty and not a run; choose another directory", dir);
    default:
        if (dir_make(dir, e) == 0)
            return 0;
        return strstr(e->msg, dir) ? -1 : err_prefix(e, "no run directory at %s", dir);
    }
}

/* config.cfg has to work from any working directory. */
static int make_absolute(char *path, size_t size, struct err *e)
{
    char cwd[PATH_BYTES], whole[PATH_BYTES];
    if (!path[0] || path[0] == '/')
        return 0;
    if (!getcwd(cwd, sizeof cwd))
        return err_errno(e, EXIT_CANTCREATE, errno, "cannot tell the working directory");
    if (path_join(whole, cwd, path, e) < 0)
        return -1;
    if (strlen(whole) >= size)
        return err_set(e, EXIT_CANTCREATE, "path too long: %s", whole);
    memcpy(path, whole, strlen(whole) + 1);
    return 0;
}

static int write_config(const struct run *run, const struct settings *s, struct err *e)
{
    char path[PATH_BYTES];
    size_t n = 0;
    char *text = run_config_text(s, &n, e);
    int r = text ? path_join(path, run->dir, RUN_CONFIG, e) : -1;
    if (r == 0)
        r = file_replace(path, text, n, e);
    free(text);
    return r;
}

static void make_uuid(char out[37])
{
    unsigned char b[16] = {0};
    if (getrandom(b, sizeof b, 0) != sizeof b)
        memcpy(b, &(int64_t){clock_usec()}, sizeof(int64_t));
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    char *p = out;
    for (int i = 0; i < 16; i++)
        p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
}

static json_t *text_or_null(const char *s)
{
    json_t *t = s[0] ? json_string(s) : NULL;
    return t ? t : json_null();
}

static json_t *describe(struct run *run, const struct settings *s, const char *recipe)
{
    char started[40];
    struct utsname host;
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (uname(&host) < 0)
        host.nodename[0] = '\0';
    make_uuid(run->uuid);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:i, s:o, s:o, s:s, s:s, s:s, s:n, s:n}", "version",
                     PACKAGE_VERSION, "uuid", run->uuid, "name", text_or_null(run->name), "started",
                     started, "host", host.nodename, "pid", (int)getpid(), "recipe",
                     text_or_null(recipe), "parent", text_or_null(s->init.weights), "arch",
                     s->model.arch, "objective", s->objective.name, "data", s->data.name, "device",
                     "libraries");
}

static int write_identity(const struct run *run, struct err *e)
{
    char path[PATH_BYTES];
    char *text = json_dumps(run->identity, JSON_INDENT(2));
    if (!text)
        return err_set(e, EXIT_OS, "out of memory writing %s/%s", run->dir, RUN_IDENTITY);
    int r = path_join(path, run->dir, RUN_IDENTITY, e);
    if (r == 0)
        r = file_replace(path, text, strlen(text), e);
    free(text);
    return r;
}

static int absolute_paths(struct settings *s, struct err *e)
{
    if (make_absolute(s->data.path, sizeof s->data.path, e) < 0)
        return -1;
    return make_absolute(s->init.weights, sizeof s->init.weights, e);
}

int run_change(struct run *run, struct settings *s, struct err *e)
{
    return absolute_paths(s, e) < 0 ? -1 : write_config(run, s, e);
}

static int fill_new(struct run *run, struct settings *s, const char *recipe, struct err *e)
{
    if (run_lock(run->dir, &run->lock_fd, e) < 0)
        return -1;
    if (run_is(run->dir)) /* another process was faster */
        return err_set(e, EXIT_CANTCREATE, "%s is a run already; choose another directory",
                       run->dir);
    if (absolute_paths(s, e) < 0)
        return -1;
    if (dir_make(run->checkpoints, e) < 0 || run_log_open(run, e) < 0 ||
        write_config(run, s, e) < 0)
        return -1;
    run->identity = describe(run, s, recipe);
    if (!run->identity)
        return err_set(e, EXIT_CONFIG, "the names in the recipe are not UTF-8");
    return write_identity(run, e);
}

static int start(struct run *run, struct err *e)
{
    run->open = true;
    run->lock_fd = run->log_fd = run->log_sink = -1;
    return path_join(run->checkpoints, run->dir, RUN_CHECKPOINTS, e);
}

/* The folder made for a run that could not be made; another process may have it meanwhile. */
static void remove_unfinished(const struct run *run)
{
    struct err ignored;
    bool taken = run->lock_fd < 0 && run_busy(run->dir, NULL, 0);
    if (!taken && !run_is(run->dir))
        dir_remove(run->dir, &ignored);
}

int run_create(struct run *run, struct settings *s, const char *recipe, const char *dir,
               struct err *e)
{
    *run = (struct run){0};
    bool fresh = !dir[0] || !path_exists(dir);
    choose_name(run, s, recipe);
    if ((dir[0] ? make_exact(run, dir, e) : make_stamped(run, s->run.runs, e)) < 0)
        return -1;
    if (start(run, e) == 0 && fill_new(run, s, recipe, e) == 0)
        return 0;
    if (fresh)
        remove_unfinished(run);
    run_close(run);
    return -1;
}

static int load_identity(struct run *run, struct err *e)
{
    char path[PATH_BYTES];
    json_error_t why;
    if (path_join(path, run->dir, RUN_IDENTITY, e) < 0)
        return -1;
    run->identity = json_load_file(path, 0, &why);
    if (!json_is_object(run->identity))
        return err_set(e, EXIT_DATA, "%s: offset %d: damaged: %s", path, why.position, why.text);
    const char *name = json_string_value(json_object_get(run->identity, "name"));
    const char *uuid = json_string_value(json_object_get(run->identity, "uuid"));
    snprintf(run->name, sizeof run->name, "%s", name ? name : "run");
    snprintf(run->uuid, sizeof run->uuid, "%s", uuid ? uuid : "");
    return 0;
}

int run_open(struct run *run, const char *dir, struct settings *s, struct err *e)
{
    *run = (struct run){.resumed = true};
    if (strlen(dir) >= PATH_BYTES)
        return err_set(e, EXIT_NOINPUT, "path too long: %s", dir);
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    if (!run_is(dir))
        return err_set(e, EXIT_NOINPUT, "%s is not a run: it has no %s and %s", dir, RUN_CONFIG,
                       RUN_IDENTITY);
    if (start(run, e) == 0 && run_lock(dir, &run->lock_fd, e) == 0 && load_identity(run, e) == 0 &&
        run_settings(dir, s, e) == 0 && dir_make(run->checkpoints, e) == 0 &&
        run_log_open(run, e) == 0)
        return 0;
    run_close(run);
    return -1;
}

void run_close(struct run *run)
{
    if (!run->open)
        return;
    run_log_close(run);
    if (run->lock_fd >= 0)
        close(run->lock_fd);
    json_decref(run->identity);
    *run = (struct run){0};
}

int run_record(struct run *run, const char *key, json_t *value, struct err *e)
{
    if (!value || json_object_set_new(run->identity, key, value) < 0)
        return err_set(e, EXIT_OS, "cannot record %s in %s/%s: not UTF-8, or out of memory", key,
                       run->dir, RUN_IDENTITY);
    return write_identity(run, e);
}

int run_record_device(struct run *run, const struct device *dev, struct err *e)
{
    json_t *device = json_pack("{s:s, s:s, s:s, s:i}", "id", dev->info.id, "name", dev->info.name,
                               "detail", dev->info.detail, "threads", dev->threads);
    if (run_record(run, "device", device, e) < 0)
        return -1;
    return run_record(run, "libraries", json_string(dev->info.libraries), e);
}
