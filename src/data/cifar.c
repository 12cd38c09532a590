/*
 * CIFAR-10 and CIFAR-100 in their binary form: records of one or two label bytes and 3 planes of
 * 32x32 pixels, any number of whole records per file. The format has no header and no checksum, so
 * a file is judged by its size and by the range of its labels; every message names the file and the
 * offset. Files are read into memory once; the archive's own subfolder is looked into as well.
 */
#include "data/dataset_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { SIDE = 32, PIXEL_BYTES = 3 * SIDE * SIDE, FILES_MAX = 6, LABELS_MAX = 2 };

/* Far above the official 153 700 000 bytes. */
#define FILE_BYTES_MAX INT64_C(4000000000)

/* One of the two layouts. The last label byte of a record is the class. */
struct layout {
    const char *title, *archive, *folder; /* folder: the archive's own */
    const char *other;                    /* data.name of the layout it is mistaken for */
    int n_labels, label_max[LABELS_MAX];
    const char *label_name[LABELS_MAX];
    const char *file[FILES_MAX + 1]; /* the last one is the test part */
    const char *const *class_names;
    double mean[3], std[3];
};

static const struct layout cifar10_layout = {
    .title = "CIFAR-10",
    .archive = "cifar-10-binary.tar.gz",
    .folder = "cifar-10-batches-bin",
    .other = "cifar100",
    .n_labels = 1,
    .label_max = {9},
    .label_name = {"label"},
    .file = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
             "data_batch_5.bin", "test_batch.bin"},
    .class_names = cifar10_names,
    .mean = {.4914, .4822, .4465},
    .std = {.2470, .2435, .2616},
};

static const struct layout cifar100_layout = {
    .title = "CIFAR-100",
    .archive = "cifar-100-binary.tar.gz",
    .folder = "cifar-100-binary",
    .other = "cifar10",
    .n_labels = 2,
    .label_max = {19, 99},
    .label_name = {"coarse label", "fine label"},
    .file = {"train.bin", "test.bin"},
    .class_names = cifar100_names,
    .mean = {.5071, .4867, .4408},
    .std = {.2675, .2565, .2761},
};

struct record_file {
    uint8_t *bytes;
    int64_t n; /* records */
};

struct cifar {
    const struct layout *layout;
    char folder[PATH_BYTES];
    struct record_file file[FILES_MAX]; /* only while opening */
    uint8_t *images;
    int32_t *labels;
};

static int record_bytes(const struct layout *l)
{
    return l->n_labels + PIXEL_BYTES;
}

static int n_files(const struct layout *l)
{
    int n = 0;
    while (l->file[n])
        n++;
    return n;
}

static bool holds_any(const struct layout *l, const char *folder)
{
    char path[PATH_BYTES];
    for (int i = 0; l->file[i]; i++)
        if (!path_join(path, folder, l->file[i], NULL) && path_exists(path))
            return true;
    return false;
}

static int say_missing(const struct layout *l, const char *folder, struct err *e)
{
    char files[256] = "", missing[64] = "such folder";
    if (path_exists(folder))
        snprintf(missing, sizeof missing, "%s here", l->title);
    for (int i = 0; l->file[i]; i++) {
        size_t at = strlen(files);
        snprintf(files + at, sizeof files - at, "%s%s", i ? ", " : "", l->file[i]);
    }
    return err_set(e, EXIT_NOINPUT,
                   "%s: there is no %s; expected %s, in this folder or in its subfolder %s; "
                   "unpack %s from https://www.cs.toronto.edu/~kriz/cifar.html there, or name "
                   "another folder with data.path",
                   folder, missing, files, l->folder, l->archive);
}

/* The given folder, or the subfolder that the archive unpacks to. */
static int find_folder(struct cifar *c, const char *given, const char *name, struct err *e)
{
    char base[PATH_BYTES];
    if (!given[0] && xdg_data(base, name, e))
        return -1;
    if (given[0])
        snprintf(base, sizeof base, "%s", given);
    snprintf(c->folder, sizeof c->folder, "%s", base);
    if (holds_any(c->layout, base))
        return 0;
    if (path_join(c->folder, base, c->layout->folder, e))
        return -1;
    return holds_any(c->layout, c->folder) ? 0 : say_missing(c->layout, base, e);
}

static int check_size(const struct layout *l, const char *path, int64_t size, struct err *e)
{
    int64_t record = record_bytes(l), other = record == PIXEL_BYTES + 1 ? record + 1 : record - 1;
    if (size == 0)
        return err_set(e, EXIT_DATA,
                       "%s: offset 0: the file is empty; whole records of %" PRId64
                       " bytes are expected: unpack it again from %s",
                       path, record, l->archive);
    if (size % record == 0)
        return 0;
    if (size % other == 0)
        return err_set(e, EXIT_DATA,
                       "%s: offset %" PRId64 ": %" PRId64 " bytes are whole records of %" PRId64
                       " bytes, not of %" PRId64 ": this is no %s file; set data.name to %s?",
                       path, size - size % record, size, other, record, l->title, l->other);
    return err_set(e, EXIT_DATA,
                   "%s: offset %" PRId64 ": the last record is partial: the file has %" PRId64
                   " bytes, %" PRId64 " more than %" PRId64 " whole records of %" PRId64
                   "; truncated or overlong: unpack it again from %s",
                   path, size - size % record, size, size % record, size / record, record,
                   l->archive);
}

static int check_labels(const struct layout *l, const struct record_file *f, const char *path,
                        struct err *e)
{
    for (int64_t i = 0; i < f->n; i++)
        for (int k = 0; k < l->n_labels; k++) {
            int64_t at = i * record_bytes(l) + k;
            if (f->bytes[at] > l->label_max[k])
                return err_set(e, EXIT_DATA,
                               "%s: offset %" PRId64 ": record %" PRId64 " has %s %d, expected "
                               "0..%d: damaged, or no %s file; unpack it again from %s",
                               path, at, i, l->label_name[k], f->bytes[at], l->label_max[k],
                               l->title, l->archive);
        }
    return 0;
}

static int check_file(const struct layout *l, const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st)) {
        int reason = errno;
        return err_errno(e, 0, reason, "%s: a file of %s, in %s, cannot be read", path, l->title,
                         l->archive);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(e, EXIT_DATA, "%s: a %s, where a file of %s is expected", path,
                       S_ISDIR(st.st_mode) ? "folder" : "special file", l->archive);
    if (st.st_size > FILE_BYTES_MAX)
        return err_set(e, EXIT_DATA,
                       "%s: offset %" PRId64 ": the file goes on to %" PRId64
                       " bytes, at most %" PRId64 " are read",
                       path, FILE_BYTES_MAX, (int64_t)st.st_size, FILE_BYTES_MAX);
    return check_size(l, path, st.st_size, e);
}

static int load(struct cifar *c, int i, struct err *e)
{
    const struct layout *l = c->layout;
    struct record_file *f = &c->file[i];
    char path[PATH_BYTES];
    size_t size;
    if (path_join(path, c->folder, l->file[i], e) || check_file(l, path, e) ||
        file_read(path, (size_t)FILE_BYTES_MAX, (char **)&f->bytes, &size, e) ||
        check_size(l, path, (int64_t)size, e)) /* again: it may have changed meanwhile */
        return -1;
    f->n = (int64_t)size / record_bytes(l);
    return check_labels(l, f, path, e);
}

static void cifar_close(struct dataset *d)
{
    struct cifar *c = d->impl;
    for (int i = 0; i < FILES_MAX; i++)
        free(c->file[i].bytes);
    free(c->images);
    free(c->labels);
    free(c);
    d->impl = NULL;
}

static void describe(struct dataset *d, const struct cifar *c)
{
    const struct layout *l = c->layout;
    uint64_t hash = DATA_HASH_INIT;
    int last = n_files(l) - 1;
    for (int i = 0; i <= last; i++) {
        d->n[i == last ? PART_TEST : PART_TRAIN] += c->file[i].n;
        hash = data_hash(hash, c->file[i].bytes, (size_t)(c->file[i].n * record_bytes(l)));
    }
    d->channels = 3;
    d->height = d->width = SIDE;
    d->n_classes = l->label_max[l->n_labels - 1] + 1;
    d->class_names = l->class_names;
    memcpy(d->mean, l->mean, sizeof d->mean);
    memcpy(d->std, l->std, sizeof d->std);
    snprintf(d->fingerprint, sizeof d->fingerprint,
             "%s train=%" PRId64 " test=%" PRId64 " hash=%016" PRIx64, d->class->name,
             d->n[PART_TRAIN], d->n[PART_TEST], hash);
}

/* Records taken apart into images and labels, file by file, so that little is in memory twice. */
static int take_apart(struct dataset *d, struct cifar *c, struct err *e)
{
    const struct layout *l = c->layout;
    int64_t n = d->n[PART_TRAIN] + d->n[PART_TEST], row = 0;
    c->images = malloc((size_t)n * PIXEL_BYTES);
    c->labels = malloc((size_t)n * sizeof *c->labels);
    if (!c->images || !c->labels)
        return err_set(e, EXIT_OS, "out of memory for %" PRId64 " images of %s", n, l->title);
    for (int i = 0; l->file[i]; i++) {
        struct record_file *f = &c->file[i];
        for (int64_t k = 0; k < f->n; k++, row++) {
            const uint8_t *record = f->bytes + k * record_bytes(l);
            c->labels[row] = record[l->n_labels - 1];
            memcpy(c->images + row * PIXEL_BYTES, record + l->n_labels, PIXEL_BYTES);
        }
        free(f->bytes);
        f->bytes = NULL;
    }
    d->labels = c->labels;
    d->images = c->images;
    return 0;
}

static int open_layout(struct dataset *d, const struct layout *l, const struct data_conf *conf,
                       struct err *e)
{
    struct cifar *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, EXIT_OS, "out of memory for the data set");
    c->layout = l;
    d->impl = c;
    if (find_folder(c, conf->path, d->class->name, e))
        goto fail;
    for (int i = 0; l->file[i]; i++)
        if (load(c, i, e))
            goto fail;
    describe(d, c);
    if (take_apart(d, c, e) == 0)
        return 0;
fail:
    cifar_close(d);
    return -1;
}

static int cifar10_open(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    return open_layout(d, &cifar10_layout, conf, e);
}

static int cifar100_open(struct dataset *d, const struct data_conf *conf, struct err *e)
{
    return open_layout(d, &cifar100_layout, conf, e);
}

const struct dataset_class cifar10_dataset = {
    .name = "cifar10",
    .help = "CIFAR-10: 32x32 colour photographs of 10 classes, binary files",
    .open = cifar10_open,
    .close = cifar_close,
};

const struct dataset_class cifar100_dataset = {
    .name = "cifar100",
    .help = "CIFAR-100: 32x32 colour photographs of 100 classes, binary files",
    .open = cifar100_open,
    .close = cifar_close,
};
