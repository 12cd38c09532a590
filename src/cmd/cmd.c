/*
 * The list of commands, and the way from argv to one of them: the first word names a command, or it
 * is a recipe and the command is the console itself.
 */
#include "cmd/cmd.h"

#include "base/conf.h"
#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio_ext.h>
#include <string.h>

extern const struct cmd_class cmd_train, cmd_linear, cmd_devices, cmd_config, cmd_loss, cmd_bench,
    cmd_embed;

const struct cmd_class *const cmd_classes[] = {
    &cmd_train, &cmd_linear, &cmd_loss, &cmd_embed, &cmd_bench, &cmd_devices, &cmd_config, NULL,
};

/* Known, but in no list: for the build. */
extern const struct cmd_class cmd_man;

static const struct cmd_class *find(const char *name)
{
    if (strcmp(name, cmd_man.name) == 0)
        return &cmd_man;
    for (int i = 1; cmd_classes[i]; i++)
        if (strcmp(cmd_classes[i]->name, name) == 0)
            return cmd_classes[i];
    return NULL;
}

static const char *name_at(void *ctx, int i)
{
    (void)ctx;
    return cmd_classes[i + 1] ? cmd_classes[i + 1]->name : NULL;
}

/* A word that is no command is a recipe, unless it cannot be a file's name and is nearly a
 * command's. */
static int refuse_typo(const char *word, struct err *e)
{
    if (strchr(word, '/') || strchr(word, '.'))
        return 0;
    const char *near = nearest_word(word, name_at, NULL);
    if (!near)
        return 0;
    return err_set(e, EXIT_USAGE,
                   "unknown command '%s'; did you mean '%s'? A recipe is a *.cfg file", word, near);
}

static bool has_option(const struct cmd_class *class, const char *name)
{
    for (int i = 0; cmd_option_at(class, i); i++)
        if (strcmp(cmd_option_at(class, i)->name, name) == 0)
            return true;
    return false;
}

/* What modules call a key is an option here; a command without --set has no other configuration. */
static int run(const struct cmd_args *args, struct err *e)
{
    int code = args->class->run(args, e);
    if (code < 0 && e->code == EXIT_CONFIG && !has_option(args->class, "set"))
        e->code = EXIT_USAGE;
    for (int i = 0; code < 0 && cmd_option_at(args->class, i); i++) {
        const struct cmd_option *o = cmd_option_at(args->class, i);
        if (o->key && strchr(o->key, '.'))
            cmd_rename_key(e, o->key, o->name);
    }
    return code;
}

int cmd_main(int argc, char **argv, struct err *e)
{
    const struct cmd_class *class = argc > 1 ? find(argv[1]) : NULL;
    if (class) {
        argc--;
        argv++;
    } else {
        class = cmd_classes[0];
        if (argc > 1 && argv[1][0] != '-' && refuse_typo(argv[1], e) < 0)
            return -1;
    }
    struct cmd_args args;
    if (cmd_parse(class, argc, argv, &args, e) < 0)
        return -1;
    if (cmd_has(&args, "help")) {
        cmd_help(class, stdout);
        return 0;
    }
    if (cmd_has(&args, "version")) {
        cmd_version(stdout);
        return 0;
    }
    return run(&args, e);
}

int cmd_flush(struct err *e)
{
    if (fflush(stdout) == 0)
        return 0;
    int reason = errno;
    __fpurge(stdout);
    clearerr(stdout);
    if (reason == EPIPE)
        signals_die(SIGPIPE);
    return err_errno(e, EXIT_IO, reason, "cannot write standard output");
}

bool cmd_has(const struct cmd_args *args, const char *option)
{
    for (int i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, option) == 0)
            return true;
    return false;
}

const char *cmd_value(const struct cmd_args *args, const char *option)
{
    for (int i = args->n_given - 1; i >= 0; i--)
        if (strcmp(args->given[i].option->name, option) == 0)
            return args->given[i].value;
    return NULL;
}

int cmd_values(const struct cmd_args *args, const char *option, const char **out, int max)
{
    int n = 0;
    for (int i = 0; i < args->n_given && n < max; i++)
        if (strcmp(args->given[i].option->name, option) == 0)
            out[n++] = args->given[i].value;
    return n;
}
