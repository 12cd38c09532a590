/*
 * What is known of the files of a folder, kept between runs so that a start need not open them all.
 * A text file: a line with version and folder, a line for each file (size, time of change, width,
 * height, hash, state, path), a line with their number. Lines are believed for files whose size and
 * time are unchanged; anything else in the file makes it worthless and is passed over.
 */
#include "data/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "data/dataset_impl.h"
#include "data/decode.h"

#define INDEX_VERSION "supcon-folder-index 1"

/* A line has at most PATH_BYTES and some numbers; ten million of them are enough. */
#define INDEX_BYTES_MAX ((size_t)4 << 30)

/* The folder under its real name. */
static void real_root(char out[PATH_BYTES], const struct folder_list *l)
{
    char *real = realpath(l->root, NULL);
    snprintf(out, PATH_BYTES, "%s", real ? real : l->root);
    free(real);
}

static int index_path(char out[PATH_BYTES], const char *root, bool make, struct err *e)
{
    char dir[PATH_BYTES], name[40];
    snprintf(name, sizeof name, "%016" PRIx64 ".index",
             data_hash(DATA_HASH_INIT, (const uint8_t *)root, strlen(root)));
    if (xdg_cache(dir, "folders", e) || (make && dir_make(dir, e)))
        return -1;
    return path_join(out, dir, name, e);
}

/* A number in base 10 or 16 and the blank after it; the rest, or NULL. */
static char *take_number(char *at, int base, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(at, &end, base);
    return at[0] == '-' || errno || end == at || *end != ' ' || *out > most ? NULL : end + 1;
}

static bool parse_line(char *at, struct folder_entry *entry)
{
    struct {
        int base;
        uint64_t most, value;
    } field[] = {{10, INT64_MAX, 0},        {10, INT64_MAX, 0},  {10, IMAGE_PIXELS_MAX, 0},
                 {10, IMAGE_PIXELS_MAX, 0}, {16, UINT64_MAX, 0}, {10, ENTRY_N - 1, 0}};
    for (size_t i = 0; at && i < sizeof field / sizeof *field; i++)
        at = take_number(at, field[i].base, field[i].most, &field[i].value);
    if (!at)
        return false;
    *entry = (struct folder_entry){.path = at,
                                   .size = (int64_t)field[0].value,
                                   .mtime_ns = (int64_t)field[1].value,
                                   .width = (int32_t)field[2].value,
                                   .height = (int32_t)field[3].value,
                                   .hash = field[4].value,
                                   .state = (enum entry_state)field[5].value};
    return entry->state == ENTRY_BAD || (entry->width > 0 && entry->height > 0);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct folder_entry *)a)->path, ((const struct folder_entry *)b)->path);
}

/* The lines of an index, paths pointing into `text`; NULL if it is not a whole one of this folder.
 */
static struct folder_entry *parse(char *text, const char *root, int64_t *n)
{
    char first[PATH_BYTES + 64], last[40], *line = strchr(text, '\n');
    int64_t room = 0;
    for (const char *p = text; *p; p++)
        room += *p == '\n';
    struct folder_entry *known = calloc((size_t)room + 1, sizeof *known);
    snprintf(first, sizeof first, INDEX_VERSION " %s", root);
    bool whole = false, right = known && line;
    if (right) {
        *line++ = '\0';
        right = strcmp(text, first) == 0;
    }
    for (*n = 0; right && !whole && *line;) {
        char *end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        snprintf(last, sizeof last, "end %" PRId64, *n);
        whole = strcmp(line, last) == 0 && end[1] == '\0';
        if (!whole)
            right = parse_line(line, &known[(*n)++]);
        line = end + 1;
    }
    if (right && whole)
        return known;
    free(known);
    return NULL;
}

static int64_t recall(struct folder_list *l, const struct folder_entry *known, int64_t n)
{
    int64_t recalled = 0;
    for (int64_t i = 0; i < l->n; i++) {
        struct folder_entry *entry = &l->entries[i];
        const struct folder_entry *k = bsearch(entry, known, (size_t)n, sizeof *known, by_path);
        if (!k || k->size != entry->size || k->mtime_ns != entry->mtime_ns)
            continue;
        entry->width = k->width;
        entry->height = k->height;
        entry->hash = k->hash;
        entry->state = k->state;
        recalled++;
    }
    return recalled;
}

int64_t folder_index_recall(struct folder_list *l)
{
    char path[PATH_BYTES], root[PATH_BYTES], *text = NULL;
    size_t bytes;
    int64_t n, recalled = 0;
    real_root(root, l);
    if (index_path(path, root, false, NULL) || !path_exists(path) ||
        file_read(path, INDEX_BYTES_MAX, &text, &bytes, NULL))
        return 0;
    struct folder_entry *known = strlen(text) == bytes ? parse(text, root, &n) : NULL;
    if (known) {
        qsort(known, (size_t)n, sizeof *known, by_path);
        recalled = recall(l, known, n);
    } else {
        log_info("%s: not a whole index of %s; made again", path, l->root);
    }
    free(known);
    free(text);
    return recalled;
}

static void write_lines(FILE *f, const struct folder_list *l, const char *root)
{
    int64_t n = 0;
    fprintf(f, INDEX_VERSION " %s\n", root);
    for (int64_t i = 0; i < l->n; i++) {
        const struct folder_entry *k = &l->entries[i];
        if (k->state == ENTRY_NEW || strchr(k->path, '\n') || k->mtime_ns < 0)
            continue;
        fprintf(f, "%" PRId64 " %" PRId64 " %" PRId32 " %" PRId32 " %016" PRIx64 " %d %s\n",
                k->size, k->mtime_ns, k->width, k->height, k->hash, (int)k->state, k->path);
        n++;
    }
    fprintf(f, "end %" PRId64 "\n", n);
}

void folder_index_store(const struct folder_list *l)
{
    char path[PATH_BYTES], root[PATH_BYTES], *text = NULL;
    size_t n;
    struct err e = {0};
    real_root(root, l);
    FILE *f = open_memstream(&text, &n);
    if (!f)
        return;
    write_lines(f, l, root);
    bool written = fclose(f) == 0;
    if (written && (index_path(path, root, true, &e) || file_replace(path, text, n, &e)))
        log_info("the list of images is not kept for the next start: %s", e.msg);
    free(text);
}
