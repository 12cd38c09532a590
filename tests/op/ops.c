/*
 * Every case of the table on every device of every backend, one TAP line each. A backend without a
 * device is reported as skipped, case by case, never as passed. Words on the command line select
 * the cases whose name contains one of them.
 */
#include "op_test.h"
#include <stdio.h>
#include <string.h>

enum { MAX_DEVICES = 8 };

static int number, failures;

static bool selected(const struct op_case *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(c->what, argv[i]))
            return true;
    return argc < 2;
}

static void report(const struct op_case *c, const char *where, const char *why, bool skip)
{
    bool failed = why && !skip;
    printf("%sok %d - %s: %s", failed ? "not " : "", ++number, where, c->what);
    printf(skip ? " # SKIP %s\n" : "\n", skip ? why : "");
    if (failed)
        printf("# %s\n", why);
    failures += failed;
    fflush(stdout);
}

static void each_case(struct device *dev, const char *where, const char *missing, int argc,
                      char **argv)
{
    for (const struct op_case *c = op_cases; c < op_cases + n_op_cases; c++) {
        bool skip = true;
        if (!selected(c, argc, argv))
            continue;
        const char *why = missing ? missing : case_run(c, dev, &skip);
        report(c, where, why, skip);
    }
}

static void each_device(const struct backend_class *class, int argc, char **argv)
{
    struct device_info info[MAX_DEVICES];
    int n = class->probe(info, MAX_DEVICES), usable = 0;
    for (int i = 0; i < n; i++) {
        struct device dev = {.class = class, .info = info[i], .deterministic = true};
        struct device_options options = {.deterministic = true};
        struct err e = {0};
        if (!info[i].usable)
            continue;
        usable++;
        if (class->open(&dev, i, &options, &e)) {
            printf("not ok %d - %s opens\n# %s\n", ++number, info[i].id, e.msg);
            failures++;
            continue;
        }
        each_case(&dev, info[i].id, NULL, argc, argv);
        class->close(&dev);
    }
    char missing[64], upper[16];
    snprintf(upper, sizeof upper, "%s", class->name);
    for (char *p = upper; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    snprintf(missing, sizeof missing, "no %s device", upper);
    if (usable == 0)
        each_case(NULL, class->name, missing, argc, argv);
}

int main(int argc, char **argv)
{
    for (const struct backend_class *const *class = backend_classes; *class; class ++)
        each_device(*class, argc, argv);
    printf("1..%d\n", number);
    return failures > 0;
}
