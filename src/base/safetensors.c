/* Opening safetensors files and looking things up in them; see safetensors.h. */
#include "base/safetensors_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[ST_N_DTYPES] = {
    [ST_BOOL] = {"BOOL", 1}, [ST_U8] = {"U8", 1},   [ST_I8] = {"I8", 1},     [ST_I16] = {"I16", 2},
    [ST_U16] = {"U16", 2},   [ST_F16] = {"F16", 2}, [ST_BF16] = {"BF16", 2}, [ST_I32] = {"I32", 4},
    [ST_U32] = {"U32", 4},   [ST_F32] = {"F32", 4}, [ST_F64] = {"F64", 8},   [ST_I64] = {"I64", 8},
    [ST_U64] = {"U64", 8},
};

size_t st_dtype_size(enum st_dtype t)
{
    return dtypes[t].size;
}

const char *st_dtype_name(enum st_dtype t)
{
    return dtypes[t].name;
}

int st_dtype_find(const char *name)
{
    for (int i = 0; i < ST_N_DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return i;
    return -1;
}

/* The fixed first eight bytes, checked against the size of the file. */
static int header_length(const struct st_file *f, uint64_t file_bytes, uint64_t *n, struct err *e)
{
    unsigned char b[8];
    if (file_bytes < sizeof b)
        return err_set(e, EXIT_DATA,
                       "%s: offset 0: %" PRIu64 " bytes are too few for a safetensors file",
                       f->path, file_bytes);
    if (pread(f->fd, b, sizeof b, 0) != (ssize_t)sizeof b)
        return err_errno(e, EXIT_IO, errno, "cannot read %s", f->path);
    memcpy(n, b, sizeof *n);
    if (*n > ST_MAX_HEADER)
        return err_set(e, EXIT_DATA,
                       "%s: offset 0: a header of %" PRIu64
                       " bytes is announced, at most %d are allowed; is it a safetensors file?",
                       f->path, *n, ST_MAX_HEADER);
    if (*n > file_bytes - sizeof b)
        return err_set(e, EXIT_DATA,
                       "%s: offset 0: a header of %" PRIu64
                       " bytes is announced, but the file has %" PRIu64 " bytes; it was cut short",
                       f->path, *n, file_bytes);
    return 0;
}

static int read_header(struct st_file *f, uint64_t file_bytes, struct err *e)
{
    uint64_t n = 0;
    if (header_length(f, file_bytes, &n, e) < 0)
        return -1;
    char *header = malloc(n + 1);
    if (!header)
        return err_set(e, EXIT_OS, "%s: out of memory for the header", f->path);
    int r = 0;
    for (size_t at = 0; at < n && r == 0;) {
        ssize_t got = pread(f->fd, header + at, n - at, (off_t)(8 + at));
        if (got > 0)
            at += (size_t)got;
        else if (got == 0 || errno != EINTR)
            r = err_errno(e, EXIT_IO, got ? errno : EIO, "cannot read the header of %s", f->path);
    }
    if (r == 0)
        r = st_parse(f, header, n, file_bytes - 8 - n, e);
    free(header);
    return r;
}

int st_open(struct st_file *f, const char *path, struct err *e)
{
    struct stat st;
    *f = (struct st_file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (f->fd < 0)
        return err_errno(e, 0, errno, "cannot open %s", path);
    f->path = strdup(path);
    int r = 0;
    if (!f->path)
        r = err_set(e, EXIT_OS, "%s: out of memory", path);
    else if (fstat(f->fd, &st) < 0)
        r = err_errno(e, EXIT_IO, errno, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode))
        r = err_set(e, EXIT_NOINPUT, "%s is not a file", path);
    else
        r = read_header(f, (uint64_t)st.st_size, e);
    if (r < 0)
        st_close(f);
    return r;
}

void st_close(struct st_file *f)
{
    if (f->fd >= 0 && (f->path || f->fd > 0))
        close(f->fd); /* a zeroed st_file is closed */
    free(f->path);
    free(f->tensors);
    json_decref(f->metadata);
    *f = (struct st_file){.fd = -1};
}

const struct st_tensor *st_find(const struct st_file *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    return NULL;
}

const char *st_metadata(const struct st_file *f, const char *key)
{
    return json_string_value(json_object_get(f->metadata, key));
}
