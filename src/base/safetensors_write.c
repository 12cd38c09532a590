/*
 * Writing safetensors files: tensors by dtype (widest last in the enum first), then by name, header
 * padded so that data starts at a multiple of 64 bytes. Room is asked for first, so that a full
 * disk shows before the bytes are moved.
 */
#include "base/file.h"
#include "base/safetensors_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLICE = 32 << 20, ALIGN = 64 };

static uint64_t bytes_of(const struct st_out *t)
{
    uint64_t n = st_dtype_size(t->dtype);
    for (int i = 0; i < t->ndim; i++)
        n *= (uint64_t)t->dim[i];
    return n;
}

static int by_dtype_and_name(const void *a, const void *b)
{
    const struct st_out *s = *(const struct st_out *const *)a,
                        *t = *(const struct st_out *const *)b;
    if (s->dtype != t->dtype)
        return s->dtype > t->dtype ? -1 : 1;
    return strcmp(s->name, t->name);
}

static json_t *describe(const struct st_out *t, uint64_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->ndim; i++)
        json_array_append_new(shape, json_integer(t->dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", st_dtype_name(t->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + bytes_of(t)));
}

/* The JSON text, or NULL. *data: bytes behind it. */
static char *header_text(const struct st_out *const *sorted, int n, const char *const *metadata,
                         uint64_t *data)
{
    json_t *root = json_object();
    if (metadata) {
        json_t *pairs = json_object();
        for (; metadata[0]; metadata += 2)
            json_object_set_new(pairs, metadata[0], json_string(metadata[1]));
        json_object_set_new(root, "__metadata__", pairs);
    }
    *data = 0;
    bool good = true;
    for (int i = 0; i < n && good; i++) {
        good = !json_object_get(root, sorted[i]->name) && strlen(sorted[i]->name) <= ST_MAX_NAME &&
               json_object_set_new(root, sorted[i]->name, describe(sorted[i], *data)) == 0;
        *data += bytes_of(sorted[i]);
    }
    char *text = good ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

/* Length of the header with the spaces behind it. */
static uint64_t padded(const char *text)
{
    return (8 + strlen(text) + ALIGN - 1) / ALIGN * ALIGN - 8;
}

struct sink {
    int fd;
    const char *path;
    uint64_t unsynced;
};

static int put(struct sink *s, const void *data, uint64_t n, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        uint64_t piece = n < SLICE - s->unsynced ? n : SLICE - s->unsynced;
        if (file_write_fd(s->fd, p, piece, s->path, e) < 0)
            return -1;
        p += piece;
        n -= piece;
        s->unsynced += piece;
        if (s->unsynced == SLICE) {
            if (fsync(s->fd) < 0)
                return err_errno(e, EXIT_IO, errno, "cannot write %s", s->path);
            s->unsynced = 0;
        }
    }
    return 0;
}

static int put_header(struct sink *s, const char *text, struct err *e)
{
    static const char spaces[ALIGN + 1] =
        "                                                                ";
    uint64_t length = strlen(text), total = padded(text);
    if (put(s, &total, sizeof total, e) < 0 || put(s, text, length, e) < 0)
        return -1;
    return put(s, spaces, total - length, e);
}

/* Room for the whole file; file systems that cannot promise it are taken as they are. */
static int reserve(const struct sink *s, uint64_t bytes, struct err *e)
{
    if (bytes == 0 || fallocate(s->fd, 0, 0, (off_t)bytes) == 0)
        return 0;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)
        return err_errno(e, EXIT_IO, errno, "cannot write %s", s->path);
    return 0;
}

static int put_all(struct sink *s, const char *text, const struct st_out *const *sorted, int n,
                   uint64_t data, struct err *e)
{
    if (reserve(s, 8 + padded(text) + data, e) < 0 || put_header(s, text, e) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (put(s, sorted[i]->data, bytes_of(sorted[i]), e) < 0)
            return -1;
    if (fsync(s->fd) < 0)
        return err_errno(e, EXIT_IO, errno, "cannot write %s", s->path);
    return 0;
}

/* What was left incomplete goes, but never a device or a pipe that stands at the path. */
static void remove_partial(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        unlink(path);
}

static int write_file(const char *path, const char *text, const struct st_out *const *sorted, int n,
                      uint64_t data, struct err *e)
{
    struct sink s = {open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), path, 0};
    if (s.fd < 0)
        return err_create(e, errno, "cannot create %s", path);
    int r = put_all(&s, text, sorted, n, data, e);
    if (close(s.fd) < 0 && r == 0)
        r = err_errno(e, EXIT_IO, errno, "cannot write %s", path);
    if (r < 0)
        remove_partial(path);
    return r;
}

int st_write(const char *path, const struct st_out *tensors, int n, const char *const *metadata,
             struct err *e)
{
    const struct st_out **sorted = calloc((size_t)n + 1, sizeof *sorted);
    if (!sorted)
        return err_set(e, EXIT_OS, "cannot write %s: out of memory", path);
    for (int i = 0; i < n; i++)
        sorted[i] = &tensors[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_dtype_and_name);
    uint64_t data;
    int r;
    char *text = header_text(sorted, n, metadata, &data);
    if (text)
        r = write_file(path, text, sorted, n, data, e);
    else
        r = err_set(e, EXIT_SOFTWARE, "cannot write %s: names of tensors repeat or are not UTF-8",
                    path);
    free(text);
    free(sorted);
    return r;
}
