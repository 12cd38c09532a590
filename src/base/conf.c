/*
 * Recipes, --set and defaults into settings; see conf.h. All three are text that passes the same
 * gates: conf_lex, libconfig, and the tables.
 */
#include "base/conf_impl.h"
#include "base/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct walk {
    const struct conf_section *table;
    void *settings;
    struct conf_origin *origin;
    struct conf_report *report;
};

static void unknown_section(const struct walk *w, const char *name, int line)
{
    char names[256] = "";
    for (const struct conf_section *s = w->table; s->name; s++) {
        size_t n = strlen(names);
        if (*s->name)
            snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", s->name);
    }
    conf_report_add(w->report, line, "%.64s: unknown section; there are %s", name, names);
}

static void unknown_key(const struct walk *w, const char *section, const config_setting_t *s)
{
    const char *name = config_setting_name(s), *dot = *section ? "." : "";
    const char *what = !*section && config_setting_is_group(s) ? "section" : "key";
    int line = (int)config_setting_source_line(s);
    char near[128];
    if (conf_nearest_key(w->table, section, name, near, sizeof near))
        conf_report_add(w->report, line, "%s%s%.64s: unknown %s; did you mean %s?", section, dot,
                        name, what, near);
    else if (!*section && config_setting_is_group(s))
        unknown_section(w, name, line);
    else
        conf_report_add(w->report, line, "%s%s%.64s: unknown %s", section, dot, name, what);
}

static void walk_key(const struct walk *w, const struct conf_section *section,
                     const config_setting_t *s)
{
    char key[128];
    for (const struct conf_field *f = section->fields; f->name; f++)
        if (strcmp(f->name, config_setting_name(s)) == 0) {
            void *place = (char *)w->settings + section->offset;
            conf_key_name(section, f, key, sizeof key);
            if (conf_take_value(f, key, s, place, w->report))
                conf_origin_set(w->origin, f, w->report->place,
                                w->report->lines ? (int)config_setting_source_line(s) : 0);
            return;
        }
    unknown_key(w, section->name, s);
}

static void walk_section(const struct walk *w, const struct conf_section *section,
                         const config_setting_t *group)
{
    if (!config_setting_is_group(group)) {
        conf_report_add(w->report, (int)config_setting_source_line(group),
                        "%s: this is a section; write %s: { ... };", section->name, section->name);
        return;
    }
    for (int i = 0; i < config_setting_length(group); i++)
        walk_key(w, section, config_setting_get_elem(group, (unsigned)i));
}

static void walk_root(const struct walk *w, const config_setting_t *root)
{
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
        const struct conf_section *top = NULL, *found = NULL;
        for (const struct conf_section *c = w->table; c->name; c++) {
            if (strcmp(c->name, config_setting_name(s)) == 0)
                found = c;
            if (!*c->name)
                top = c;
        }
        if (found)
            walk_section(w, found, s);
        else if (top)
            walk_key(w, top, s);
        else
            unknown_key(w, "", s);
    }
}

/* Text through all gates. */
static void take_text(const struct walk *w, const char *text, size_t n)
{
    char *clean = conf_lex(text, n, w->report);
    if (!clean)
        return;
    config_t c;
    config_init(&c);
    if (config_read_string(&c, clean) == CONFIG_TRUE)
        walk_root(w, config_root_setting(&c));
    else
        conf_report_add(w->report, config_error_line(&c),
                        "%s; expected NAME = VALUE; or SECTION: { NAME = VALUE; ... };",
                        config_error_text(&c));
    config_destroy(&c);
    free(clean);
}

static int out_of_memory(struct err *e)
{
    return err_set(e, EXIT_OS, "out of memory");
}

int conf_read(const struct conf_section *table, void *settings, const char *path,
              struct conf_origin *origin, struct conf_errors *errors, struct err *e)
{
    char *text;
    size_t n;
    if (file_read(path, CONF_MAX_BYTES, &text, &n, e) < 0) {
        if (e && e->code == EXIT_DATA)
            err_set(e, EXIT_CONFIG, "%s: larger than %d bytes, the most a recipe may have", path,
                    CONF_MAX_BYTES);
        if (e && errors && errors->n < CONF_MAX_PROBLEMS)
            snprintf(errors->text[errors->n++], sizeof errors->text[0], "%.511s", e->msg);
        return -1;
    }
    struct conf_report *r = conf_report_new(path, true);
    if (!r) {
        free(text);
        return out_of_memory(e);
    }
    take_text(&(struct walk){table, settings, origin, r}, text, n);
    free(text);
    return conf_report_take(r, errors, e);
}

/* Whether a value given without quotes is to be taken as a text. */
static bool bare_text(const struct conf_field *f, const char *value)
{
    static const char *const words[] = {"true", "false", "nan", "inf", "infinity"};
    if (*value == '"')
        return false;
    if (f && (f->type == CONF_STRING || f->type == CONF_CHOICE))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return false;
    return !isdigit((unsigned char)*value) && !strchr("+-.[(", *value);
}

/* Appends KEY = VALUE; with quotes where they were left out. */
static void put_assignment(FILE *out, const struct conf_field *f, const char *name,
                           const char *value)
{
    bool quote = bare_text(f, value);
    fprintf(out, "%s = %s", name, quote ? "\"" : "");
    for (; *value; value++) {
        if (quote && (*value == '"' || *value == '\\'))
            fputc('\\', out);
        fputc(*value, out);
    }
    fprintf(out, "%s;", quote ? "\"" : "");
}

static bool valid_key(const char *key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *dot = strchr(key, '.');
    return strchr(letters, key[0]) && key[0] && (!dot || (dot[1] && strchr(letters, dot[1]))) &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(key) &&
           (!dot || !strchr(dot + 1, '.'));
}

/* "SECTION: { NAME = VALUE };" as it would stand in a recipe; NULL when memory is short. */
static char *assignment_text(const struct conf_section *table, const char *key, const char *value,
                             size_t *n)
{
    char *text = NULL;
    const char *dot = strchr(key, '.');
    FILE *out = open_memstream(&text, n);
    if (!out)
        return NULL;
    if (dot)
        fprintf(out, "%.*s: { ", (int)(dot - key), key);
    put_assignment(out, conf_find(table, key, NULL), dot ? dot + 1 : key,
                   value + strspn(value, " \t"));
    fputs(dot ? " };" : "", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Several numbers without their brackets. */
static bool bare_list(const struct conf_field *f, const char *value)
{
    return f && f->type == CONF_FLOATS && !strpbrk(value, "[](){};") && strchr(value, ',');
}

/* One key from outside a recipe; `place` is what messages call it. */
static int set_key(const struct walk *w, const char *key, const char *value, const char *place,
                   struct err *e)
{
    size_t n = 0;
    if (bare_list(conf_find(w->table, key, NULL), value))
        return err_set(e, EXIT_CONFIG, "%s: %s: a list is written in brackets: '%s=[%.200s]'",
                       place, key, key, value);
    char *text = assignment_text(w->table, key, value, &n);
    struct conf_report *r = conf_report_new(place, false);
    if (!text || !r) {
        free(text);
        free(r);
        return out_of_memory(e);
    }
    if (n <= CONF_MAX_BYTES)
        take_text(&(struct walk){w->table, w->settings, w->origin, r}, text, n);
    else
        conf_report_add(r, 0, "%s: the value is too long", key);
    free(text);
    return conf_report_take(r, NULL, e);
}

int conf_set(const struct conf_section *table, void *settings, const char *assignment,
             struct conf_origin *origin, struct err *e)
{
    const char *equals = strchr(assignment, '=');
    char key[128];
    snprintf(key, sizeof key, "%.*s", equals ? (int)(equals - assignment) : 0, assignment);
    if (!equals || !valid_key(key) || (size_t)(equals - assignment) >= sizeof key)
        return err_set(e, EXIT_CONFIG,
                       "--set %.200s: expected SECTION.KEY=VALUE, as in --set train.epochs=20",
                       assignment);
    return set_key(&(struct walk){table, settings, origin, NULL}, key, equals + 1, "--set", e);
}

int conf_set_option(const struct conf_section *table, void *settings, const struct conf_option *o,
                    struct conf_origin *origin, struct err *e)
{
    char front[192], rest[sizeof e->msg];
    struct err own;
    if (set_key(&(struct walk){table, settings, origin, NULL}, o->key, o->value, o->name, &own) ==
        0)
        return 0;
    int n = snprintf(front, sizeof front, "%s: %s: ", o->name, o->key);
    bool named = strncmp(own.msg, front, (size_t)n) == 0;
    snprintf(rest, sizeof rest, "%s", named ? own.msg + n : own.msg);
    return err_set(e, own.code == EXIT_CONFIG ? EXIT_USAGE : own.code, "%s%s%s",
                   named ? o->name : "", named ? ": " : "", rest);
}

void conf_defaults(const struct conf_section *table, void *settings, struct conf_origin *origin)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    struct conf_report *r = conf_report_new("default", false);
    if (!out || !r)
        BUG("no memory for the default settings");
    for (const struct conf_section *s = table; s->name; s++) {
        fprintf(out, "%s%s", s->name, *s->name ? ": {\n" : "");
        for (const struct conf_field *f = s->fields; f->name; f++) {
            put_assignment(out, f, f->name, f->value);
            fputc('\n', out);
        }
        fputs(*s->name ? "};\n" : "", out);
    }
    fclose(out);
    take_text(&(struct walk){table, settings, origin, r}, text, n);
    if (r->n > 0)
        BUG("bad default: %s", r->problem[0].text);
    free(text);
    free(r);
}
