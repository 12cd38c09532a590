/*
 * One value into one field, one function per type. Ranges and choices come from the table; whole
 * numbers are taken where real ones are expected.
 */
#include "base/conf_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct target {
    const struct conf_field *field;
    const char *key;
    void *place; /* of the value in the struct */
    void *section;
    int line;
    struct conf_report *report;
};

/* What stands in the recipe, for messages. */
static void found_text(const config_setting_t *s, char *out, size_t size)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(out, size, "%lld", (long long)config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_FLOAT:
        conf_number_text(config_setting_get_float(s), out, size);
        if (!strpbrk(out, ".e"))
            strcat(out, ".0"); /* that is why it is not whole */
        break;
    case CONFIG_TYPE_BOOL:
        snprintf(out, size, "%s", config_setting_get_bool(s) ? "true" : "false");
        break;
    case CONFIG_TYPE_STRING:
        snprintf(out, size, "\"%.60s\"", config_setting_get_string(s));
        break;
    case CONFIG_TYPE_GROUP:
        snprintf(out, size, "a group { ... }");
        break;
    default:
        snprintf(out, size, "a list");
    }
}

static bool wrong_type(const struct target *t, const config_setting_t *s, const char *expected)
{
    char found[80];
    found_text(s, found, sizeof found);
    conf_report_add(t->report, t->line, "%s: expected %s, found %s", t->key, expected, found);
    return false;
}

static bool is_whole(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_INT || config_setting_type(s) == CONFIG_TYPE_INT64;
}

static bool is_number(const config_setting_t *s)
{
    return is_whole(s) || config_setting_type(s) == CONFIG_TYPE_FLOAT;
}

static double number(const config_setting_t *s)
{
    return is_whole(s) ? (double)config_setting_get_int64(s) : config_setting_get_float(s);
}

static bool in_range(const struct target *t, const config_setting_t *s)
{
    char range[64], found[80];
    double v = number(s);
    if (v >= t->field->min && v <= t->field->max)
        return true;
    conf_range_text(t->field, range, sizeof range);
    found_text(s, found, sizeof found);
    conf_report_add(t->report, t->line, "%s: %s is out of range, allowed is %s", t->key, found,
                    range);
    return false;
}

static bool take_bool(const struct target *t, const config_setting_t *s)
{
    if (config_setting_type(s) != CONFIG_TYPE_BOOL)
        return wrong_type(t, s, "true or false");
    *(bool *)t->place = config_setting_get_bool(s);
    return true;
}

static bool take_int(const struct target *t, const config_setting_t *s)
{
    if (!is_whole(s))
        return wrong_type(t, s, "a whole number");
    if (!in_range(t, s))
        return false;
    *(int64_t *)t->place = config_setting_get_int64(s);
    return true;
}

static bool take_float(const struct target *t, const config_setting_t *s)
{
    if (!is_number(s))
        return wrong_type(t, s, "a number");
    if (!in_range(t, s))
        return false;
    *(double *)t->place = number(s);
    return true;
}

static bool take_string(const struct target *t, const config_setting_t *s)
{
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        return wrong_type(t, s, "a text in quotes");
    const char *text = config_setting_get_string(s);
    if (strlen(text) >= t->field->size) {
        conf_report_add(t->report, t->line, "%s: the text is longer than %zu bytes", t->key,
                        t->field->size - 1);
        return false;
    }
    memset(t->place, 0, t->field->size);
    memcpy(t->place, text, strlen(text));
    return true;
}

static const char *choice(void *ctx, int i)
{
    const struct conf_field *f = ctx;
    return f->choices(i);
}

static bool take_choice(const struct target *t, const config_setting_t *s)
{
    const struct conf_field *f = t->field;
    char all[256];
    conf_choices_text(f, all, sizeof all);
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        return wrong_type(t, s, all);
    const char *text = config_setting_get_string(s), *name;
    for (int i = 0; (name = f->choices(i)); i++)
        if (strcmp(name, text) == 0)
            return take_string(t, s);
    const char *near = nearest_word(text, choice, (void *)f);
    if (near)
        conf_report_add(t->report, t->line,
                        "%s: \"%.40s\" is not known; did you mean \"%s\"? "
                        "There are %s",
                        t->key, text, near, all);
    else
        conf_report_add(t->report, t->line, "%s: \"%.40s\" is not known; there are %s", t->key,
                        text, all);
    return false;
}

static bool take_floats(const struct target *t, const config_setting_t *s)
{
    int max = (int)(t->field->size / sizeof(double));
    bool list = config_setting_is_list(s);
    int n = list ? config_setting_length(s) : 1;
    double v[64];
    if (!list && !is_number(s))
        return wrong_type(t, s, "a number or a list of numbers");
    if (n > max) {
        conf_report_add(t->report, t->line, "%s: at most %d numbers are allowed, found %d", t->key,
                        max, n);
        return false;
    }
    for (int i = 0; i < n; i++) {
        const config_setting_t *item = list ? config_setting_get_elem(s, (unsigned)i) : s;
        if (config_setting_type(item) == CONFIG_TYPE_STRING &&
            config_setting_get_string(item)[0] == CONF_POISON)
            return false;
        if (!is_number(item))
            return wrong_type(t, item, "a number or a list of numbers");
        if (!in_range(t, item))
            return false;
        v[i] = number(item);
    }
    memset(t->place, 0, t->field->size);
    memcpy(t->place, v, (size_t)n * sizeof *v);
    *(int *)((char *)t->section + t->field->count_offset) = n;
    return true;
}

bool conf_take_value(const struct conf_field *f, const char *key, const config_setting_t *s,
                     void *section, struct conf_report *r)
{
    static bool (*const take[])(const struct target *, const config_setting_t *) = {
        [CONF_BOOL] = take_bool,     [CONF_INT] = take_int,       [CONF_FLOAT] = take_float,
        [CONF_STRING] = take_string, [CONF_CHOICE] = take_choice, [CONF_FLOATS] = take_floats,
    };
    struct target t = {
        f, key, (char *)section + f->offset, section, (int)config_setting_source_line(s), r};
    if (config_setting_type(s) == CONFIG_TYPE_STRING &&
        strchr(config_setting_get_string(s), CONF_POISON))
        return false;
    return take[f->type](&t, s);
}
