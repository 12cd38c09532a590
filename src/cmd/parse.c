/*
 * Options from their tables: getopt_long over one command's options, and numbers with a range.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 48, FIRST_CODE = 256 };

/* Options that every command has. */
static const struct cmd_option common[] = {
    {"help", 'h', NULL, "print this help and exit", false},
    {"version", 'V', NULL, "print version and licence and exit", false},
    {NULL, 0, NULL, NULL, false},
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

static const char *shown_name(const struct cmd_class *class)
{
    return class->name[0] ? class->name : "--help";
}

static int refuse(const struct cmd_class *class, const char *what, const char *word, struct err *e)
{
    return err_set(e, EXIT_USAGE, "%s %s; see supcon %s%s", what, word, shown_name(class),
                   class->name[0] ? " --help" : "");
}

static int take(const struct cmd_option *o, const char *value, struct cmd_args *args, struct err *e)
{
    if (args->n_given == (int)(sizeof args->given / sizeof *args->given))
        return err_set(e, EXIT_USAGE, "too many options");
    args->given[args->n_given++] = (struct cmd_given){o, value};
    return 0;
}

static int check_words(const struct cmd_class *class, const struct cmd_args *args, struct err *e)
{
    if (cmd_has(args, "help") || cmd_has(args, "version"))
        return 0;
    if (args->n_words < class->min_words)
        return err_set(e, EXIT_USAGE, "operand missing: supcon %s%s%s; see supcon %s%s",
                       class->name, class->name[0] ? " " : "", class->operands, shown_name(class),
                       class->name[0] ? " --help" : "");
    if (args->n_words > class->max_words)
        return refuse(class, "operand too many:", args->words[class->max_words], e);
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
        int at = optind ? optind : 1;
        int code = getopt_long(argc, argv, p.shorts, p.longs, NULL);
        if (code == -1)
            break;
        if (code == ':')
            return refuse(class, "argument missing after", argv[optind - 1], e);
        if (code == '?')
            return refuse(class, "unknown option", argv[at < argc ? at : argc - 1], e);
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
    if (end == text || *end || errno || v < min || v > max)
        return err_set(e, EXIT_USAGE, "--%s is \"%s\"; a whole number from %ld to %ld is expected",
                       option, text, min, max);
    *out = v;
    return 0;
}
