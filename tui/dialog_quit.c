/* Leaving: to stay is the first choice, and what costs something says what. Ctrl-C opens this,
 * moves down one choice each time, and takes the third: whoever insists gets out. */
#include "tui/console.h"
#include "tui/keys.h"

#include <stdio.h>

enum { STOP = 1, ABANDON, DETACH, KILL };

static void describe_stopping(struct dialog *d)
{
    snprintf(d->title, sizeof d->title, "The run is ending");
    dialog_line(d, "It ends after the present iteration and its checkpoint.");
    dialog_choice(d, 0, 0, "Wait");
    dialog_choice(d, 0, DETACH, "Close the screen now, let the run end by itself");
    dialog_choice(d, 0, KILL, "Kill it; what is not saved is lost");
}

static void describe_running(struct dialog *d, const struct model *m)
{
    long long lost = model_unsaved(m);
    snprintf(d->title, sizeof d->title, "Quit");
    dialog_choice(d, 0, 0, "Stay");
    if (lost > 0) {
        dialog_choice(d, 's', STOP, "Stop after this iteration and save");
        dialog_choice(d, 0, ABANDON, "Stop now, lose %lld iteration%s", lost, lost == 1 ? "" : "s");
    } else {
        dialog_choice(d, 's', STOP, "Stop; everything is saved");
        dialog_choice(d, 0, ABANDON, "Stop without saving anything more");
    }
    dialog_choice(d, 'd', DETACH, "Detach: close the screen, the run goes on%s",
                  m->state == STATE_PAUSED ? " (paused now, it is resumed)" : "");
}

static void describe(struct dialog *d, const struct console *c)
{
    if (c->model.stopping) {
        describe_stopping(d);
    } else if (c->model.trained && !c->model.evaluating && model_unsaved(&c->model) == 0) {
        snprintf(d->title, sizeof d->title, "Quit");
        dialog_line(d, "Training has ended and everything is saved.");
        dialog_choice(d, 0, 0, "Stay");
        dialog_choice(d, 'q', STOP, "Leave");
    } else {
        describe_running(d, &c->model);
    }
}

static void choose(struct console *c, const struct dialog *d, int choice)
{
    static const int kind[] = {[STOP] = CMD_STOP, [ABANDON] = CMD_ABANDON};
    (void)d;
    if (choice == DETACH)
        c->leave = LEAVE_DETACH;
    else if (choice == KILL)
        c->leave = LEAVE_KILL;
    else
        console_post(c, &(struct command){.kind = kind[choice]});
}

const struct dialog_class dialog_quit = {
    .name = "quit", .key = 'q', .describe = describe, .choose = choose};
