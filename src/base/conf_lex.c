/*
 * The gate before libconfig: bytes, numbers, texts. libconfig 1.5 wraps integers, takes 1e999 for
 * infinity and follows @include; here each literal is read once with range checks and handed on in
 * canonical form. conf_grammar.c sees every token and decides whether a word is a name or a value.
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
    char *out; /* write position */
    struct conf_report *report;
    struct conf_grammar grammar;
    bool dead;
};

static const char poison[] = "\"\\x01\"";

static void emit(struct lexer *x, const char *s, size_t n)
{
    memcpy(x->out, s, n);
    x->out += n;
}

static void emit_value(struct lexer *x, const char *s)
{
    emit(x, s, strlen(s));
}

/* A value that was reported: later gates must not complain again. */
static void emit_poison(struct lexer *x)
{
    emit_value(x, poison);
}

/* Tells the grammar of the n bytes at `text`. */
static bool take(struct lexer *x, enum conf_token_kind kind, const char *text, size_t n)
{
    x->dead =
        x->dead || !conf_grammar_take(&x->grammar, &(struct conf_token){kind, text, n, x->line});
    return !x->dead;
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
                            x->grammar.key);
            good = false;
        }
        x->p += n ? n : x->p[1] == '\n' ? 1 : 2;
    }
    if (x->p >= x->end || *x->p != '"') {
        conf_report_add(x->report, x->line, "%s: the text has no closing quote", x->grammar.key);
        good = false;
    } else {
        x->p++;
    }
    if (!take(x, TOKEN_VALUE, start, (size_t)(x->p - start)))
        return;
    if (good)
        emit(x, start, (size_t)(x->p - start));
    else
        emit_poison(x);
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
                            x->grammar.key, word);
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
        conf_report_add(x->report, x->line, "%s: %s is not a %s", x->grammar.key, word, why);
        emit_poison(x);
    }
}

static void lex_value(struct lexer *x)
{
    char word[96];
    size_t n = word_length(x);
    snprintf(word, sizeof word, "%.*s", (int)n, x->p);
    x->p += n;
    if (!take(x, TOKEN_VALUE, x->p - n, n))
        return;
    if (n >= sizeof word) {
        conf_report_add(x->report, x->line,
                        "%s: %s... is too long for a number, and a text must "
                        "stand in quotes",
                        x->grammar.key, word);
        emit_poison(x);
    } else if (isdigit((unsigned char)word[0]) || strchr("+-.", word[0]) || not_finite_word(word)) {
        lex_number(x, word);
    } else if (strcasecmp(word, "true") == 0 || strcasecmp(word, "false") == 0) {
        emit_value(x, word);
    } else {
        conf_report_add(x->report, x->line, "%s: a text must stand in quotes: \"%s\"",
                        x->grammar.key, word);
        emit_poison(x);
    }
}

static void lex_name(struct lexer *x)
{
    size_t n = word_length(x);
    if (*x->p == '@') {
        conf_report_add(x->report, x->line, "%.*s: a recipe is one file, nothing can be included",
                        (int)n, x->p);
        while (x->p < x->end && *x->p != '\n')
            x->p++;
        return;
    }
    if (take(x, TOKEN_NAME, x->p, n))
        emit(x, x->p, n);
    x->p += n;
}

/* One byte, and what it means to the grammar; arrays are handed on as lists. */
static void lex_mark(struct lexer *x)
{
    static const struct {
        char c, out;
        enum conf_token_kind kind;
    } marks[] = {
        {'{', '{', TOKEN_OPEN},      {'[', '(', TOKEN_OPEN},   {'(', '(', TOKEN_OPEN},
        {'}', '}', TOKEN_CLOSE},     {']', ')', TOKEN_CLOSE},  {')', ')', TOKEN_CLOSE},
        {'=', '=', TOKEN_EQUALS},    {':', ':', TOKEN_EQUALS}, {';', ';', TOKEN_SEPARATOR},
        {',', ',', TOKEN_SEPARATOR},
    };
    const char *at = x->p++;
    char out = *at;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (marks[i].c == *at) {
            if (!take(x, marks[i].kind, at, 1))
                return;
            out = marks[i].out;
        }
    x->line += out == '\n';
    emit(x, &out, 1);
}

static void lex_one(struct lexer *x)
{
    char c = *x->p;
    if (c == '#' || (c == '/' && (x->p[1] == '/' || x->p[1] == '*')))
        skip_comment(x);
    else if (c == '"')
        lex_text(x);
    else if (!word_byte(c))
        lex_mark(x);
    else if (conf_grammar_wants_value(&x->grammar))
        lex_value(x);
    else
        lex_name(x);
}

/* Byte order marks. That of UTF-8 says nothing and is left out. */
static bool readable(const char **text, size_t *n, struct conf_report *r)
{
    const unsigned char *b = (const unsigned char *)*text;
    if (*n >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) {
        *text += 3;
        *n -= 3;
    }
    if (*n < 2 || !((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
        return true;
    conf_report_add(r, 1, "the file is in UTF-16; save it in UTF-8");
    return false;
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

static void lex_all(struct lexer *x)
{
    while (x->p < x->end && !x->dead)
        lex_one(x);
    *x->out = '\0';
    if (!x->dead)
        take(x, TOKEN_END, "", 0);
}

char *conf_lex(const char *text, size_t n, struct conf_report *r)
{
    if (!readable(&text, &n, r) || !plain(text, n, r))
        return NULL;
    char *out = malloc(n * 26 + 64); /* the longest growth: "0." to seventeen digits and more */
    struct lexer *x = calloc(1, sizeof *x);
    bool good = out && x;
    if (good) {
        *x = (struct lexer){
            .p = text, .end = text + n, .line = 1, .out = out, .report = r, .grammar.report = r};
        lex_all(x);
        good = !x->dead && !x->grammar.repeated;
    } else {
        conf_report_add(r, 1, "out of memory");
    }
    free(x);
    if (good)
        return out;
    free(out);
    return NULL;
}
