/*
 * What interrupts training: saving (no longer than a copy takes; saver.h does the rest), the
 * validation split, linear evaluations. Each goes back to the state it came from.
 */
#include "engine/engine_impl.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/linear_event.h"
#include "engine/validate.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* A failed save is tried again after 1 s, then after twice as long each time, up to 10 s. */
static const int64_t RETRY_FIRST_USEC = 1000000LL, RETRY_MOST_USEC = 10 * 1000000LL;
/* Progress of an evaluation on cached features comes faster than anybody reads. */
static const int64_t PROGRESS_USEC = 100000;

/* What run.log says of an event. */
__attribute__((format(printf, 2, 3))) static void notef(struct engine *e, const char *fmt, ...)
{
    char line[RUN_LINE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    engine_note(e, LOG_INFO, line);
}

static void report_saved(struct engine *e, const struct save_result *r)
{
    const struct checkpoint_saved *saved = &r->saved;
    struct event ev = {.kind = EV_CHECKPOINT};
    ev.u.ckpt.step = saved->step;
    ev.u.ckpt.epoch = saved->step > 0 ? (int32_t)((saved->step - 1) / e->trainer.per_epoch) : 0;
    ev.u.ckpt.epochs = (int32_t)e->settings.train.epochs;
    ev.u.ckpt.bytes = saved->bytes;
    ev.u.ckpt.sec = saved->sec;
    ev.u.ckpt.valid_top1 = r->state.valid_top1;
    ev.u.ckpt.best = saved->best;
    snprintf(ev.u.ckpt.path, sizeof ev.u.ckpt.path, "%s", saved->path);
    report(e, &ev);
    notef(e, "saved step %lld: %s, %lld bytes, %.2f s%s", (long long)saved->step, saved->path,
          (long long)saved->bytes, saved->sec, saved->best ? ", the best so far" : "");
    for (int i = 0; i < saved->n_pruned; i++) {
        struct event pruned = {.kind = EV_PRUNED};
        pruned.u.ckpt.step = saved->pruned[i];
        report(e, &pruned);
    }
}

/* Said once; the tries that follow have the same reason, and their end is said again. */
static void plan_retry(struct engine *e, int64_t step, const struct err *err)
{
    int64_t wait = e->retry_wait ? e->retry_wait * 2 : RETRY_FIRST_USEC;
    if (e->retry_wait == 0)
        log_error("saving step %lld failed: %s; the next try is in 1 s, then at least every 10 s",
                  (long long)step, err->msg);
    e->retry_wait = wait < RETRY_MOST_USEC ? wait : RETRY_MOST_USEC;
    e->retry_at = clock_usec() + e->retry_wait;
    report_text(e, EV_SAVE_FAILED, err->msg);
}

static void take_result(struct engine *e, const struct save_result *r)
{
    if (r->rc != 0) {
        plan_retry(e, r->state.step, &r->err);
        return;
    }
    if (e->retry_wait)
        log_info("step %lld is saved now", (long long)r->saved.step);
    e->retry_at = e->retry_wait = 0;
    e->saved_step = r->saved.step;
    snprintf(e->saved_path, sizeof e->saved_path, "%s", r->saved.path);
    report_saved(e, r);
}

int save_collect(struct engine *e, bool wait, struct err *err)
{
    struct save_result r;
    if (!e->saver || !saver_take(e->saver, wait, &r))
        return 0;
    e->saving_step = -1;
    take_result(e, &r);
    if (r.rc != 0 && err)
        *err = r.err;
    return r.rc;
}

/* From here on the saver needs nothing of the trainer. */
static int start(struct engine *e, struct err *err)
{
    struct trainer *t = &e->trainer;
    struct checkpoint_source source = {.dir = e->run.checkpoints,
                                       .net = &t->net,
                                       .settings = &e->settings,
                                       .tuning = t->tuning,
                                       .state = &t->state,
                                       .keep = (int)e->settings.checkpoint.keep};
    if (source.keep < 1)
        source.keep = 1;
    if (saver_start(e->saver, &source, e->metrics, err) != 0) {
        plan_retry(e, t->state.step, err);
        return -1;
    }
    e->saving_step = t->state.step;
    return 0;
}

void save_soon(struct engine *e)
{
    struct err reported = {0};
    enum engine_state before = e->state;
    bool linear = e->linear;
    int64_t step = e->trainer.state.step;
    if (e->saved_step == step || e->saving_step == step)
        return;
    meter_break(&e->meter);
    report_state(e, STATE_SAVING, false);
    save_collect(e, true, NULL);
    start(e, &reported);
    report_state(e, before, linear);
}

int save_quietly(struct engine *e, struct err *err)
{
    struct err earlier = {0};
    save_collect(e, true, &earlier);
    if (e->saved_step == e->trainer.state.step)
        return 0;
    meter_break(&e->meter);
    return start(e, err) == 0 ? save_collect(e, true, err) : -1;
}

int save_now(struct engine *e, struct err *err)
{
    enum engine_state before = e->state;
    bool linear = e->linear;
    save_collect(e, true, NULL);
    if (e->saved_step == e->trainer.state.step)
        return 0;
    report_state(e, STATE_SAVING, false);
    int rc = save_quietly(e, err);
    report_state(e, before, linear);
    return rc;
}

bool save_due(const struct engine *e)
{
    const struct checkpoint_conf *c = &e->settings.checkpoint;
    const struct trainer *t = &e->trainer;
    int64_t step = t->state.step;
    if (step == e->saved_step || step == e->saving_step || step == 0 || trainer_in_flight(t) > 0)
        return false;
    if (e->retry_at)
        return clock_usec() >= e->retry_at;
    if (c->every_iters > 0 && step % c->every_iters == 0)
        return true;
    return c->every_epochs > 0 && step % (c->every_epochs * t->per_epoch) == 0;
}

int64_t save_step(const struct engine *e)
{
    const struct checkpoint_conf *c = &e->settings.checkpoint;
    const struct trainer *t = &e->trainer;
    const int64_t every[] = {c->every_iters, c->every_epochs * t->per_epoch};
    int64_t next = INT64_MAX;
    for (int i = 0; i < 2; i++)
        if (every[i] > 0 && (t->state.step / every[i] + 1) * every[i] < next)
            next = (t->state.step / every[i] + 1) * every[i];
    return next;
}

static bool stopped(void *ctx)
{
    struct engine *e = ctx;
    control_poll(e, STATE_SAVING);
    return e->stopping != STOP_NO;
}

static void report_valid(struct engine *e, const struct validation *v, double sec)
{
    const struct checkpoint_state *s = &e->trainer.state;
    struct event ev = {.kind = EV_VALID};
    ev.u.valid.giter = s->step;
    ev.u.valid.epoch = epoch_done(e);
    ev.u.valid.epochs = (int32_t)e->settings.train.epochs;
    ev.u.valid.loss = v->loss;
    ev.u.valid.top1 = v->top1;
    ev.u.valid.top5 = v->top5;
    ev.u.valid.sec = sec;
    ev.u.valid.best = !(v->top1 <= e->best_top1);
    ev.u.valid.probe = v->probe;
    if (ev.u.valid.best)
        e->best_top1 = v->top1;
    report(e, &ev);
    notef(e, "validation at step %lld: top1 %.2f %%, top5 %.2f %%, loss %.4f, %.1f s",
          (long long)s->step, v->top1, v->top5, v->loss, sec);
}

int run_validation(struct engine *e, struct err *err)
{
    struct validation v;
    struct checkpoint_state *s = &e->trainer.state;
    enum engine_state before = e->state;
    int64_t start = clock_usec();
    meter_break(&e->meter);
    report_state(e, STATE_EVALUATING, false);
    if (validate(&e->trainer, stopped, e, &v, err) != 0)
        return -1;
    if (!v.cancelled) {
        s->valid_loss = v.loss;
        s->valid_top1 = v.top1;
        s->valid_top5 = v.top5;
        report_valid(e, &v, (double)(clock_usec() - start) / 1e6);
    }
    report_state(e, before, false);
    return 0;
}

static void report_linear_iter(struct engine *e, const struct linear_progress *p)
{
    int64_t now = clock_usec();
    if (p->phase && p->phase[0]) {
        if (now - e->eval_sent >= PROGRESS_USEC || !e->announced) {
            e->eval_sent = now;
            report_phase(e, p->phase);
        }
        return;
    }
    report_phase(e, "");
    bool logged = e->settings.train.log_every > 0 && p->giter % e->settings.train.log_every == 0;
    if (!logged && now - e->eval_sent < PROGRESS_USEC)
        return;
    e->eval_sent = now;
    struct event ev = linear_progress_event(p);
    report(e, &ev);
}

/* Between two batches of the evaluation. */
static bool watch_linear(void *ctx, const struct linear_progress *p)
{
    struct engine *e = ctx;
    report_linear_iter(e, p);
    control_poll(e, STATE_EVALUATING);
    while (e->eval_paused && !e->eval_cancel && e->stopping == STOP_NO) {
        control_wait(e);
        control_poll(e, STATE_EVALUATING);
    }
    return e->eval_cancel || e->stopping != STOP_NO;
}

static void report_linear_done(struct engine *e, const struct linear_result *r)
{
    struct event ev = linear_result_event(r);
    report(e, &ev);
    notef(e, "linear evaluation of step %lld: top1 %.2f %%, top5 %.2f %%, loss %.4f, lr %g, %.1f s",
          (long long)r->step, r->top1, r->top5, r->loss, r->lr, r->sec);
}

static int evaluate(struct engine *e, int64_t step, struct linear_result *r, struct err *err)
{
    char path[PATH_BYTES];
    if (checkpoint_path(e->run.checkpoints, step, path, err) != 0)
        return -1;
    struct linear_request request = {
        .checkpoint = path, .settings = &e->settings, .dev = &e->trainer.dev, .store = e->run.dir};
    return linear_evaluate(&request, watch_linear, e, r, err);
}

int run_linear(struct engine *e, int64_t step)
{
    struct err err = {0};
    struct linear_result r = {0};
    enum engine_state before = e->state;
    save_collect(e, true, NULL); /* it may remove old checkpoints */
    meter_break(&e->meter);
    e->linear = true;
    e->eval_paused = e->eval_cancel = false;
    report_state(e, STATE_EVALUATING, true);
    int rc = evaluate(e, step, &r, &err);
    report_phase(e, "");
    e->linear = e->eval_paused = e->eval_cancel = false;
    if (rc != 0) {
        log_error("linear evaluation of step %lld failed: %s", (long long)step, err.msg);
        report_text(e, EV_LINEAR_FAILED, err.msg);
    } else if (r.cancelled)
        report_text(e, EV_LINEAR_FAILED, "the evaluation was cancelled");
    else
        report_linear_done(e, &r);
    report_state(e, before, false);
    return rc == 0 ? 0 : err.code;
}

bool linear_known(const struct engine *e, int64_t step)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.900s/linear/step-%08lld.json", e->run.dir, (long long)step);
    return path_exists(path);
}
