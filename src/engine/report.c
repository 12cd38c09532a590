/* What the engine says: one function per kind of event. */
#include "engine/engine_impl.h"

#include "base/file.h"

#include <math.h>
#include <string.h>

#define PUT(field, text) snprintf((field), sizeof(field), "%s", (text))

void report_logs(struct engine *e)
{
    struct log_entry entry;
    while (queue_pop(e->logs, &entry)) {
        struct event ev = {.kind = EV_LOG};
        ev.u.log.level = entry.level;
        PUT(ev.u.log.line, entry.line);
        watchers_send(&e->watchers, &ev);
    }
}

void report(struct engine *e, struct event *ev)
{
    report_logs(e);
    watchers_send(&e->watchers, ev);
    if (e->metrics)
        metrics_event(e->metrics, ev);
}

void report_state(struct engine *e, enum engine_state state, bool linear)
{
    struct event ev = {.kind = EV_STATE};
    e->state = state;
    ev.u.state.state = state;
    ev.u.state.linear = linear;
    report(e, &ev);
}

void report_text(struct engine *e, enum event_kind kind, const char *text)
{
    struct event ev = {.kind = (uint16_t)kind};
    PUT(ev.u.text, text);
    report(e, &ev);
}

void report_phase(struct engine *e, const char *text)
{
    if (!text[0] && !e->announced)
        return;
    e->announced = text[0] != '\0';
    report_text(e, EV_PHASE, text);
}

void report_run(struct engine *e)
{
    struct event ev = {.kind = EV_RUN};
    PUT(ev.u.run.name, e->run.name);
    PUT(ev.u.run.dir, e->run.dir);
    report(e, &ev);
}

void report_setup(struct engine *e)
{
    const struct trainer *t = &e->trainer;
    struct event ev = {.kind = EV_SETUP};
    PUT(ev.u.setup.device, t->dev.info.name);
    snprintf(ev.u.setup.detail, sizeof ev.u.setup.detail, "%d thread%s", t->dev.threads,
             t->dev.threads == 1 ? "" : "s");
    PUT(ev.u.setup.backend, t->dev.class->name);
    PUT(ev.u.setup.arch, t->net.arch->name);
    PUT(ev.u.setup.objective, t->objective->name);
    ev.u.setup.n_train = t->train.n;
    ev.u.setup.n_valid = t->valid.n;
    ev.u.setup.epochs = (int32_t)e->settings.train.epochs;
    ev.u.setup.iters = (int32_t)t->per_epoch;
    ev.u.setup.log_every = (int32_t)e->settings.train.log_every;
    report(e, &ev);
}

void report_iter(struct engine *e, const struct step_stats *s)
{
    const struct trainer *t = &e->trainer;
    struct event ev = {.kind = EV_ITER};
    ev.u.iter.giter = s->step;
    ev.u.iter.epoch = (int32_t)(s->step / t->per_epoch);
    ev.u.iter.epochs = (int32_t)e->settings.train.epochs;
    ev.u.iter.iter = (int32_t)(s->step % t->per_epoch);
    ev.u.iter.iters = (int32_t)t->per_epoch;
    PUT(ev.u.iter.objective, t->objective->name);
    ev.u.iter.loss = s->loss;
    ev.u.iter.acc = s->acc;
    ev.u.iter.probe_acc = s->probe;
    ev.u.iter.position = s->position;
    ev.u.iter.lr = s->lr;
    ev.u.iter.grad_norm = s->grad_norm;
    ev.u.iter.views_per_s = meter_rate(&e->meter, (int64_t)s->batch * s->views);
    ev.u.iter.data_ms = s->data_ms;
    ev.u.iter.step_ms = s->step_ms;
    ev.u.iter.temperature = s->temperature;
    ev.u.iter.lonely = s->lonely;
    ev.u.iter.batch = s->batch;
    ev.u.iter.eta_s = meter_left(&e->meter, t->total - t->state.step);
    report(e, &ev);
}

void report_ack(struct engine *e, const struct command *c, bool accepted, const char *reason)
{
    struct event ev = {.kind = EV_ACK};
    ev.u.ack.ticket = c->ticket;
    ev.u.ack.command = c->kind;
    ev.u.ack.accepted = accepted;
    PUT(ev.u.ack.reason, reason);
    report(e, &ev);
    if (accepted)
        return;
    char line[256];
    snprintf(line, sizeof line, "refused: %s: %s", command_name((enum command_kind)c->kind),
             reason);
    engine_note(e, LOG_WARN, line);
}

int32_t epoch_done(const struct engine *e)
{
    int64_t step = e->trainer.state.step;
    return step > 0 ? (int32_t)((step - 1) / e->trainer.per_epoch) : 0;
}

void report_switch(struct engine *e)
{
    const struct checkpoint_state *s = &e->trainer.state;
    struct event ev = {.kind = EV_SWITCH};
    ev.u.sw.giter = s->step;
    ev.u.sw.epoch = (int32_t)s->epoch;
    ev.u.sw.epochs = (int32_t)e->settings.train.epochs;
    PUT(ev.u.sw.from, s->switches[s->n_switches - 1].from);
    PUT(ev.u.sw.to, s->switches[s->n_switches - 1].to);
    report(e, &ev);
    char line[128];
    snprintf(line, sizeof line, "objective switched from %s to %s at step %lld", ev.u.sw.from,
             ev.u.sw.to, (long long)s->step);
    engine_note(e, LOG_INFO, line);
}

void report_done(struct engine *e)
{
    struct event ev = {.kind = EV_DONE};
    ev.u.done.code = e->exit_code;
    ev.u.done.giter = e->ready ? e->trainer.state.step : 0;
    ev.u.done.epochs = e->ready ? (int32_t)e->trainer.state.epoch : 0;
    ev.u.done.best = e->best_top1;
    ev.u.done.sec = (double)(clock_usec() - e->start_usec) / 1e6;
    PUT(ev.u.done.ckpt, e->saved_path);
    report(e, &ev);
}

static void replay(void *ctx, const struct event *old)
{
    struct engine *e = ctx;
    struct event ev = *old;
    if (ev.kind == EV_VALID && !(ev.u.valid.top1 <= e->best_top1))
        e->best_top1 = ev.u.valid.top1;
    watchers_wait(&e->watchers);
    watchers_send(&e->watchers, &ev);
}

int report_history(struct engine *e, struct err *err)
{
    return metrics_replay(e->run.dir, replay, e, err);
}
