/* Recipes: every mistake with its place, numbers that do not wrap, and an exact round trip. */
#include "base/conf.h"
#include "base/file.h"
#include "temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct top {
    int64_t seed;
    char device[16];
};
struct loss {
    char name[16];
    double temperature;
    int64_t views;
    bool all;
    int n_rates;
    double rates[4];
};
struct test_settings {
    struct top top;
    struct loss loss;
};

static const char *kinds(int i)
{
    static const char *const names[] = {"supcon", "simclr", "cross-entropy"};
    return i < 3 ? names[i] : NULL;
}

#define AT(s, m) offsetof(struct s, m), sizeof(((struct s *)0)->m)
static const struct conf_field top_fields[] = {
    {"seed", CONF_INT, AT(top, seed), 0, "1", 0, INFINITY, NULL, NULL, NULL, "Seed."},
    {"device", CONF_STRING, AT(top, device), 0, "auto", 0, 0, NULL, NULL, NULL, "Device."},
    {0}};
static const struct conf_field loss_fields[] = {
    {"name", CONF_CHOICE, AT(loss, name), 0, "supcon", 0, 0, kinds, NULL, NULL, "Objective."},
    {"temperature", CONF_FLOAT, AT(loss, temperature), 0, "0.1", 0.001, 100, NULL, "supcon simclr",
     NULL, "Temperature."},
    {"views", CONF_INT, AT(loss, views), 0, "2", 1, 16, NULL, NULL, NULL, "Views."},
    {"all", CONF_BOOL, AT(loss, all), 0, "true", 0, 0, NULL, NULL, NULL, "All."},
    {"rates", CONF_FLOATS, AT(loss, rates), offsetof(struct loss, n_rates), "[0.1, 1]", 0, 1000,
     NULL, NULL, NULL, "Rates."},
    {0}};
static const struct conf_section table[] = {
    {"", "Top.", offsetof(struct test_settings, top), top_fields},
    {"loss", "Loss.", offsetof(struct test_settings, loss), loss_fields},
    {0}};

static char dir[512], path[560];

static struct test_settings defaults(void)
{
    struct test_settings s;
    memset(&s, 0, sizeof s);
    conf_defaults(table, &s, NULL);
    return s;
}

static void put(const char *text, size_t n)
{
    struct err e = {0};
    assert_int_equal(file_replace(path, text, n, &e), 0);
}

/* Reads a recipe; the errors as one text, each on a line, without the folder. */
static int read_text(const char *text, struct test_settings *s, char *out, size_t size)
{
    static struct conf_errors errors;
    struct err e = {0};
    errors.n = 0;
    put(text, strlen(text));
    int r = conf_read(table, s, path, NULL, &errors, &e);
    out[0] = '\0';
    for (int i = 0; i < errors.n; i++) {
        const char *line = errors.text[i];
        line += strncmp(line, dir, strlen(dir)) == 0 ? strlen(dir) + 1 : 0;
        strncat(out, line, size - strlen(out) - 2);
        strcat(out, "\n");
    }
    if (r < 0)
        assert_int_equal(e.code, EXIT_CONFIG);
    return r;
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct test_settings s = defaults();
    assert_int_equal(s.top.seed, 1);
    assert_string_equal(s.top.device, "auto");
    assert_string_equal(s.loss.name, "supcon");
    assert_true(s.loss.temperature == 0.1 && s.loss.all);
    assert_int_equal(s.loss.n_rates, 2);
    assert_true(s.loss.rates[0] == 0.1 && s.loss.rates[1] == 1);
}

static void values_of_every_type_are_read(void **state)
{
    (void)state;
    char out[4096];
    struct test_settings s = defaults();
    const char *text = "seed = 0x10 # hex\n// c++ comment\n/* block\n */ device = \"cpu\"\n"
                       "loss: { name = \"simclr\"; temperature = 1, all = FALSE\n"
                       "views = 3 rates = [1, 0.25, 2e-3] };\n";
    assert_int_equal(read_text(text, &s, out, sizeof out), 0);
    assert_int_equal(s.top.seed, 16);
    assert_string_equal(s.top.device, "cpu");
    assert_string_equal(s.loss.name, "simclr");
    assert_true(s.loss.temperature == 1.0 && !s.loss.all);
    assert_int_equal(s.loss.views, 3);
    assert_int_equal(s.loss.n_rates, 3);
    assert_true(s.loss.rates[0] == 1 && s.loss.rates[1] == 0.25 && s.loss.rates[2] == 2e-3);
}

static void a_single_number_is_a_list_of_one(void **state)
{
    (void)state;
    char out[4096];
    struct test_settings s = defaults();
    assert_int_equal(read_text("loss: { rates = 5; };", &s, out, sizeof out), 0);
    assert_int_equal(s.loss.n_rates, 1);
    assert_true(s.loss.rates[0] == 5 && s.loss.rates[1] == 0);
}

static void integers_of_64_bits_survive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } c[] = {{"seed = 3000000000;", 3000000000},         {"seed = 3000000000L;", 3000000000},
             {"seed = 9223372036854775807;", INT64_MAX}, {"seed = 0x7fffffffffffffff;", INT64_MAX},
             {"seed = 0xFFFFFFFF;", 0xFFFFFFFF},         {"seed = 010;", 10}};
    char out[4096];
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct test_settings s = defaults();
        assert_int_equal(read_text(c[i].text, &s, out, sizeof out), 0);
        assert_true(s.top.seed == c[i].value);
    }
}

static void mistakes_are_told_with_place_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } c[] = {
        {"loss: {\n temprature = 1;\n};",
         "r.cfg:2: loss.temprature: unknown key; did you mean loss.temperature?\n"},
        {"los: { views = 2; };", "r.cfg:1: los: unknown section; did you mean loss?\n"},
        {"loss: { seed = 2; };", "r.cfg:1: loss.seed: unknown key; did you mean seed?\n"},
        {"zzzzzz = 1;", "r.cfg:1: zzzzzz: unknown key\n"},
        {"loss = 3;", "r.cfg:1: loss: this is a section; write loss: { ... };\n"},
        {"seed: { };", "r.cfg:1: seed: expected a whole number, found a group { ... }\n"},
        {"loss: { views = 3000000000; };",
         "r.cfg:1: loss.views: 3000000000 is out of range, allowed is 1 to 16\n"},
        {"seed = -1;", "r.cfg:1: seed: -1 is out of range, allowed is at least 0\n"},
        {"seed = 99999999999999999999999;",
         "r.cfg:1: seed: 99999999999999999999999 does not fit in 64 bits; the largest whole number "
         "is 9223372036854775807\n"},
        {"seed = 0xFFFFFFFFFFFFFFFFF;",
         "r.cfg:1: seed: 0xFFFFFFFFFFFFFFFFF does not fit in 64 bits; the largest whole number is "
         "9223372036854775807\n"},
        {"loss: { temperature = 1e999; };",
         "r.cfg:1: loss.temperature: 1e999 is not a finite number\n"},
        {"loss: { temperature = NaN; };",
         "r.cfg:1: loss.temperature: NaN is not a finite number\n"},
        {"loss: { temperature = -inf; };",
         "r.cfg:1: loss.temperature: -inf is not a finite number\n"},
        {"loss: { temperature = 0.1.2; };", "r.cfg:1: loss.temperature: 0.1.2 is not a number\n"},
        {"loss: { temperature = 3x; };", "r.cfg:1: loss.temperature: 3x is not a number\n"},
        {"loss: { views = 2.0; };", "r.cfg:1: loss.views: expected a whole number, found 2.0\n"},
        {"loss: { all = 1; };", "r.cfg:1: loss.all: expected true or false, found 1\n"},
        {"loss: { name = \"supcom\"; };", "r.cfg:1: loss.name: \"supcom\" is not known; did you "
                                          "mean \"supcon\"? There are supcon, simclr, "
                                          "cross-entropy\n"},
        {"loss: { name = supcon; };",
         "r.cfg:1: loss.name: a text must stand in quotes: \"supcon\"\n"},
        {"device = \"0123456789abcdef\";", "r.cfg:1: device: the text is longer than 15 bytes\n"},
        {"device = \"a\\x1b[2J\";", "r.cfg:1: device: only \\\\, \\\" and \\xNN of a printable "
                                    "character are allowed after a backslash\n"},
        {"device = \"cpu;\nseed = 2;", "r.cfg:1: device: the text has no closing quote\n"},
        {"seed = 1;\n\x1b[2J", "r.cfg:2: control character 0x1b; a recipe is plain text\n"},
        {"loss: { rates = [1, 2, 3, 4, 5]; };",
         "r.cfg:1: loss.rates: at most 4 numbers are allowed, found 5\n"},
        {"loss: { rates = [1, nan]; };", "r.cfg:1: loss.rates: nan is not a finite number\n"},
        {"loss: { rates = [[1]]; };",
         "r.cfg:1: loss.rates: expected a number or a list of numbers, found a list\n"},
        {"@include \"x.cfg\"\n",
         "r.cfg:1: @include: a recipe is one file, nothing can be included\n"},
        {"seed = 1; /* never closed",
         "r.cfg:1: the comment that begins here is not closed by */\n"},
        {"a = (((((((((", "r.cfg:1: nested deeper than 8 levels\n"},
    };
    char out[4096];
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct test_settings s = defaults();
        assert_int_equal(read_text(c[i].text, &s, out, sizeof out), -1);
        assert_string_equal(out, c[i].said);
    }
}

static void all_mistakes_are_told_in_order_of_lines(void **state)
{
    (void)state;
    char out[4096];
    struct test_settings s = defaults();
    const char *text = "sed = 1;\nloss: {\n  temperature = nan;\n  views = 0;\n  name = simclr;\n"
                       "  all = \"yes\";\n};\n";
    assert_int_equal(read_text(text, &s, out, sizeof out), -1);
    int lines = 0;
    for (char *p = out; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 5);
    for (int i = 1, at[] = {1, 3, 4, 5, 6}; i < 5; i++) {
        char want[16];
        snprintf(want, sizeof want, "r.cfg:%d:", at[i]);
        assert_non_null(strstr(out, want));
        assert_true(strstr(out, want) > strstr(out, "r.cfg:1:"));
    }
}

static void grammar_mistakes_name_what_was_found_and_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } c[] = {
        {"seed = 1;\nloss: {\n  views 2;\n};\n",
         "r.cfg:3: loss.views: expected \"=\", found \"2\"\n"},
        {"seed = 1;\nseed = 2;\n",
         "r.cfg:2: seed: given twice, in line 1 and in line 2; keep one of them\n"},
        {"loss: { views = 2;\n\n views = 3; };",
         "r.cfg:3: loss.views: given twice, in line 1 and in line 3; keep one of them\n"},
        {"loss: { views = 2; };\nloss: { views = 3; };",
         "r.cfg:2: loss: given twice, in line 1 and in line 2; keep one of them\n"},
        {"loss: { rates = [1\n, 2; };",
         "r.cfg:2: loss.rates: expected \",\" or \"]\" for the \"[\" of line 1, found \";\"\n"},
        {"loss: {\nviews = 2;\n",
         "r.cfg:3: loss: expected \"}\" for the \"{\" of line 1, found the end of the file\n"},
        {"loss: {\nother: { } };",
         "r.cfg:2: other: a section within the section loss of line 1; is "
         "a \"}\" missing before it?\n"},
        {"};", "r.cfg:1: found \"}\", but nothing is open here\n"},
        {"\xff\xfes", "r.cfg:1: the file is in UTF-16; save it in UTF-8\n"},
    };
    char out[4096];
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct test_settings s = defaults();
        assert_int_equal(read_text(c[i].text, &s, out, sizeof out), -1);
        assert_string_equal(out, c[i].said);
    }
}

static void a_byte_order_mark_of_utf_8_is_left_out(void **state)
{
    (void)state;
    char out[4096];
    struct test_settings s = defaults();
    assert_int_equal(read_text("\xef\xbb\xbfseed = 7;", &s, out, sizeof out), 0);
    assert_int_equal(s.top.seed, 7);
}

static void a_recipe_larger_than_64_kib_is_refused(void **state)
{
    (void)state;
    char *big = malloc(65537);
    struct err e = {0};
    struct test_settings s = defaults();
    memset(big, '#', 65537);
    put(big, 65536);
    assert_int_equal(conf_read(table, &s, path, NULL, NULL, &e), 0);
    put(big, 65537);
    assert_int_equal(conf_read(table, &s, path, NULL, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_CONFIG);
    assert_non_null(strstr(e.msg, "larger than 65536 bytes"));
    free(big);
}

static void a_missing_recipe_is_missing_input(void **state)
{
    (void)state;
    struct err e = {0};
    struct test_settings s = defaults();
    assert_int_equal(conf_read(table, &s, "/nonexistent/r.cfg", NULL, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
    assert_int_equal(conf_read(table, &s, dir, NULL, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_NOINPUT);
}

static void set_takes_bare_words_as_texts(void **state)
{
    (void)state;
    struct err e = {0};
    struct test_settings s = defaults();
    assert_int_equal(conf_set(table, &s, "loss.name=cross-entropy", NULL, &e), 0);
    assert_string_equal(s.loss.name, "cross-entropy");
    assert_int_equal(conf_set(table, &s, "device=\"cuda:0\"", NULL, &e), 0);
    assert_string_equal(s.top.device, "cuda:0");
    assert_int_equal(conf_set(table, &s, "device=a \\ \"b\"", NULL, &e), 0);
    assert_string_equal(s.top.device, "a \\ \"b\"");
    assert_int_equal(conf_set(table, &s, "device=7", NULL, &e), 0);
    assert_string_equal(s.top.device, "7");
    assert_int_equal(conf_set(table, &s, "device=", NULL, &e), 0);
    assert_string_equal(s.top.device, "");
    assert_int_equal(conf_set(table, &s, "loss.rates=[3,4.5]", NULL, &e), 0);
    assert_int_equal(s.loss.n_rates, 2);
    assert_int_equal(conf_set(table, &s, "loss.all=false", NULL, &e), 0);
    assert_false(s.loss.all);
}

static void set_refuses_what_a_recipe_would(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *said;
    } c[] = {
        {"loss.temperature",
         "--set loss.temperature: expected SECTION.KEY=VALUE, as in --set train.epochs=20"},
        {"=3", "--set =3: expected SECTION.KEY=VALUE, as in --set train.epochs=20"},
        {"a.b.c=3", "--set a.b.c=3: expected SECTION.KEY=VALUE, as in --set train.epochs=20"},
        {"loss.temperature=nan", "--set: loss.temperature: nan is not a finite number"},
        {"loss.views=many", "--set: loss.views: expected a whole number, found \"many\""},
        {"loss.vews=2", "--set: loss.vews: unknown key; did you mean loss.views?"},
        {"lss.views=2", "--set: lss: unknown section; did you mean loss?"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct err e = {0};
        struct test_settings s = defaults();
        assert_int_equal(conf_set(table, &s, c[i].assignment, NULL, &e), -1);
        assert_int_equal(e.code, EXIT_CONFIG);
        assert_string_equal(e.msg, c[i].said);
    }
}

static void the_value_of_an_option_is_told_under_its_name(void **state)
{
    (void)state;
    struct err e = {0};
    struct test_settings s = defaults();
    struct conf_option views = {"--views", "loss.views", "77"}, name = {"--dev", "device", "cpu"};
    assert_int_equal(conf_set_option(table, &s, &name, NULL, &e), 0);
    assert_string_equal(s.top.device, "cpu");
    assert_int_equal(conf_set_option(table, &s, &views, NULL, &e), -1);
    assert_int_equal(e.code, EXIT_USAGE);
    assert_string_equal(e.msg, "--views: 77 is out of range, allowed is 1 to 16");
}

static void numbers_are_written_as_a_person_does(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } c[] = {{10, "10.0"},
             {0.0001, "0.0001"},
             {99.5, "99.5"},
             {1e-7, "1e-7"},
             {1.25e-9, "1.25e-9"},
             {1e15, "1e15"},
             {123456789, "123456789.0"},
             {1.0 / 3, "0.3333333333333333"}};
    char out[64];
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        struct test_settings s = defaults();
        s.loss.temperature = c[i].value;
        assert_int_equal(conf_get(table, &s, "loss.temperature", out, sizeof out), 0);
        assert_string_equal(out, c[i].text);
        assert_true(strtod(out, NULL) == c[i].value);
    }
}

static void written_settings_read_back_exactly(void **state)
{
    (void)state;
    static const double values[] = {0.1, 1.0 / 3, 99, 0.001, 1.7e1, 0.0051234567890123456};
    char out[4096];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct test_settings s = defaults(), back = defaults();
        struct err e = {0};
        s.top.seed = INT64_MAX - (int64_t)i;
        strcpy(s.top.device, "a\"b\\c\xc3\xa9");
        s.loss.temperature = values[i];
        s.loss.n_rates = (int)i % 4;
        for (int k = 0; k < 4; k++)
            s.loss.rates[k] = k < s.loss.n_rates ? values[i] * (k + 1) / 7 : 0;
        FILE *f = fopen(path, "w");
        assert_int_equal(conf_write(f, table, &s, NULL, i % 2, &e), 0);
        fclose(f);
        assert_int_equal(conf_read(table, &back, path, NULL, NULL, &e), 0);
        assert_memory_equal(&back, &s, sizeof s);
        assert_int_equal(conf_get(table, &s, "loss.temperature", out, sizeof out), 0);
        assert_true(strtod(out, NULL) == values[i]);
    }
}

static void note_line(void *ctx, const char *line)
{
    strcat(strcat(ctx, line), "\n");
}

static void keys_of_other_kinds_are_noted(void **state)
{
    (void)state;
    struct err e = {0};
    char notes[512] = "";
    struct test_settings s;
    struct conf_origin *o = conf_origin_new();
    memset(&s, 0, sizeof s);
    conf_defaults(table, &s, o);
    assert_int_equal(conf_set(table, &s, "loss.name=cross-entropy", o, &e), 0);
    conf_unused(table, &s, o, note_line, notes);
    assert_string_equal(notes, "");
    assert_int_equal(conf_set(table, &s, "loss.temperature=0.5", o, &e), 0);
    conf_unused(table, &s, o, note_line, notes);
    assert_string_equal(notes, "--set: loss.temperature is not used by cross-entropy\n");
    assert_string_equal(conf_origin_of(o, table, "loss.temperature"), "--set");
    assert_string_equal(conf_origin_of(o, table, "loss.views"), "default");
    conf_origin_free(o);
}

static const char *word(void *ctx, int i)
{
    (void)ctx;
    return kinds(i);
}

static void nearest_word_stays_near(void **state)
{
    (void)state;
    assert_string_equal(nearest_word("supcno", word, NULL), "supcon");
    assert_string_equal(nearest_word("simcl", word, NULL), "simclr");
    assert_string_equal(nearest_word("crossentropy", word, NULL), "cross-entropy");
    assert_null(nearest_word("triplet", word, NULL));
}

static int set_up(void **state)
{
    (void)state;
    if (temp_dir(dir, sizeof dir) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/r.cfg", dir);
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
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(values_of_every_type_are_read),
        cmocka_unit_test(a_single_number_is_a_list_of_one),
        cmocka_unit_test(integers_of_64_bits_survive),
        cmocka_unit_test(mistakes_are_told_with_place_and_remedy),
        cmocka_unit_test(all_mistakes_are_told_in_order_of_lines),
        cmocka_unit_test(grammar_mistakes_name_what_was_found_and_expected),
        cmocka_unit_test(a_byte_order_mark_of_utf_8_is_left_out),
        cmocka_unit_test(a_recipe_larger_than_64_kib_is_refused),
        cmocka_unit_test(a_missing_recipe_is_missing_input),
        cmocka_unit_test(set_takes_bare_words_as_texts),
        cmocka_unit_test(set_refuses_what_a_recipe_would),
        cmocka_unit_test(the_value_of_an_option_is_told_under_its_name),
        cmocka_unit_test(numbers_are_written_as_a_person_does),
        cmocka_unit_test(written_settings_read_back_exactly),
        cmocka_unit_test(keys_of_other_kinds_are_noted),
        cmocka_unit_test(nearest_word_stays_near),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
