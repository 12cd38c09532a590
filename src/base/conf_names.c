/* Names of keys: full names, look-up, and the nearest known one. */
#include "base/conf_impl.h"

#include <string.h>

void conf_key_name(const struct conf_section *s, const struct conf_field *f, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", s->name, *s->name ? "." : "", f->name);
}

const struct conf_field *conf_find(const struct conf_section *table, const char *key,
                                   const struct conf_section **section)
{
    char name[128];
    for (const struct conf_section *s = table; s->name; s++)
        for (const struct conf_field *f = s->fields; f->name; f++) {
            conf_key_name(s, f, name, sizeof name);
            if (strcmp(name, key) == 0) {
                if (section)
                    *section = s;
                return f;
            }
        }
    return NULL;
}

static const char *field_name(void *ctx, int i)
{
    const struct conf_field *fields = ctx;
    return fields[i].name;
}

static const char *section_name(void *ctx, int i)
{
    const struct conf_section *table = ctx;
    return table[i].name;
}

/* The same name somewhere else, for keys that were put into the wrong section. */
static bool elsewhere(const struct conf_section *table, const char *name, char *out, size_t size)
{
    for (const struct conf_section *s = table; s->name; s++)
        for (const struct conf_field *f = s->fields; f->name; f++)
            if (strcmp(f->name, name) == 0) {
                conf_key_name(s, f, out, size);
                return true;
            }
    return false;
}

bool conf_nearest_key(const struct conf_section *table, const char *section, const char *name,
                      char *out, size_t size)
{
    const char *near = NULL;
    for (const struct conf_section *s = table; s->name && !near; s++)
        if (strcmp(s->name, section) == 0)
            near = nearest_word(name, field_name, (void *)s->fields);
    if (near)
        snprintf(out, size, "%s%s%s", section, *section ? "." : "", near);
    if (near || elsewhere(table, name, out, size))
        return true;
    near = *section ? NULL : nearest_word(name, section_name, (void *)table);
    if (near)
        snprintf(out, size, "%s", near);
    return near != NULL;
}
