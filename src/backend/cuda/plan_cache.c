/*
 * Compiled plans as files of the cache folder: plans/NAME with a first line that says what the file
 * is, for which choice, and what its text sums up to; the text is cuDNN's own description of the
 * plan with the compiled code in it. It is a cache: whatever is wrong with a file, the plan is
 * compiled again, and a file that cannot be written is not missed.
 */
#include "backend/cuda/cudnn_graph.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PLAN_CAP = 64 << 20, LINE_BYTES = 640 };

/* FNV-1a. */
static uint64_t sum_of(const char *p, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * UINT64_C(1099511628211);
    return h;
}

struct place {
    char path[PATH_BYTES];
    char choice[LINE_BYTES]; /* what the file has to be of */
};

/* Under one key an engine may make more than one thing: what the graph makes tells them apart. */
static int find_place(struct place *at, const struct dnn_graph *g, const char *key,
                      const char *text, struct err *e)
{
    char dir[PATH_BYTES], name[32];
    int n = snprintf(at->choice, sizeof at->choice, "supcon plan 2|%s|types %d %d %d%s|%s|", key,
                     g->type[DNN_X], g->type[DNN_W], g->type[DNN_Y], g->sums ? ", sums" : "", text);
    if (n < 0 || n >= (int)sizeof at->choice)
        return err_set(e, EXIT_SOFTWARE, "a key of %d bytes is too long", n);
    snprintf(name, sizeof name, "%016" PRIx64, sum_of(at->choice, (size_t)n));
    if (xdg_cache(dir, "plans", e) || dir_make(dir, e))
        return -1;
    return path_join(at->path, dir, name, e);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The description in the file; NULL: it is of something else, or damaged. */
static const char *description(const struct place *at, const char *file, size_t n, size_t *bytes)
{
    size_t head = strlen(at->choice);
    const char *end = memchr(file, '\n', n);
    char *rest;
    if (n < head || memcmp(file, at->choice, head) != 0 || !end)
        return NULL;
    *bytes = n - (size_t)(end + 1 - file);
    uint64_t sum = strtoull(file + head, &rest, 16);
    return rest == end && sum == sum_of(end + 1, *bytes) ? end + 1 : NULL;
}

static bool load(struct dnn_plan *p, const struct dnn_graph *g, const struct place *at)
{
    struct err ignored = {0};
    char *file = NULL;
    size_t n = 0, bytes = 0;
    if (!path_exists(at->path) || file_read(at->path, PLAN_CAP, &file, &n, &ignored))
        return false;
    const char *text = description(at, file, n, &bytes);
    const struct dnn_attribute it = {CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                     (int64_t)bytes, text};
    bool good = text && dnn_plan_from(p, g, "plan of the cache", &it, &ignored) == 0;
    free(file);
    return good;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The plan's description behind `head` bytes of room; NULL: there is none. */
static char *describe(const struct dnn_plan *p, size_t head, size_t *bytes)
{
    int64_t n = 0, got = 0;
    if (cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, 0, &n, NULL) != CUDNN_STATUS_SUCCESS ||
        n <= 0 || n > PLAN_CAP - (int64_t)head)
        return NULL;
    char *file = malloc(head + (size_t)n);
    if (file &&
        cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, n, &got, file + head) == CUDNN_STATUS_SUCCESS) {
        *bytes = (size_t)(got < n ? got : n);
        return file;
    }
    free(file);
    return NULL;
}

static void save(const struct dnn_plan *p, const struct place *at)
{
    struct err ignored = {0};
    char line[LINE_BYTES + 32];
    size_t bytes = 0, head = strlen(at->choice) + 17;
    char *file = describe(p, head, &bytes);
    if (!file)
        return;
    snprintf(line, sizeof line, "%s%016" PRIx64 "\n", at->choice, sum_of(file + head, bytes));
    memcpy(file, line, head);
    (void)file_replace(at->path, file, head + bytes, &ignored);
    free(file);
}

int dnn_plan_make(struct dnn_plan *p, const struct dnn_graph *g, const struct dnn_config *c,
                  const char *key, struct err *e)
{
    struct place at;
    struct err ignored = {0};
    bool keep = (c->notes & DNN_COMPILES) && find_place(&at, g, key, c->text, &ignored) == 0;
    if (keep && load(p, g, &at))
        return 0;
    if (dnn_plan_init(p, g, c, e))
        return -1;
    if (keep)
        save(p, &at);
    return 0;
}
