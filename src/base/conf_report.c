/* Mistakes found in a recipe, collected out of order and told in order of lines. */
#include "base/conf_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct conf_report *conf_report_new(const char *place, bool lines)
{
    struct conf_report *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->place = place;
    r->lines = lines;
    return r;
}

void conf_report_add(struct conf_report *r, int line, const char *fmt, ...)
{
    if (r->n < CONF_MAX_PROBLEMS) {
        struct conf_problem *p = &r->problem[r->n];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(p->text, sizeof p->text, fmt, ap);
        va_end(ap);
        p->line = line;
        p->order = r->n;
    }
    r->n++;
}

static int by_line(const void *a, const void *b)
{
    const struct conf_problem *p = a, *q = b;
    return p->line != q->line ? (p->line > q->line) - (p->line < q->line) : p->order - q->order;
}

static void problem_text(const struct conf_report *r, const struct conf_problem *p, char *out,
                         size_t size)
{
    if (r->lines)
        snprintf(out, size, "%s:%d: %s", r->place, p->line, p->text);
    else
        snprintf(out, size, "%s: %s", r->place, p->text);
}

int conf_report_take(struct conf_report *r, struct conf_errors *errors, struct err *e)
{
    int kept = r->n < CONF_MAX_PROBLEMS ? r->n : CONF_MAX_PROBLEMS, found = r->n;
    char text[512];
    qsort(r->problem, (size_t)kept, sizeof *r->problem, by_line);
    for (int i = 0; i < kept; i++) {
        problem_text(r, &r->problem[i], text, sizeof text);
        if (i == 0)
            err_set(e, EXIT_CONFIG, "%s", text);
        if (errors && errors->n < CONF_MAX_PROBLEMS)
            memcpy(errors->text[errors->n++], text, sizeof text);
    }
    free(r);
    return found ? -1 : 0;
}
