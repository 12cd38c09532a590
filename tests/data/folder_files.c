/* Writing small image files; what fails here fails the test. */
#include "tests/data/folder_files.h"

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <jpeglib.h>

enum { ROW_MAX = 4 * 2 * 512 };

uint8_t picture_value(const struct picture *p, int c, int x)
{
    return (uint8_t)(p->value[c] + (p->stripes ? x * 5 + c * 40 : 0));
}

void put_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

uint8_t *get_file(const char *path, size_t *n)
{
    static const size_t most = 1 << 20;
    uint8_t *bytes = malloc(most);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    *n = fread(bytes, 1, most, f);
    fclose(f);
    return bytes;
}

static void fill_row(const struct picture *p, uint8_t *row)
{
    int wide = p->bits == 16 ? 2 : 1;
    for (int x = 0; x < p->width; x++)
        for (int c = 0; c < p->channels; c++)
            for (int k = 0; k < wide; k++) /* v * 257: exactly v in 8 bits */
                *row++ = picture_value(p, c, x);
}

void put_png(const char *path, const struct picture *p)
{
    static const int kinds[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    uint8_t row[ROW_MAX];
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(p->width <= 512);
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, p->bits ? p->bits : 8,
                 kinds[p->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    fill_row(p, row);
    for (int y = 0; y < p->height; y++)
        png_write_row(png, row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    assert_int_equal(fclose(f), 0);
}

void put_jpeg(const char *path, const struct picture *p)
{
    static const J_COLOR_SPACE spaces[] = {0, JCS_GRAYSCALE, 0, JCS_RGB, JCS_CMYK};
    uint8_t row[ROW_MAX];
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(p->width <= 512);
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_stdio_dest(&j, f);
    j.image_width = (JDIMENSION)p->width;
    j.image_height = (JDIMENSION)p->height;
    j.input_components = p->channels;
    j.in_color_space = spaces[p->channels];
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 95, TRUE);
    if (p->progressive)
        jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    fill_row(p, row);
    JSAMPROW rows[1] = {row};
    for (int y = 0; y < p->height; y++)
        jpeg_write_scanlines(&j, rows, 1);
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    assert_int_equal(fclose(f), 0);
}
