/* What the decoders share: the class, and how a fault is said. */
#ifndef SUPCON_DATA_DECODE_IMPL_H
#define SUPCON_DATA_DECODE_IMPL_H

#include "data/decode.h"

/* What is read, and what comes out; `rgb` is owned by whoever has the bitmap. */
struct image_bytes {
    const char *path;
    const uint8_t *at;
    size_t n;
};
struct bitmap {
    int full_width, full_height; /* of the image */
    int by;                      /* how much smaller it was decoded: 1, 2, 4, 8 */
    int width, height;           /* full sizes / by, rounded up */
    uint8_t *rgb;                /* [height, width, 3] */
};

struct decoder_class {
    const char *name;
    const char *magic;
    size_t n_magic;
    /* Sizes as the header says them, not judged. `head`: the first bytes of the open file `fd`, or
     * all bytes, with an fd of -1. */
    int (*probe)(int fd, const struct image_bytes *head, int64_t *width, int64_t *height,
                 struct err *);
    /* On failure nothing is left to free. */
    int (*decode)(const struct image_bytes *, int side, struct bitmap *, struct err *);
};

extern const struct decoder_class jpeg_decoder, png_decoder;

/* "PATH: WHAT; replace or remove it ...", EXIT_DATA. Always returns -1. */
int image_fault(struct err *, const char *path, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
/* Sizes of 0, or too many pixels. */
int image_judge_size(const char *path, int64_t width, int64_t height, struct err *);

/* Bilinear with a support that grows when shrinking (a triangle over all pixels that fall into one,
 * what Pillow's resize does), columns first and rounded to u8, then rows; sizes and the place of
 * the middle as torchvision's Resize and CenterCrop take them. -1: out of memory. */
int image_fit(const struct bitmap *, int side, uint8_t *planes);

#endif
