/* PNG by libpng, all of its kinds reduced to 8-bit RGB by its own transformations. */
#include "data/decode_impl.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 1 << 20, CHUNKS_MAX = 128, CHUNK_BYTES_MAX = 8000000 };

struct reading {
    const struct image_bytes *in;
    size_t at;
    char message[160]; /* of the library's error */
};

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int probe(int fd, const struct image_bytes *head, int64_t *width, int64_t *height,
                 struct err *e)
{
    (void)fd;
    if (head->n < 33 || memcmp(head->at + 12, "IHDR", 4))
        return image_fault(e, head->path,
                           "a PNG image without a header: the file ends early, or is damaged");
    *width = big_endian(head->at + 16);
    *height = big_endian(head->at + 20);
    return 0;
}

static void read_bytes(png_structp png, png_bytep to, png_size_t n)
{
    struct reading *r = png_get_io_ptr(png);
    if (n > r->in->n - r->at)
        png_error(png, "the file ends early");
    memcpy(to, r->in->at + r->at, n);
    r->at += n;
}

static void keep_message(png_structp png, png_const_charp text)
{
    struct reading *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", text);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

/* Everything to RGB, 8 bits. */
static void set_transformations(png_structp png, png_infop info)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static int allocate(const struct image_bytes *in, struct bitmap *map, png_bytep **rows,
                    struct err *e)
{
    size_t stride = 3 * (size_t)map->width;
    map->rgb = malloc(stride * (size_t)map->height);
    *rows = malloc(sizeof **rows * (size_t)map->height);
    if (!map->rgb || !*rows)
        return err_set(e, EXIT_OS, "out of memory for the %dx%d pixels of %s", map->width,
                       map->height, in->path);
    for (int y = 0; y < map->height; y++)
        (*rows)[y] = map->rgb + (size_t)y * stride;
    return 0;
}

/* What outlives a longjmp is reached through pointers. */
static int read_image(png_structp png, png_infop info, const struct reading *r, struct bitmap *map,
                      png_bytep **rows, struct err *e)
{
    if (setjmp(png_jmpbuf(png)))
        return image_fault(e, r->in->path, "a damaged PNG image (%s, at byte %zu of %zu)",
                           r->message, r->at, r->in->n);
    png_read_info(png, info);
    png_uint_32 width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    if (image_judge_size(r->in->path, width, height, e))
        return -1;
    map->by = 1;
    map->width = map->full_width = (int)width;
    map->height = map->full_height = (int)height;
    set_transformations(png, info);
    if (png_get_rowbytes(png, info) != 3 * (size_t)width)
        return image_fault(e, r->in->path, "a PNG image of a kind that cannot be made RGB");
    if (allocate(r->in, map, rows, e))
        return -1;
    png_read_image(png, *rows);
    return 0;
}

static int decode(const struct image_bytes *in, int side, struct bitmap *map, struct err *e)
{
    (void)side;
    struct reading r = {.in = in};
    png_bytep *rows = NULL;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, keep_message, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int failed;
    if (!info) {
        failed = err_set(e, EXIT_OS, "out of memory for %s", in->path);
    } else {
        png_set_read_fn(png, &r, read_bytes);
        png_set_user_limits(png, SIDE_MAX, SIDE_MAX);
        png_set_chunk_cache_max(png, CHUNKS_MAX);
        png_set_chunk_malloc_max(png, CHUNK_BYTES_MAX);
        failed = read_image(png, info, &r, map, &rows, e);
    }
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    if (failed) {
        free(map->rgb);
        map->rgb = NULL;
    }
    return failed;
}

const struct decoder_class png_decoder = {
    .name = "PNG",
    .magic = "\x89PNG\r\n\x1a\n",
    .n_magic = 8,
    .probe = probe,
    .decode = decode,
};
