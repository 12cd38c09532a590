/* safetensors: exact bytes in, exact bytes out, and every known attack refused with a reason. */
#include "base/file.h"
#include "base/safetensors.h"
#include "temp.h"

#include <math.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[512], path[560];

static void put(const void *bytes, size_t n)
{
    struct err e = {0};
    assert_int_equal(file_replace(path, bytes, n, &e), 0);
}

/* A file with this header and n bytes of data behind it (counting from 0). */
static void put_header(const char *header, size_t n)
{
    unsigned char b[8192];
    uint64_t length = strlen(header);
    assert_true(8 + length + n <= sizeof b);
    memcpy(b, &length, 8);
    memcpy(b + 8, header, length);
    for (size_t i = 0; i < n; i++)
        b[8 + length + i] = (unsigned char)i;
    put(b, 8 + length + n);
}

/* The file is refused with this word in the message. */
static void refused(const char *why)
{
    struct st_file f;
    struct err e = {0};
    assert_int_equal(st_open(&f, path, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, path));
    if (!strstr(e.msg, why))
        fail_msg("expected \"%s\" in: %s", why, e.msg);
    st_close(&f);
}

static void golden_bytes_are_read(void **state)
{
    (void)state;
    unsigned char b[8 + 64 + 24] = {0x40};
    float v[6] = {0, 1, 2, 3, 4, 5}, back[6];
    memcpy(b + 8, "{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}", 64);
    memcpy(b + 72, v, sizeof v);
    put(b, sizeof b);
    struct st_file f;
    struct err e = {0};
    assert_int_equal(st_open(&f, path, &e), 0);
    assert_int_equal(f.n, 1);
    const struct st_tensor *t = st_find(&f, "attn.0");
    assert_non_null(t);
    assert_int_equal(t->ndim, 3);
    assert_int_equal(t->dim[2], 3);
    assert_int_equal(t->count, 6);
    assert_int_equal(st_read_f32(&f, t, back, &e), 0);
    assert_memory_equal(back, v, sizeof v);
    assert_null(st_find(&f, "attn.1"));
    st_close(&f);
}

static void raw_bytes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } c[] = {
        {"", 0, "too few"},
        {"\x01\0\0", 3, "too few"},
        {"\x3c\0\0\0\0\xff\xff\xff", 8, "a header of"},
        {"\x3c\0\0\0\0\0\0\0", 8, "cut short"},
        {"\x01\0\0\0\0\0\0\0\xff", 9, "not valid JSON"},
        {"\x01\0\0\0\0\0\0\0{", 9, "not valid JSON"},
        {"\x02\0\0\0\0\0\0\0[]", 10, "not a JSON object"},
        {"\x01\xe1\xf5\x05\0\0\0\0{}", 10, "at most 100000000"},
        {"\x00\0\0\0\0\0\0\0", 8, "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        put(c[i].bytes, c[i].n);
        refused(c[i].why);
    }
}

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n;
        const char *why;
    } c[] = {
        {"{" T("t", "I32", "[2,2]", "[0,4]") "}", 4, "needs 16 bytes, its offsets span 4"},
        {"{" T("t", "I32", "[2,18446744073709551614]", "[0,16]") "}", 16, "not valid JSON"},
        {"{" T("t", "I32", "[2,9223372036854775807]", "[0,16]") "}", 16, "dimension 1"},
        {"{" T("t", "I32", "[281474976710655,281474976710655]", "[0,16]") "}", 16, "elements"},
        {"{" T("t", "I32", "[-1]", "[0,4]") "}", 4, "dimension 0"},
        {"{" T("t", "I32", "[1.0]", "[0,4]") "}", 4, "dimension 0"},
        {"{" T("t", "I32", "[1e0]", "[0,4]") "}", 4, "dimension 0"},
        {"{" T("t", "I32", "[01]", "[0,4]") "}", 4, "not valid JSON"},
        {"{" T("t", "I32", "[\"1\"]", "[0,4]") "}", 4, "dimension 0"},
        {"{" T("t", "I32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "shape"},
        {"{" T("t", "I32", "1", "[0,4]") "}", 4, "shape"},
        {"{" T("t", "X9", "[1]", "[0,4]") "}", 4, "dtype X9 is not supported"},
        {"{" T("t", "I32", "[1]", "[0,4,8]") "}", 4, "data_offsets"},
        {"{" T("t", "I32", "[1]", "[4,0]") "}", 4, "data_offsets"},
        {"{" T("t", "I32", "[1]", "[-4,0]") "}", 4, "data_offsets"},
        {"{" T("t", "I32", "[1]", "[0,4]") "}", 2, "2 bytes are missing"},
        {"{" T("t", "I32", "[1]", "[0,4]") "}", 12, "8 bytes behind"},
        {"{" T("t", "I32", "[1]", "[4,8]") "}", 8, "a hole"},
        {"{" T("a", "I32", "[1]", "[0,4]") "," T("b", "I32", "[1]", "[0,4]") "}", 4, "overlaps"},
        {"{" T("a", "I32", "[2]", "[0,8]") "," T("b", "I32", "[1]", "[4,8]") "}", 8, "overlaps"},
        {"{" T("a", "I32", "[1]", "[0,4]") "," T("a", "I32", "[1]", "[4,8]") "}", 8, "duplicate"},
        {"{\"t\":{\"dtype\":\"I32\",\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "duplicate"},
        {"{\"t\":{\"dtype\":\"I32\",\"shape\":[1]}}", 4, "nothing else"},
        {"{\"t\":{\"dtype\":\"I32\",\"shape\":[1],\"offsets\":[0,4]}}", 4, "data_offsets"},
        {"{\"t\":3}", 0, "not an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not a text"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {"{" T("\\u001b[2J", "I32", "[1]", "[0,4]") "}", 4, "control character"},
        {"{" T("a\\u0000b", "I32", "[1]", "[0,4]") "}", 4, "not valid JSON"},
        {"{} {}", 0, "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        put_header(c[i].header, c[i].n);
        refused(c[i].why);
    }
}

static void overlong_names_and_deep_nesting_are_refused(void **state)
{
    (void)state;
    char header[8000];
    snprintf(header, sizeof header,
             "{\"%0513d\":{\"dtype\":\"U8\",\"shape\":[0],"
             "\"data_offsets\":[0,0]}}",
             0);
    put_header(header, 0);
    refused("longer than 512 bytes");
    memset(header, '[', sizeof header);
    header[sizeof header - 1] = '\0';
    put_header(header, 0);
    refused("not valid JSON");
}

static void lenient_where_the_format_is(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n;
        int tensors;
    } c[] = {
        {"{}\r \t\n", 0, 0},
        {"\n{}", 0, 0},
        {"{" T("t", "I32", "[2,0]", "[0,0]") "}", 0, 1},
        {"{" T("t", "I32", "[]", "[0,4]") "}", 4, 1},
        {"{" T("b", "I32", "[1]", "[4,8]") "," T("a", "I32", "[1]", "[0,4]") "}", 8, 2},
        {"{" T("b", "I32", "[1]", "[0,4]") "," T("a", "I32", "[0]", "[0,0]") "}", 4, 2},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, 0},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct st_file f;
        struct err e = {0};
        put_header(c[i].header, c[i].n);
        if (st_open(&f, path, &e) < 0)
            fail_msg("%s", e.msg);
        assert_int_equal(f.n, c[i].tensors);
        if (i == 6)
            assert_string_equal(st_metadata(&f, "format"), "pt");
        assert_null(st_metadata(&f, "other"));
        st_close(&f);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    char *whole;
    size_t n;
    struct err e = {0};
    put_header("{" T("a", "F32", "[2]", "[0,8]") "," T("b", "U8", "[3]", "[8,11]") "}", 11);
    assert_int_equal(file_read(path, 4096, &whole, &n, &e), 0);
    for (size_t cut = 0; cut < n; cut++) {
        struct st_file f;
        put(whole, cut);
        assert_int_equal(st_open(&f, path, &e), -1);
        assert_int_equal(e.code, EXIT_DATA);
    }
    free(whole);
}

static void conversions_keep_values(void **state)
{
    (void)state;
    static const uint16_t f16[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x7bff};
    static const uint16_t bf16[] = {0x3f80, 0xc040};
    static const int64_t i64[] = {-1, 2147483647, 5};
    static const uint8_t flag[] = {0, 1};
    static const double f64[] = {0.1, -2};
    const struct st_out out[] = {{"f16", ST_F16, 1, {5}, f16},
                                 {"bf16", ST_BF16, 1, {2}, bf16},
                                 {"i64", ST_I64, 1, {3}, i64},
                                 {"flag", ST_BOOL, 1, {2}, flag},
                                 {"f64", ST_F64, 2, {1, 2}, f64}};
    struct st_file f;
    struct err e = {0};
    float v[5];
    double d[2];
    int32_t w[3];
    assert_int_equal(st_write(path, out, 5, NULL, &e), 0);
    assert_int_equal(st_open(&f, path, &e), 0);
    assert_int_equal(st_read_f32(&f, st_find(&f, "f16"), v, &e), 0);
    assert_true(v[0] == 1 && v[1] == -2 && v[2] == 0x1p-24f && isinf(v[3]) && v[4] == 65504);
    assert_int_equal(st_read_f32(&f, st_find(&f, "bf16"), v, &e), 0);
    assert_true(v[0] == 1 && v[1] == -3);
    assert_int_equal(st_read_i32(&f, st_find(&f, "i64"), w, &e), 0);
    assert_true(w[0] == -1 && w[1] == INT32_MAX && w[2] == 5);
    assert_int_equal(st_read_f64(&f, st_find(&f, "f64"), d, &e), 0);
    assert_true(d[0] == 0.1 && d[1] == -2);
    assert_int_equal(st_read_f32(&f, st_find(&f, "f64"), v, &e), 0);
    assert_true(v[0] == 0.1f);
    assert_int_equal(st_read_i32(&f, st_find(&f, "flag"), w, &e), 0);
    assert_true(w[0] == 0 && w[1] == 1);
    assert_int_equal(st_read_i32(&f, st_find(&f, "f64"), w, &e), -1);
    assert_int_equal(e.code, EXIT_DATA);
    assert_non_null(strstr(e.msg, "tensor f64: element 0 is 0.1"));
    st_close(&f);
}

static void integers_beyond_32_bits_do_not_wrap(void **state)
{
    (void)state;
    static const int64_t v[] = {0, 3000000000};
    const struct st_out out[] = {{"labels", ST_I64, 1, {2}, v}};
    struct st_file f;
    struct err e = {0};
    int32_t w[2];
    assert_int_equal(st_write(path, out, 1, NULL, &e), 0);
    assert_int_equal(st_open(&f, path, &e), 0);
    assert_int_equal(st_read_i32(&f, st_find(&f, "labels"), w, &e), -1);
    assert_non_null(strstr(e.msg, "element 1 is 3e+09"));
    st_close(&f);
}

static void written_order_is_dtype_then_name(void **state)
{
    (void)state;
    static const float w[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t n = 7;
    static const char *const metadata[] = {"format", "pt", NULL};
    const struct st_out out[] = {{"fc.weight", ST_F32, 2, {2, 3}, w},
                                 {"bn1.num_batches_tracked", ST_I64, 0, {0}, &n},
                                 {"bn1.weight", ST_F32, 1, {2}, w}};
    static const char *const order[] = {"bn1.num_batches_tracked", "bn1.weight", "fc.weight"};
    struct st_file f;
    struct err e = {0};
    assert_int_equal(st_write(path, out, 3, metadata, &e), 0);
    assert_int_equal(st_open(&f, path, &e), 0);
    for (int i = 0; i < 3; i++)
        assert_string_equal(f.tensors[i].name, order[i]);
    assert_int_equal(f.tensors[0].begin % 64, 0);
    assert_int_equal(f.tensors[0].ndim, 0);
    assert_int_equal(f.tensors[0].count, 1);
    assert_string_equal(st_metadata(&f, "format"), "pt");
    st_close(&f);
}

static void data_of_more_than_one_slice_is_whole(void **state)
{
    (void)state;
    size_t n = (33 << 20) + 5;
    unsigned char *data = malloc(n), *back = malloc(n);
    for (size_t i = 0; i < n; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    const struct st_out out[] = {{"big", ST_U8, 1, {(int64_t)n}, data}};
    struct st_file f;
    struct err e = {0};
    assert_int_equal(st_write(path, out, 1, NULL, &e), 0);
    assert_int_equal(st_open(&f, path, &e), 0);
    assert_int_equal(st_read(&f, &f.tensors[0], back, &e), 0);
    assert_memory_equal(back, data, n);
    st_close(&f);
    free(data);
    free(back);
}

static void writing_says_what_failed(void **state)
{
    (void)state;
    static const float w[2] = {1, 2};
    const struct st_out out[] = {{"a", ST_F32, 1, {2}, w}, {"a", ST_F32, 1, {2}, w}};
    struct err e = {0};
    assert_int_equal(st_write(path, out, 2, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_SOFTWARE);
    assert_int_equal(st_write("/nonexistent/x.safetensors", out, 1, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_CANTCREATE);
}

/* A limit on the size of files stands for a full disk: no device of the machine is touched. */
static void a_failed_write_leaves_no_partial_file(void **state)
{
    (void)state;
    static char data[100000];
    const struct st_out out[] = {{"a", ST_U8, 1, {sizeof data}, data}};
    struct rlimit old, small;
    struct err e = {0};
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){4096, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = st_write(path, out, 1, NULL, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, -1);
    assert_int_equal(e.code, EXIT_IO);
    assert_non_null(strstr(e.msg, path));
    assert_false(path_exists(path));
}

/* The target is a pipe of the test's own folder; a device at the path would be treated alike. */
static void a_failed_write_removes_only_regular_files(void **state)
{
    (void)state;
    static const float w[2] = {1, 2};
    const struct st_out out[] = {{"a", ST_F32, 1, {2}, w}};
    struct err e = {0};
    unlink(path);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(st_write(path, out, 1, NULL, &e), -1); /* a pipe cannot be synced */
    assert_int_equal(e.code, EXIT_IO);
    assert_true(path_exists(path));
    close(reader);
    unlink(path);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct st_file f;
    struct err e = {0};
    assert_int_equal(st_open(&f, "/nonexistent.safetensors", &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    assert_int_equal(st_open(&f, dir, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(st_open(&f, path, &e), -1); /* does not wait for a writer */
    assert_int_equal(e.code, EXIT_NOINPUT);
    unlink(path);
}

static int set_up(void **state)
{
    (void)state;
    if (temp_dir(dir, sizeof dir) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/x.safetensors", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return dir_remove(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_are_read),
        cmocka_unit_test(raw_bytes_are_refused),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(overlong_names_and_deep_nesting_are_refused),
        cmocka_unit_test(lenient_where_the_format_is),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(conversions_keep_values),
        cmocka_unit_test(integers_beyond_32_bits_do_not_wrap),
        cmocka_unit_test(written_order_is_dtype_then_name),
        cmocka_unit_test(data_of_more_than_one_slice_is_whole),
        cmocka_unit_test(writing_says_what_failed),
        cmocka_unit_test(a_failed_write_leaves_no_partial_file),
        cmocka_unit_test(a_failed_write_removes_only_regular_files),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
