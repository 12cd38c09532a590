/*
 * Options from their tables: getopt_long over one command's options, and numbers with a range. What
 * is wrong is said in the words of other GNU programs.
 */
#include "cmd/cmd.h"

#include "base/conf.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 48, FIRST_CODE = 256 };

/* Options that every command has. */
static const struct cmd_option common[] = {
    {"help", 'h', NULL, "display this help and exit", NULL, false},
    {"version", 'V', NULL, "output version information and exit", NULL, false},
    {0},
};

const struct cmd_option *cmd_option_at(const struct cmd_class *class, int i)
{
    int n = 0;
    for (const struct cmd_option *o = class->options; o && o->name; o++, n++)
        if (n == i)
            return o;
    i -= n;
    return i < 2 ? &common[i] : NULL;
}

struct parser {
    struct option longs[MAX_OPTIONS + 1];
    char shorts[2 * MAX_OPTIONS + 2];
};

static void make_parser(const struct cmd_class *class, struct parser *p)
{
    memset(p, 0, sizeof *p);
    char *s = p->shorts;
    *s++ = ':'; /* a missing argument is told apart, and getopt prints nothing */
    for (int i = 0; cmd_option_at(class, i) && i < MAX_OPTIONS; i++) {
        const struct cmd_option *o = cmd_option_at(class, i);
        p->longs[i] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL,
                                      FIRST_CODE + i};
        if (o->letter) {
            *s++ = o->letter;
            if (o->arg)
                *s++ = ':';
        }
    }
}

static const struct cmd_option *option_of(const struct cmd_class *class, int code)
{
    for (int i = 0; cmd_option_at(class, i); i++)
        if (code == FIRST_CODE + i ||
            (code < FIRST_CODE && code == cmd_option_at(class, i)->letter))
            return cmd_option_at(class, i);
    return NULL;
}

/* WHAT; try 'supcon COMMAND --help'. */
static int refuse(const struct cmd_class *class, struct err *e, const char *what)
{
    return err_set(e, EXIT_USAGE, "%s; try 'supcon%s%s --help'", what, class->name[0] ? " " : "",
                   class->name);
}

static const char *option_name(void *ctx, int i)
{
    const struct cmd_option *o = cmd_option_at(ctx, i);
    return o ? o->name : NULL;
}

/* How many long options begin with the word. */
static int beginnings(const struct cmd_class *class, const char *word)
{
    int n = 0;
    for (int i = 0; cmd_option_at(class, i); i++)
        n += strncmp(cmd_option_at(class, i)->name, word, strlen(word)) == 0;
    return n;
}

static int refuse_long(const struct cmd_class *class, const char *word, struct err *e)
{
    char what[256], bare[128];
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = nearest_word(bare, option_name, (void *)class);
    if (beginnings(class, bare) > 1)
        snprintf(what, sizeof what, "option '--%.80s' is ambiguous", bare);
    else if (near)
        snprintf(what, sizeof what, "unrecognized option '--%.80s'; did you mean '--%s'?", bare,
                 near);
    else
        snprintf(what, sizeof what, "unrecognized option '--%.80s'", bare);
    return near ? err_set(e, EXIT_USAGE, "%s", what) : refuse(class, e, what);
}

/* What getopt_long answered with '?'; `word` holds the option. */
static int refuse_unknown(const struct cmd_class *class, const char *word, struct err *e)
{
    char what[128];
    if (optopt >= FIRST_CODE) {
        snprintf(what, sizeof what, "option '--%s' doesn't allow an argument",
                 option_of(class, optopt)->name);
        return refuse(class, e, what);
    }
    if (optopt == 0)
        return refuse_long(class, word, e);
    snprintf(what, sizeof what, "invalid option '-%c'", optopt);
    return refuse(class, e, what);
}

static int refuse_bare(const struct cmd_class *class, struct err *e)
{
    char what[128];
    const struct cmd_option *o = option_of(class, optopt);
    snprintf(what, sizeof what, "option '--%s' requires an argument, %s", o->name, o->arg);
    return refuse(class, e, what);
}

static int take(const struct cmd_option *o, const char *value, struct cmd_args *args, struct err *e)
{
    if (args->n_given == (int)(sizeof args->given / sizeof *args->given))
        return err_set(e, EXIT_USAGE, "more than %d options", args->n_given);
    args->given[args->n_given++] = (struct cmd_given){o, value};
    return 0;
}

static int check_words(const struct cmd_class *class, const struct cmd_args *args, struct err *e)
{
    char what[256];
    if (cmd_has(args, "help") || cmd_has(args, "version"))
        return 0;
    if (args->n_words < class->min_words) {
        snprintf(what, sizeof what, "missing operand %s", class->operands);
        return refuse(class, e, what);
    }
    if (args->n_words > class->max_words) {
        snprintf(what, sizeof what, "extra operand '%.180s'", args->words[class->max_words]);
        return refuse(class, e, what);
    }
    return 0;
}

int cmd_parse(const struct cmd_class *class, int argc, char **argv, struct cmd_args *args,
              struct err *e)
{
    struct parser p;
    make_parser(class, &p);
    memset(args, 0, sizeof *args);
    args->class = class;
    optind = 0;
    for (;;) {
        int code = getopt_long(argc, argv, p.shorts, p.longs, NULL);
        if (code == -1)
            break;
        if (code == ':')
            return refuse_bare(class, e);
        if (code == '?')
            return refuse_unknown(class, argv[optind - 1], e);
        if (take(option_of(class, code), optarg, args, e) < 0)
            return -1;
    }
    args->n_words = argc - optind;
    args->words = argv + optind;
    return check_words(class, args, e);
}

int cmd_int(const struct cmd_args *args, const char *option, long min, long max, long fallback,
            long *out, struct err *e)
{
    const char *text = cmd_value(args, option);
    *out = fallback;
    if (!text)
        return 0;
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (end == text || *end)
        return err_set(e, EXIT_USAGE, "--%s: expected a whole number, found \"%.80s\"", option,
                       text);
    if (errno || v < min || v > max)
        return err_set(e, EXIT_USAGE, "--%s: %.80s is out of range, allowed is %ld to %ld", option,
                       text, min, max);
    *out = v;
    return 0;
}
