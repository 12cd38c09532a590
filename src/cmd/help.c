/* --help and --version in the GNU form, from the tables of the commands. */
#include "cmd/cmd.h"

#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 78, HELP_COLUMN = 31 };

/* Words of text from column `at`, continued at column `indent`. */
static void print_wrapped(FILE *out, const char *text, int at, int indent)
{
    while (*text) {
        int n = (int)strcspn(text, " \n");
        if (at > indent && at + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", n, text);
        at += n;
        text += n;
        text += strspn(text, " \n");
    }
    fputc('\n', out);
}

static void print_option(const struct cmd_option *o, FILE *out)
{
    char left[64], help[512], letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    int n = snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->arg ? "=" : "",
                     o->arg ? o->arg : "");
    fputs(left, out);
    if (n >= HELP_COLUMN - 1) {
        fputc('\n', out);
        n = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - n, "");
    snprintf(help, sizeof help, "%s%s", o->help, o->repeats ? "; may be repeated" : "");
    print_wrapped(out, help, HELP_COLUMN, HELP_COLUMN);
}

static void print_commands(FILE *out)
{
    fputs("\nCommands ('supcon COMMAND --help' tells more):\n", out);
    for (int i = 1; cmd_classes[i]; i++) {
        const char *help = cmd_classes[i]->help;
        fprintf(out, "  %-10s %c%.*s\n", cmd_classes[i]->name, tolower((unsigned char)help[0]),
                (int)strcspn(help, "\n") - 1, help + 1);
    }
}

void cmd_help(const struct cmd_class *class, FILE *out)
{
    bool console = !class->name[0];
    int first = (int)strcspn(class->help, "\n");
    fprintf(out, "Usage: supcon%s%s [OPTION]...%s%s\n", console ? "" : " ", class->name,
            class->operands[0] ? " " : "", class->operands);
    if (console)
        fputs("  or:  supcon COMMAND [OPTION]... [OPERAND]...\n", out);
    fprintf(out, "%.*s.\n\n", first, class->help);
    if (class->help[first])
        print_wrapped(out, class->help + first + strspn(class->help + first, "\n"), 0, 0);
    fputs("\nMandatory arguments to long options are mandatory for short options too.\n", out);
    for (int i = 0; cmd_option_at(class, i); i++)
        print_option(cmd_option_at(class, i), out);
    if (console)
        print_commands(out);
    fputs("\nThe manual pages supcon(1) and supcon.cfg(5) tell more.\n"
          "Report bugs to: the maintainers named in the file AUTHORS of this package\n",
          out);
}

void cmd_version(FILE *out)
{
    fprintf(out,
            "supcon (supcon) %s\n"
            "Copyright (C) 2026 the supcon developers.\n"
            "License MIT: <https://opensource.org/license/mit>.\n"
            "This is free software: you are free to change and redistribute it.\n"
            "There is NO WARRANTY, to the extent permitted by law.\n",
            PACKAGE_VERSION);
}
