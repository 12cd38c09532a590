/* --help and --version in the GNU form, from the tables of the commands. */
#include "cmd/cmd.h"

#include "config.h"

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
    char left[64], letter[8] = "    ";
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
    print_wrapped(out, o->help, HELP_COLUMN, HELP_COLUMN);
}

static void print_commands(FILE *out)
{
    fputs("\nCommands (supcon COMMAND --help tells more):\n", out);
    for (int i = 1; cmd_classes[i]; i++) {
        const char *help = cmd_classes[i]->help;
        fprintf(out, "  %-10s %.*s\n", cmd_classes[i]->name, (int)strcspn(help, "\n"), help);
    }
}

void cmd_help(const struct cmd_class *class, FILE *out)
{
    bool console = !class->name[0];
    int first = (int)strcspn(class->help, "\n");
    fprintf(out, "Usage: supcon%s%s [OPTION]... %s\n", console ? "" : " ", class->name,
            class->operands);
    if (console)
        fputs("  or:  supcon COMMAND ...\n", out);
    fprintf(out, "%.*s.\n\n", first, class->help);
    if (class->help[first])
        print_wrapped(out, class->help + first + strspn(class->help + first, "\n"), 0, 0);
    fputs("\nOptions:\n", out);
    for (int i = 0; cmd_option_at(class, i); i++)
        print_option(cmd_option_at(class, i), out);
    if (console)
        print_commands(out);
    fprintf(out, "\nManuals: supcon(1), supcon.cfg(5).\nReport bugs to: <%s>\nHome page: <%s>\n",
            PACKAGE_BUGREPORT, PACKAGE_URL);
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
