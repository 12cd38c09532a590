/*
 * Options as tables. Each module describes its section once (name, type, place in a struct,
 * default, range, help); the table feeds the recipe parser, --set, `config show --origin`, the
 * manual page and the resolved config.cfg of a run.
 *
 * Recipes are libconfig files of at most 64 KiB. Numbers are checked before libconfig sees them
 * (version 1.5 wraps integers silently). Every mistake is reported with file:line; unknown keys
 * with the nearest known one; all of them, not the first.
 */
#ifndef SUPCON_BASE_CONF_H
#define SUPCON_BASE_CONF_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum conf_type {
    CONF_BOOL,   /* bool */
    CONF_INT,    /* int64_t */
    CONF_FLOAT,  /* double; finite */
    CONF_STRING, /* char[size] */
    CONF_CHOICE, /* char[size], one of `choices` (function: class arrays know their names) */
    CONF_FLOATS, /* double[size / sizeof(double)] with an int count at count_offset; a single number
                    is a list of one */
};

struct conf_field {
    const char *name;
    enum conf_type type;
    size_t offset, size, count_offset; /* within the section's struct */
    const char
        *value; /* default, as it would stand in a recipe: "0.1", "true", "cosine", "[0.1, 1.0]" */
    double min, max;               /* numbers; list elements; string: ignored */
    const char *(*choices)(int i); /* i-th name, NULL after the last */
    const char *kinds; /* NULL, or the values of the section's first choice (`name`, `policy`) for
                          which the key matters: "supcon simclr" */
    const char *unit;  /* NULL, "epochs", "iterations", ... */
    const char *help;  /* one sentence for the manual page and `config default` */
};

/* Place and size of a member, for tables: {.name = "lr", CONF_AT(struct optimizer_conf, lr), ...}.
 */
#define CONF_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

struct conf_section {
    const char *name; /* "" for top-level keys */
    const char *help;
    size_t offset;                   /* within the settings struct */
    const struct conf_field *fields; /* ends with a NULL name */
};

/* Where values came from: "default", "FILE:LINE", "--set". One entry per key, filled by
 * conf_defaults, conf_read and conf_set. */
struct conf_origin;

struct conf_errors { /* collects messages, at most 64 */
    int n;
    char text[64][512];
};

void conf_defaults(const struct conf_section *table, void *settings, struct conf_origin *);
/* Read a recipe over the present values. Mistakes are added to `errors`; returns -1 (EXIT_CONFIG,
 * or EXIT_NOINPUT when the file is missing; first message in *e) if there were any. */
int conf_read(const struct conf_section *table, void *settings, const char *path,
              struct conf_origin *, struct conf_errors *, struct err *);
/* "section.key=value" with libconfig syntax; a bare word is a string. */
int conf_set(const struct conf_section *table, void *settings, const char *assignment,
             struct conf_origin *, struct err *);
/* A key's value given by an option of its own, as --device=cpu: messages begin with the option's
 * name, which is also the value's origin, and the code is EXIT_USAGE. */
struct conf_option {
    const char *name, *key, *value; /* "--device", "device", "cpu" */
};
int conf_set_option(const struct conf_section *table, void *settings, const struct conf_option *,
                    struct conf_origin *, struct err *);
/* Keys that were set although the selected kind does not use them: "objective.temperature is not
 * used by cross-entropy". */
void conf_unused(const struct conf_section *table, const void *settings, const struct conf_origin *,
                 void (*note)(void *ctx, const char *line), void *ctx);

/* A recipe that gives exactly these settings when read. With help: comments from the table; with
 * origin: where each value came from. */
int conf_write(FILE *, const struct conf_section *table, const void *settings,
               const struct conf_origin *, bool help, struct err *);
/* What a key means, its range or choices, and who uses it, in sentences. */
void conf_about(const struct conf_field *, char *out, size_t size);
/* Value of one key as text ("" if unknown), for the console and run.json. */
int conf_get(const struct conf_section *table, const void *settings, const char *key, char *out,
             size_t size);

struct conf_origin *conf_origin_new(void);
void conf_origin_free(struct conf_origin *);
/* "default", "FILE:LINE" or "--set" for the key "section.key". */
const char *conf_origin_of(const struct conf_origin *, const struct conf_section *table,
                           const char *key);

/* The candidate nearest to `word` by edit distance, or NULL if none is near (distance <= 1 +
 * length/3). */
const char *nearest_word(const char *word, const char *(*candidates)(void *ctx, int i), void *ctx);

#endif
