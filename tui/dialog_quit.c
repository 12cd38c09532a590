/* Leaving: to stay is the first choice, and each one says what it costs. Ctrl-C opens this, moves
 * down one choice each time, and takes the third: whoever insists gets out. */
#include "tui/console.h"
#include "tui/keys.h"

#include <stdio.h>

enum { STAY, STOP, ABANDON, DETACH, KILL, TEXT_LINES = 4 };

/* Training is over, but its last step could not be saved. */
static bool waits_for_room(const struct model *m)
{
    return m->state == STATE_STOPPED && model_unsaved(m) > 0;
}

static void say_stay(struct dialog *d, const struct model *m)
{
    if (waits_for_room(m))
        dialog_line(d,
                    "The last step is not saved; the program stays with it until there is room.");
    else if (m->evaluating)
        dialog_line(d, "The linear evaluation %s%s.",
                    m->state == STATE_PAUSED ? "stays paused" : "goes on",
                    m->trained || m->paused_before ? "" : ", training after it");
    else
        dialog_line(d, m->trained                 ? "The run waits for more."
                       : m->state == STATE_PAUSED ? "The run stays paused."
                                                  : "Training goes on.");
}

static void say_dropped(struct dialog *d, const struct model *m)
{
    if (m->evaluating)
        dialog_line(d, "The linear evaluation is not finished: it is dropped.");
}

static void say_stop(struct dialog *d, const struct model *m)
{
    say_dropped(d, m);
    if (waits_for_room(m))
        dialog_line(d, "Saving is tried again; once it succeeds the program ends. Later,");
    else if (model_unsaved(m) > 0)
        dialog_line(d, "A checkpoint is written, and the program ends. Later,");
    else
        dialog_line(d, "%s is saved; the program ends. Later,",
                    m->evaluating ? "All training" : "Everything");
    dialog_line(d, "  supcon --resume %s", m->dir);
    dialog_line(d, "continues.");
}

static void say_abandon(struct dialog *d, const struct model *m)
{
    say_dropped(d, m);
    if (model_unsaved(m) == 0)
        dialog_line(d, "%s is saved; the program ends.",
                    m->evaluating ? "All training" : "Everything");
    else if (m->saved_step > 0)
        dialog_line(d, "What was learned since checkpoint %lld is lost.", (long long)m->saved_step);
    else
        dialog_line(d, "No checkpoint has been saved: all of it is lost.");
}

static void say_detach(struct dialog *d, const struct model *m)
{
    if (waits_for_room(m)) {
        dialog_line(d, "The screen closes. Saving is tried for a while, then the process ends,");
        dialog_line(d, "whether it succeeded or not.");
        return;
    }
    const char *what = m->evaluating ? "the evaluation" : "training";
    dialog_line(d, "The screen closes, %s %s. The shell waits for the run:", what,
                m->state == STATE_PAUSED ? "is resumed" : "goes on");
    dialog_line(d, "Ctrl-Z and then bg give the shell back. To follow the run:");
    dialog_line(d, "  tail -f %s/metrics.jsonl", m->dir);
    dialog_line(d, "To come back: kill -TERM its process, then supcon --resume.");
}

static void say_kill(struct dialog *d, const struct model *m)
{
    (void)m;
    dialog_line(d, "The process ends at once.");
}

static void (*const say[])(struct dialog *, const struct model *) = {
    [STAY] = say_stay,     [STOP] = say_stop, [ABANDON] = say_abandon,
    [DETACH] = say_detach, [KILL] = say_kill,
};

static void offer_stopping(struct dialog *d)
{
    snprintf(d->title, sizeof d->title, "The run is ending");
    dialog_choice(d, 0, STAY, "Wait for its checkpoint");
    dialog_choice(d, 0, DETACH, "Close the screen now, let the run end by itself");
    dialog_choice(d, 0, KILL, "Kill it; what is not saved is lost");
}

static void offer_running(struct dialog *d, const struct model *m)
{
    long long lost = model_unsaved(m);
    snprintf(d->title, sizeof d->title, "Quit");
    dialog_choice(d, 0, STAY, "Stay");
    if (lost > 0) {
        dialog_choice(d, 's', STOP,
                      waits_for_room(m) || m->evaluating ? "Save and stop"
                                                         : "Stop after this iteration and save");
        dialog_choice(d, 0, ABANDON, "Stop now, lose %lld iteration%s", lost, lost == 1 ? "" : "s");
    } else {
        dialog_choice(d, 's', STOP, "Stop; %s",
                      m->evaluating ? "only the evaluation is not saved" : "everything is saved");
        dialog_choice(d, 0, ABANDON, "Stop without saving anything more");
    }
    dialog_choice(d, 'd', DETACH, "Detach: close the screen%s",
                  waits_for_room(m) ? "" : ", the run goes on");
}

static void offer_leaving(struct dialog *d)
{
    snprintf(d->title, sizeof d->title, "Quit");
    dialog_choice(d, 0, STAY, "Stay");
    dialog_choice(d, 'q', STOP, "Leave");
}

static void describe(struct dialog *d, const struct console *c)
{
    const struct model *m = &c->model;
    if (m->stopping)
        offer_stopping(d);
    else if (m->trained && !m->evaluating && model_unsaved(m) == 0)
        offer_leaving(d);
    else
        offer_running(d, m);
    int at = d->selected < d->n_choices ? d->selected : 0;
    say[d->choice[at].value](d, m);
    while (d->n_lines < TEXT_LINES) /* the frame stays where it is */
        dialog_line(d, "%s", "");
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

const struct dialog_class dialog_quit = {.name = "quit", .describe = describe, .choose = choose};
