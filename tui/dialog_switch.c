/*
 * Switch the objective: what training would be like under the selected one, in the same rows for
 * every choice. The present objective comes first and changes nothing.
 */
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

static void describe_when(struct dialog *d, const struct model *m, bool same)
{
    if (same)
        dialog_line(d, "When       nothing changes");
    else
        dialog_line(d, "When       after the present iteration%s",
                    model_unsaved(m) > 0 ? "; a checkpoint is saved before" : "");
}

static void describe_views(struct dialog *d, const struct objective_class *from,
                           const struct objective_class *to)
{
    if (from->views == to->views)
        dialog_line(d, "Views      as many of each image as now");
    else if (to->views == 1)
        dialog_line(d, "Views      1 of each image instead of several");
    else
        dialog_line(d, "Views      %d of each image, or augment.views", to->views);
}

static void describe_temperature(struct dialog *d, const struct model *m,
                                 const struct objective_class *to)
{
    double now = m->started ? m->iter.u.iter.temperature : NAN;
    if (!to->contrastive)
        dialog_line(d, "Tau        none: class scores are taken as they are");
    else if (isfinite(now) && now > 0)
        dialog_line(d, "Tau        %.3g, as now", now);
    else
        dialog_line(d, "Tau        objective.temperature of the recipe");
}

static void describe_head(struct dialog *d, const struct objective_class *from,
                          const struct objective_class *to)
{
    static const char *const name[] = {
        [GROUP_PROJECTION] = "projection head", [GROUP_FC] = "classifier"};
    if (from->head == to->head)
        dialog_line(d, "Head       the %s goes on as it is", name[to->head]);
    else
        dialog_line(d, "Head       %s kept aside; %s as it was left, or new", name[from->head],
                    name[to->head]);
}

static void describe_effects(struct dialog *d, const struct model *m,
                             const struct objective_class *from, const struct objective_class *to)
{
    bool same = from == to;
    describe_when(d, m, same);
    dialog_line(d, "Data       the same images and augmentation, %d images a batch",
                m->started ? m->iter.u.iter.batch : 0);
    describe_views(d, from, to);
    describe_temperature(d, m, to);
    dialog_line(d, "Encoder    kept%s", same ? "" : ", trained on by the new loss");
    describe_head(d, from, to);
    dialog_line(d, "Optimizer  %s",
                from->head == to->head ? "goes on; momentum is kept"
                                       : "momentum is kept; a new head's begins at zero");
    dialog_line(d, "Rate       the schedule goes on");
    dialog_line(d, "Curves     %s",
                same ? "go on" : "a new loss series; its values cannot be compared");
}

static void describe(struct dialog *d, const struct console *c)
{
    const struct objective_class *from = current(c), *to = from;
    int n = 0;
    if (!from) {
        snprintf(d->title, sizeof d->title, "Switch objective");
        dialog_line(d, "The run has not told its objective yet.");
        dialog_choice(d, 0, 0, "Cancel");
        return;
    }
    dialog_choice(d, 0, 0, "Stay with %s", from->name);
    for (int i = 0; c->options.objectives[i]; i++) {
        const struct objective_class *o = c->options.objectives[i];
        if (o == from)
            continue;
        n++;
        dialog_choice(d, 0, i, "Switch to %s", o->name);
        if (d->selected == n)
            to = o;
    }
    if (to == from)
        snprintf(d->title, sizeof d->title, "Switch objective: %s -> ...", from->name);
    else
        snprintf(d->title, sizeof d->title, "Switch objective: %s -> %s", from->name, to->name);
    describe_effects(d, &c->model, from, to);
}

static void choose(struct console *c, const struct dialog *d, int choice)
{
    struct command switch_to = {.kind = CMD_SWITCH}, save = {.kind = CMD_SAVE};
    (void)d;
    if (console_refuses(c, CMD_SWITCH)) /* the state may have changed meanwhile */
        return;
    snprintf(switch_to.text, sizeof switch_to.text, "%s", c->options.objectives[choice]->name);
    if (model_unsaved(&c->model) > 0)
        console_post(c, &save);
    console_post(c, &switch_to);
}

const struct dialog_class dialog_switch = {
    .name = "switch", .describe = describe, .choose = choose};
