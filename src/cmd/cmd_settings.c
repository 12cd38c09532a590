/*
 * The settings of a command: defaults, then its recipe, then every --set, then what no single key
 * can tell. All mistakes are collected, so that a person mends them in one go.
 */
#include "cmd/cmd.h"

#include "engine/settings.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SETS = 64, MAX_CHECKS = 16 };

static void add(struct conf_errors *errors, const char *place, const char *text)
{
    int max = (int)(sizeof errors->text / sizeof *errors->text);
    if (errors->n < max)
        snprintf(errors->text[errors->n++], sizeof *errors->text, "%.200s%s%.300s", place,
                 *place ? ": " : "", text);
}

static int apply_sets(const struct cmd_args *args, struct settings *s, struct conf_origin *origin,
                      struct conf_errors *errors)
{
    const char *set[MAX_SETS];
    struct err e;
    int n = cmd_values(args, "set", set, MAX_SETS), r = 0;
    for (int i = 0; i < n; i++)
        if (conf_set(settings_table, s, set[i], origin, &e) < 0) {
            add(errors, "", e.msg);
            r = -1;
        }
    return r;
}

/* Each message begins with its key; where that was set goes in front. */
static int check(const struct settings *s, const struct conf_origin *origin,
                 struct conf_errors *errors)
{
    struct err problem[MAX_CHECKS];
    int n = settings_check_all(s, problem, MAX_CHECKS);
    for (int i = 0; i < n; i++) {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(problem[i].msg, ":"), problem[i].msg);
        const char *place = conf_origin_of(origin, settings_table, key);
        add(errors, strcmp(place, "default") == 0 ? "" : place, problem[i].msg);
    }
    return n ? -1 : 0;
}

int cmd_settings_all(const struct cmd_args *args, const char *recipe, struct settings *s,
                     struct conf_origin *origin, struct conf_errors *errors)
{
    struct err e = {0};
    memset(s, 0, sizeof *s);
    errors->n = 0;
    conf_defaults(settings_table, s, origin);
    int r = recipe ? conf_read(settings_table, s, recipe, origin, errors, &e) : 0;
    if (r < 0 && e.code != EXIT_CONFIG)
        return e.code;
    if (apply_sets(args, s, origin, errors) < 0 || r < 0)
        return EXIT_CONFIG;
    return check(s, origin, errors) < 0 ? EXIT_CONFIG : 0;
}

int cmd_settings(const struct cmd_args *args, const char *recipe, struct settings *s,
                 struct conf_origin *origin, struct err *e)
{
    struct conf_errors *errors = calloc(1, sizeof *errors);
    struct conf_origin *own = origin ? NULL : conf_origin_new();
    if (!errors || (!origin && !own)) {
        free(errors);
        return err_set(e, EXIT_OS, "out of memory");
    }
    int code = cmd_settings_all(args, recipe, s, origin ? origin : own, errors);
    for (int i = 0; i + 1 < errors->n; i++)
        fprintf(stderr, "supcon: %s\n", errors->text[i]);
    if (code)
        err_set(e, code, "%s", errors->n ? errors->text[errors->n - 1] : "out of memory");
    conf_origin_free(own);
    free(errors);
    return code ? -1 : 0;
}
