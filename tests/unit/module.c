/* Loading a backend's module: where it is looked for, and the sentence for each way to fail. */
#include "backend/module.h"
#include "base/file.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[PATH_BYTES], why[512];

/* Where the test modules were built. */
static int find_folder(void **state)
{
    (void)state;
    const char *build = getenv("SUPCON_BUILDDIR");
    snprintf(folder, sizeof folder, "%s/tests/unit/modules", build ? build : ".");
    unsetenv("SUPCON_CUDA_LIBS");
    why[0] = '\0';
    return setenv("SUPCON_BACKEND_PATH", folder, 1);
}

static void assert_says(const char *part)
{
    if (!strstr(why, part))
        fail_msg("'%s' does not contain '%s'", why, part);
}

static void module_is_loaded_and_its_class_returned(void **state)
{
    (void)state;
    const struct backend_class *class = module_load("fits", why, sizeof why);
    if (!class)
        fail_msg("%s", why);
    assert_string_equal(class->name, "test");
    assert_int_equal(class->probe(NULL, 0), 0);
    assert_ptr_equal(module_load("fits", why, sizeof why), class);
}

static void folders_are_searched_in_order_and_empty_ones_passed_over(void **state)
{
    char list[3 * PATH_BYTES], path[PATH_BYTES];
    (void)state;
    snprintf(list, sizeof list, "::/nonexistent:%s:", folder);
    setenv("SUPCON_BACKEND_PATH", list, 1);
    assert_int_equal(module_find(path, sizeof path, "fits", why, sizeof why), 0);
    assert_memory_equal(path, folder, strlen(folder));
}

static void missing_module_is_one_sentence(void **state)
{
    (void)state;
    assert_null(module_load("nowhere", why, sizeof why));
    assert_says("supcon-nowhere.so is not installed");
    assert_says("SUPCON_BACKEND_PATH");
}

static void module_of_another_contract_is_refused(void **state)
{
    (void)state;
    assert_null(module_load("stranger", why, sizeof why));
    assert_says("built for another version of supcon");
}

static void file_that_is_no_module_is_refused(void **state)
{
    char dir[PATH_BYTES], path[PATH_BYTES];
    struct err e = {0};
    (void)state;
    assert_int_equal(temp_dir(dir, sizeof dir), 0);
    assert_int_equal(path_join(path, dir, "supcon-text.so", &e), 0);
    assert_int_equal(file_replace(path, "not a shared object", 19, &e), 0);
    setenv("SUPCON_BACKEND_PATH", dir, 1);
    assert_null(module_load("text", why, sizeof why));
    assert_says("cannot be loaded");
    dir_remove(dir, &e);
}

/* In this order: what has been loaded stays. */
static void missing_library_is_named_and_found_by_the_environment(void **state)
{
    char libraries[PATH_BYTES];
    (void)state;
    assert_null(module_load("needy", why, sizeof why));
    assert_says("the library libcudnn.so.0 is missing");
    assert_says("SUPCON_CUDA_LIBS");
    assert_true(snprintf(libraries, sizeof libraries, "%s/libraries", folder) > 0);
    setenv("SUPCON_CUDA_LIBS", libraries, 1);
    const struct backend_class *class = module_load("needy", why, sizeof why);
    if (!class)
        fail_msg("%s", why);
    assert_int_equal(class->probe(NULL, 0), 0);
}

static const struct backend_class *cuda_class(void)
{
    for (int i = 0; backend_classes[i]; i++)
        if (strcmp(backend_classes[i]->name, "cuda") == 0)
            return backend_classes[i];
    return NULL;
}

/* The module of another contract under CUDA's name: no GPU is needed to be refused. */
static void cuda_device_that_cannot_be_had_is_unavailable_and_says_why(void **state)
{
    struct device_options options = {0};
    struct device_info info[2];
    struct device dev;
    struct err e = {0};
    char dir[PATH_BYTES], link[PATH_BYTES], stranger[PATH_BYTES];
    (void)state;
    assert_int_equal(temp_dir(dir, sizeof dir), 0);
    assert_int_equal(path_join(link, dir, "supcon-cuda.so", &e), 0);
    assert_int_equal(path_join(stranger, folder, "supcon-stranger.so", &e), 0);
    assert_int_equal(symlink(stranger, link), 0);
    setenv("SUPCON_BACKEND_PATH", dir, 1);
    assert_int_equal(cuda_class()->probe(info, 2), 1);
    assert_false(info[0].usable);
    assert_non_null(strstr(info[0].detail, "built for another version"));
    assert_int_equal(device_open(&dev, "cuda:3", &options, &e), -1);
    assert_int_equal(e.code, EXIT_UNAVAILABLE);
    assert_memory_equal(e.msg, "no CUDA device: ", 16);
    assert_int_equal(device_open(&dev, "auto", &options, &e), 0);
    assert_string_equal(dev.info.id, "cpu");
    device_close(&dev);
    dir_remove(dir, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(module_is_loaded_and_its_class_returned, find_folder),
        cmocka_unit_test_setup(folders_are_searched_in_order_and_empty_ones_passed_over,
                               find_folder),
        cmocka_unit_test_setup(missing_module_is_one_sentence, find_folder),
        cmocka_unit_test_setup(module_of_another_contract_is_refused, find_folder),
        cmocka_unit_test_setup(file_that_is_no_module_is_refused, find_folder),
        cmocka_unit_test_setup(missing_library_is_named_and_found_by_the_environment, find_folder),
        cmocka_unit_test_setup(cuda_device_that_cannot_be_had_is_unavailable_and_says_why,
                               find_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
