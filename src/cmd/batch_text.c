/*
 * Events as lines of text. The parts up to the accuracy are an interface that scripts read; what
 * else is known follows as ", Key: value". Replayed history is not printed again.
 */
#include "cmd/batch.h"

#include <math.h>
#include <string.h>

/* A number that need not be finite; never "-nan". */
static const char *number(char *out, size_t size, int decimals, double x)
{
    if (isnan(x))
        snprintf(out, size, "nan");
    else if (isinf(x))
        snprintf(out, size, x < 0 ? "-inf" : "inf");
    else
        snprintf(out, size, "%.*f", decimals, x);
    return out;
}

static void loss_and_acc(FILE *f, double loss, double acc)
{
    char a[40], b[40];
    fprintf(f, "Loss : %s, Acc: %s", number(a, sizeof a, 4, loss), number(b, sizeof b, 3, acc));
}

static void extra(FILE *f, const char *key, int decimals, double x)
{
    if (isfinite(x))
        fprintf(f, ", %s: %.*f", key, decimals, x);
}

static void extra_time(FILE *f, const char *key, double seconds)
{
    if (!isfinite(seconds) || seconds < 0)
        return;
    long s = lround(seconds);
    fprintf(f, ", %s: %02ld:%02ld:%02ld", key, s / 3600, s / 60 % 60, s % 60);
}

static void print_setup(struct batch_text *t, const struct event *ev, FILE *f)
{
    (void)t;
    fprintf(f, "Running on: %s (%s, %s)\n", ev->u.setup.backend, ev->u.setup.device,
            ev->u.setup.detail);
    fprintf(f, "Feature extractor: %s\n", ev->u.setup.arch);
    fprintf(f, "num_train: %lld, num_valid: %lld\n", (long long)ev->u.setup.n_train,
            (long long)ev->u.setup.n_valid);
}

static void print_state(struct batch_text *t, const struct event *ev, FILE *f)
{
    if (ev->u.state.state == STATE_RUNNING && !t->started) {
        t->started = true;
        fputs("Start to train..\n", f);
    }
    if (ev->u.state.state == STATE_EVALUATING && !ev->u.state.linear)
        fputs("Start to eval..\n", f);
}

/* The loss of a line is the mean since the line before; the accuracy is the batch's own. */
static double mean_loss(struct batch_text *t, const struct event *ev)
{
    if (ev->u.iter.giter != t->next) {
        t->sum = 0;
        t->n = 0;
    }
    t->next = ev->u.iter.giter + 1;
    t->sum += ev->u.iter.loss;
    t->n++;
    return t->sum / (double)t->n;
}

static void print_iter(struct batch_text *t, const struct event *ev, FILE *f)
{
    double loss = mean_loss(t, ev);
    bool due = t->log_every > 0 && ev->u.iter.iter % t->log_every == 0;
    if (!due && isfinite(loss))
        return;
    t->sum = 0;
    t->n = 0;
    fprintf(f, "[Epoch: %d/%d][Iters: %d/%d=>%lld] >> ", ev->u.iter.epoch, ev->u.iter.epochs,
            ev->u.iter.iter, ev->u.iter.iters, (long long)ev->u.iter.giter);
    loss_and_acc(f, loss, ev->u.iter.acc);
    extra(f, "Lr", 6, ev->u.iter.lr);
    extra(f, "Probe", 3, ev->u.iter.probe_acc);
    extra(f, "Position", 4, ev->u.iter.position);
    extra(f, "Views/s", 0, ev->u.iter.views_per_s);
    extra_time(f, "Eta", ev->u.iter.eta_s);
    fputc('\n', f);
}

static void print_valid(struct batch_text *t, const struct event *ev, FILE *f)
{
    char loss[40];
    (void)t;
    fprintf(f, "[Epoch: %d/%d][Valid] >> Loss : %s, Top1: %.3f, Top5: %.3f, Sec: %.1f\n",
            ev->u.valid.epoch, ev->u.valid.epochs, number(loss, sizeof loss, 4, ev->u.valid.loss),
            ev->u.valid.top1, ev->u.valid.top5, ev->u.valid.sec);
}

static void print_checkpoint(struct batch_text *t, const struct event *ev, FILE *f)
{
    (void)t;
    fprintf(f, "[Epoch: %d/%d][Ckpt] >> Saved: %s, Bytes: %lld, Sec: %.2f%s\n", ev->u.ckpt.epoch,
            ev->u.ckpt.epochs, ev->u.ckpt.path, (long long)ev->u.ckpt.bytes, ev->u.ckpt.sec,
            ev->u.ckpt.best ? ", Best: yes" : "");
}

static void print_switch(struct batch_text *t, const struct event *ev, FILE *f)
{
    t->next = -1; /* losses before and after have nothing in common */
    fprintf(f, "[Epoch: %d/%d][Switch] >> From: %s, To: %s, Iter: %lld\n", ev->u.sw.epoch,
            ev->u.sw.epochs, ev->u.sw.from, ev->u.sw.to, (long long)ev->u.sw.giter);
}

static void print_linear(struct batch_text *t, const struct event *ev, FILE *f)
{
    if (t->log_every <= 0 || ev->u.lin.giter % t->log_every != 0)
        return;
    fprintf(f, "[Linear: %06lld][Epoch: %d/%d][Iters: %d/%d=>%lld] >> ", (long long)ev->u.lin.step,
            ev->u.lin.epoch, ev->u.lin.epochs, ev->u.lin.iter, ev->u.lin.iters,
            (long long)ev->u.lin.giter);
    loss_and_acc(f, ev->u.lin.loss, ev->u.lin.acc);
    fprintf(f, ", Lr: %.6f\n", ev->u.lin.lr);
}

static void print_linear_done(struct batch_text *t, const struct event *ev, FILE *f)
{
    char loss[40];
    (void)t;
    fprintf(f, "[Linear: %06lld][Test] >> Loss : %s, Top1: %.3f, Top5: %.3f, Lr: %g, Sec: %.1f\n",
            (long long)ev->u.linres.step, number(loss, sizeof loss, 4, ev->u.linres.loss),
            ev->u.linres.top1, ev->u.linres.top5, ev->u.linres.lr, ev->u.linres.sec);
}

static void print_linear_failed(struct batch_text *t, const struct event *ev, FILE *f)
{
    (void)t;
    fprintf(f, "[Linear] >> Failed: %s\n", ev->u.text);
}

static void print_done(struct batch_text *t, const struct event *ev, FILE *f)
{
    char best[40] = "-"; /* nothing was validated */
    (void)t;
    if (!isnan(ev->u.done.best))
        number(best, sizeof best, 3, ev->u.done.best);
    if (ev->u.done.code != 0 && !ev->u.done.ckpt[0])
        return;
    fprintf(f, "[Done] >> Epochs: %d, Iters: %lld, Best: %s, Ckpt: %s, Sec: %.0f\n",
            ev->u.done.epochs, (long long)ev->u.done.giter, best,
            ev->u.done.ckpt[0] ? ev->u.done.ckpt : "-", ev->u.done.sec);
}

static void (*const printers[EV_N])(struct batch_text *, const struct event *, FILE *) = {
    [EV_SETUP] = print_setup,
    [EV_STATE] = print_state,
    [EV_ITER] = print_iter,
    [EV_VALID] = print_valid,
    [EV_CHECKPOINT] = print_checkpoint,
    [EV_SWITCH] = print_switch,
    [EV_LINEAR_ITER] = print_linear,
    [EV_LINEAR_DONE] = print_linear_done,
    [EV_LINEAR_FAILED] = print_linear_failed,
    [EV_DONE] = print_done,
};

static void print_text(struct batch_text *t, const struct event *ev, FILE *f)
{
    if (!ev->replayed && ev->kind < EV_N && printers[ev->kind])
        printers[ev->kind](t, ev, f);
}

const struct batch_format_class batch_text_class = {"text", print_text};
