/*
 * supcon config: recipes looked at without training. check tells every mistake, show prints what a
 * recipe comes to, default prints a recipe with all keys and what they mean.
 */
#include "cmd/cmd.h"

#include "engine/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    const struct cmd_args *args;
    const char *file; /* the one to look at; NULL: none */
    struct settings settings;
    struct conf_origin *origin;
    struct conf_errors errors;
};

static void note(void *ctx, const char *line)
{
    (void)ctx;
    printf("%s\n", line);
}

static int check_one(struct job *job)
{
    int code = cmd_settings_all(job->args, job->file, &job->settings, job->origin, &job->errors);
    fflush(stdout); /* in the order of the files where both go to the same place */
    for (int i = 0; i < job->errors.n; i++)
        fprintf(stderr, "supcon: %s\n", job->errors.text[i]);
    if (code)
        return code;
    conf_unused(settings_table, &job->settings, job->origin, note, NULL);
    printf("%s: no mistakes\n", job->file);
    return 0;
}

/* All files are looked at; the code is that of the first with mistakes. */
static int check(struct job *job, struct err *e)
{
    int code = 0;
    (void)e;
    for (int i = 1; i < job->args->n_words; i++) {
        job->file = job->args->words[i];
        int own = check_one(job);
        code = code ? code : own;
    }
    return code;
}

static int show(struct job *job, struct err *e)
{
    if (cmd_settings(job->args, job->file, &job->settings, job->origin, e) < 0)
        return -1;
    return conf_write(stdout, settings_table, &job->settings,
                      cmd_has(job->args, "origin") ? job->origin : NULL, false, e);
}

static int print_default(struct job *job, struct err *e)
{
    if (cmd_settings(job->args, job->file, &job->settings, job->origin, e) < 0)
        return -1;
    return conf_write(stdout, settings_table, &job->settings, NULL, true, e);
}

static const struct verb {
    const char *name;
    int min_files, max_files;
    int (*run)(struct job *, struct err *);
} verbs[] = {{"check", 1, INT_MAX, check}, {"show", 0, 1, show}, {"default", 0, 1, print_default}};

enum { N_VERBS = sizeof verbs / sizeof *verbs };

static const struct verb *find(const char *name)
{
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static const char *verb_name(void *ctx, int i)
{
    (void)ctx;
    return i < N_VERBS ? verbs[i].name : NULL;
}

static int refuse(const char *word, struct err *e)
{
    const char *near = nearest_word(word, verb_name, NULL);
    if (near)
        return err_set(e, EXIT_USAGE, "config: unknown operand '%s'; did you mean '%s'?", word,
                       near);
    return err_set(e, EXIT_USAGE, "config: unknown operand '%s'; expected check, show or default",
                   word);
}

static int run(const struct cmd_args *args, struct err *e)
{
    const struct verb *verb = find(args->words[0]);
    if (!verb)
        return refuse(args->words[0], e);
    int n_files = args->n_words - 1;
    if (n_files < verb->min_files)
        return err_set(e, EXIT_USAGE, "config %s: missing operand FILE; try 'supcon config --help'",
                       verb->name);
    if (n_files > verb->max_files)
        return err_set(e, EXIT_USAGE,
                       "config %s: extra operand '%.180s'; it takes one FILE, check takes several",
                       verb->name, args->words[verb->max_files + 1]);
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return err_set(e, EXIT_OS, "out of memory");
    job->args = args;
    job->file = args->n_words > 1 ? args->words[1] : NULL;
    job->origin = conf_origin_new();
    int r = job->origin ? verb->run(job, e) : err_set(e, EXIT_OS, "out of memory");
    conf_origin_free(job->origin);
    free(job);
    return r;
}

static const struct cmd_option options[] = {
    CMD_OPTION_SET,
    {"origin", 'o', NULL, "with show, tell where each value came from", NULL, false},
    {0},
};

const struct cmd_class cmd_config = {
    .name = "config",
    .operands = "check|show|default [FILE]...",
    .help =
        "Check recipes, show what one comes to, or print one with all keys\n\n"
        "check tells every mistake of each FILE with its line and the nearest known key, and which "
        "keys are set though the selected kind does not use them. show prints all settings "
        "that FILE leads to, as a recipe. default prints a recipe with every key, its default "
        "(or FILE's value) and what it means.",
    .min_words = 1,
    .max_words = INT_MAX,
    .options = options,
    .run = run};
