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
    const char *key; /* NULL, or the key of a recipe whose value this is, as "model.arch" */
    bool repeats;    /* may be given more than once (--set) */
};

/* Options that several commands have, alike in name, letter and words. */
#define CMD_OPTION_SET                                                                             \
    {                                                                                              \
        "set", 's', "KEY=VALUE", "set a key of the recipe, as in train.epochs=20", NULL, true      \
    }
#define CMD_OPTION_DEVICE                                                                          \
    {                                                                                              \
        "device", 'd', "DEVICE", "compute on auto, cpu, cuda or cuda:N", "device", false           \
    }
#define CMD_OPTION_THREADS                                                                         \
    {                                                                                              \
        "threads", 't', "N", "use N threads of the CPU [0: as many as allowed]", "threads", false  \
    }
#define CMD_OPTION_JSON                                                                            \
    {                                                                                              \
        "json", 'j', NULL, "print the result as JSON", NULL, false                                 \
    }

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
    const char *help; /* what it does in the imperative, without a full stop; then more for help and
                         manual page after a blank line */
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

/* Defaults, then the recipe (path may be NULL), then every --set, then options that have a key;
 * checked by settings_check. Of several mistakes the last is in *e, the others have gone to stderr.
 * EXIT_USAGE for the value of an option, EXIT_CONFIG for keys in a recipe or in --set. origin may
 * be NULL. */
int cmd_settings(const struct cmd_args *, const char *recipe, struct settings *,
                 struct conf_origin *, struct err *);
/* The same with all mistakes in `errors`; returns 0 or the exit code. origin must be given. */
int cmd_settings_all(const struct cmd_args *, const char *recipe, struct settings *,
                     struct conf_origin *, struct conf_errors *errors);
/* The last two steps over settings that are there already, those of a checkpoint or a run. */
int cmd_settings_change(const struct cmd_args *, struct settings *, struct err *);
/* Writes what is printed so far, for output that somebody may be waiting for. Where the reader of a
 * pipe has gone the process ends by SIGPIPE. */
int cmd_flush(struct err *);
/* A checkpoint (its folder) was found damaged: adds the newest sound one beside it, if there is
 * one, as it would be given: BEFORE PATH AFTER. */
void cmd_advise_checkpoint(struct err *, const char *checkpoint, const char *before,
                           const char *after);
/* Messages of modules name keys; where `option` stands for `key` on the command line, names the
 * option. */
void cmd_rename_key(struct err *, const char *key, const char *option);

#endif
