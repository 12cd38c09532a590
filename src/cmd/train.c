/*
 * supcon [RECIPE]: trains, in the console where there is a terminal, else (or with --batch)
 * printing lines. Also --print-model and --print-plan, which show what would be trained and how.
 */
#include "base/log.h"
#include "base/signals.h"
#include "cmd/batch.h"
#include "cmd/cmd.h"
#include "engine/engine.h"
#include "engine/run.h"
#include "engine/run_path.h"
#include "engine/trainer.h"
#include "tui/tui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cmd_option options[] = {
    {"batch", 'b', NULL, "print lines instead of opening the console", NULL, false},
    {"resume", 'r', "RUN", "continue the run in the folder RUN; --set may give more epochs", NULL,
     false},
    {"run-dir", 0, "DIR", "make the run directory DIR itself, instead of one in runs", NULL, false},
    CMD_OPTION_SET,
    CMD_OPTION_DEVICE,
    CMD_OPTION_THREADS,
    {"format", 0, "FORMAT", "print text, jsonl or none with --batch [text]", NULL, false},
    {"progress", 0, "WHEN", "draw a bar with --batch: auto, always or never [auto]", NULL, false},
    {"glyphs", 0, "SET", "draw plots with auto, braille, block or ascii [auto]", NULL, false},
    {"color", 0, "WHEN", "use colours: auto, always or never [auto]", NULL, false},
    {"print-model", 0, NULL, "print the layers of the model and exit", NULL, false},
    {"print-plan", 0, NULL, "print each step of a training iteration and exit", NULL, false},
    {0},
};

static int check_choice(const struct cmd_args *a, const char *option, const char *(*names)(int),
                        struct err *e)
{
    const char *value = cmd_value(a, option);
    char list[64] = "";
    for (int i = 0; names(i); i++) {
        if (!value || strcmp(names(i), value) == 0)
            return 0;
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", names(i));
    }
    return err_set(e, EXIT_USAGE, "--%s=%s: there is no such choice; choose one of %s", option,
                   value, list);
}

static int check_options(const struct cmd_args *a, struct err *e)
{
    if (check_choice(a, "format", batch_format, e) != 0 ||
        check_choice(a, "progress", batch_progress, e) != 0 ||
        check_choice(a, "glyphs", tui_glyphs, e) != 0 ||
        check_choice(a, "color", tui_color, e) != 0)
        return -1;
    if (!cmd_has(a, "resume"))
        return 0;
    if (a->n_words > 0)
        return err_set(e, EXIT_USAGE, "--resume takes no recipe: a run keeps its own settings");
    if (cmd_has(a, "run-dir"))
        return err_set(e, EXIT_USAGE, "--resume goes without --run-dir: RUN is the directory");
    return 0;
}

/* What to train: a recipe or a run. */
struct choice {
    char path[1024];
    bool is_run;
    bool chosen; /* from the list */
};

/* 0: chosen; 1: the person chose nothing; -1: error. */
static int choose(const struct cmd_args *a, bool console, const struct tui_options *tui,
                  struct choice *c, struct err *e)
{
    const char *run = cmd_value(a, "resume");
    c->is_run = run != NULL;
    if (run || a->n_words > 0) {
        snprintf(c->path, sizeof c->path, "%s", run ? run : a->words[0]);
        return 0;
    }
    if (!console)
        return err_set(e, EXIT_USAGE, "a recipe is missing; try 'supcon --help'");
    c->chosen = true;
    return tui_choose(tui, c->path, sizeof c->path, &c->is_run, e);
}

/* What a run may change when it goes on: how long, how often, where, and what is done beside it. */
static const char *const changeable[] = {
    "train.epochs", "train.max_iters", "train.log_every", "checkpoint.", "linear.",
    "loader.",      "data.path",       "threads",         "device",      NULL};

static bool may_change(const char *assignment)
{
    for (int i = 0; changeable[i]; i++) {
        size_t n = strlen(changeable[i]);
        bool section = changeable[i][n - 1] == '.';
        if (strncmp(assignment, changeable[i], n) == 0 && (section || assignment[n] == '='))
            return true;
    }
    return false;
}

static int fill_resumed(const struct cmd_args *a, struct engine_options *o, struct err *e)
{
    const char *sets[64];
    int n = cmd_values(a, "set", sets, 64);
    if (run_path_check(o->resume, WANT_RUN, e) < 0 || run_settings(o->resume, &o->settings, e) < 0)
        return -1;
    if (n == 0 && !cmd_has(a, "device") && !cmd_has(a, "threads"))
        return 0;
    if (cmd_settings_change(a, &o->settings, e) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (!may_change(sets[i]))
            return err_set(e, EXIT_USAGE,
                           "--set %.80s: a run keeps its own settings; with --resume these may be "
                           "changed: train.epochs, train.max_iters, train.log_every, checkpoint.*, "
                           "linear.*, loader.*, data.path, threads, device",
                           sets[i]);
    o->changed = true;
    return 0;
}

/* One message a line, as many as there is room for. */
static int join(const struct conf_errors *errors, int code, struct err *e)
{
    char text[sizeof e->msg];
    size_t n = 0;
    int i = 0;
    for (; i < errors->n && n + strlen(errors->text[i]) + 32 < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "\n" : "", errors->text[i]);
    if (i < errors->n)
        snprintf(text + n, sizeof text - n, "\nand %d more", errors->n - i);
    return err_set(e, code, "%s", errors->n ? text : "out of memory");
}

/* The list of recipes covers what was written to standard error: it shows all mistakes itself. */
static int settings_of_chosen(const struct cmd_args *a, const char *recipe, struct settings *s,
                              struct err *e)
{
    struct conf_errors *errors = calloc(1, sizeof *errors);
    struct conf_origin *origin = conf_origin_new();
    int code = EXIT_OS;
    if (errors && origin)
        code = cmd_settings_all(a, recipe, s, origin, errors);
    int rc = !code ? 0 : errors ? join(errors, code, e) : err_set(e, code, "out of memory");
    conf_origin_free(origin);
    free(errors);
    return rc;
}

static int fill(const struct cmd_args *a, const struct choice *c, struct engine_options *o,
                struct err *e)
{
    const char *dir = cmd_value(a, "run-dir");
    snprintf(o->run_dir, sizeof o->run_dir, "%s", dir ? dir : "");
    snprintf(c->is_run ? o->resume : o->recipe, sizeof o->recipe, "%s", c->path);
    if (c->is_run)
        return fill_resumed(a, o, e);
    int rc = c->chosen ? settings_of_chosen(a, c->path, &o->settings, e)
                       : cmd_settings(a, c->path, &o->settings, NULL, e);
    if (rc < 0)
        return -1;
    if (run_path_check(o->settings.init.weights, WANT_WEIGHTS, e) == 0)
        return 0;
    return err_prefix(e, "init.weights");
}

static int print_model(struct trainer *t, struct err *e)
{
    const struct settings *s = &t->settings;
    const struct objective_class *objective = objective_find(s->objective.name, e);
    struct network_shape shape = {t->data.channels, t->data.height, t->data.width,
                                  t->data.n_classes};
    if (!objective ||
        network_init(&t->net, &t->dev, &s->model, &shape, (uint64_t)s->run.seed, e) != 0)
        return -1;
    struct graph *g = network_train_graph(&t->net, objective, &s->objective,
                                          (int)s->train.batch_size, trainer_views(s, objective), e);
    if (!g)
        return -1;
    graph_print(g, stdout);
    graph_free(g);
    return 0;
}

static int print_only(const struct cmd_args *a, const struct settings *s, struct err *e)
{
    struct trainer t;
    int rc = trainer_open(&t, s, NULL, NULL, e);
    if (rc == 0 && cmd_has(a, "print-model"))
        rc = print_model(&t, e);
    else if (rc == 0) {
        rc = trainer_ready(&t, NULL, NULL, e);
        if (rc == 0)
            plan_print(t.plan, stdout);
    }
    trainer_close(&t);
    return rc;
}

static int train(const struct cmd_args *a, int signals, struct engine_options *o,
                 const struct tui_options *console, struct err *e)
{
    struct engine *engine;
    struct batch_options batch = {.format = cmd_value(a, "format"),
                                  .progress = cmd_value(a, "progress")};
    o->pause_on_nonfinite = o->stay = console != NULL;
    if (engine_start(&engine, o, e) != 0)
        return -1;
    int rc = console ? tui_main(engine, console, e) : batch_main(engine, signals, &batch, e);
    engine_free(engine);
    return rc;
}

/* 0 or the exit code of the run; -1 with *e. What was chosen from the list and cannot even begin
 * leads back to the list, which says why. */
static int choose_and_train(const struct cmd_args *a, int signals, struct tui_options *console,
                            struct err *e)
{
    char note[sizeof e->msg];
    struct choice c = {0};
    for (;;) {
        struct engine_options o = {0};
        bool began = false;
        if (console)
            console->began = &began;
        int rc = choose(a, console != NULL, console, &c, e);
        if (rc != 0)
            return rc == 1 ? 0 : -1;
        if (fill(a, &c, &o, e) != 0 || (rc = train(a, signals, &o, console, e)) < 0)
            rc = -1;
        if (rc >= 0 || !c.chosen || began)
            return rc;
        snprintf(note, sizeof note, "%s", e->msg);
        console->note = note;
        *e = (struct err){0};
    }
}

static bool wants_console(const struct cmd_args *a)
{
    const char *why = NULL;
    if (cmd_has(a, "batch"))
        return false;
    if (!isatty(STDOUT_FILENO))
        why = "standard output is not a terminal";
    else if (tui_possible(&why))
        return true;
    fprintf(stderr, "supcon: %s; continuing as with --batch\n", why);
    return false;
}

static int print_recipe(const struct cmd_args *a, struct err *e)
{
    struct engine_options o = {0};
    struct choice c = {0};
    if (choose(a, false, NULL, &c, e) != 0 || fill(a, &c, &o, e) != 0)
        return -1;
    return print_only(a, &o.settings, e);
}

static int run(const struct cmd_args *a, struct err *e)
{
    struct tui_options tui = {.glyphs = cmd_value(a, "glyphs"), .color = cmd_value(a, "color")};
    if (check_options(a, e) != 0)
        return -1;
    if (cmd_has(a, "print-model") || cmd_has(a, "print-plan"))
        return print_recipe(a, e);
    bool console = wants_console(a);
    int signals = signals_open(console, e);
    if (signals < 0)
        return -1;
    int rc = choose_and_train(a, signals, console ? &tui : NULL, e);
    signals_close(signals);
    return rc;
}

const struct cmd_class cmd_train = {
    .name = "",
    .operands = "[RECIPE]",
    .help = "Train the image encoder that RECIPE describes\n\n"
            "In a terminal this opens the console; without RECIPE it lists recipes and runs to "
            "choose from. Elsewhere, or with --batch, events are printed as lines.",
    .min_words = 0,
    .max_words = 1,
    .options = options,
    .run = run,
};
