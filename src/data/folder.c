/*
 * Image folders as a data set. All images become squares of one size when they are decoded: the
 * shorter side is brought to it, the middle is kept. Where all of them fit into the allowed memory
 * they are decoded while the set is opened, on all processors, and stay; else the loader's threads
 * decode them as they are needed. The pixels are the same either way.
 */
#include "data/folder.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "data/dataset_impl.h"
#include "data/decode.h"
#include "data/workers.h"

enum {
    SIDE_MAX = 1024,
    LARGE_SIDE = 96, /* from here on views are cut out of larger images unless data.resize says */
    TELL_USEC = 5000000,
};

struct folder {
    struct folder_list list;
    bool skip;    /* bad images are left out */
    bool changed; /* the index knows less than the list */
    int side;     /* of the stored squares */
    uint8_t *images;
    int32_t *labels;
    char first_bad[512];

    pthread_mutex_t lock; /* of the work on all images: */
    int64_t done, n_bad, told_usec;
    const char *doing;
};

/* --- work on all images ---------------------------------------------------------------------- */

static int fault(struct folder *f, struct folder_entry *entry, struct err *e)
{
    if (!f->skip || e->code != EXIT_DATA)
        return -1;
    pthread_mutex_lock(&f->lock);
    entry->state = ENTRY_BAD;
    f->changed = true;
    if (!f->first_bad[0])
        snprintf(f->first_bad, sizeof f->first_bad, "%s", e->msg);
    pthread_mutex_unlock(&f->lock);
    return 0;
}

static void tell(struct folder *f, int64_t n)
{
    int64_t now = clock_usec();
    pthread_mutex_lock(&f->lock);
    int64_t done = ++f->done;
    bool due = now - f->told_usec > TELL_USEC;
    if (due)
        f->told_usec = now;
    pthread_mutex_unlock(&f->lock);
    if (due)
        log_info("%s: %s: %" PRId64 " of %" PRId64 " images", f->list.root, f->doing, done, n);
}

static int probe_entry(void *ctx, int64_t i, struct err *e)
{
    struct folder *f = ctx;
    struct folder_entry *entry = &f->list.entries[i];
    struct image_header h;
    char path[PATH_BYTES];
    tell(f, f->list.n);
    if (entry->state != ENTRY_NEW && (f->skip || entry->state != ENTRY_BAD))
        return 0;
    if (path_join(path, f->list.root, entry->path, e))
        return -1;
    if (image_probe(path, &h, e))
        return fault(f, entry, e);
    entry->width = h.width;
    entry->height = h.height;
    entry->hash = h.hash;
    entry->state = ENTRY_PROBED;
    return 0;
}

static size_t image_bytes(const struct folder *f)
{
    return 3 * (size_t)f->side * (size_t)f->side;
}

static int decode_entry(const struct folder *f, const struct folder_entry *entry, uint8_t *to,
                        struct err *e)
{
    char path[PATH_BYTES];
    return path_join(path, f->list.root, entry->path, e) || image_decode(path, f->side, to, e) ? -1
                                                                                               : 0;
}

/* Into the resident images, or only to see that it can be done. */
static int try_entry(void *ctx, int64_t i, struct err *e)
{
    struct folder *f = ctx;
    struct folder_entry *entry = &f->list.entries[i];
    tell(f, f->list.n);
    if (entry->state == ENTRY_BAD || (!f->images && entry->state == ENTRY_DECODED))
        return 0;
    uint8_t *to = f->images ? f->images + (size_t)i * image_bytes(f) : malloc(image_bytes(f));
    if (!to)
        return err_set(e, EXIT_OS, "out of memory for an image of %s", f->list.root);
    int failed = decode_entry(f, entry, to, e);
    if (!f->images)
        free(to);
    if (failed)
        return fault(f, entry, e);
    if (entry->state != ENTRY_DECODED) {
        pthread_mutex_lock(&f->lock);
        entry->state = ENTRY_DECODED;
        f->changed = true;
        pthread_mutex_unlock(&f->lock);
    }
    return 0;
}

static int for_all(struct folder *f, worker_fn *fn, const char *doing, struct err *e)
{
    f->done = 0;
    f->doing = doing;
    f->told_usec = clock_usec();
    return workers_run(f->list.n, fn, f, e);
}

/* --- opening --------------------------------------------------------------------------------- */

static bool is_bad(const struct folder_entry *entry)
{
    return entry->state == ENTRY_BAD;
}

/* Every class has a training image that is not bad. */
static int check_classes(const struct folder *f, struct err *e)
{
    int32_t class = 0; /* labels rise along the training part */
    for (int64_t i = 0; i < f->list.n && f->list.entries[i].part == PART_TRAIN; i++)
        class += class == f->list.entries[i].label && !is_bad(&f->list.entries[i]);
    if (class == f->list.n_classes)
        return 0;
    return err_set(e, EXIT_DATA,
                   "%s/train/%s: no image of this class can be decoded, and bad images are left "
                   "out (data.bad_images): replace them, or remove the class",
                   f->list.root, f->list.class_names[class]);
}

/* Takes bad images out of the list, and out of the resident ones. */
static void drop_bad(struct folder *f)
{
    int64_t before = f->list.n, kept = 0;
    size_t bytes = image_bytes(f);
    for (int64_t i = 0; f->images && i < before; i++)
        if (!is_bad(&f->list.entries[i])) {
            if (kept != i)
                memcpy(f->images + (size_t)kept * bytes, f->images + (size_t)i * bytes, bytes);
            kept++;
        }
    folder_remove(&f->list, is_bad);
    f->n_bad += before - f->list.n;
}

/* The side that all images share, or 0; and what sizes there are, for a message. */
static int common_side(const struct folder_list *l, char *sizes, size_t n_sizes)
{
    int low = INT32_MAX, high = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const struct folder_entry *k = &l->entries[i];
        if (is_bad(k))
            continue;
        int shorter = k->width < k->height ? k->width : k->height;
        int longer = k->width < k->height ? k->height : k->width;
        low = shorter < low ? shorter : low;
        high = longer > high ? longer : high;
    }
    snprintf(sizes, n_sizes, "their sides are %d to %d pixels long", low, high);
    return low == high ? low : 0;
}

static int choose_sides(struct folder *f, const struct data_conf *conf, int *view, struct err *e)
{
    char sizes[64];
    int side = common_side(&f->list, sizes, sizeof sizes);
    *view = conf->size ? (int)conf->size : side;
    if (*view == 0 || *view > SIDE_MAX)
        return err_set(e, EXIT_CONFIG,
                       "data.size: %s: the images have no common size (%s); set the side of views, "
                       "at most %d, for instance 224",
                       f->list.root, sizes, SIDE_MAX);
    f->side = (int)conf->resize;
    if (f->side == 0)
        f->side = *view < LARGE_SIDE || *view == side ? *view : (*view * 8 + 3) / 7;
    if (f->side >= *view && f->side < 2 * *view)
        return 0;
    return err_set(
        e, EXIT_CONFIG,
        "data.resize: %d; images are kept at least as large as views (data.size, %d) and "
        "less than twice as large",
        f->side, *view);
}

/* MemAvailable of /proc/meminfo in bytes; 1 GiB if it does not say. */
static int64_t memory_available(void)
{
    long long kib = 1 << 20;
    char line[128];
    FILE *in = fopen("/proc/meminfo", "re");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1)
            break;
    if (in)
        fclose(in);
    return (int64_t)kib * 1024;
}

/* Decodes all images where they fit, or where bad ones are to be found beforehand. */
static int decode_all(struct folder *f, const struct data_conf *conf, struct err *e)
{
    int64_t need = f->list.n * (int64_t)image_bytes(f);
    int64_t most = conf->memory ? conf->memory << 20 : memory_available() / 2;
    if (need <= most)
        f->images = malloc((size_t)need);
    log_info("%s: %" PRId64 " MiB of images are %s (data.memory: %s%" PRId64 " MiB)", f->list.root,
             (need + (1 << 20) - 1) >> 20,
             f->images ? "kept in memory" : "decoded as they are needed",
             conf->memory ? "" : "half of what is free, ", most >> 20);
    if (!f->images && !f->skip)
        return 0;
    return for_all(f, try_entry, "decoding", e);
}

static int read_list(struct folder *f, const struct data_conf *conf, struct err *e)
{
    char root[PATH_BYTES];
    if (!conf->path[0] && xdg_data(root, "folder", e))
        return -1;
    if (folder_scan(&f->list, conf->path[0] ? conf->path : root, e))
        return -1;
    if (f->list.n_other)
        log_info("%s: %" PRId64 " files are no images by their names and are passed over",
                 f->list.root, f->list.n_other);
    if (!f->list.has_test)
        log_warn("%s: there is no folder test; training and validation do without, linear "
                 "evaluation needs it",
                 f->list.root);
    f->changed = folder_index_recall(&f->list) < f->list.n;
    return for_all(f, probe_entry, "reading headers", e);
}

/* Names, sizes and beginnings of all files, in order. */
static uint64_t hash_list(const struct folder_list *l)
{
    uint64_t hash = DATA_HASH_INIT;
    for (int64_t i = 0; i < l->n; i++) {
        const struct folder_entry *k = &l->entries[i];
        hash = data_hash(hash, (const uint8_t *)k->path, strlen(k->path) + 1);
        hash = data_hash(hash, (const uint8_t *)&k->hash, sizeof k->hash);
    }
    return hash;
}

static int describe(struct dataset *d, struct folder *f, int view, struct err *e)
{
    f->labels = malloc((size_t)f->list.n * sizeof *f->labels);
    if (!f->labels)
        return err_set(e, EXIT_OS, "out of memory for %" PRId64 " labels", f->list.n);
    for (int64_t i = 0; i < f->list.n; i++) {
        f->labels[i] = f->list.entries[i].label;
        d->n[f->list.entries[i].part]++;
    }
    static const double mean[3] = {.485, .456, .406}, std[3] = {.229, .224, .225};
    d->channels = 3;
    d->height = d->width = view;
    d->from_height = d->from_width = f->side;
    d->n_classes = f->list.n_classes;
    d->class_names = (const char *const *)f->list.class_names;
    d->labels = f->labels;
    d->images = f->images;
    memcpy(d->mean, mean, sizeof d->mean);
    memcpy(d->std, std, sizeof d->std);
    snprintf(d->fingerprint, sizeof d->fingerprint,
             "folder train=%" PRId64 " test=%" PRId64 " side=%d/%d hash=%016" PRIx64,
             d->n[PART_TRAIN], d->n[PART_TEST], view, f->side, hash_list(&f->list));
    return 0;
}

static int open_folder(struct dataset *d, struct folder *f, const struct data_conf *conf,
                       struct err *e)
{
    int view;
    if (read_list(f, conf, e) || check_classes(f, e) || choose_sides(f, conf, &view, e) ||
        decode_all(f, conf, e))
        return -1;
    if (f->changed)
        folder_index_store(&f->list);
    if (check_classes(f, e))
        return -1;
    drop_bad(f);
    if (f->n_bad)
        log_warn("%s: %" PRId64 " of %" PRId64
                 " images are left out (data.bad_images): they cannot be decoded%s%s",
                 f->list.root, f->n_bad, f->list.n + f->n_bad,
                 f->first_bad[0] ? "; one of them: " : "", f->first_bad);
    return describe(d, f, view, e);
}

static void folder_close(struct dataset *d)
{
    struct folder *f = d->impl;
    folder_list_free(&f->list);
    pthread_mutex_destroy(&f->lock);
    free(f->images);
    free(f->labels);
    free(f);
    d->impl = NULL;
}

static int folder_open(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    struct folder *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(e, EXIT_OS, "out of memory for the data set");
    pthread_mutex_init(&f->lock, NULL);
    f->skip = strcmp(conf->bad_images, "skip") == 0;
    d->impl = f;
    if (open_folder(d, f, conf, e) == 0)
        return 0;
    folder_close(d);
    return -1;
}

static int folder_read(const struct dataset *d, enum data_part part, int64_t index, uint8_t *image,
                       struct err *e)
{
    const struct folder *f = d->impl;
    return decode_entry(f, &f->list.entries[dataset_row(d, part, index)], image, e);
}

const struct dataset_class folder_dataset = {
    .name = "folder",
    .help = "a folder of JPEG and PNG images: DIR/train/CLASS/..., DIR/test/CLASS/...",
    .open = folder_open,
    .read = folder_read,
    .close = folder_close,
};
