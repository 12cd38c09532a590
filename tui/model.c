/* What is known of the run; see model.h. */
#include "tui/model.h"

#include <stdio.h>
#include <string.h>

#define COPY(to, from) snprintf(to, sizeof(to), "%s", from) /* what does not fit is cut */

enum { COLLAPSED_AFTER = 50 };

void model_init(struct model *m)
{
    *m = (struct model){.state = STATE_IDLE, .saved_step = -1, .asked = -1, .nonfinite_at = -1};
}

static void on_phase(struct model *m, const struct event *e)
{
    if (!m->phase[0])
        m->phase_usec = e->usec;
    COPY(m->phase, e->u.text);
}

static void on_run(struct model *m, const struct event *e)
{
    COPY(m->run, e->u.run.name);
    COPY(m->dir, e->u.run.dir);
}

static void on_state(struct model *m, const struct event *e)
{
    int state = e->u.state.state;
    if (e->u.state.linear && !m->evaluating) {
        m->paused_before = m->state == STATE_PAUSED;
        m->cancelled = false;
    }
    m->state = state;
    m->state_usec = e->usec;
    if (e->u.state.linear && !m->evaluating)
        m->eval_usec = e->usec;
    m->evaluating = e->u.state.linear;
    if (!m->evaluating)
        m->linear.kind = 0;
    if (state != STATE_PREPARING && !(m->evaluating && state == STATE_PAUSED))
        m->phase[0] = '\0';
    m->trained |= state == STATE_STOPPED && !m->stopping;
    if (state == STATE_STOPPED) /* it did not end: its last step could not be saved */
        m->stopping = false;
}

static bool is_finite(const struct event *iter)
{
    return isfinite(iter->u.iter.loss) && isfinite(iter->u.iter.grad_norm);
}

static void on_iter(struct model *m, const struct event *e)
{
    m->iter = *e;
    m->started = true;
    COPY(m->objective, e->u.iter.objective);
    if (!is_finite(e)) {
        m->n_nonfinite++;
        m->nonfinite_at = e->u.iter.giter;
    }
    m->collapsed = e->u.iter.position > .999 ? m->collapsed + 1 : 0;
}

static void on_valid(struct model *m, const struct event *e)
{
    m->valid = *e;
}

struct checkpoint_row *model_checkpoint(struct model *m, int64_t step)
{
    for (int i = m->n_ckpt - 1; i >= 0; i--)
        if (m->ckpt[i].step == step)
            return &m->ckpt[i];
    return NULL;
}

/* A row for the step, in order; when the table is full the oldest goes. */
static struct checkpoint_row *insert_row(struct model *m, int64_t step)
{
    struct checkpoint_row *row = model_checkpoint(m, step);
    if (row)
        return row;
    if (m->n_ckpt == MODEL_CHECKPOINTS)
        memmove(m->ckpt, m->ckpt + 1, sizeof *m->ckpt * (size_t)--m->n_ckpt);
    int at = m->n_ckpt;
    for (; at > 0 && m->ckpt[at - 1].step > step; at--)
        m->ckpt[at] = m->ckpt[at - 1];
    m->n_ckpt++;
    m->ckpt[at] =
        (struct checkpoint_row){.step = step, .valid_top1 = NAN, .linear1 = NAN, .linear5 = NAN};
    return &m->ckpt[at];
}

static void on_checkpoint(struct model *m, const struct event *e)
{
    struct checkpoint_row *row = insert_row(m, e->u.ckpt.step);
    row->usec = e->usec;
    row->bytes = e->u.ckpt.bytes;
    row->valid_top1 = e->u.ckpt.valid_top1;
    row->pruned = false;
    COPY(row->path, e->u.ckpt.path);
    for (int i = 0; e->u.ckpt.best && i < m->n_ckpt; i++)
        m->ckpt[i].best = false;
    row->best = e->u.ckpt.best;
    m->saved_usec = e->usec;
    m->saved_step = e->u.ckpt.step;
    m->save_failed = false;
}

static void on_pruned(struct model *m, const struct event *e)
{
    struct checkpoint_row *row = model_checkpoint(m, e->u.ckpt.step);
    if (row)
        row->pruned = true;
}

static void on_save_failed(struct model *m, const struct event *e)
{
    (void)e;
    m->save_failed = true;
    m->n_errors++;
}

static void on_switch(struct model *m, const struct event *e)
{
    COPY(m->objective, e->u.sw.to);
    m->collapsed = 0;
}

static void on_linear_iter(struct model *m, const struct event *e)
{
    m->linear = *e;
}

static void on_linear_done(struct model *m, const struct event *e)
{
    struct checkpoint_row *row = insert_row(m, e->u.linres.step);
    row->linear1 = e->u.linres.top1;
    row->linear5 = e->u.linres.top5;
    if (!e->replayed)
        m->linear.kind = 0;
}

static void on_linear_failed(struct model *m, const struct event *e)
{
    (void)e;
    m->linear.kind = 0;
    m->n_errors += !m->cancelled;
}

bool model_ack_is_note(const struct event *e)
{
    static const bool note[CMD_N] = {
        [CMD_SAVE] = true, [CMD_PAUSE] = true, [CMD_RESUME] = true, [CMD_CANCEL] = true};
    return e->u.ack.command >= 0 && e->u.ack.command < CMD_N && note[e->u.ack.command];
}

static void on_ack(struct model *m, const struct event *e)
{
    m->cancelled |= e->u.ack.command == CMD_CANCEL && e->u.ack.accepted;
    if (e->u.ack.command == m->asked)
        m->asked = -1;
    m->n_warnings += !e->u.ack.accepted && !model_ack_is_note(e);
    if (e->u.ack.command == CMD_STOP || e->u.ack.command == CMD_ABANDON)
        m->stopping = e->u.ack.accepted;
}

static void on_log(struct model *m, const struct event *e)
{
    m->n_warnings += e->u.log.level == 1;
    m->n_errors += e->u.log.level >= 2;
}

static void on_setup(struct model *m, const struct event *e)
{
    m->setup = *e;
    COPY(m->objective, e->u.setup.objective);
}

static void on_done(struct model *m, const struct event *e)
{
    m->done = *e;
    m->finished = true;
    m->phase[0] = '\0';
    m->linear.kind = 0;
}

static void (*const on_kind[])(struct model *, const struct event *) = {
    [EV_PHASE] = on_phase,
    [EV_RUN] = on_run,
    [EV_STATE] = on_state,
    [EV_ITER] = on_iter,
    [EV_VALID] = on_valid,
    [EV_CHECKPOINT] = on_checkpoint,
    [EV_PRUNED] = on_pruned,
    [EV_SAVE_FAILED] = on_save_failed,
    [EV_SWITCH] = on_switch,
    [EV_LINEAR_ITER] = on_linear_iter,
    [EV_LINEAR_DONE] = on_linear_done,
    [EV_LINEAR_FAILED] = on_linear_failed,
    [EV_ACK] = on_ack,
    [EV_LOG] = on_log,
    [EV_DONE] = on_done,
    [EV_SETUP] = on_setup,
};

void model_event(struct model *m, const struct event *e)
{
    if (!m->first_usec)
        m->first_usec = e->usec;
    m->now_usec = e->usec;
    if (e->kind < sizeof on_kind / sizeof *on_kind && on_kind[e->kind])
        on_kind[e->kind](m, e);
}

int64_t model_done(const struct model *m)
{
    return m->started ? m->iter.u.iter.giter + is_finite(&m->iter) : 0;
}

int model_iter(const struct model *m)
{
    return m->started ? m->iter.u.iter.iter + is_finite(&m->iter) : 0;
}

int64_t model_unsaved(const struct model *m)
{
    int64_t done = model_done(m), saved = m->saved_step > 0 ? m->saved_step : 0;
    return done > saved ? done - saved : 0;
}

const char *model_refusal(const struct model *m, enum command_kind kind)
{
    if (m->finished)
        return "the run has ended";
    if (m->stopping)
        return "the run is ending";
    if (kind == CMD_SWITCH && m->evaluating)
        return "a linear evaluation is running; v cancels it";
    if (kind == CMD_SWITCH && !m->objective[0])
        return "the run is still being prepared";
    return command_refusal((enum engine_state)m->state, m->evaluating, kind);
}

static bool stopped_at_nonfinite(const struct model *m)
{
    return m->state == STATE_PAUSED && !m->evaluating && m->nonfinite_at >= 0 &&
           m->nonfinite_at == m->iter.u.iter.giter;
}

const char *model_state_word(const struct model *m, int *glyph)
{
    static const char *const word[] = {
        [STATE_IDLE] = "READY",      [STATE_PREPARING] = "PREPARING", [STATE_RUNNING] = "TRAIN",
        [STATE_PAUSED] = "PAUSED",   [STATE_SAVING] = "SAVING",       [STATE_EVALUATING] = "EVAL",
        [STATE_STOPPED] = "STOPPED", [STATE_FAILED] = "FAILED",
    };
    *glyph = m->state >= 0 && m->state <= STATE_FAILED ? m->state : STATE_IDLE;
    if (m->trained && m->state == STATE_STOPPED)
        return "DONE";
    if (m->stopping && m->state != STATE_STOPPED && m->state != STATE_FAILED) {
        *glyph = STATE_PREPARING;
        return "STOPPING";
    }
    if (m->asked == CMD_PAUSE && m->state == STATE_RUNNING) {
        *glyph = STATE_PREPARING;
        return "PAUSING";
    }
    if (m->state == STATE_EVALUATING && !m->evaluating)
        return "VALIDATE";
    if (m->state == STATE_PAUSED && m->evaluating)
        return "EVAL PAUSED";
    if (stopped_at_nonfinite(m)) {
        *glyph = STATE_FAILED;
        return "NON-FINITE";
    }
    return word[*glyph];
}

bool model_is_collapsed(const struct model *m)
{
    return m->collapsed >= COLLAPSED_AFTER;
}

double model_progress(const struct model *m)
{
    if (!m->started)
        return NAN;
    double all = (double)m->iter.u.iter.epochs * m->iter.u.iter.iters;
    if (!(all > 0))
        return NAN;
    if (m->trained)
        return 1;
    return fmin(1, (double)(m->iter.u.iter.giter + 1) / all);
}

double model_evaluated(const struct model *m)
{
    double all = (double)m->linear.u.lin.epochs * m->linear.u.lin.iters;
    double done = (double)m->linear.u.lin.epoch * m->linear.u.lin.iters + m->linear.u.lin.iter + 1;
    return m->linear.kind && all > 0 ? fmin(1, done / all) : NAN;
}
