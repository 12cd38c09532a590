/* Plain `supcon`: finds recipes and runs and lets the person choose, on a terminal. */
#include "tui/chooser.h"
#include "tui/display.h"
#include "tui/keys.h"
#include "tui/tui.h"

#include "base/place.h"
#include "base/signals.h"
#include "engine/run.h"

#include <dirent.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHOICES_MAX = 500, RECIPE_BYTES = 1 << 16 };

static struct choice *add(struct chooser *ch)
{
    if (ch->n == CHOICES_MAX)
        return NULL;
    ch->choice[ch->n] = (struct choice){0};
    return &ch->choice[ch->n++];
}

/* The first line of comment says what a recipe is for. */
static void describe(const char *path, char *out, size_t size)
{
    char *text;
    size_t n;
    if (file_read(path, RECIPE_BYTES, &text, &n, NULL) != 0)
        return;
    const char *start = text + strspn(text, "#/* \t\n");
    if (start > text)
        snprintf(out, size, "%.*s", (int)strcspn(start, "\n"), start);
    free(text);
}

static int is_recipe(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 4, ".cfg") == 0;
}

static void add_recipes(struct chooser *ch, const char *dir)
{
    struct dirent **entry;
    int n = scandir(dir, &entry, is_recipe, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_BYTES];
        struct choice *c = path_join(path, dir, entry[i]->d_name, NULL) == 0 ? add(ch) : NULL;
        if (c) {
            snprintf(c->path, sizeof c->path, "%s", path);
            describe(path, c->text, sizeof c->text);
        }
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

static int add_runs(struct chooser *ch, const char *runs, struct err *e)
{
    struct run_entry *entry;
    int n;
    if (run_list(runs, &entry, &n, e) != 0)
        return -1;
    for (int i = 0; i < n; i++) {
        char when[32] = "";
        struct tm tm;
        time_t t = (time_t)entry[i].time;
        struct choice *c = add(ch);
        if (!c)
            break;
        if (localtime_r(&t, &tm))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
        snprintf(c->path, sizeof c->path, "%s", entry[i].dir);
        snprintf(c->text, sizeof c->text, "step %lld  %s %s  %s",
                 (long long)(entry[i].step < 0 ? 0 : entry[i].step), entry[i].arch,
                 entry[i].objective, when);
        c->is_run = true;
        if (entry[i].busy && !run_busy(entry[i].dir, c->holder, sizeof c->holder))
            c->holder[0] = '\0'; /* it has ended meanwhile */
    }
    free(entry);
    return 0;
}

static int gather(struct chooser *ch, const struct tui_options *o, struct err *e)
{
    char dir[PATH_BYTES];
    *ch = (struct chooser){.choice = malloc(sizeof *ch->choice * CHOICES_MAX)};
    if (!ch->choice)
        return err_set(e, EXIT_OS, "out of memory for the list of recipes");
    snprintf(ch->note, sizeof ch->note, "%s", o->note ? o->note : "");
    add_recipes(ch, "conf");
    if (xdg_config(dir, NULL, NULL) == 0)
        add_recipes(ch, dir);
    if (place_data(dir, "conf", NULL) == 0)
        add_recipes(ch, dir);
    return add_runs(ch, o->runs ? o->runs : "runs", e);
}

/* The signal by which the process shall end; 0: none. */
static int take_signals(int signals, struct display *d)
{
    for (int sig; (sig = signals_next(signals)) != 0;) {
        if (sig == SIGWINCH)
            display_resize(d, NULL);
        if (sig == SIGTSTP) {
            display_suspend(d);
            kill(getpid(), SIGSTOP);
            display_resume(d);
            display_resize(d, NULL);
        }
        if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGUSR1 || sig == SIGXCPU)
            return sig;
    }
    return 0;
}

static enum chosen ask(struct chooser *ch, struct display *d, int signals, int *ended)
{
    enum chosen chosen = CHOSEN_NOT_YET;
    while (chosen == CHOSEN_NOT_YET) {
        struct pollfd fd[] = {{.fd = d->in, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        int key;
        chooser_draw(ch, &d->canvas);
        display_show(d);
        poll(fd, 2, -1);
        if ((*ended = take_signals(signals, d)) != 0)
            return CHOSEN_NONE;
        while (chosen == CHOSEN_NOT_YET && (key = display_key(d)) != K_NONE)
            chosen = key < 0 ? CHOSEN_NONE : chooser_key(ch, key);
    }
    return chosen;
}

static void select_path(struct chooser *ch, const char *path)
{
    for (int i = 0; i < ch->n; i++)
        if (strcmp(ch->choice[i].path, path) == 0)
            ch->selected = i;
}

int tui_choose(const struct tui_options *o, char *out, size_t size, bool *is_run, struct err *e)
{
    struct chooser ch;
    struct display d;
    int rc = -1, signals = -1, ended = 0;
    setlocale(LC_CTYPE, "");
    if (gather(&ch, o, e) != 0 || (signals = signals_open(true, e)) < 0)
        goto out;
    select_path(&ch, out);
    if (display_open(&d, STDIN_FILENO, STDOUT_FILENO, o, e) == 0) {
        rc = ask(&ch, &d, signals, &ended) == CHOSEN ? 0 : 1;
        display_close(&d);
        if (ended && ended != SIGINT)
            rc = err_set(e, EXIT_AGAIN, "%s: nothing was chosen yet", strsignal(ended));
    }
    if (rc == 0) {
        snprintf(out, size, "%s", ch.choice[ch.selected].path);
        *is_run = ch.choice[ch.selected].is_run;
    }
out:
    signals_close(signals);
    free(ch.choice);
    return rc;
}
