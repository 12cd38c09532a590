/*
 * One image file, JPEG or PNG by its first bytes whatever its name, to one u8 image of the wanted
 * size: RGB whatever it was (grey is repeated, CMYK converted as Adobe stores it, 16 bits become 8,
 * palettes are looked up, opacity is dropped, tags of orientation are not looked at). Files are not
 * trusted: sizes are judged before anything is allocated, and every fault is one sentence with
 * EXIT_DATA.
 */
#ifndef SUPCON_DATA_DECODE_H
#define SUPCON_DATA_DECODE_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

/* Bounds of what is decoded. */
#define IMAGE_PIXELS_MAX (INT64_C(64) << 20)
#define IMAGE_FILE_BYTES_MAX (INT64_C(256) << 20)

struct image_header {
    int width, height;
    uint64_t hash; /* data_hash() of the size and the first 64 KiB of the file */
};

/* Looks at the header alone. */
int image_probe(const char *path, struct image_header *, struct err *);

/* Decodes and makes planes [3, side, side] of it: the shorter side becomes `side` (smoothed when
 * shrinking, as image_fit says), the middle is kept. Large JPEGs are shrunk by 2, 4 or 8 while
 * decoding where that leaves the shorter side at least `side` long. Thread-safe. */
int image_decode(const char *path, int side, uint8_t *planes, struct err *);

#endif
