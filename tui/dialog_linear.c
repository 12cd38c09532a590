/* Linear evaluation of the selected checkpoint, which may have a result already, or the end of the
 * one that runs. */
#include "tui/console.h"
#include "tui/keys.h"

#include <stdio.h>

enum { EVALUATE = 1, SAVE_AND_EVALUATE, CANCEL_RUNNING };

static void describe_running(struct dialog *d, const struct model *m)
{
    snprintf(d->title, sizeof d->title, "Linear evaluation is running");
    if (m->linear.kind)
        dialog_line(d, "Checkpoint %lld; epoch %d of %d.", (long long)m->linear.u.lin.step,
                    m->linear.u.lin.epoch, m->linear.u.lin.epochs);
    else
        dialog_line(d, "The encoder's features are being computed.");
    if (m->linear.u.lin.n_rates > 1 && m->linear.kind)
        dialog_line(d, "Of %d learning rates trained side by side the one of lowest loss is shown.",
                    m->linear.u.lin.n_rates);
    dialog_line(d, "A cancelled evaluation leaves no result; p pauses it and training.");
    dialog_choice(d, 0, 0, "Let it go on");
    dialog_choice(d, 'c', CANCEL_RUNNING,
                  m->trained         ? "Cancel it"
                  : m->paused_before ? "Cancel it; training stays paused"
                                     : "Cancel it; training goes on");
}

static void offer_newest(struct dialog *d, const struct model *m)
{
    if (model_unsaved(m) > 0)
        dialog_choice(d, 'n', SAVE_AND_EVALUATE, "Save now, evaluate that (iteration %lld)",
                      (long long)model_done(m));
}

static const char *meanwhile(const struct model *m)
{
    if (m->state == STATE_PAUSED)
        return "training stays paused";
    return m->trained ? "nothing else runs" : "training pauses, and goes on by itself afterwards";
}

static void describe_again(struct dialog *d, const struct model *m,
                           const struct checkpoint_row *row)
{
    snprintf(d->title, sizeof d->title, "Checkpoint %lld has been evaluated", (long long)row->step);
    dialog_line(d, "Result     top-1 %.2f %%, top-5 %.2f %%", row->linear1, row->linear5);
    dialog_line(d, "Again      replaces it; the same settings give the same figures");
    dialog_line(d, "Meanwhile  %s", meanwhile(m));
    dialog_choice(d, 0, 0, "Keep the result");
    dialog_choice(d, 'v', EVALUATE, "Evaluate checkpoint %lld again", (long long)row->step);
    offer_newest(d, m);
}

static void describe_new(struct dialog *d, const struct model *m, const struct checkpoint_row *row)
{
    bool usable = row && !row->pruned;
    snprintf(d->title, sizeof d->title, "Linear evaluation");
    dialog_line(d, "What       a linear classifier is trained on the frozen encoder's features");
    dialog_line(d, "Meanwhile  %s", meanwhile(m));
    dialog_line(d, "Files      the checkpoint is not changed; the result is kept in the run");
    if (row && !usable)
        dialog_line(d, "The weights of checkpoint %lld have been removed.", (long long)row->step);
    if (!usable && model_unsaved(m) == 0)
        dialog_line(d, "There is no checkpoint to evaluate.");
    dialog_choice(d, 0, 0, "Cancel");
    if (usable)
        dialog_choice(d, 'v', EVALUATE, "Evaluate checkpoint %lld", (long long)row->step);
    offer_newest(d, m);
}

static void describe(struct dialog *d, const struct console *c)
{
    struct model *m = (struct model *)&c->model; /* only looked at */
    const struct checkpoint_row *row = model_checkpoint(m, d->step);
    if (m->evaluating)
        describe_running(d, m);
    else if (row && !row->pruned && isfinite(row->linear1))
        describe_again(d, m, row);
    else
        describe_new(d, m, row);
}

static void choose(struct console *c, const struct dialog *d, int choice)
{
    struct command command = {.kind = choice == CANCEL_RUNNING ? CMD_CANCEL : CMD_LINEAR,
                              .step = choice == EVALUATE ? d->step : -1};
    console_post(c, &command);
}

const struct dialog_class dialog_linear = {
    .name = "linear", .about_checkpoint = true, .describe = describe, .choose = choose};
