/* The progress bar: see bar.h. */
#include "cmd/bar.h"

#include "base/file.h"
#include "base/log.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { REDRAW_USEC = 250000, WIDTH_MAX = 200, BLOCKS = 20 };

struct bar {
    pthread_mutex_t lock;
    bool shown; /* wanted at all */
    bool drawn; /* on the line now */
    int64_t drawn_at;
    int log_sink;
    char text[WIDTH_MAX];
};

static bool in_front(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp() && term &&
           strcmp(term, "dumb") != 0;
}

static int width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX - 1;
}

/* Lock held. */
static void erase(struct bar *b)
{
    if (b->drawn)
        fputs("\r\033[K", stderr);
    b->drawn = false;
}

static void on_log(void *ctx, enum log_level level, const char *line)
{
    static const char *const word[] = {"", "warning: ", "error: "};
    struct bar *b = ctx;
    pthread_mutex_lock(&b->lock);
    erase(b);
    fprintf(stderr, "supcon: %s%s\n", word[level], line);
    pthread_mutex_unlock(&b->lock);
}

struct bar *bar_new(const char *when)
{
    struct bar *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    b->shown = !strcmp(when, "always") || (!strcmp(when, "auto") && in_front());
    b->log_sink = log_add(on_log, b);
    return b;
}

static void blocks(char out[BLOCKS + 1], double share)
{
    int full = (int)(share * BLOCKS);
    for (int i = 0; i < BLOCKS; i++)
        out[i] = i < full ? '#' : '.';
    out[BLOCKS] = '\0';
}

static void describe_iter(struct bar *b, const struct event *ev)
{
    char bar[BLOCKS + 1], left[32] = "";
    double all = (double)ev->u.iter.epochs * ev->u.iter.iters;
    double share = all > 0 ? (double)(ev->u.iter.giter + 1) / all : 0;
    long s = isfinite(ev->u.iter.eta_s) ? lround(ev->u.iter.eta_s) : -1;
    blocks(bar, share);
    if (s >= 0)
        snprintf(left, sizeof left, " eta %ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    snprintf(b->text, sizeof b->text,
             "[%s] %3.0f%% epoch %d/%d iter %d/%d loss %.4f %.0f views/s%s", bar, 100 * share,
             ev->u.iter.epoch, ev->u.iter.epochs, ev->u.iter.iter, ev->u.iter.iters,
             ev->u.iter.loss, ev->u.iter.views_per_s, left);
}

static void describe_linear(struct bar *b, const struct event *ev)
{
    char bar[BLOCKS + 1];
    double all = (double)ev->u.lin.epochs * ev->u.lin.iters;
    double share = all > 0 ? (double)(ev->u.lin.giter + 1) / all : 0;
    blocks(bar, share);
    snprintf(b->text, sizeof b->text, "[%s] %3.0f%% linear evaluation, epoch %d/%d loss %.4f", bar,
             100 * share, ev->u.lin.epoch, ev->u.lin.epochs, ev->u.lin.loss);
}

static void describe_phase(struct bar *b, const struct event *ev)
{
    snprintf(b->text, sizeof b->text, "%s", ev->u.text);
}

static void describe_state(struct bar *b, const struct event *ev)
{
    if (ev->u.state.state != STATE_RUNNING)
        snprintf(b->text, sizeof b->text, "%s", engine_state_name(ev->u.state.state));
}

static void (*const describe[EV_N])(struct bar *, const struct event *) = {
    [EV_ITER] = describe_iter,
    [EV_LINEAR_ITER] = describe_linear,
    [EV_PHASE] = describe_phase,
    [EV_STATE] = describe_state,
};

static void draw(struct bar *b)
{
    int64_t now = clock_usec();
    if (now - b->drawn_at < REDRAW_USEC || !b->text[0])
        return;
    fprintf(stderr, "\r%.*s\033[K", width() - 1, b->text);
    fflush(stderr);
    b->drawn = true;
    b->drawn_at = now;
}

void bar_event(struct bar *b, const struct event *ev)
{
    if (!b->shown || ev->replayed || ev->kind >= EV_N || !describe[ev->kind])
        return;
    pthread_mutex_lock(&b->lock);
    describe[ev->kind](b, ev);
    draw(b);
    pthread_mutex_unlock(&b->lock);
}

void bar_erase(struct bar *b)
{
    pthread_mutex_lock(&b->lock);
    erase(b);
    pthread_mutex_unlock(&b->lock);
}

void bar_free(struct bar *b)
{
    if (!b)
        return;
    log_remove(b->log_sink);
    bar_erase(b);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
