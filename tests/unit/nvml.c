/* What is known of a GPU's state: with a library that knows some of it, and without any. */
#include "backend/nvml.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char bus[] = "00000000:17:00.0";

static void device_without_address_has_no_state(void **state)
{
    (void)state;
    assert_null(nvml_open(""));
    nvml_close(NULL);
}

/* Loaded under the library's name, it is what nvml_open() finds. */
static void *load_library(void)
{
    char path[1024];
    const char *build = getenv("SUPCON_BUILDDIR");
    snprintf(path, sizeof path, "%s/tests/unit/modules/libraries/libnvidia-ml.so.1",
             build ? build : ".");
    void *library = dlopen(path, RTLD_NOW);
    if (!library)
        fail_msg("%s", dlerror());
    return library;
}

static void what_the_library_knows_is_valid_and_the_rest_is_not(void **state)
{
    struct nvml_sample s;
    char text[NVML_TEXT];
    (void)state;
    void *library = load_library();
    struct nvml *gpu = nvml_open(bus);
    assert_non_null(gpu);
    nvml_read(gpu, &s);
    nvml_close(gpu);
    assert_int_equal(s.valid, NVML_MEMORY | NVML_POWER | NVML_LIMIT);
    assert_string_equal(nvml_text(text, &s), "20.0 of 80.0 GiB used, 310 of 700 W");
    dlclose(library);
}

static void unknown_gpu_leaves_the_library_as_it_was(void **state)
{
    int (*users)(void);
    (void)state;
    void *library = load_library();
    *(void **)&users = dlsym(library, "nvml_users");
    assert_null(nvml_open("00000000:99:00.0"));
    assert_int_equal(users(), 0);
    dlclose(library);
}

static void text_names_what_is_known(void **state)
{
    char text[NVML_TEXT];
    struct nvml_sample s = {.load = 45, .power = 87.6, .celsius = 54};
    (void)state;
    assert_string_equal(nvml_text(text, &s), "");
    s.valid = NVML_LOAD | NVML_POWER | NVML_HEAT;
    assert_string_equal(nvml_text(text, &s), "45 % busy, 88 W, 54 C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_without_address_has_no_state),
        cmocka_unit_test(what_the_library_knows_is_valid_and_the_rest_is_not),
        cmocka_unit_test(unknown_gpu_leaves_the_library_as_it_was),
        cmocka_unit_test(text_names_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
