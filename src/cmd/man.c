/*
 * supcon __man TEMPLATE: manual pages at build time. A template is a hand-written page in which
 * lines of the form .\" @OPTIONS@ are replaced by what the tables of options, commands, console
 * keys and recipe keys say, so that a page cannot fall behind the program.
 */
#include "base/file.h"
#include "cmd/cmd.h"
#include "tui/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_BYTES = 256 * 1024 };

/* One byte of running text; `fresh`: first of its line, where . and ' would begin a macro. */
static void put_byte(char c, bool fresh)
{
    if (fresh && (c == '.' || c == '\''))
        fputs("\\&", stdout);
    if (c == '\\')
        fputs("\\e", stdout);
    else
        putchar(c);
}

/* Sentences, each on a line of its own, ending with a full stop. */
static void put_sentences(const char *text, bool capital)
{
    bool fresh = true;
    char last = '.';
    for (const char *p = text; *p; p++) {
        put_byte(capital && p == text ? (char)toupper((unsigned char)*p) : *p, fresh);
        fresh = *p == '.' && p[1] == ' ' && isupper((unsigned char)p[2]);
        last = *p;
        if (fresh) {
            putchar('\n');
            p++; /* the space behind the full stop */
        }
    }
    puts(strchr(".?!", last) ? "" : ".");
}

/* The same, beginning with a capital unless the first word is one of a list of values. */
static void put_text(const char *text)
{
    size_t n = strcspn(text, " ");
    put_sentences(text, n == 0 || text[n - 1] != ',');
}

static void put_option(const struct cmd_option *o)
{
    fputs(".It", stdout);
    if (o->letter)
        printf(" Fl %c ,", o->letter);
    printf(" Fl -%s", o->name);
    if (o->arg)
        printf(" Ns = Ns Ar %s", o->arg);
    putchar('\n');
    put_text(o->help);
    if (o->repeats)
        puts("May be given more than once.");
}

static void console_options(void)
{
    puts(".Bl -tag -width Ds");
    for (int i = 0; cmd_option_at(cmd_classes[0], i); i++)
        put_option(cmd_option_at(cmd_classes[0], i));
    puts(".El");
}

/* Without those that every command has. */
static void own_options(const struct cmd_class *class)
{
    if (!class->options || !class->options->name)
        return;
    puts(".Bl -tag -width Ds");
    for (const struct cmd_option *o = class->options; o->name; o++)
        put_option(o);
    puts(".El");
}

static void commands(void)
{
    for (int i = 1; cmd_classes[i]; i++) {
        const struct cmd_class *c = cmd_classes[i];
        char first[256];
        size_t n = strcspn(c->help, "\n");
        snprintf(first, sizeof first, "%.*s", (int)n, c->help);
        printf(".Ss supcon %s\n.Nm\n.Cm %s\n.Op Ar OPTION ...\n", c->name, c->name);
        if (*c->operands)
            printf(".Ar %s\n", c->operands);
        puts(".Pp");
        put_text(first);
        if (c->help[n])
            put_sentences(c->help + n + strspn(c->help + n, "\n"), false);
        own_options(c);
    }
}

static void console_keys(void)
{
    puts(".Bl -tag -width \"Shift-Tab\"");
    for (const struct key_binding *k = key_table(); k->name; k++) {
        printf(".It Ic \"\\&%s\"\n", k->name);
        put_text(k->help);
    }
    puts(".El");
}

static void put_key(const struct conf_field *f)
{
    static const char *const type[] = {
        [CONF_BOOL] = "Either true or false",
        [CONF_INT] = "A whole number",
        [CONF_FLOAT] = "A number",
        [CONF_STRING] = "A text in quotes",
        [CONF_CHOICE] = "A text in quotes",
        [CONF_FLOATS] = "A number or a list of numbers",
    };
    char about[1024];
    conf_about(f, about, sizeof about);
    printf(".It Ic %s\n", f->name);
    put_text(about);
    printf("%s; default\n.Li %s .\n", type[f->type], *f->value ? f->value : "\\(dq\\(dq");
}

static void recipe_keys(void)
{
    for (const struct conf_section *s = settings_table; s->name; s++) {
        printf(".Ss %s\n", *s->name ? s->name : "Top level");
        put_text(s->help);
        puts(".Bl -tag -width Ds");
        for (const struct conf_field *f = s->fields; f->name; f++)
            put_key(f);
        puts(".El");
    }
}

static const struct marker {
    const char *line;
    void (*put)(void);
} markers[] = {
    {".\\\" @OPTIONS@", console_options},
    {".\\\" @COMMANDS@", commands},
    {".\\\" @CONSOLE-KEYS@", console_keys},
    {".\\\" @RECIPE-KEYS@", recipe_keys},
};

static void put_line(const char *line)
{
    for (size_t i = 0; i < sizeof markers / sizeof *markers; i++)
        if (strcmp(line, markers[i].line) == 0) {
            markers[i].put();
            return;
        }
    puts(line);
}

static int run(const struct cmd_args *args, struct err *e)
{
    char *text, *rest;
    if (file_read(args->words[0], TEMPLATE_BYTES, &text, NULL, e) < 0)
        return -1;
    for (char *line = rest = text; *line; line = rest) {
        rest += strcspn(rest, "\n");
        if (*rest)
            *rest++ = '\0';
        put_line(line);
    }
    free(text);
    return 0;
}

const struct cmd_class cmd_man = {.name = "__man",
                                  .operands = "TEMPLATE",
                                  .help = "fill a manual page's template from the tables",
                                  .min_words = 1,
                                  .max_words = 1,
                                  .run = run};
