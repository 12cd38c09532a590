/*
 * Files of a checkpoint against its manifest. "blocks" holds the running CRC-32C after every 4 MiB,
 * so that damage is reported with the range it lies in; the last one is that of the whole file.
 */
#include "engine/checkpoint_part.h"
#include "engine/crc32c.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4 << 20 };

const char *const checkpoint_files[] = {CHECKPOINT_MODEL, CHECKPOINT_TRAIN, NULL};

/* One open file and a buffer of one block. */
struct scan {
    char path[PATH_BYTES];
    int fd;
    unsigned char *block;
    int64_t bytes; /* of the file */
    uint32_t crc;
};

static int scan_open(struct scan *s, const char *folder, const char *name, struct err *e)
{
    struct stat st;
    if (path_join(s->path, folder, name, e) < 0)
        return -1;
    s->crc = 0;
    s->block = malloc(BLOCK_BYTES);
    s->fd = s->block ? open(s->path, O_RDONLY | O_CLOEXEC) : -1;
    if (s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        s->bytes = st.st_size;
        return 0;
    }
    int errnum = s->block ? errno : ENOMEM;
    if (s->fd >= 0)
        close(s->fd);
    free(s->block);
    return err_errno(e, 0, errnum, "cannot read %s", s->path);
}

static void scan_close(struct scan *s)
{
    close(s->fd);
    free(s->block);
}

/* Adds the next block to the running checksum; *n: its bytes, 0 at the end of the file. */
static int scan_block(struct scan *s, size_t *n, struct err *e)
{
    *n = 0;
    while (*n < BLOCK_BYTES) {
        ssize_t got = read(s->fd, s->block + *n, BLOCK_BYTES - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, EXIT_IO, errno, "cannot read %s", s->path);
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    s->crc = crc32c(s->crc, s->block, *n);
    return 0;
}

static json_t *hex(uint32_t crc)
{
    return json_sprintf("%08x", (unsigned)crc);
}

static json_t *describe_file(const char *folder, const char *name, struct err *e)
{
    struct scan s;
    size_t n;
    if (scan_open(&s, folder, name, e) < 0)
        return NULL;
    json_t *blocks = json_array();
    int r;
    while ((r = scan_block(&s, &n, e)) == 0 && n > 0)
        json_array_append_new(blocks, hex(s.crc));
    scan_close(&s);
    if (r == 0)
        return json_pack("{s:I, s:o, s:o}", "bytes", (json_int_t)s.bytes, "crc32c", hex(s.crc),
                         "blocks", blocks);
    json_decref(blocks);
    return NULL;
}

int checkpoint_add_files(json_t *manifest, const char *folder, struct err *e)
{
    json_t *files = json_object();
    json_object_set_new(manifest, "files", files);
    for (int i = 0; checkpoint_files[i]; i++) {
        json_t *item = describe_file(folder, checkpoint_files[i], e);
        if (!item)
            return -1;
        json_object_set_new(files, checkpoint_files[i], item);
    }
    return 0;
}

static int verify_blocks(struct scan *s, const json_t *blocks, struct err *e)
{
    char found[16];
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const char *want = json_string_value(json_array_get(blocks, i));
        if (scan_block(s, &n, e) < 0)
            return -1;
        snprintf(found, sizeof found, "%08x", (unsigned)s->crc);
        if (want && strcmp(want, found) == 0)
            continue;
        return err_set(e, EXIT_DATA,
                       "%s: offset %zu: bytes up to offset %zu are damaged (checksum %s instead of "
                       "%s)",
                       s->path, i * BLOCK_BYTES, i * BLOCK_BYTES + n, found, want ? want : "none");
    }
    if (scan_block(s, &n, e) < 0)
        return -1;
    return n == 0 ? 0
                  : err_set(e, EXIT_DATA, "%s: more bytes than its manifest has checksums for",
                            s->path);
}

static int verify_file(const char *folder, const char *name, const json_t *item, struct err *e)
{
    struct scan s;
    if (!item)
        return err_set(e, EXIT_DATA, "%s/%s does not list %s", folder, CHECKPOINT_MANIFEST, name);
    if (scan_open(&s, folder, name, e) < 0) {
        if (e && e->code == EXIT_NOINPUT)
            e->code = EXIT_DATA;
        return -1;
    }
    int64_t want = json_integer_value(json_object_get(item, "bytes"));
    int r = 0;
    if (s.bytes != want)
        r = err_set(e, EXIT_DATA, "%s: offset %lld: the file has %lld bytes instead of %lld; it %s",
                    s.path, (long long)(s.bytes < want ? s.bytes : want), (long long)s.bytes,
                    (long long)want, s.bytes < want ? "was cut short" : "is too long");
    if (r == 0)
        r = verify_blocks(&s, json_object_get(item, "blocks"), e);
    scan_close(&s);
    return r;
}

int checkpoint_verify(const char *path, const json_t *manifest, struct err *e)
{
    const json_t *files = json_object_get(manifest, "files");
    for (int i = 0; checkpoint_files[i]; i++)
        if (verify_file(path, checkpoint_files[i], json_object_get(files, checkpoint_files[i]), e) <
            0)
            return -1;
    return 0;
}

int64_t checkpoint_bytes(const json_t *manifest)
{
    const json_t *files = json_object_get(manifest, "files");
    int64_t sum = 0;
    for (int i = 0; checkpoint_files[i]; i++)
        sum += json_integer_value(
            json_object_get(json_object_get(files, checkpoint_files[i]), "bytes"));
    return sum;
}

int checkpoint_digest(const char *path, uint32_t *crc, int64_t *bytes, struct err *e)
{
    static const char *const names[] = {CHECKPOINT_MODEL, CHECKPOINT_TRAIN, CHECKPOINT_MANIFEST,
                                        NULL};
    *crc = 0;
    *bytes = 0;
    for (int i = 0; names[i]; i++) {
        struct scan s;
        size_t n;
        int r;
        if (scan_open(&s, path, names[i], e) < 0)
            return -1;
        s.crc = *crc;
        while ((r = scan_block(&s, &n, e)) == 0 && n > 0)
            *bytes += (int64_t)n;
        *crc = s.crc;
        scan_close(&s);
        if (r < 0)
            return -1;
    }
    return 0;
}
