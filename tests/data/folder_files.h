/* Image files for tests, written by libjpeg and libpng. */
#ifndef SUPCON_TESTS_DATA_FOLDER_FILES_H
#define SUPCON_TESTS_DATA_FOLDER_FILES_H

#include <stddef.h>
#include <stdint.h>

/* One colour, or (stripes) columns of different ones. */
struct picture {
    int width, height;
    int channels; /* 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity (PNG) or CMYK (JPEG) */
    int bits;     /* PNG: 8 or 16 */
    int progressive;
    int stripes;
    uint8_t value[4];
};

void put_file(const char *path, const void *bytes, size_t n);
uint8_t *get_file(const char *path, size_t *n); /* the caller frees */
void put_png(const char *path, const struct picture *);
void put_jpeg(const char *path, const struct picture *);
/* Value of a channel of a picture. */
uint8_t picture_value(const struct picture *, int c, int x);

#endif
