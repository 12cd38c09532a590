/*
 * The gate before libconfig: bytes, numbers, texts, nesting. libconfig 1.5 wraps integers, takes
 * 1e999 for infinity and follows @include; here each literal is read once with range checks and
 * handed on in canonical form. Grammar is left to libconfig.
 */
#include "base/conf_impl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct lexer {
    const char *p, *end;
    int line;
    char section[64], key[132]; /* last names seen, for messages */
    bool want_value;            /* after "=" or ":", and between list brackets */
    int depth;
    char open[CONF_MAX_DEPTH];
    char *out; /* write position */
    struct conf_report *report;
    bool dead;
};

static const char poison[] = "\"\\x01\"";

static void emit(struct lexer *x, const char *s, size_t n)
{
    memcpy(x->out, s, n);
    x->out += n;
}

static bool in_list(const struct lexer *x)
{
    return x->depth > 0 && x->open[x->depth - 1] != '{';
}

static void emit_value(struct lexer *x, const char *s)
{
    emit(x, s, strlen(s));
    x->want_value = in_list(x);
}

/* A value that was reported: later gates must not complain again. */
static void emit_poison(struct lexer *x)
{
    emit_value(x, poison);
}

static bool word_byte(char c)
{
    return !isspace((unsigned char)c) && !strchr(";,=:{}[]()\"#", c);
}

static size_t word_length(const struct lexer *x)
{
    size_t n = 0;
    while (x->p + n < x->end && word_byte(x->p[n]))
        n++;
    return n;
}

static void skip_comment(struct lexer *x)
{
    bool block = x->p[0] == '/' && x->p[1] == '*';
    int first = x->line;
    if (!block) {
        while (x->p < x->end && *x->p != '\n')
            x->p++;
        return;
    }
    for (x->p += 2; x->p < x->end; x->p++) {
        if (x->p[0] == '*' && x->p[1] == '/') {
            x->p += 2;
            return;
        }
        if (*x->p == '\n') {
            x->line++;
            emit(x, "\n", 1);
        }
    }
    conf_report_add(x->report, first, "the comment that begins here is not closed by */");
    x->dead = true;
}

/* Length of an escape sequence at p (on the backslash), 0 if it is none or gives a control
 * character. */
static size_t escape_length(const char *p)
{
    if (p[1] == '\\' || p[1] == '"')
        return 2;
    if (p[1] != 'x' || !isxdigit((unsigned char)p[2]) || !isxdigit((unsigned char)p[3]))
        return 0;
    char hex[3] = {p[2], p[3], 0};
    long c = strtol(hex, NULL, 16);
    return c >= 0x20 && c != 0x7f ? 4 : 0;
}

static void lex_text(struct lexer *x)
{
    const char *start = x->p++;
    bool good = true;
    while (x->p < x->end && *x->p != '"' && *x->p != '\n') {
        size_t n = *x->p == '\\' ? escape_length(x->p) : 1;
        if (n == 0 && good) {
            conf_report_add(x->report, x->line,
                            "%s: only \\\\, \\\" and \\xNN of a printable character are allowed "
                            "after a backslash",
                            x->key);
            good = false;
        }
        x->p += n ? n : x->p[1] == '\n' ? 1 : 2;
    }
    if (x->p >= x->end || *x->p != '"') {
        conf_report_add(x->report, x->line, "%s: the text has no closing quote", x->key);
        good = false;
    } else {
        x->p++;
    }
    if (good)
        emit(x, start, (size_t)(x->p - start));
    else
        emit(x, poison, sizeof poison - 1);
    x->want_value = in_list(x);
}

static bool not_finite_word(const char *word)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    word += *word == '-' || *word == '+';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(word, words[i]) == 0)
            return true;
    return false;
}

/* Whole numbers: decimal or 0x..., with an optional L or LL. */
static bool whole_number(const char *word, int64_t *value, bool *fits)
{
    const char *digits = word + (*word == '-' || *word == '+');
    bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    size_t n =
        hex ? 2 + strspn(digits + 2, "0123456789abcdefABCDEF") : strspn(digits, "0123456789");
    const char *tail = digits + n;
    if (n == (hex ? 2 : 0) || (hex && digits != word))
        return false;
    if (strcmp(tail, "") != 0 && strcmp(tail, "L") != 0 && strcmp(tail, "LL") != 0)
        return false;
    errno = 0;
    *value = strtoll(word, NULL, hex ? 16 : 10);
    *fits = errno == 0;
    return true;
}

static bool real_number(const char *word, double *value)
{
    char *tail;
    if (strspn(word, "0123456789.eE+-") != strlen(word))
        return false;
    *value = strtod(word, &tail);
    return *tail == '\0' && tail > word;
}

static void lex_number(struct lexer *x, const char *word)
{
    int64_t i;
    double d;
    bool fits;
    char text[48];
    if (whole_number(word, &i, &fits)) {
        if (!fits) {
            conf_report_add(x->report, x->line,
                            "%s: %s does not fit in 64 bits; the largest whole number is "
                            "9223372036854775807",
                            x->key, word);
            emit_poison(x);
            return;
        }
        snprintf(text, sizeof text, "%" PRId64 "%s", i, i != (int32_t)i ? "L" : "");
        emit_value(x, text);
    } else if (real_number(word, &d) && isfinite(d)) {
        snprintf(text, sizeof text, "%.17g", d);
        emit_value(x, text);
        if (!strpbrk(text, ".e"))
            emit(x, ".0", 2);
    } else {
        const char *why =
            not_finite_word(word) || real_number(word, &d) ? "finite number" : "number";
        conf_report_add(x->report, x->line, "%s: %s is not a %s", x->key, word, why);
        emit_poison(x);
    }
}

static void lex_value(struct lexer *x)
{
    char word[96];
    size_t n = word_length(x);
    snprintf(word, sizeof word, "%.*s", (int)n, x->p);
    x->p += n;
    if (n >= sizeof word) {
        conf_report_add(x->report, x->line,
                        "%s: %s... is too long for a number, and a text must "
                        "stand in quotes",
                        x->key, word);
        emit_poison(x);
    } else if (isdigit((unsigned char)word[0]) || strchr("+-.", word[0]) || not_finite_word(word)) {
        lex_number(x, word);
    } else if (strcasecmp(word, "true") == 0 || strcasecmp(word, "false") == 0) {
        emit_value(x, word);
    } else {
        conf_report_add(x->report, x->line, "%s: a text must stand in quotes: \"%s\"", x->key,
                        word);
        emit_poison(x);
    }
}

static void lex_name(struct lexer *x)
{
    size_t n = word_length(x);
    int shown = n > 63 ? 63 : (int)n;
    snprintf(x->key, sizeof x->key, "%s%s%.*s", x->depth ? x->section : "", x->depth ? "." : "",
             shown, x->p);
    if (*x->p == '@') {
        conf_report_add(x->report, x->line, "%s: a recipe is one file, nothing can be included",
                        x->key);
        while (x->p < x->end && *x->p != '\n')
            x->p++;
        return;
    }
    emit(x, x->p, n);
    x->p += n;
}

static void lex_open(struct lexer *x)
{
    char c = *x->p++;
    if (x->depth == CONF_MAX_DEPTH) {
        conf_report_add(x->report, x->line, "nested deeper than %d levels", CONF_MAX_DEPTH);
        x->dead = true;
        return;
    }
    if (x->depth == 0)
        snprintf(x->section, sizeof x->section, "%s", x->key);
    x->open[x->depth++] = c;
    x->want_value = c != '{';
    emit(x, c == '[' ? "(" : &c, 1);
}

static void lex_close(struct lexer *x)
{
    char c = *x->p++;
    if (x->depth > 0)
        x->depth--;
    x->want_value = in_list(x);
    emit(x, c == ']' ? ")" : &c, 1);
}

static void lex_other(struct lexer *x)
{
    char c = *x->p++;
    x->line += c == '\n';
    if (c == '=' || c == ':')
        x->want_value = true;
    else if (c == ';')
        x->want_value = in_list(x);
    emit(x, &c, 1);
}

static void lex_one(struct lexer *x)
{
    char c = *x->p;
    if (c == '#' || (c == '/' && (x->p[1] == '/' || x->p[1] == '*')))
        skip_comment(x);
    else if (c == '"')
        lex_text(x);
    else if (strchr("{[(", c))
        lex_open(x);
    else if (strchr("}])", c))
        lex_close(x);
    else if (!word_byte(c))
        lex_other(x);
    else if (x->want_value)
        lex_value(x);
    else
        lex_name(x);
}

/* Plain text holds no control characters but tab and the ends of lines. */
static bool plain(const char *text, size_t n, struct conf_report *r)
{
    int line = 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        line += c == '\n';
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
            conf_report_add(r, line, "control character 0x%02x; a recipe is plain text", c);
            return false;
        }
    }
    return true;
}

char *conf_lex(const char *text, size_t n, struct conf_report *r)
{
    if (!plain(text, n, r))
        return NULL;
    char *out = malloc(n * 26 + 64); /* the longest growth: "0." to seventeen digits and more */
    if (!out) {
        conf_report_add(r, 1, "out of memory");
        return NULL;
    }
    struct lexer x = {.p = text, .end = text + n, .line = 1, .out = out, .report = r};
    while (x.p < x.end && !x.dead)
        lex_one(&x);
    *x.out = '\0';
    if (!x.dead)
        return out;
    free(out);
    return NULL;
}
