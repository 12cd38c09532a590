/*
 * JPEG by libjpeg-turbo. The library's warnings decide whether an image is whole: data that ends
 * early or cannot be right is a fault, a few stray bytes between markers are not. A file may ask
 * for work without end by declaring scan after scan; their number is bounded, and so is memory.
 */
#include "data/decode_impl.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

#include <jerror.h>

enum { SCANS_MAX = 100, MARKERS_MAX = 10000 };

/* Progressive images keep 2 bytes for each coefficient: 64 million pixels of 3 components, and
 * some. */
#define LIBRARY_BYTES_MAX (INT64_C(512) << 20)

struct reading {
    struct jpeg_error_mgr manager; /* first: the library's pointer to it is ours */
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    char fault[JMSG_LENGTH_MAX]; /* the first; "": none */
};

/* Warnings that leave the pixels right. */
static const int harmless[] = {JWRN_EXTRANEOUS_DATA, JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR};

/* Frame headers: C0..CF without the tables DHT, JPG and DAC. */
static bool is_frame(int marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* `n` bytes at an offset, from the head or else from the file; false: there are none. */
static bool bytes_at(int fd, const struct image_bytes *head, int64_t at, uint8_t *to, size_t n)
{
    if (at + (int64_t)n <= (int64_t)head->n) {
        memcpy(to, head->at + at, n);
        return true;
    }
    return pread(fd, to, n, (off_t)at) == (ssize_t)n;
}

/* From marker to marker up to the frame header. */
static int probe(int fd, const struct image_bytes *head, int64_t *width, int64_t *height,
                 struct err *e)
{
    uint8_t b[9]; /* FF, marker, length, precision, height, width */
    int64_t at = 2;
    for (int i = 0; i < MARKERS_MAX; i++) {
        if (!bytes_at(fd, head, at, b, 4))
            break;
        int length = b[2] << 8 | b[3];
        if (b[0] != 0xff || b[1] == 0xff || b[1] == 0) { /* fill, stray bytes: look on */
            at++;
            continue;
        }
        if (is_frame(b[1]) && bytes_at(fd, head, at, b, sizeof b)) {
            *height = b[5] << 8 | b[6];
            *width = b[7] << 8 | b[8];
            return 0;
        }
        if (b[1] == 0xd9 || b[1] == 0xda || length < 2)
            break;
        at += 2 + length;
    }
    return image_fault(e, head->path,
                       "a JPEG image without a frame header: the file ends early, or is damaged");
}

static void keep_fault(j_common_ptr c)
{
    struct reading *r = (struct reading *)c->err;
    if (!r->fault[0])
        c->err->format_message(c, r->fault);
}

static void stop(j_common_ptr c)
{
    keep_fault(c);
    longjmp(((struct reading *)c->err)->jump, 1);
}

static void note(j_common_ptr c, int level)
{
    if (level >= 0) /* a trace, not a warning */
        return;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (c->err->msg_code == harmless[i])
            return;
    keep_fault(c);
}

static void bound_scans(j_common_ptr c)
{
    struct reading *r = (struct reading *)c->err;
    if (((j_decompress_ptr)c)->input_scan_number <= SCANS_MAX)
        return;
    snprintf(r->fault, sizeof r->fault, "more than %d scans", SCANS_MAX);
    longjmp(r->jump, 1);
}

/* (1 - C)(1 - K) and so on; the values are stored inverted, as Adobe does. */
static void cmyk_row(const uint8_t *cmyk, uint8_t *rgb, int n)
{
    for (int i = 0; i < n; i++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((cmyk[c] * cmyk[3] + 127) / 255);
}

static unsigned int reduction(const struct jpeg_decompress_struct *j, int side)
{
    int shorter = (int)(j->image_width < j->image_height ? j->image_width : j->image_height);
    unsigned int by = 8;
    while (by > 1 && shorter / side < (int)by)
        by /= 2;
    return by;
}

static void read_rows(struct jpeg_decompress_struct *j, struct bitmap *map, uint8_t *cmyk)
{
    while (j->output_scanline < j->output_height) {
        uint8_t *row = map->rgb + 3 * (size_t)map->width * j->output_scanline;
        JSAMPROW to = cmyk ? cmyk : row;
        if (jpeg_read_scanlines(j, &to, 1) == 1 && cmyk)
            cmyk_row(cmyk, row, map->width);
    }
}

static int damaged(const struct image_bytes *in, const struct reading *r, struct err *e)
{
    return image_fault(e, in->path, "a JPEG image that is damaged or cannot be decoded (%s)",
                       r->fault);
}

/* What outlives a longjmp is reached through pointers. */
static int read_image(struct jpeg_decompress_struct *j, struct reading *r,
                      const struct image_bytes *in, int side, struct bitmap *map, uint8_t **cmyk,
                      struct err *e)
{
    if (setjmp(r->jump))
        return damaged(in, r, e);
    jpeg_mem_src(j, in->at, in->n);
    jpeg_read_header(j, TRUE);
    if (image_judge_size(in->path, j->image_width, j->image_height, e))
        return -1;
    bool four = j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK;
    j->out_color_space = four ? JCS_CMYK : JCS_RGB;
    j->scale_num = 1;
    j->scale_denom = reduction(j, side);
    map->by = (int)j->scale_denom;
    map->full_width = (int)j->image_width;
    map->full_height = (int)j->image_height;
    j->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(j);
    map->width = (int)j->output_width;
    map->height = (int)j->output_height;
    map->rgb = malloc(3 * (size_t)map->width * (size_t)map->height);
    *cmyk = four ? malloc(4 * (size_t)map->width) : NULL;
    if (!map->rgb || (four && !*cmyk))
        return err_set(e, EXIT_OS, "out of memory for the %dx%d pixels of %s", map->width,
                       map->height, in->path);
    read_rows(j, map, *cmyk);
    return r->fault[0] ? damaged(in, r, e) : 0;
}

static int decode(const struct image_bytes *in, int side, struct bitmap *map, struct err *e)
{
    struct jpeg_decompress_struct j;
    struct reading r = {0};
    uint8_t *cmyk = NULL;
    memset(&j, 0, sizeof j);
    j.err = jpeg_std_error(&r.manager);
    r.manager.error_exit = stop;
    r.manager.emit_message = note;
    r.progress.progress_monitor = bound_scans;
    if (setjmp(r.jump)) /* the library is of another version than its header, or out of memory */
        return damaged(in, &r, e);
    jpeg_create_decompress(&j);
    j.progress = &r.progress;
    j.mem->max_memory_to_use = LIBRARY_BYTES_MAX;
    int failed = read_image(&j, &r, in, side, map, &cmyk, e);
    jpeg_destroy_decompress(&j);
    free(cmyk);
    if (failed) {
        free(map->rgb);
        map->rgb = NULL;
    }
    return failed;
}

const struct decoder_class jpeg_decoder = {
    .name = "JPEG",
    .magic = "\xff\xd8\xff",
    .n_magic = 3,
    .probe = probe,
    .decode = decode,
};
