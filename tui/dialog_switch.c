/* Switch the objective: says what each one would change before it is chosen. */
#include "tui/console.h"
#include "tui/keys.h"

#include <stdio.h>
#include <string.h>

static const struct objective_class *current(const struct console *c)
{
    for (const struct objective_class *const *o = c->options.objectives; *o; o++)
        if (strcmp((*o)->name, c->model.objective) == 0)
            return *o;
    return NULL;
}

static void describe_heads(struct dialog *d, const struct objective_class *from,
                           const struct objective_class *to)
{
    static const char *const name[] = {
        [GROUP_PROJECTION] = "projection head", [GROUP_FC] = "classifier"};
    if (from->head == to->head)
        dialog_line(d, "Head       the %s goes on as it is", name[to->head]);
    else
        dialog_line(d, "Head       the %s is kept aside, the %s takes over", name[from->head],
                    name[to->head]);
}

static void describe_effects(struct dialog *d, const struct console *c,
                             const struct objective_class *from, const struct objective_class *to)
{
    dialog_line(d, "When       between two iterations, at once");
    if (model_unsaved(&c->model) > 0)
        dialog_line(d, "Before     a checkpoint is saved");
    dialog_line(d, "Encoder    kept, with its momentum");
    describe_heads(d, from, to);
    if (from->views != to->views)
        dialog_line(d,
                    "Data       %d view%s of each image instead of %d, unless augment.views is set",
                    to->views, to->views == 1 ? "" : "s", from->views);
    dialog_line(d, "Rate       the schedule goes on");
    dialog_line(d, "Loss       values before and after cannot be compared; a new series begins");
}

static void describe(struct dialog *d, const struct console *c)
{
    const struct objective_class *from = current(c), *to = NULL;
    int n = 0;
    dialog_choice(d, 0, 0, "Cancel");
    for (int i = 0; c->options.objectives[i]; i++) {
        const struct objective_class *o = c->options.objectives[i];
        if (o == from)
            continue;
        dialog_choice(d, (char)('1' + n++), i, "Switch to %s", o->name);
        if (d->selected == n)
            to = o;
    }
    snprintf(d->title, sizeof d->title, "Switch objective: %s -> %s", c->model.objective,
             to ? to->name : "...");
    if (to && from)
        describe_effects(d, c, from, to);
    else if (to)
        dialog_line(d, "The run has not told its objective yet.");
    else
        dialog_line(d,
                    "Move to an objective to read what it changes; Enter, or its digit, switches.");
}

static void choose(struct console *c, const struct dialog *d, int choice)
{
    struct command switch_to = {.kind = CMD_SWITCH}, save = {.kind = CMD_SAVE};
    (void)d;
    snprintf(switch_to.text, sizeof switch_to.text, "%s", c->options.objectives[choice]->name);
    if (model_unsaved(&c->model) > 0)
        console_post(c, &save);
    console_post(c, &switch_to);
}

const struct dialog_class dialog_switch = {
    .name = "switch", .key = 'o', .describe = describe, .choose = choose};
