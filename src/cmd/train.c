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
#include "engine/trainer.h"
#include "tui/tui.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cmd_option options[] = {
    {"batch", 'b', NULL, "print lines instead of opening the console", NULL, false},
    {"resume", 'r', "RUN", "continue the run in the folder RUN", NULL, false},
    {"run-dir", 0, "DIR", "make the run directory DIR itself, instead of one in runs", NULL, false},
    CMD_OPTION_SET,
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
        check_choice(a, "progress", batch_progress, e) != 0)
        return -1;
    if (!cmd_has(a, "resume"))
        return 0;
    if (a->n_words > 0)
        return err_set(e, EXIT_USAGE, "--resume takes no recipe: a run keeps its own settings");
    if (cmd_has(a, "set") || cmd_has(a, "run-dir"))
        return err_set(e, EXIT_USAGE,
                       "--resume goes without --set and --run-dir: a run keeps its own settings");
    return 0;
}

/* What to train: a recipe or a run. */
struct choice {
    char path[1024];
    bool is_run;
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
    return tui_choose(tui, c->path, sizeof c->path, &c->is_run, e);
}

static int fill(const struct cmd_args *a, const struct choice *c, struct engine_options *o,
                struct err *e)
{
    const char *dir = cmd_value(a, "run-dir");
    snprintf(o->run_dir, sizeof o->run_dir, "%s", dir ? dir : "");
    snprintf(c->is_run ? o->resume : o->recipe, sizeof o->recipe, "%s", c->path);
    if (c->is_run)
        return run_settings(c->path, &o->settings, e);
    return cmd_settings(a, c->path, &o->settings, NULL, e);
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

static bool wants_console(const struct cmd_args *a)
{
    const char *why = NULL;
    if (cmd_has(a, "batch") || cmd_has(a, "print-model") || cmd_has(a, "print-plan"))
        return false;
    if (!isatty(STDOUT_FILENO))
        why = "standard output is not a terminal";
    else if (tui_possible(&why))
        return true;
    fprintf(stderr, "supcon: %s; continuing as with --batch\n", why);
    return false;
}

static int run(const struct cmd_args *a, struct err *e)
{
    struct engine_options o = {0};
    struct choice c;
    struct tui_options tui = {.glyphs = cmd_value(a, "glyphs"), .color = cmd_value(a, "color")};
    if (check_options(a, e) != 0)
        return -1;
    bool print = cmd_has(a, "print-model") || cmd_has(a, "print-plan");
    bool console = wants_console(a);
    int signals = print ? -1 : signals_open(console, e);
    if (!print && signals < 0)
        return -1;
    int rc = choose(a, console, &tui, &c, e);
    if (rc == 0)
        rc = fill(a, &c, &o, e);
    else if (rc == 1)
        rc = -2;
    if (rc == 0)
        rc =
            print ? print_only(a, &o.settings, e) : train(a, signals, &o, console ? &tui : NULL, e);
    signals_close(signals);
    return rc == -2 ? 0 : rc;
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
