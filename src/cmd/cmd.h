/*
 * Subcommands as data: one const instance per file, listed in cmd.c. One table of options per
 * command feeds parsing, --help and the manual page. run() returns the exit code, or -1 with *e set
 * (main prints "supcon: MESSAGE" and exits with e->code).
 */
#ifndef SUPCON_CMD_CMD_H
#define SUPCON_CMD_CMD_H

#include "base/err.h"
#include "engine/settings.h"
#include <stdbool.h>
#include <stdio.h>

struct cmd_option {
    const char *name; /* long option without the dashes */
    char letter;      /* short option, 0: none */
    const char *arg;  /* name of its argument in the help, NULL: takes none */
    const char *help;
    bool repeats; /* may be given more than once (--set) */
};

struct cmd_args {
    const struct cmd_class *class;
    int n_words; /* operands */
    char **words;
    int n_given;
    struct cmd_given {
        const struct cmd_option *option;
        const char *value;
    } given[64];
};

struct cmd_class {
    const char *name;     /* "" : the console itself (supcon [RECIPE]) */
    const char *operands; /* "CHECKPOINT", "check|show|default FILE" */
    const char *help;     /* one sentence, then more for the manual page after a blank line */
    int min_words, max_words;
    const struct cmd_option *options; /* ends with a NULL name; --help is everywhere */
    int (*run)(const struct cmd_args *, struct err *);
};

extern const struct cmd_class
    *const cmd_classes[]; /* NULL-terminated; [0] is the one without a name */

/* Finds the command, parses its options, runs it. --help and --version are answered here. */
int cmd_main(int argc, char **argv, struct err *);
/* What --help prints, to `out`. */
void cmd_help(const struct cmd_class *, FILE *out);
void cmd_version(FILE *out);
/* The command's options, then those that every command has; NULL when i is past the end. */
const struct cmd_option *cmd_option_at(const struct cmd_class *, int i);
/* Fills `args` from the words after the command's name; getopt_long over the class's table. */
int cmd_parse(const struct cmd_class *, int argc, char **argv, struct cmd_args *, struct err *);

bool cmd_has(const struct cmd_args *, const char *option);
const char *cmd_value(const struct cmd_args *,
                      const char *option); /* NULL if not given; the last one wins */
int cmd_values(const struct cmd_args *, const char *option, const char **out,
               int max); /* repeated options, in order */
/* Whole number within min..max, `fallback` when not given; EXIT_USAGE otherwise. */
int cmd_int(const struct cmd_args *, const char *option, long min, long max, long fallback,
            long *out, struct err *);

/* Defaults, then the recipe (path may be NULL), then every --set; checked by settings_check. Of
 * several mistakes the last is in *e, the others have gone to stderr. origin may be NULL. */
int cmd_settings(const struct cmd_args *, const char *recipe, struct settings *,
                 struct conf_origin *, struct err *);
/* The same with all mistakes in `errors`; returns 0 or the exit code. origin must be given. */
int cmd_settings_all(const struct cmd_args *, const char *recipe, struct settings *,
                     struct conf_origin *, struct conf_errors *errors);

#endif
