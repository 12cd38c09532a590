/* Which decoder a file wants, and what all of them have in common. */
#include "data/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/dataset_impl.h"
#include "data/decode_impl.h"

enum { HEAD_BYTES = 64 << 10 };

/* Larger images are decoded one at a time, so that many threads do not take memory for many. */
enum { LARGE_PIXELS = 16 << 20 };
static pthread_mutex_t one_large = PTHREAD_MUTEX_INITIALIZER;

static const struct decoder_class *const decoders[] = {&jpeg_decoder, &png_decoder, NULL};

int image_fault(struct err *e, const char *path, const char *what, ...)
{
    char text[384];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    return err_set(e, EXIT_DATA,
                   "%s: %s; replace or remove the file, or set data.bad_images to \"skip\"", path,
                   text);
}

int image_judge_size(const char *path, int64_t width, int64_t height, struct err *e)
{
    if (width < 1 || height < 1)
        return image_fault(e, path, "an image of %" PRId64 "x%" PRId64 " pixels has no pixels",
                           width, height);
    if (width > IMAGE_PIXELS_MAX || height > IMAGE_PIXELS_MAX / width)
        return image_fault(e, path,
                           "an image of %" PRId64 "x%" PRId64 " pixels, by its header; at most "
                           "%" PRId64 " million pixels are decoded",
                           width, height, IMAGE_PIXELS_MAX / 1000000);
    return 0;
}

static const struct decoder_class *find_decoder(const struct image_bytes *b, struct err *e)
{
    for (int i = 0; decoders[i]; i++)
        if (b->n >= decoders[i]->n_magic &&
            !memcmp(b->at, decoders[i]->magic, decoders[i]->n_magic))
            return decoders[i];
    if (b->n == 0)
        image_fault(e, b->path, "the file is empty; expected a JPEG or PNG image");
    else
        image_fault(e, b->path,
                    "expected a JPEG or PNG image, found a file that begins with bytes %02x %02x "
                    "%02x %02x",
                    b->at[0], b->n > 1 ? b->at[1] : 0, b->n > 2 ? b->at[2] : 0,
                    b->n > 3 ? b->at[3] : 0);
    return NULL;
}

static int read_head(int fd, struct image_bytes *head, uint8_t *buffer, struct err *e)
{
    while (head->n < HEAD_BYTES) {
        ssize_t got = pread(fd, buffer + head->n, HEAD_BYTES - head->n, (off_t)head->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, 0, errno, "cannot read %s", head->path);
        if (got == 0)
            break;
        head->n += (size_t)got;
    }
    return 0;
}

static int probe_open(int fd, struct image_bytes *head, struct image_header *h, struct err *e)
{
    int64_t width = 0, height = 0;
    struct stat st;
    if (fstat(fd, &st))
        return err_errno(e, 0, errno, "cannot read %s", head->path);
    const struct decoder_class *class = find_decoder(head, e);
    if (!class || class->probe(fd, head, &width, &height, e) ||
        image_judge_size(head->path, width, height, e))
        return -1;
    int64_t size = st.st_size;
    h->hash = data_hash(DATA_HASH_INIT, (const uint8_t *)&size, sizeof size);
    h->hash = data_hash(h->hash, head->at, head->n);
    h->width = (int)width;
    h->height = (int)height;
    return 0;
}

int image_probe(const char *path, struct image_header *h, struct err *e)
{
    uint8_t *buffer = malloc(HEAD_BYTES);
    struct image_bytes head = {path, buffer, 0};
    if (!buffer)
        return err_set(e, EXIT_OS, "out of memory for %s", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int failed = fd < 0 ? err_errno(e, 0, errno, "cannot open %s", path)
                        : read_head(fd, &head, buffer, e) || probe_open(fd, &head, h, e);
    if (fd >= 0)
        close(fd);
    free(buffer);
    return failed ? -1 : 0;
}

static int decode_and_fit(const struct decoder_class *class, const struct image_bytes *in, int side,
                          uint8_t *planes, struct err *e)
{
    struct bitmap map = {0};
    if (class->decode(in, side, &map, e))
        return -1;
    int failed = image_fit(&map, side, planes);
    free(map.rgb);
    return failed ? err_set(e, EXIT_OS, "out of memory for resizing %s", in->path) : 0;
}

static int decode_bytes(const struct image_bytes *in, int side, uint8_t *planes, struct err *e)
{
    int64_t width = 0, height = 0;
    const struct decoder_class *class = find_decoder(in, e);
    if (!class || class->probe(-1, in, &width, &height, e) ||
        image_judge_size(in->path, width, height, e))
        return -1;
    bool large = width * height > LARGE_PIXELS;
    if (large)
        pthread_mutex_lock(&one_large);
    int failed = decode_and_fit(class, in, side, planes, e);
    if (large)
        pthread_mutex_unlock(&one_large);
    return failed;
}

int image_decode(const char *path, int side, uint8_t *planes, struct err *e)
{
    char *bytes = NULL;
    size_t n = 0;
    if (file_read(path, (size_t)IMAGE_FILE_BYTES_MAX, &bytes, &n, e))
        return -1;
    int failed =
        decode_bytes(&(struct image_bytes){path, (const uint8_t *)bytes, n}, side, planes, e);
    free(bytes);
    return failed;
}
