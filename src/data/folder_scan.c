/*
 * Walking through the folder. Hidden files and folders are passed over; so are files whose names do
 * not end as those of images do, with a count. Links are followed to files and to class folders,
 * not to folders below these, so that a walk ends. What is no regular file is never opened.
 */
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 16 };

static const char *const part_names[PART_N] = {[PART_TRAIN] = "train", [PART_TEST] = "test"};

struct names {
    char **name;
    size_t n, room;
};

static void names_free(struct names *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->name[i]);
    free(s->name);
    *s = (struct names){0};
}

static int names_add(struct names *s, const char *name, struct err *e)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        char **grown = realloc(s->name, room * sizeof *grown);
        if (!grown)
            return err_set(e, EXIT_OS, "out of memory for a list of files");
        s->name = grown;
        s->room = room;
    }
    s->name[s->n] = strdup(name);
    if (!s->name[s->n])
        return err_set(e, EXIT_OS, "out of memory for a list of files");
    s->n++;
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is in a folder, sorted, without hidden names. */
static int names_read(struct names *s, const char *dir, struct err *e)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int failed = 0;
    if (!d)
        return err_errno(e, 0, errno, "cannot read the folder %s", dir);
    for (errno = 0; !failed && (entry = readdir(d)); errno = 0)
        if (entry->d_name[0] != '.')
            failed = names_add(s, entry->d_name, e);
    if (!failed && errno)
        failed = err_errno(e, 0, errno, "cannot read the folder %s", dir);
    closedir(d);
    if (s->n > 1)
        qsort(s->name, s->n, sizeof *s->name, by_bytes);
    return failed;
}

static bool is_image_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i]))
            return true;
    return false;
}

static int add_entry(struct folder_list *l, const struct folder_entry *entry, struct err *e)
{
    if (l->n == l->room) {
        int64_t room = l->room ? 2 * l->room : 1024;
        struct folder_entry *grown = realloc(l->entries, (size_t)room * sizeof *grown);
        if (!grown || room > INT32_MAX)
            return err_set(e, EXIT_OS, "out of memory for a list of %lld images", (long long)l->n);
        l->entries = grown;
        l->room = room;
    }
    l->entries[l->n] = *entry;
    l->entries[l->n].path = strdup(entry->path);
    if (!l->entries[l->n].path)
        return err_set(e, EXIT_OS, "out of memory for a list of %lld images", (long long)l->n);
    l->n++;
    return 0;
}

/* Where the walk is. */
struct place {
    enum data_part part;
    int32_t label;
    int depth;
};

static int walk(struct folder_list *, const struct place *, const char *dir, struct err *);

static int visit(struct folder_list *l, const struct place *at, const char *path, struct err *e)
{
    char full[PATH_BYTES];
    struct stat st, link;
    if (path_join(full, l->root, path, e))
        return -1;
    if (stat(full, &st) || lstat(full, &link))
        return err_errno(e, 0, errno, "cannot look at %s", full);
    if (S_ISDIR(st.st_mode)) {
        struct place below = {at->part, at->label, at->depth + 1};
        return S_ISLNK(link.st_mode) || below.depth > DEPTH_MAX ? 0 : walk(l, &below, path, e);
    }
    if (!S_ISREG(st.st_mode) || !is_image_name(path)) {
        l->n_other++;
        return 0;
    }
    struct folder_entry entry = {.path = (char *)path,
                                 .size = st.st_size,
                                 .mtime_ns =
                                     st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
                                 .label = at->label,
                                 .part = at->part};
    return add_entry(l, &entry, e);
}

/* `dir`: below the root. */
static int walk(struct folder_list *l, const struct place *at, const char *dir, struct err *e)
{
    char path[PATH_BYTES];
    struct names in = {0};
    int failed = path_join(path, l->root, dir, e) || names_read(&in, path, e);
    for (size_t i = 0; !failed && i < in.n; i++)
        failed = path_join(path, dir, in.name[i], e) || visit(l, at, path, e);
    names_free(&in);
    return failed ? -1 : 0;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folders in `dir`; what else is there is counted. */
static int read_classes(struct folder_list *l, const char *dir, struct names *classes,
                        struct err *e)
{
    struct names in = {0};
    char path[PATH_BYTES];
    int failed = names_read(&in, dir, e);
    for (size_t i = 0; !failed && i < in.n; i++) {
        failed = path_join(path, dir, in.name[i], e);
        if (!failed && is_dir(path))
            failed = names_add(classes, in.name[i], e);
        else
            l->n_other++;
    }
    names_free(&in);
    return failed ? -1 : 0;
}

static int label_of(const struct folder_list *l, const char *class_name)
{
    for (int k = 0; k < l->n_classes; k++)
        if (!strcmp(l->class_names[k], class_name))
            return k;
    return -1;
}

static int scan_class(struct folder_list *l, enum data_part part, const char *class_name,
                      struct err *e)
{
    char dir[PATH_BYTES];
    struct place at = {part, label_of(l, class_name), 0};
    int64_t before = l->n;
    if (at.label < 0)
        return err_set(e, EXIT_DATA,
                       "%s/test/%s: a class that is not among the %d of %s/train; remove it, or "
                       "give it training images",
                       l->root, class_name, l->n_classes, l->root);
    if (path_join(dir, part_names[part], class_name, e) || walk(l, &at, dir, e))
        return -1;
    if (l->n == before && part == PART_TRAIN)
        return err_set(e, EXIT_DATA,
                       "%s/%s: a class without images; files that end in .jpg, .jpeg or .png are "
                       "expected: fill the folder, or remove it",
                       l->root, dir);
    return 0;
}

static int scan_part(struct folder_list *l, enum data_part part, struct err *e)
{
    char dir[PATH_BYTES];
    struct names classes = {0};
    int failed = path_join(dir, l->root, part_names[part], e) || read_classes(l, dir, &classes, e);
    if (!failed && part == PART_TRAIN) {
        l->class_names = classes.name;
        l->n_classes = (int)classes.n;
    }
    for (size_t i = 0; !failed && i < classes.n; i++)
        failed = scan_class(l, part, classes.name[i], e);
    if (l->class_names != classes.name)
        names_free(&classes);
    return failed ? -1 : 0;
}

int folder_scan(struct folder_list *l, const char *root, struct err *e)
{
    static const char wanted[] = "DIR/train/CLASS/*.jpg, *.jpeg or *.png, and the same in DIR/test";
    char path[PATH_BYTES];
    *l = (struct folder_list){0};
    snprintf(l->root, sizeof l->root, "%s", root);
    if (path_join(path, root, "train", e))
        return -1;
    if (!is_dir(path))
        return err_set(
            e, EXIT_NOINPUT, "%s: %s; images are expected as %s: set data.path to DIR", root,
            is_dir(root) ? "there is no folder train in it" : "there is no such folder", wanted);
    if (scan_part(l, PART_TRAIN, e))
        goto fail;
    if (l->n_classes == 0) {
        err_set(e, EXIT_DATA,
                "%s: there are no folders of classes in it; images are expected as %s", path,
                wanted);
        goto fail;
    }
    if (path_join(path, root, "test", e))
        goto fail;
    l->has_test = is_dir(path);
    if (!l->has_test || scan_part(l, PART_TEST, e) == 0)
        return 0;
fail:
    folder_list_free(l);
    return -1;
}

void folder_list_free(struct folder_list *l)
{
    for (int64_t i = 0; i < l->n; i++)
        free(l->entries[i].path);
    for (int k = 0; k < l->n_classes; k++)
        free(l->class_names[k]);
    free(l->entries);
    free(l->class_names);
    *l = (struct folder_list){0};
}

void folder_remove(struct folder_list *l, bool (*drop)(const struct folder_entry *))
{
    int64_t kept = 0;
    for (int64_t i = 0; i < l->n; i++)
        if (drop(&l->entries[i]))
            free(l->entries[i].path);
        else
            l->entries[kept++] = l->entries[i];
    l->n = kept;
}
