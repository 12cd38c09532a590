/* Settings as text: a recipe that reads back to exactly the same values, and single values. */
#include "base/conf_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COMMENT_WIDTH = 96, VALUE_BYTES = 4200 }; /* a text of 1023 bytes, every one escaped */

enum { PLAIN_LOW = -5, PLAIN_HIGH = 15 }; /* powers of ten that are written without exponent */

void conf_number_text(double v, char *out, size_t size)
{
    char digits[40];
    int n = 0;
    while (n < 17) { /* the shortest decimal that reads back as the same double */
        snprintf(digits, sizeof digits, "%.*e", n++, v);
        if (strtod(digits, NULL) == v)
            break;
    }
    char *e = strchr(digits, 'e');
    int power = e ? atoi(e + 1) : 0;
    if (!e)
        snprintf(out, size, "%s", digits); /* not finite */
    else if (v == 0 || (power >= PLAIN_LOW && power < PLAIN_HIGH))
        snprintf(out, size, "%.*f", n - 1 > power ? n - 1 - power : 0, v);
    else
        snprintf(out, size, "%.*se%d", (int)(e - digits), digits, power);
}

/* Marked as a real number. */
static void float_text(double v, char *out, size_t size)
{
    conf_number_text(v, out, size);
    if (!strpbrk(out, ".e") && strlen(out) + 2 < size)
        strcat(out, ".0");
}

static void quoted_text(const char *s, char *out, size_t size)
{
    size_t n = 0;
    out[n++] = '"';
    for (; *s && n + 6 < size; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            out[n++] = '\\';
        out[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c; /* no reader lets those in */
    }
    out[n++] = '"';
    out[n] = '\0';
}

static void list_text(const double *v, int n, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n && at + 32 < size; i++) {
        if (i > 0)
            at += (size_t)snprintf(out + at, size - at, ", ");
        float_text(v[i], out + at, size - at);
        at += strlen(out + at);
    }
    snprintf(out + at, size - at, "]");
}

void conf_value_text(const struct conf_field *f, const void *section, bool quoted, char *out,
                     size_t size)
{
    const char *place = (const char *)section + f->offset;
    int64_t i;
    switch (f->type) {
    case CONF_BOOL:
        snprintf(out, size, "%s", *(const bool *)place ? "true" : "false");
        break;
    case CONF_INT:
        i = *(const int64_t *)place;
        snprintf(out, size, "%" PRId64 "%s", i, quoted && i != (int32_t)i ? "L" : "");
        break;
    case CONF_FLOAT:
        float_text(*(const double *)place, out, size);
        break;
    case CONF_FLOATS:
        list_text((const double *)place, *(const int *)((const char *)section + f->count_offset),
                  out, size);
        break;
    default:
        if (quoted)
            quoted_text(place, out, size);
        else
            snprintf(out, size, "%s", place);
    }
}

static void bound_text(const struct conf_field *f, double v, char *out, size_t size)
{
    if (f->type == CONF_INT)
        snprintf(out, size, "%.0f", v);
    else
        conf_number_text(v, out, size);
}

void conf_range_text(const struct conf_field *f, char *out, size_t size)
{
    bool numeric = f->type == CONF_INT || f->type == CONF_FLOAT || f->type == CONF_FLOATS;
    char lo[32], hi[32];
    bound_text(f, f->min, lo, sizeof lo);
    bound_text(f, f->max, hi, sizeof hi);
    bool top = isfinite(f->max) && f->max < 0x1p62, bottom = isfinite(f->min);
    if (!numeric || (!top && !bottom))
        snprintf(out, size, "%s", "");
    else if (top && bottom)
        snprintf(out, size, "%s to %s", lo, hi);
    else
        snprintf(out, size, "at %s %s", top ? "most" : "least", top ? hi : lo);
}

void conf_choices_text(const struct conf_field *f, char *out, size_t size)
{
    const char *name;
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; f->choices && (name = f->choices(i)) && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", name);
}

/* A comment of as many lines as it takes. */
static void write_comment(FILE *out, const char *text, const char *indent)
{
    int at = 0;
    for (; *text; text += strspn(text, " ")) {
        int n = (int)strcspn(text, " ");
        if (at == 0 || at + 1 + n > COMMENT_WIDTH) {
            fprintf(out, "%s%s#", at ? "\n" : "", indent);
            at = (int)strlen(indent) + 1;
        }
        fprintf(out, " %.*s", n, text);
        at += 1 + n;
        text += n;
    }
    fputc('\n', out);
}

void conf_about(const struct conf_field *f, char *out, size_t size)
{
    char text[256];
    size_t n = (size_t)snprintf(out, size, "%s", f->help);
    conf_range_text(f, text, sizeof text);
    if (*text && n < size)
        n += (size_t)snprintf(out + n, size - n, " Allowed: %s%s%s.", text, f->unit ? " " : "",
                              f->unit ? f->unit : "");
    conf_choices_text(f, text, sizeof text);
    if (*text && n < size)
        n += (size_t)snprintf(out + n, size - n, " One of %s.", text);
    if (f->kinds && n < size) {
        n += (size_t)snprintf(out + n, size - n, " Used by ");
        for (const char *p = f->kinds; *p && n + 3 < size; p++)
            n += (size_t)snprintf(out + n, size - n, "%s%c", *p == ' ' ? "," : "", *p);
        snprintf(out + n, size - n, ".");
    }
}

struct writer {
    FILE *out;
    const struct conf_section *table;
    const struct conf_origin *origin;
    bool help;
};

static void write_field(const struct writer *w, const struct conf_section *s,
                        const struct conf_field *f, const void *section)
{
    const char *indent = *s->name ? "    " : "";
    char text[VALUE_BYTES], key[128];
    if (w->help) {
        conf_about(f, text, sizeof text);
        write_comment(w->out, text, indent);
    }
    conf_value_text(f, section, true, text, sizeof text);
    fprintf(w->out, "%s%s = %s;", indent, f->name, text);
    if (w->origin) {
        conf_key_name(s, f, key, sizeof key);
        fprintf(w->out, " # %s", conf_origin_of(w->origin, w->table, key));
    }
    fputc('\n', w->out);
}

int conf_write(FILE *out, const struct conf_section *table, const void *settings,
               const struct conf_origin *origin, bool help, struct err *e)
{
    struct writer w = {out, table, origin, help};
    for (const struct conf_section *s = table; s->name; s++) {
        if (help && s != table)
            fputc('\n', out);
        if (help && s->help)
            write_comment(out, s->help, "");
        if (*s->name)
            fprintf(out, "%s: {\n", s->name);
        for (const struct conf_field *f = s->fields; f->name; f++)
            write_field(&w, s, f, (const char *)settings + s->offset);
        if (*s->name)
            fprintf(out, "};\n");
        if (ferror(out))
            return err_errno(e, EXIT_IO, errno, "cannot write the settings");
    }
    return 0;
}

int conf_get(const struct conf_section *table, const void *settings, const char *key, char *out,
             size_t size)
{
    const struct conf_section *s;
    const struct conf_field *f = conf_find(table, key, &s);
    snprintf(out, size, "%s", "");
    if (!f)
        return -1;
    conf_value_text(f, (const char *)settings + s->offset, false, out, size);
    return 0;
}
