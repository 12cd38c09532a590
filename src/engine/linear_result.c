/* Results of linear evaluations as JSON: one line to print, one file per step in the run. */
#include "engine/checkpoint.h"
#include "engine/linear_part.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINEAR_FOLDER "linear"

enum { RESULT_CAP = 1 << 20 };

static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *rates_json(const struct linear_result *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->n_rates; i++) {
        const struct linear_rate *a = &r->rates[i];
        json_array_append_new(
            list, json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "lr", real(a->lr), "diverged",
                            a->diverged, "valid_top1", real(a->valid_top1), "valid_loss",
                            real(a->valid_loss), "top1", real(a->test_top1), "top5",
                            real(a->test_top5), "loss", real(a->test_loss)));
    }
    return list;
}

char *linear_json(const struct linear_result *r)
{
    json_t *j = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:I, s:I, s:I, s:b, s:i, s:i, s:s, s:s, s:o, s:o}",
        "top1", real(r->top1), "top5", real(r->top5), "loss", real(r->loss), "lr", real(r->lr),
        "valid_top1", real(r->valid_top1), "step", (json_int_t)r->step, "data", r->data, "n_train",
        (json_int_t)r->n_train, "n_valid", (json_int_t)r->n_valid, "n_test", (json_int_t)r->n_test,
        "held_out", r->held_out, "epochs", r->epochs, "batch_size", r->batch, "optimizer",
        r->optimizer, "policy", r->policy, "rates", rates_json(r), "sec", real(r->sec));
    char *line = j ? json_dumps(j, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(j);
    return line;
}

static int folder(const char *run_dir, char out[PATH_BYTES], struct err *e)
{
    return path_join(out, run_dir, LINEAR_FOLDER, e);
}

int linear_store(const char *run_dir, const struct linear_result *r, struct err *e)
{
    char dir[PATH_BYTES], path[PATH_BYTES], name[40], *line = linear_json(r), *text = NULL;
    snprintf(name, sizeof name, "step-%08lld.json", (long long)r->step);
    int n = line ? asprintf(&text, "%s\n", line) : -1;
    free(line);
    if (n < 0)
        return err_set(e, EXIT_OS, "out of memory keeping a linear evaluation");
    int rc =
        folder(run_dir, dir, e) < 0 || dir_make(dir, e) < 0 || path_join(path, dir, name, e) < 0
            ? -1
            : file_replace(path, text, (size_t)n, e);
    free(text);
    return rc;
}

static double number(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int64_t integer(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static void copy_text(const json_t *j, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(j, key));
    snprintf(out, size, "%s", s ? s : "");
}

static void read_rates(const json_t *list, struct linear_result *r)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < CONF_LIST_MAX; i++) {
        const json_t *j = json_array_get(list, i);
        r->rates[r->n_rates++] =
            (struct linear_rate){.lr = number(j, "lr"),
                                 .diverged = json_is_true(json_object_get(j, "diverged")),
                                 .valid_top1 = number(j, "valid_top1"),
                                 .valid_loss = number(j, "valid_loss"),
                                 .test_top1 = number(j, "top1"),
                                 .test_top5 = number(j, "top5"),
                                 .test_loss = number(j, "loss")};
    }
}

static bool read_result(const char *path, struct linear_result *r)
{
    char *text;
    size_t n;
    struct err ignored;
    if (file_read(path, RESULT_CAP, &text, &n, &ignored) < 0)
        return false;
    json_t *j = json_loadb(text, n, 0, NULL);
    free(text);
    bool good = json_is_object(j) && json_is_integer(json_object_get(j, "step"));
    if (good) {
        *r = (struct linear_result){.step = integer(j, "step"),
                                    .top1 = number(j, "top1"),
                                    .top5 = number(j, "top5"),
                                    .loss = number(j, "loss"),
                                    .lr = number(j, "lr"),
                                    .valid_top1 = number(j, "valid_top1"),
                                    .sec = number(j, "sec"),
                                    .n_train = integer(j, "n_train"),
                                    .n_valid = integer(j, "n_valid"),
                                    .n_test = integer(j, "n_test"),
                                    .epochs = (int)integer(j, "epochs"),
                                    .batch = (int)integer(j, "batch_size"),
                                    .held_out = json_is_true(json_object_get(j, "held_out"))};
        copy_text(j, "data", r->data, sizeof r->data);
        copy_text(j, "optimizer", r->optimizer, sizeof r->optimizer);
        copy_text(j, "policy", r->policy, sizeof r->policy);
        read_rates(json_object_get(j, "rates"), r);
    }
    json_decref(j);
    return good;
}

static int by_step(const void *a, const void *b)
{
    const struct linear_result *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

static int add_result(const char *dir, const char *name, struct linear_result **out, int *n,
                      struct err *e)
{
    char path[PATH_BYTES];
    struct linear_result r;
    size_t len = strlen(name);
    if (strncmp(name, "step-", 5) != 0 || len < 5 || strcmp(name + len - 5, ".json") != 0 ||
        path_join(path, dir, name, e) < 0 || !read_result(path, &r))
        return 0;
    struct linear_result *more = realloc(*out, sizeof r * (size_t)(*n + 1));
    if (!more)
        return err_set(e, EXIT_OS, "out of memory listing linear evaluations");
    more[(*n)++] = r;
    *out = more;
    return 0;
}

int linear_results(const char *run_dir, struct linear_result **out, int *n, struct err *e)
{
    char dir[PATH_BYTES];
    *out = NULL;
    *n = 0;
    if (folder(run_dir, dir, e) < 0)
        return -1;
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? 0 : err_errno(e, 0, errno, "cannot list %s", dir);
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(d));)
        r = add_result(dir, entry->d_name, out, n, e);
    closedir(d);
    if (r == 0 && *n > 0)
        qsort(*out, (size_t)*n, sizeof **out, by_step);
    if (r < 0) {
        free(*out);
        *out = NULL;
        *n = 0;
    }
    return r;
}
