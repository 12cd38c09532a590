/*
 * The grammar of a recipe, token by token, so that a mistake is told with what was found and what
 * was expected (libconfig says "syntax error"), a repeated key with its name and both lines. It
 * accepts what libconfig accepts, but for sections within sections: a recipe has none, and one is
 * the sign of a bracket that was forgotten.
 */
#include "base/conf_impl.h"

#include <ctype.h>
#include <string.h>

static char other_half(char open)
{
    return open == '{' ? '}' : open == '[' ? ']' : ')';
}

static const struct conf_level *inner(const struct conf_grammar *g)
{
    return g->depth > 0 ? &g->level[g->depth - 1] : NULL;
}

static bool in_list(const struct conf_grammar *g)
{
    return g->depth > 0 && inner(g)->open != '{';
}

bool conf_grammar_wants_value(const struct conf_grammar *g)
{
    return g->state == GRAMMAR_VALUE || g->state == GRAMMAR_ITEM || g->state == GRAMMAR_FIRST;
}

static void found_text(const struct conf_token *t, char out[64])
{
    if (t->kind == TOKEN_END)
        snprintf(out, 64, "the end of the file");
    else
        snprintf(out, 64, "%s%.*s%s", *t->text == '"' ? "" : "\"", t->n > 40 ? 40 : (int)t->n,
                 t->text, *t->text == '"' ? "" : "\"");
}

static void expected_text(const struct conf_grammar *g, char out[128])
{
    static const char *const words[] = {
        [GRAMMAR_NAME] = "the name of a key",
        [GRAMMAR_EQUALS] = "\"=\"",
        [GRAMMAR_VALUE] = "a value",
        [GRAMMAR_END] = "\";\"",
        [GRAMMAR_ITEM] = "a value after \",\"",
    };
    if (g->state != GRAMMAR_FIRST && g->state != GRAMMAR_NEXT) {
        snprintf(out, 128, "%s", words[g->state]);
        return;
    }
    int n = snprintf(out, 128, "%s or \"%c\"", g->state == GRAMMAR_FIRST ? "a value" : "\",\"",
                     other_half(inner(g)->open));
    if (g->report->lines)
        snprintf(out + n, 128 - (size_t)n, " for the \"%c\" of line %d", inner(g)->open,
                 inner(g)->line);
}

static bool refuse(struct conf_grammar *g, const struct conf_token *t)
{
    char found[64], expected[128];
    bool named = g->key[0] && g->state != GRAMMAR_NAME;
    found_text(t, found);
    expected_text(g, expected);
    conf_report_add(g->report, t->line, "%s%sexpected %s, found %s", named ? g->key : "",
                    named ? ": " : "", expected, found);
    return false;
}

/* The name is known to begin with a letter. A repeated one is told; the rest is still looked at. */
static void see_name(struct conf_grammar *g, const struct conf_token *t)
{
    int n = t->n > 63 ? 63 : (int)t->n;
    struct conf_level *top = g->depth > 0 ? &g->level[0] : NULL;
    snprintf(g->name, sizeof g->name, "%.*s", n, t->text);
    snprintf(g->key, sizeof g->key, "%s%s%s", top ? top->name : "", top ? "." : "", g->name);
    if (g->depth == 0)
        g->again = false;
    for (int i = 0; i < g->n_seen && !g->again; i++)
        if (strcmp(g->seen[i].key, g->key) == 0) {
            conf_report_add(g->report, t->line,
                            "%s: given twice, in line %d and in line %d; keep one of them", g->key,
                            g->seen[i].line, t->line);
            g->repeated = true;
            g->again = g->depth == 0;
            return;
        }
    if (g->n_seen < CONF_MAX_SEEN) {
        g->seen[g->n_seen].line = t->line;
        snprintf(g->seen[g->n_seen++].key, sizeof g->key, "%s", g->key);
    }
}

/* "optimizer.lr" is how messages and --set write it. */
static bool refuse_dotted(struct conf_grammar *g, const struct conf_token *t)
{
    const char *dot = memchr(t->text, '.', t->n);
    int section = (int)(dot - t->text), key = (int)t->n - section - 1;
    conf_report_add(g->report, t->line,
                    "%.*s: a key stands in its section: %.*s: { %.*s = VALUE; };",
                    t->n > 80 ? 80 : (int)t->n, t->text, section > 40 ? 40 : section, t->text,
                    key > 40 ? 40 : key, dot + 1);
    return false;
}

static bool take_name(struct conf_grammar *g, const struct conf_token *t)
{
    bool ready = g->state == GRAMMAR_NAME || g->state == GRAMMAR_END;
    if (!ready || !(isalpha((unsigned char)*t->text) || *t->text == '*' || *t->text == '@'))
        return refuse(g, t);
    if (memchr(t->text, '.', t->n))
        return refuse_dotted(g, t);
    see_name(g, t);
    g->state = GRAMMAR_EQUALS;
    return true;
}

static bool take_equals(struct conf_grammar *g, const struct conf_token *t)
{
    if (g->state != GRAMMAR_EQUALS)
        return refuse(g, t);
    g->state = GRAMMAR_VALUE;
    return true;
}

/* Texts may follow each other: they are joined. */
static bool take_scalar(struct conf_grammar *g, const struct conf_token *t)
{
    bool text = *t->text == '"';
    bool joined = text && g->text && (g->state == GRAMMAR_END || g->state == GRAMMAR_NEXT);
    if (!conf_grammar_wants_value(g) && !joined)
        return refuse(g, t);
    g->text = text;
    g->state = in_list(g) ? GRAMMAR_NEXT : GRAMMAR_END;
    return true;
}

static bool take_open(struct conf_grammar *g, const struct conf_token *t)
{
    if (!conf_grammar_wants_value(g))
        return refuse(g, t);
    if (g->depth == CONF_MAX_DEPTH) {
        conf_report_add(g->report, t->line, "nested deeper than %d levels", CONF_MAX_DEPTH);
        return false;
    }
    if (*t->text == '{' && g->depth == 1 && inner(g)->open == '{') {
        conf_report_add(g->report, t->line,
                        "%s: a section within the section %s of line %d; is a \"}\" missing before "
                        "it?",
                        g->name, inner(g)->name, inner(g)->line);
        return false;
    }
    struct conf_level *l = &g->level[g->depth++];
    *l = (struct conf_level){.open = *t->text, .line = t->line};
    snprintf(l->name, sizeof l->name, "%s", g->name);
    g->state = *t->text == '{' ? GRAMMAR_NAME : GRAMMAR_FIRST;
    return true;
}

static bool take_close(struct conf_grammar *g, const struct conf_token *t)
{
    bool ready = g->state == GRAMMAR_NAME || g->state == GRAMMAR_END || g->state == GRAMMAR_FIRST ||
                 g->state == GRAMMAR_NEXT;
    if (g->depth == 0 && ready) {
        conf_report_add(g->report, t->line, "found \"%c\", but nothing is open here", *t->text);
        return false;
    }
    if (!ready || *t->text != other_half(inner(g)->open))
        return refuse(g, t);
    g->depth--;
    g->text = false;
    g->state = in_list(g) ? GRAMMAR_NEXT : GRAMMAR_END;
    return true;
}

static bool take_separator(struct conf_grammar *g, const struct conf_token *t)
{
    if (g->state == GRAMMAR_END)
        g->state = GRAMMAR_NAME;
    else if (g->state == GRAMMAR_NEXT && *t->text == ',')
        g->state = GRAMMAR_ITEM;
    else
        return refuse(g, t);
    return true;
}

static bool take_end(struct conf_grammar *g, const struct conf_token *t)
{
    bool whole = g->state == GRAMMAR_NAME || g->state == GRAMMAR_END;
    if (g->depth == 0 && whole)
        return true;
    if (!whole || inner(g)->open != '{')
        return refuse(g, t);
    conf_report_add(g->report, t->line,
                    "%s: expected \"}\" for the \"{\" of line %d, found the end of the file",
                    inner(g)->name, inner(g)->line);
    return false;
}

bool conf_grammar_take(struct conf_grammar *g, const struct conf_token *t)
{
    static bool (*const take[])(struct conf_grammar *, const struct conf_token *) = {
        [TOKEN_NAME] = take_name, [TOKEN_EQUALS] = take_equals, [TOKEN_VALUE] = take_scalar,
        [TOKEN_OPEN] = take_open, [TOKEN_CLOSE] = take_close,   [TOKEN_SEPARATOR] = take_separator,
        [TOKEN_END] = take_end,
    };
    return take[t->kind](g, t);
}
