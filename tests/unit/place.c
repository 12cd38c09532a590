/* Files beside a moved executable: this program, copied to PREFIX/bin, tells where it would look.
 */
#include "base/place.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char prefix[512];

static const char *in(const char *name)
{
    static char path[PATH_BYTES];
    assert_int_equal(path_join(path, prefix, name, NULL), 0);
    return path;
}

static void copy_self(const char *to)
{
    struct err e = {0};
    char *bytes;
    size_t n;
    assert_int_equal(file_read("/proc/self/exe", (size_t)1 << 30, &bytes, &n, &e), 0);
    assert_int_equal(file_replace(to, bytes, n, &e), 0);
    assert_int_equal(chmod(to, 0755), 0);
    free(bytes);
}

/* What the copy prints: recipes, module, TERMINFO_DIRS, one a line. */
static void ask(const char *program, char out[3][PATH_BYTES])
{
    char command[PATH_BYTES + 64];
    snprintf(command, sizeof command, "TERMINFO_DIRS=/given '%s' tell", program);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    for (int i = 0; i < 3; i++) {
        assert_non_null(fgets(out[i], PATH_BYTES, f));
        out[i][strcspn(out[i], "\n")] = '\0';
    }
    assert_int_equal(pclose(f), 0);
}

static int tell(void)
{
    char data[PATH_BYTES], module[PATH_BYTES];
    struct err e = {0};
    if (place_data(data, "conf", &e) || place_module(module, "x.so", &e))
        return 1;
    place_terminfo();
    printf("%s\n%s\n%s\n", data, module, getenv("TERMINFO_DIRS"));
    return 0;
}

static void a_moved_program_finds_what_lies_beside_it(void **state)
{
    (void)state;
    char out[3][PATH_BYTES], terminfo[PATH_BYTES + 16];
    static const char *const folders[] = {"bin", "share/supcon", "lib/supcon", "share/terminfo"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(dir_make(in(folders[i]), NULL), 0);
    copy_self(in("bin/program"));
    ask(in("bin/program"), out);
    assert_string_equal(out[0], in("share/supcon/conf"));
    assert_string_equal(out[1], in("lib/supcon/x.so"));
    snprintf(terminfo, sizeof terminfo, "/given:%s", in("share/terminfo"));
    assert_string_equal(out[2], terminfo);
}

static void elsewhere_the_configured_folders_count(void **state)
{
    (void)state;
    char out[3][PATH_BYTES];
    copy_self(in("program"));
    ask(in("program"), out);
    assert_string_equal(out[0], SUPCON_DATADIR "/conf");
    assert_string_equal(out[1], SUPCON_LIBDIR "/x.so");
    assert_string_equal(out[2], "/given");
}

static int set_up(void **state)
{
    (void)state;
    return temp_dir(prefix, sizeof prefix);
}

static int tear_down(void **state)
{
    (void)state;
    return dir_remove(prefix, NULL);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moved_program_finds_what_lies_beside_it),
        cmocka_unit_test(elsewhere_the_configured_folders_count),
    };
    if (argc == 2 && strcmp(argv[1], "tell") == 0)
        return tell();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
