/* Where values came from, and which of them say nothing to the selected kinds. */
#include "base/conf_impl.h"

#include <stdlib.h>
#include <string.h>

struct conf_origin {
    int n, room;
    struct origin_entry {
        const struct conf_field *field;
        char text[256];
    } * entry;
};

struct conf_origin *conf_origin_new(void)
{
    return calloc(1, sizeof(struct conf_origin));
}

void conf_origin_free(struct conf_origin *o)
{
    if (!o)
        return;
    free(o->entry);
    free(o);
}

static struct origin_entry *entry_of(const struct conf_origin *o, const struct conf_field *f)
{
    for (int i = 0; o && i < o->n; i++)
        if (o->entry[i].field == f)
            return &o->entry[i];
    return NULL;
}

static struct origin_entry *entry_add(struct conf_origin *o, const struct conf_field *f)
{
    if (o->n == o->room) {
        int room = o->room ? 2 * o->room : 64;
        struct origin_entry *more = realloc(o->entry, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        o->entry = more;
        o->room = room;
    }
    o->entry[o->n].field = f;
    return &o->entry[o->n++];
}

void conf_origin_set(struct conf_origin *o, const struct conf_field *f, const char *place, int line)
{
    if (!o)
        return;
    struct origin_entry *entry = entry_of(o, f);
    if (!entry)
        entry = entry_add(o, f);
    if (!entry)
        return;
    if (line > 0)
        snprintf(entry->text, sizeof entry->text, "%s:%d", place, line);
    else
        snprintf(entry->text, sizeof entry->text, "%s", place);
}

const char *conf_origin_of(const struct conf_origin *o, const struct conf_section *table,
                           const char *key)
{
    const struct conf_field *f = conf_find(table, key, NULL);
    const struct origin_entry *entry = f ? entry_of(o, f) : NULL;
    return entry ? entry->text : "default";
}

/* The field that selects a section's kind: its first choice. */
static const struct conf_field *kind_field(const struct conf_section *s)
{
    for (const struct conf_field *f = s->fields; f->name; f++)
        if (f->type == CONF_CHOICE)
            return f;
    return NULL;
}

static bool word_in(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

void conf_unused(const struct conf_section *table, const void *settings,
                 const struct conf_origin *o, void (*note)(void *ctx, const char *line), void *ctx)
{
    char key[128], line[256];
    for (const struct conf_section *s = table; s->name; s++) {
        const struct conf_field *kind = kind_field(s);
        for (const struct conf_field *f = s->fields; kind && f->name; f++) {
            const char *selected = (const char *)settings + s->offset + kind->offset;
            const struct origin_entry *entry = entry_of(o, f);
            bool set = entry && strcmp(entry->text, "default") != 0;
            if (!set || !f->kinds || word_in(f->kinds, selected))
                continue;
            conf_key_name(s, f, key, sizeof key);
            snprintf(line, sizeof line, "%s: %s is not used by %s", entry->text, key, selected);
            note(ctx, line);
        }
    }
}
