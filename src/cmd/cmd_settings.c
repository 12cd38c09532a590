/*
 * The settings of a command: defaults, then its recipe, then every --set and every option that
 * stands for a key, then what no single key can tell. All mistakes are collected, so that a person
 * mends them in one go. A mistake in the value of an option is one of usage, in a recipe or in
 * --set one of configuration.
 */
#include "cmd/cmd.h"

#include "engine/run_path.h"
#include "engine/settings.h"

#include <ctype.h>
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

/* These return 0 or the exit code. */
static int apply_sets(const struct cmd_args *args, struct settings *s, struct conf_origin *origin,
                      struct conf_errors *errors)
{
    const char *set[MAX_SETS];
    struct err e;
    int n = cmd_values(args, "set", set, MAX_SETS), code = 0;
    for (int i = 0; i < n; i++)
        if (conf_set(settings_table, s, set[i], origin, &e) < 0) {
            add(errors, "", e.msg);
            code = e.code;
        }
    return code;
}

static int apply_options(const struct cmd_args *args, struct settings *s,
                         struct conf_origin *origin, struct conf_errors *errors)
{
    char name[64];
    struct err e;
    int code = 0;
    for (int i = 0; i < args->n_given; i++) {
        const struct cmd_option *o = args->given[i].option;
        struct conf_option option = {name, o->key, args->given[i].value};
        snprintf(name, sizeof name, "--%s", o->name);
        if (o->key && conf_set_option(settings_table, s, &option, origin, &e) < 0) {
            add(errors, "", e.msg);
            code = e.code;
        }
    }
    return code;
}

static bool is_option(const char *place)
{
    return strncmp(place, "--", 2) == 0 && strcmp(place, "--set") != 0;
}

/* Each message begins with its key; where that was set goes in front, or an option instead. */
static int check(const struct settings *s, const struct conf_origin *origin,
                 struct conf_errors *errors)
{
    struct err problem[MAX_CHECKS];
    int n = settings_check_all(s, problem, MAX_CHECKS), code = n ? EXIT_CONFIG : 0;
    for (int i = 0; i < n; i++) {
        char key[64];
        size_t length = strcspn(problem[i].msg, ":");
        snprintf(key, sizeof key, "%.*s", (int)length, problem[i].msg);
        const char *place = conf_origin_of(origin, settings_table, key);
        bool option = is_option(place);
        const char *text =
            problem[i].msg + (option ? length + strspn(problem[i].msg + length, ": ") : 0);
        add(errors, strcmp(place, "default") == 0 ? "" : place, text);
        code = option ? EXIT_USAGE : code;
    }
    return code;
}

static int change(const struct cmd_args *args, struct settings *s, struct conf_origin *origin,
                  struct conf_errors *errors)
{
    int sets = apply_sets(args, s, origin, errors);
    int options = apply_options(args, s, origin, errors);
    return options ? options : sets;
}

/* A default that does not go with the value of an option: there is no recipe to mend. */
static int code_of_check(const struct cmd_args *args, const char *recipe, int code)
{
    return code && !recipe && !cmd_has(args, "set") && args->class->name[0] ? EXIT_USAGE : code;
}

int cmd_settings_all(const struct cmd_args *args, const char *recipe, struct settings *s,
                     struct conf_origin *origin, struct conf_errors *errors)
{
    struct err e = {0};
    memset(s, 0, sizeof *s);
    errors->n = 0;
    conf_defaults(settings_table, s, origin);
    if (recipe && run_path_check(recipe, WANT_RECIPE, &e) < 0) {
        add(errors, "", e.msg);
        return e.code;
    }
    int r = recipe ? conf_read(settings_table, s, recipe, origin, errors, &e) : 0;
    if (r < 0 && e.code != EXIT_CONFIG)
        return e.code;
    int code = change(args, s, origin, errors);
    if (code || r < 0)
        return r < 0 ? EXIT_CONFIG : code;
    return code_of_check(args, recipe, check(s, origin, errors));
}

/* All messages but the last to stderr, the last into *e. */
static int tell(const struct conf_errors *errors, int code, struct err *e)
{
    for (int i = 0; i + 1 < errors->n; i++)
        fprintf(stderr, "supcon: %s\n", errors->text[i]);
    if (!code)
        return 0;
    return err_set(e, code, "%s", errors->n ? errors->text[errors->n - 1] : "out of memory");
}

int cmd_settings(const struct cmd_args *args, const char *recipe, struct settings *s,
                 struct conf_origin *origin, struct err *e)
{
    struct conf_errors *errors = calloc(1, sizeof *errors);
    struct conf_origin *own = origin ? NULL : conf_origin_new();
    int r = errors && (origin || own)
                ? tell(errors, cmd_settings_all(args, recipe, s, origin ? origin : own, errors), e)
                : err_set(e, EXIT_OS, "out of memory");
    conf_origin_free(own);
    free(errors);
    return r;
}

int cmd_settings_change(const struct cmd_args *args, struct settings *s, struct err *e)
{
    struct conf_errors *errors = calloc(1, sizeof *errors);
    struct conf_origin *origin = conf_origin_new();
    int r = -1;
    if (errors && origin) {
        int code = change(args, s, origin, errors);
        r = tell(errors, code ? code : check(s, origin, errors), e);
    } else {
        err_set(e, EXIT_OS, "out of memory");
    }
    conf_origin_free(origin);
    free(errors);
    return r;
}

static bool name_byte(char c)
{
    return isalnum((unsigned char)c) || strchr("_./-", c);
}

void cmd_rename_key(struct err *e, const char *key, const char *option)
{
    char out[sizeof e->msg];
    size_t n = 0, length = strlen(key);
    for (const char *p = e->msg; *p && n + 1 < sizeof out;) {
        bool found = strncmp(p, key, length) == 0 && (p == e->msg || !name_byte(p[-1])) &&
                     (!p[length] || !name_byte(p[length]));
        if (found)
            n += (size_t)snprintf(out + n, sizeof out - n, "--%s", option);
        else
            out[n++] = *p;
        p += found ? length : 1;
    }
    out[n < sizeof out ? n : sizeof out - 1] = '\0';
    memcpy(e->msg, out, sizeof out);
}
