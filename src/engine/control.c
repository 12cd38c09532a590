/*
 * States and commands. What a state does with a command stands in one table: now, later (when a
 * state takes it), or a refusal with its reason. Every command is answered exactly once; the answer
 * to one that waits comes when it is applied.
 */
#include "engine/engine_impl.h"

#include <poll.h>
#include <string.h>

enum when { NOW, LATER, REFUSE };

struct rule {
    enum when when;
    const char *reason;
};

#define no(text)                                                                                   \
    {                                                                                              \
        REFUSE, text                                                                               \
    }
static const char no_eval[] = "no evaluation is running";
static const char ended[] = "training has ended";
static const char failed[] = "the run has failed";

static const struct rule rules[][CMD_N] = {
    [STATE_IDLE] = {[CMD_PAUSE] = {LATER, 0},
                    [CMD_RESUME] = {LATER, 0},
                    [CMD_SAVE] = no("there is nothing to save yet"),
                    [CMD_SWITCH] = {LATER, 0},
                    [CMD_LINEAR] = no("the run is not ready yet"),
                    [CMD_CANCEL] = no(no_eval)},
    [STATE_PREPARING] = {[CMD_PAUSE] = {LATER, 0},
                         [CMD_RESUME] = {LATER, 0},
                         [CMD_SAVE] = no("there is nothing to save yet"),
                         [CMD_SWITCH] = {LATER, 0},
                         [CMD_LINEAR] = no("the run is still being prepared"),
                         [CMD_CANCEL] = no(no_eval)},
    [STATE_RUNNING] = {[CMD_RESUME] = no("training is not paused"), [CMD_CANCEL] = no(no_eval)},
    [STATE_PAUSED] = {[CMD_PAUSE] = no("training is paused already"), [CMD_CANCEL] = no(no_eval)},
    /* also while the validation split is evaluated: a step boundary is near */
    [STATE_SAVING] = {[CMD_PAUSE] = {LATER, 0},
                      [CMD_RESUME] = {LATER, 0},
                      [CMD_SAVE] = {LATER, 0},
                      [CMD_SWITCH] = {LATER, 0},
                      [CMD_LINEAR] = {LATER, 0},
                      [CMD_CANCEL] = no("validation cannot be cancelled")},
    /* a linear evaluation; pause and resume act on it */
    [STATE_EVALUATING] = {[CMD_SWITCH] = no("a linear evaluation is running; cancel it first"),
                          [CMD_LINEAR] = {LATER, 0}},
    [STATE_STOPPED] = {[CMD_PAUSE] = no(ended),
                       [CMD_RESUME] = no(ended),
                       [CMD_SWITCH] = no(ended),
                       [CMD_CANCEL] = no(no_eval)},
    [STATE_FAILED] = {[CMD_PAUSE] = no(failed),
                      [CMD_RESUME] = no(failed),
                      [CMD_SAVE] = no(failed),
                      [CMD_SWITCH] = no(failed),
                      [CMD_LINEAR] = no(failed),
                      [CMD_CANCEL] = no(failed),
                      [CMD_STOP] = no(failed),
                      [CMD_ABANDON] = no(failed)},
};
#undef no

const char *command_refusal(enum engine_state state, bool linear, enum command_kind kind)
{
    enum engine_state row = state;
    if (linear && state == STATE_PAUSED)
        row = STATE_EVALUATING;
    else if (!linear && state == STATE_EVALUATING)
        row = STATE_SAVING;
    const struct rule *r = &rules[row][kind];
    return r->when == REFUSE ? r->reason : NULL;
}

static int check_pause(struct engine *e, const struct command *c, struct err *err)
{
    (void)c;
    return e->eval_paused ? err_set(err, EXIT_USAGE, "the evaluation is paused already") : 0;
}

static void act_pause(struct engine *e, const struct command *c)
{
    (void)c;
    e->eval_paused = e->linear;
    meter_break(&e->meter);
    report_state(e, STATE_PAUSED, e->linear);
}

static int check_resume(struct engine *e, const struct command *c, struct err *err)
{
    (void)c;
    if (e->linear && !e->eval_paused)
        return err_set(err, EXIT_USAGE, "the evaluation is not paused");
    return 0;
}

static void act_resume(struct engine *e, const struct command *c)
{
    (void)c;
    e->eval_paused = false;
    report_state(e, e->linear ? STATE_EVALUATING : STATE_RUNNING, e->linear);
}

static int check_save(struct engine *e, const struct command *c, struct err *err)
{
    (void)c;
    int64_t step = e->trainer.state.step;
    if (e->saved_step == step || e->saving_step == step)
        return err_set(err, EXIT_USAGE, "step %lld is %s already", (long long)step,
                       e->saved_step == step ? "saved" : "being saved");
    return 0;
}

static void act_save(struct engine *e, const struct command *c)
{
    (void)c;
    save_soon(e);
}

/* Compiles at once, so that a refusal has its reason; training goes on with it at the next step. */
static int check_switch(struct engine *e, const struct command *c, struct err *err)
{
    int rc = trainer_switch(&e->trainer, c->text, err);
    report_phase(e, "");
    return rc;
}

static void act_switch(struct engine *e, const struct command *c)
{
    (void)c;
    meter_reset(&e->meter);
    save_collect(e, true, NULL);
    e->saved_step = -1; /* what is saved of this step still has the other objective */
    report_switch(e);
}

static int check_linear(struct engine *e, const struct command *c, struct err *err)
{
    char path[PATH_BYTES];
    if (c->step < 0)
        return 0;
    if (checkpoint_path(e->run.checkpoints, c->step, path, err) != 0)
        return -1;
    if (!path_exists(path))
        return err_set(err, EXIT_NOINPUT, "there is no checkpoint of step %lld",
                       (long long)c->step);
    return 0;
}

static void act_linear(struct engine *e, const struct command *c)
{
    struct err err = {0};
    if (c->step >= 0)
        run_linear(e, c->step);
    else if (save_now(e, &err) == 0)
        run_linear(e, e->trainer.state.step);
    else
        report_text(e, EV_LINEAR_FAILED, err.msg);
}

static void act_cancel(struct engine *e, const struct command *c)
{
    (void)c;
    e->eval_cancel = true;
}

static void act_stop(struct engine *e, const struct command *c)
{
    e->stopping = STOP_SAVE;
    e->stop_code = c->code;
}

static void act_abandon(struct engine *e, const struct command *c)
{
    e->stopping = STOP_ABANDON;
    e->stop_code = c->code;
}

static const struct action {
    int (*check)(struct engine *, const struct command *, struct err *); /* may refuse */
    void (*act)(struct engine *, const struct command *);                /* after the answer */
} actions[CMD_N] = {
    [CMD_PAUSE] = {check_pause, act_pause},
    [CMD_RESUME] = {check_resume, act_resume},
    [CMD_SAVE] = {check_save, act_save},
    [CMD_SWITCH] = {check_switch, act_switch},
    [CMD_LINEAR] = {check_linear, act_linear},
    [CMD_CANCEL] = {NULL, act_cancel},
    [CMD_STOP] = {NULL, act_stop},
    [CMD_ABANDON] = {NULL, act_abandon},
};

static void apply(struct engine *e, const struct command *c)
{
    struct err err = {0};
    const struct action *a = &actions[c->kind];
    bool accepted = !a->check || a->check(e, c, &err) == 0;
    report_ack(e, c, accepted, err.msg);
    if (accepted)
        a->act(e, c);
}

static void dispatch(struct engine *e, const struct command *c, enum engine_state row)
{
    if (c->kind < 0 || c->kind >= CMD_N) {
        report_ack(e, c, false, "there is no such command");
        return;
    }
    const struct rule *r = &rules[row][c->kind];
    if (r->when == NOW)
        apply(e, c);
    else if (r->when == LATER && e->n_later < COMMANDS_MAX)
        e->later[e->n_later++] = *c;
    else
        report_ack(e, c, false, r->when == LATER ? "too many commands are waiting" : r->reason);
}

void control_poll(struct engine *e, enum engine_state row)
{
    struct command c;
    report_logs(e);
    while (e->stopping == STOP_NO && queue_pop(e->commands, &c))
        dispatch(e, &c, row);
}

static bool take(struct engine *e, struct command *c)
{
    if (e->n_later == 0)
        return queue_pop(e->commands, c);
    *c = e->later[0];
    memmove(e->later, e->later + 1, (size_t)--e->n_later * sizeof *c);
    return true;
}

void control_boundary(struct engine *e)
{
    struct command c;
    report_logs(e);
    while (e->stopping == STOP_NO && take(e, &c))
        dispatch(e, &c, e->state);
}

bool control_waiting(const struct engine *e)
{
    struct pollfd fd = {.fd = queue_fd(e->commands), .events = POLLIN};
    return e->n_later > 0 || poll(&fd, 1, 0) > 0;
}

void control_wait_ms(struct engine *e, int ms)
{
    struct pollfd fd[] = {{.fd = queue_fd(e->commands), .events = POLLIN},
                          {.fd = queue_fd(e->logs), .events = POLLIN},
                          {.fd = e->saver ? saver_fd(e->saver) : -1, .events = POLLIN}};
    poll(fd, 3, ms);
    report_logs(e);
    save_collect(e, false, NULL);
}

void control_wait(struct engine *e)
{
    control_wait_ms(e, -1);
}

bool control_ending(struct engine *e)
{
    struct command c;
    bool asked = false;
    report_logs(e);
    while (queue_pop(e->commands, &c)) {
        bool known = c.kind == CMD_STOP || c.kind == CMD_SAVE || c.kind == CMD_ABANDON;
        report_ack(e, &c, known, known ? "" : "the run is ending; its last step is not saved yet");
        if (c.kind == CMD_ABANDON)
            act_abandon(e, &c);
        else if (c.kind == CMD_STOP)
            act_stop(e, &c);
        asked = asked || known;
    }
    return asked;
}

void control_refuse_rest(struct engine *e)
{
    struct command c;
    pthread_mutex_lock(&e->post);
    e->ended = true;
    pthread_mutex_unlock(&e->post);
    for (int i = 0; i < e->n_later; i++)
        report_ack(e, &e->later[i], false, "the run has ended");
    e->n_later = 0;
    while (queue_pop(e->commands, &c))
        report_ack(e, &c, false, "the run has ended");
}
