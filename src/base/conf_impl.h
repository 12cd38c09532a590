/*
 * What the files behind conf.h share. A recipe passes three gates: the lexer with the grammar
 * (bytes, numbers, texts, order of tokens), libconfig, and the tables (keys, types, ranges).
 * Mistakes of all three meet in one report, ordered by line.
 */
#ifndef SUPCON_BASE_CONF_IMPL_H
#define SUPCON_BASE_CONF_IMPL_H

#include "base/conf.h"
#include <libconfig.h>

enum {
    CONF_MAX_BYTES = 64 * 1024,
    CONF_MAX_DEPTH = 8,
    CONF_MAX_PROBLEMS = 64,
    CONF_MAX_SEEN = 256, /* keys whose repetition is noticed */
    CONF_POISON = 1      /* first byte of a text that stands for a value already reported */
};

struct conf_report {
    const char *place; /* "FILE", or "--set KEY=VALUE" */
    bool lines;        /* place is a file: messages say FILE:LINE */
    int n;             /* found; the first CONF_MAX_PROBLEMS are kept */
    struct conf_problem {
        int line, order;
        char text[448];
    } problem[CONF_MAX_PROBLEMS];
};

struct conf_report *conf_report_new(const char *place, bool lines);
void conf_report_add(struct conf_report *, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sorted by line into errors (may be NULL), the first into *e; frees the report. Returns 0 or -1.
 */
int conf_report_take(struct conf_report *, struct conf_errors *errors, struct err *e);

/* Checked text for libconfig, with every number in canonical form (64-bit literals carry their L,
 * arrays are written as lists) and rejected values replaced by CONF_POISON texts; line numbers are
 * kept. NULL when what follows would make no sense. The caller frees. */
char *conf_lex(const char *text, size_t n, struct conf_report *);

enum conf_token_kind {
    TOKEN_NAME,
    TOKEN_EQUALS, /* = or : */
    TOKEN_VALUE,  /* number, text, true or false */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_SEPARATOR, /* ; or , */
    TOKEN_END
};
struct conf_token {
    enum conf_token_kind kind;
    const char *text; /* as it stands in the recipe */
    size_t n;
    int line;
};

enum conf_state { /* what may come next */
                  GRAMMAR_NAME,
                  GRAMMAR_EQUALS,
                  GRAMMAR_VALUE,
                  GRAMMAR_END,   /* a setting is complete */
                  GRAMMAR_FIRST, /* of a list, which may be empty */
                  GRAMMAR_ITEM,  /* of a list, after a comma */
                  GRAMMAR_NEXT   /* a comma or the end of the list */
};

struct conf_grammar { /* zeroed but for the report: at the beginning */
    struct conf_report *report;
    enum conf_state state;
    bool text;     /* the value before was a text */
    bool again;    /* within a section that was there before */
    bool repeated; /* some key is there twice */
    char name[64]; /* the last one */
    char key[132]; /* the same with its section */
    int depth;
    struct conf_level {
        char open, name[64];
        int line;
    } level[CONF_MAX_DEPTH];
    int n_seen;
    struct {
        char key[132];
        int line;
    } seen[CONF_MAX_SEEN];
};

/* The next token; false when it was reported and what follows would make no sense. */
bool conf_grammar_take(struct conf_grammar *, const struct conf_token *);
bool conf_grammar_wants_value(const struct conf_grammar *);

/* Reads one libconfig value into its field. False when it was reported. */
bool conf_take_value(const struct conf_field *, const char *key, const config_setting_t *,
                     void *section, struct conf_report *);

/* Value of a field as it stands in a recipe; texts are quoted if asked for. */
void conf_value_text(const struct conf_field *, const void *section, bool quoted, char *out,
                     size_t size);
/* As a person writes it: the shortest text that reads back as the same double, without exponent
 * unless that saves many zeros: "10", "0.0001", "1e20". */
void conf_number_text(double, char *out, size_t size);
/* "0.001 to 1000", "at least 0", "" when there is no bound. */
void conf_range_text(const struct conf_field *, char *out, size_t size);
/* "sgd, rmsprop". */
void conf_choices_text(const struct conf_field *, char *out, size_t size);

/* "section.key", or "key" at top level. */
void conf_key_name(const struct conf_section *, const struct conf_field *, char *out, size_t size);
/* Looks a key name up; NULL if there is none. */
const struct conf_field *conf_find(const struct conf_section *table, const char *key,
                                   const struct conf_section **section);
/* The known key nearest to `name`, "section.key" or "key"; false if none is near. */
bool conf_nearest_key(const struct conf_section *table, const char *section, const char *name,
                      char *out, size_t size);

void conf_origin_set(struct conf_origin *, const struct conf_field *, const char *place, int line);

#endif
