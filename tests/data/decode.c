/* Decoding: images of every kind come out as RGB; damaged and hostile files end in one sentence. */
#include "data/decode.h"
#include "base/file.h"
#include "tests/data/folder_files.h"
#include "tests/unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { SIDE = 16 };

static char dir[512], path[PATH_BYTES];

static const char *at(const char *name)
{
    assert_int_equal(path_join(path, dir, name, NULL), 0);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    return temp_dir(dir, sizeof dir);
}

static int remove_dir(void **state)
{
    (void)state;
    return dir_remove(dir, NULL);
}

/* --- right images ---------------------------------------------------------------------------- */

static const struct {
    const char *what;
    bool png;
    struct picture picture;
    uint8_t want[3];
    int tolerance; /* JPEG: a step of the quantiser at quality 95, and the conversion of colours */
} kinds[] = {
    {"RGB", true, {16, 16, .channels = 3, .value = {200, 30, 90}}, {200, 30, 90}, 0},
    {"grey", true, {16, 16, .channels = 1, .value = {77}}, {77, 77, 77}, 0},
    {"grey with opacity", true, {16, 16, .channels = 2, .value = {77, 3}}, {77, 77, 77}, 0},
    {"RGB with opacity", true, {16, 16, .channels = 4, .value = {9, 8, 7, 0}}, {9, 8, 7}, 0},
    {"RGB of 16 bits", true, {16, 16, 3, 16, .value = {200, 30, 90}}, {200, 30, 90}, 0},
    {"grey of 16 bits", true, {16, 16, 1, 16, .value = {201}}, {201, 201, 201}, 0},
    {"wide", true, {90, 20, .channels = 3, .value = {1, 2, 3}}, {1, 2, 3}, 0},
    {"tall", true, {20, 300, .channels = 3, .value = {1, 2, 3}}, {1, 2, 3}, 0},
    {"one pixel", true, {1, 1, .channels = 3, .value = {1, 2, 3}}, {1, 2, 3}, 0},
    {"JPEG", false, {40, 30, .channels = 3, .value = {200, 30, 90}}, {200, 30, 90}, 3},
    {"grey JPEG", false, {40, 30, .channels = 1, .value = {77}}, {77, 77, 77}, 2},
    {"progressive", false, {40, 30, 3, .progressive = 1, .value = {9, 99, 199}}, {9, 99, 199}, 3},
    {"large", false, {500, 400, .channels = 3, .value = {200, 30, 90}}, {200, 30, 90}, 3},
    /* Inverted: (255 - C)(255 - K) / 255 of C 55, M 155, Y 205, K 51. */
    {"CMYK", false, {40, 30, .channels = 4, .value = {200, 100, 50, 204}}, {160, 80, 40}, 3},
};

static void every_kind_becomes_rgb(void **state)
{
    (void)state;
    uint8_t planes[3 * SIDE * SIDE];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct picture *p = &kinds[k].picture;
        struct image_header h;
        struct err e = {0};
        (kinds[k].png ? put_png : put_jpeg)(at("kind"), p);
        if (image_probe(path, &h, &e) || image_decode(path, SIDE, planes, &e))
            fail_msg("%s: %s", kinds[k].what, e.msg);
        assert_int_equal(h.width, p->width);
        assert_int_equal(h.height, p->height);
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            if (abs(planes[i] - kinds[k].want[i / (SIDE * SIDE)]) > kinds[k].tolerance)
                fail_msg("%s: value %d is %d", kinds[k].what, i, planes[i]);
    }
}

static void an_image_of_the_wanted_size_is_unchanged(void **state)
{
    (void)state;
    static const struct picture stripes = {SIDE, SIDE, 3, .stripes = 1};
    uint8_t planes[3 * SIDE * SIDE];
    put_png(at("same"), &stripes);
    assert_int_equal(image_decode(path, SIDE, planes, NULL), 0);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        assert_int_equal(planes[i], picture_value(&stripes, i / (SIDE * SIDE), i % SIDE));
}

/* Twice as wide as wanted: the middle is kept. Half the size: each pixel is made of four columns
 * with weights 1, 3, 3, 1, so a ramp stays a ramp. */
static void the_middle_is_kept_and_shrinking_smooths(void **state)
{
    (void)state;
    static const struct picture wide = {2 * SIDE, SIDE, 3, .stripes = 1};
    static const struct picture twice = {40, 2 * SIDE, 3, .stripes = 1, .value = {3, 0, 1}};
    uint8_t planes[3 * SIDE * SIDE];
    put_png(at("middle"), &wide);
    assert_int_equal(image_decode(path, SIDE, planes, NULL), 0);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        assert_int_equal(planes[i], picture_value(&wide, i / (SIDE * SIDE), i % SIDE + SIDE / 2));
    put_png(at("half"), &twice);
    assert_int_equal(image_decode(path, SIDE, planes, NULL), 0);
    for (int x = 0; x < SIDE; x++) { /* between columns 2 (x + 2) and the next; rounded up */
        int left = picture_value(&twice, 0, 2 * (x + 2)), right = left + 5;
        assert_int_equal(planes[x], (left + right + 1) / 2);
    }
}

/* --- wrong files ----------------------------------------------------------------------------- */

static uint8_t *big(uint8_t *to, uint32_t v, int bytes)
{
    while (bytes--)
        *to++ = (uint8_t)(v >> 8 * bytes);
    return to;
}

/* The frame header's height and width of a JPEG. */
static uint8_t *frame_size(uint8_t *jpeg, size_t n)
{
    for (size_t i = 0; i + 9 < n; i++)
        if (jpeg[i] == 0xff && (jpeg[i + 1] == 0xc0 || jpeg[i + 1] == 0xc2))
            return jpeg + i + 5;
    fail_msg("no frame header");
    return NULL;
}

enum damage { EMPTY, TEXT, GIF, HEAD, HALF, FLIP, BOMB, FLAT, NO_FRAME, PRECISION };

static const struct {
    const char *what;
    bool png;
    enum damage damage;
    const char *said;
} faults[] = {
    {"an empty file", true, EMPTY, "the file is empty"},
    {"text", true, TEXT, "found a file that begins with bytes 68 65 6c 6c"},
    {"another format", false, GIF, "expected a JPEG or PNG image, found a file"},
    {"a PNG of 20 bytes", true, HEAD, "a PNG image without a header"},
    {"a JPEG of 20 bytes", false, HEAD, "a JPEG image without a frame header"},
    {"half a PNG", true, HALF, "a damaged PNG image (the file ends early"},
    {"half a JPEG", false, HALF, "Premature end of JPEG"},
    {"a changed PNG", true, FLIP, "a damaged PNG image ("},
    {"a PNG of 100000x100000", true, BOMB, "100000x100000 pixels, by its header; at most 67 mil"},
    {"a JPEG of 65000x65000", false, BOMB, "65000x65000 pixels, by its header; at most 67 mil"},
    {"a PNG without rows", true, FLAT, "has no pixels"},
    {"a JPEG without rows", false, FLAT, "has no pixels"},
    {"a JPEG without a frame", false, NO_FRAME, "without a frame header"},
    {"a JPEG of 12 bits", false, PRECISION, "Unsupported JPEG data precision 12"},
};

static void damage_file(const char *file, bool png, enum damage damage)
{
    size_t n;
    uint8_t *b = get_file(file, &n);
    uint8_t *size = png ? b + 16 : frame_size(b, n);
    switch (damage) {
    case EMPTY:
        n = 0;
        break;
    case TEXT:
        memcpy(b, "hello", n = 5);
        break;
    case GIF:
        memcpy(b, "GIF89a", 6);
        break;
    case HEAD:
        n = 20;
        break;
    case HALF:
        n /= 2;
        break;
    case FLIP:
        b[n / 2] ^= 0x10;
        break;
    case BOMB:
        big(big(size, png ? 100000 : 65000, png ? 4 : 2), png ? 100000 : 65000, png ? 4 : 2);
        break;
    case FLAT:
        big(png ? size + 4 : size, 0, png ? 4 : 2);
        break;
    case NO_FRAME:
        size[-4] = 0xfe;
        break; /* a comment instead */
    case PRECISION:
        size[-1] = 12;
        break;
    }
    put_file(file, b, n);
    free(b);
}

/* Both by the header alone and by decoding, which may see more. */
static void every_fault_is_one_sentence(void **state)
{
    (void)state;
    static const struct picture noisy = {40, 30, 3, .stripes = 1};
    uint8_t planes[3 * SIDE * SIDE];
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        struct image_header h;
        struct err e = {0};
        (faults[k].png ? put_png : put_jpeg)(at("fault"), &noisy);
        damage_file(path, faults[k].png, faults[k].damage);
        if (image_probe(path, &h, &e) == 0 && image_decode(path, SIDE, planes, &e) == 0)
            fail_msg("%s passed", faults[k].what);
        assert_int_equal(e.code, EXIT_DATA);
        if (!strstr(e.msg, faults[k].said) || strncmp(e.msg, path, strlen(path)) ||
            !strstr(e.msg, "replace or remove the file, or set data.bad_images to \"skip\""))
            fail_msg("%s: %s", faults[k].what, e.msg);
        struct err again = {0};
        assert_int_equal(image_decode(path, SIDE, planes, &again), -1);
        assert_int_equal(again.code, EXIT_DATA);
    }
}

static void every_truncation_of_a_file_is_a_fault_or_an_image(void **state)
{
    (void)state;
    static const struct picture noisy = {24, 20, 3, .stripes = 1};
    uint8_t planes[3 * SIDE * SIDE];
    for (int png = 0; png < 2; png++) {
        size_t n;
        (png ? put_png : put_jpeg)(at("whole"), &noisy);
        uint8_t *b = get_file(path, &n);
        for (size_t cut = 0; cut < n; cut++) {
            struct image_header h;
            struct err e = {0};
            put_file(at("cut"), b, cut);
            if (image_probe(path, &h, &e) || image_decode(path, SIDE, planes, &e))
                assert_int_equal(e.code, EXIT_DATA);
            else /* nothing but the end marker is missing */
                assert_true(cut + 16 > n);
        }
        free(b);
    }
}

static void changed_bytes_never_do_harm(void **state)
{
    (void)state;
    static const struct picture noisy = {24, 20, 3, .progressive = 1, .stripes = 1};
    uint8_t planes[3 * SIDE * SIDE];
    for (int png = 0; png < 2; png++) {
        size_t n;
        (png ? put_png : put_jpeg)(at("whole"), &noisy);
        uint8_t *b = get_file(path, &n);
        for (size_t i = 2; i < n; i++) {
            struct err e = {0};
            uint8_t keep = b[i];
            b[i] = (uint8_t)(keep ^ (i % 3 == 0 ? 0xff : 1 << i % 8));
            put_file(at("changed"), b, n);
            if (image_decode(path, SIDE, planes, &e))
                assert_int_equal(e.code, EXIT_DATA);
            b[i] = keep;
        }
        free(b);
    }
}

/* A progressive JPEG whose first scan comes 200 times. */
static void scans_without_end_are_refused(void **state)
{
    (void)state;
    static const struct picture picture = {24, 20, 3, .progressive = 1, .value = {1, 2, 3}};
    uint8_t planes[3 * SIDE * SIDE], *many;
    struct err e = {0};
    size_t n, first = 0, next;
    put_jpeg(at("scans"), &picture);
    uint8_t *b = get_file(path, &n);
    while (b[first] != 0xff || b[first + 1] != 0xda)
        first++;
    for (next = first + 2; b[next] != 0xff || b[next + 1] == 0;)
        next++;
    many = malloc(n + 200 * (next - first));
    memcpy(many, b, next);
    size_t m = next;
    for (int i = 0; i < 200; i++, m += next - first)
        memcpy(many + m, b + first, next - first);
    memcpy(many + m, b + next, n - next);
    put_file(path, many, m + n - next);
    assert_int_equal(image_decode(path, SIDE, planes, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, "more than 100 scans"));
    free(b);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_becomes_rgb),
        cmocka_unit_test(an_image_of_the_wanted_size_is_unchanged),
        cmocka_unit_test(the_middle_is_kept_and_shrinking_smooths),
        cmocka_unit_test(every_fault_is_one_sentence),
        cmocka_unit_test(every_truncation_of_a_file_is_a_fault_or_an_image),
        cmocka_unit_test(changed_bytes_never_do_harm),
        cmocka_unit_test(scans_without_end_are_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
