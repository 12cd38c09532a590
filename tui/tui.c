/*
 * The console on a terminal: one poll loop over keys, events, signals and captured output. Nothing
 * is drawn when nothing has changed; keys are answered at once, events at most ten times a second,
 * four over ssh. When the terminal goes, the loop goes on without it.
 */
#include "tui/tui.h"

#include "tui/capture.h"
#include "tui/console.h"
#include "tui/display.h"
#include "tui/ending.h"
#include "tui/folder.h"
#include "tui/keys.h"
#include "tui/rescue.h"

#include "base/log.h"
#include "base/signals.h"
#include "engine/engine.h"

#include <curses.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_USEC = 100000, FRAME_SSH_USEC = 250000, SECOND_MS = 1000, ECHO_USEC = 100000 };

struct tui {
    struct engine *engine;
    struct watcher *watcher;
    struct console console;
    struct display display;
    struct capture capture;
    struct folder folder;
    int signals;
    bool headless, ended, urgent;
    int64_t drawn, frame; /* microseconds */
    bool *began;
    int64_t terminated; /* when SIGTERM came first, microseconds */
};

static int64_t now_usec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool post(void *ctx, const struct command *command)
{
    return engine_post(((struct tui *)ctx)->engine, command) != 0;
}

static void silence(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; nothing >= 0 && i < 3; i++)
        dup2(nothing, i);
    if (nothing > 2)
        close(nothing);
}

/* From here on there is no screen: nobody could end a run that waits, or resume one. */
static void go_headless(struct tui *t)
{
    const char *dir = t->console.model.dir;
    long pid = getpid();
    t->headless = true;
    log_info("the run goes on without a screen; kill -TERM %ld saves and ends it, then supcon "
             "--resume %s brings it back",
             pid, dir[0] ? dir : "RUN");
    capture_stop(&t->capture);
    silence();
    if (t->console.model.state == STATE_PAUSED)
        post(t, &(struct command){.kind = CMD_RESUME});
    if (t->console.model.state == STATE_STOPPED)
        post(t, &(struct command){.kind = CMD_STOP});
}

static void lose_terminal(struct tui *t)
{
    if (t->headless)
        return;
    rescue_now(); /* the signal may have come from elsewhere, with the terminal still there */
    display_drop(&t->display);
    silence(); /* before what is captured is written out */
    go_headless(t);
}

static void detach(struct tui *t)
{
    const char *dir = t->console.model.dir;
    long pid = getpid();
    display_close(&t->display);
    capture_stop(&t->capture);
    printf("supcon: the run goes on without a screen, in %s\n"
           "Ctrl-Z and then bg give the shell back; tail -f %s/metrics.jsonl follows it,\n"
           "and %s/run.log tells how it ended. To come back, save and end it, then resume:\n"
           "  kill -TERM %ld\n"
           "  supcon --resume %s\n",
           dir, dir, dir, pid, dir);
    fflush(stdout);
    go_headless(t);
}

static void suspend(struct tui *t)
{
    if (t->headless) {
        kill(getpid(), SIGSTOP);
        return;
    }
    display_suspend(&t->display);
    kill(getpid(), SIGSTOP); /* goes on here when the shell continues us */
    display_resume(&t->display);
    display_resize(&t->display, NULL);
    t->urgent = t->console.dirty = true;
}

static void ask_stop(struct tui *t, int code)
{
    console_post(&t->console, &(struct command){.kind = CMD_STOP, .code = code});
}

static void leave_terminal(struct tui *t)
{
    if (t->headless)
        return;
    display_close(&t->display);
    capture_stop(&t->capture);
}

static void on_resize(struct tui *t)
{
    if (!t->headless)
        display_resize(&t->display, NULL);
    t->console.dirty = true;
}

static void on_continue(struct tui *t)
{
    if (!t->headless)
        display_resume(&t->display);
    t->console.dirty = true;
}

static void on_interrupt(struct tui *t)
{
    if (t->headless)
        ask_stop(t, 0);
    else
        console_key(&t->console, K_CTRL('c'));
    t->urgent = true;
}

static void on_again(struct tui *t)
{
    ask_stop(t, EXIT_AGAIN);
}

/* Once more ends at once; launchers that pass a signal on to a group that has it already do not. */
static void on_terminate(struct tui *t)
{
    int64_t now = now_usec();
    if (!t->terminated) {
        t->terminated = now;
        on_again(t);
    } else if (now - t->terminated >= ECHO_USEC) {
        leave_terminal(t);
        ending_tell(&t->console.model, !t->headless);
        signals_die(SIGTERM);
    }
}

static void on_save(struct tui *t)
{
    console_post(&t->console, &(struct command){.kind = CMD_SAVE});
}

static const struct {
    int signal;
    void (*act)(struct tui *);
} reactions[] = {
    {SIGINT, on_interrupt}, {SIGTERM, on_terminate}, {SIGUSR1, on_again},
    {SIGXCPU, on_again},    {SIGUSR2, on_save},      {SIGHUP, lose_terminal},
    {SIGTSTP, suspend},     {SIGCONT, on_continue},  {SIGWINCH, on_resize},
};

static void take_signals(struct tui *t)
{
    for (int sig; (sig = signals_next(t->signals)) != 0;)
        for (size_t i = 0; i < sizeof reactions / sizeof *reactions; i++)
            if (reactions[i].signal == sig)
                reactions[i].act(t);
}

static void take_events(struct tui *t)
{
    struct event e;
    while (watcher_next(t->watcher, &e)) {
        console_event(&t->console, &e);
        if (e.kind == EV_RUN)
            rescue_run(e.u.run.dir);
        if (e.kind == EV_DONE)
            t->ended = true;
        if (e.kind == EV_STATE && e.u.state.state == STATE_RUNNING && t->began)
            *t->began = true;
        if (t->headless && e.kind == EV_STATE && t->console.model.trained)
            ask_stop(t, 0);
    }
}

static void take_keys(struct tui *t)
{
    int key = K_NONE;
    while (!t->headless && (key = display_key(&t->display)) > 0) {
        console_key(&t->console, key);
        t->urgent = true;
    }
    if (key < 0)
        lose_terminal(t);
}

static void take_noise(void *ctx, const char *line)
{
    console_noise(&((struct tui *)ctx)->console, line);
}

static void take_found(void *ctx, const struct event *e)
{
    console_event(&((struct tui *)ctx)->console, e);
}

/* What keys and dialogs have asked for. */
static void obey(struct tui *t)
{
    struct console *c = &t->console;
    if (t->headless)
        return;
    if (c->leave == LEAVE_KILL) {
        leave_terminal(t);
        ending_tell(&t->console.model, true);
        signals_die(SIGINT);
    }
    if (c->suspend)
        suspend(t);
    if (c->repaint)
        display_repaint(&t->display);
    if (c->leave == LEAVE_DETACH)
        detach(t);
    c->suspend = c->repaint = false;
    c->leave = LEAVE_NO;
}

static void draw(struct tui *t, int64_t now)
{
    console_draw(&t->console, &t->display.canvas);
    display_show(&t->display);
    t->console.dirty = t->urgent = false;
    t->drawn = now;
}

/* Draws if it is time to; returns for how many milliseconds there is nothing to do, -1: for ever.
 */
static int pace(struct tui *t)
{
    int64_t now = now_usec(), wait;
    if (t->headless)
        return -1;
    console_tick(&t->console, now);
    folder_look(&t->folder, &t->console.model, now, take_found, t);
    wait = t->drawn + t->frame - now;
    if (wait > t->frame) /* the clock was set back */
        wait = 0;
    if (t->console.dirty && (t->urgent || wait <= 0)) {
        if (display_pending(&t->display) > 0 && !t->urgent)
            return (int)(t->frame / 1000); /* the terminal has not taken the last frame yet */
        draw(t, now);
    }
    if (t->console.dirty)
        return (int)(wait / 1000) + 1;
    return SECOND_MS;
}

static void loop(struct tui *t)
{
    while (!t->ended) {
        int timeout = pace(t);
        struct pollfd fd[] = {{.fd = watcher_fd(t->watcher), .events = POLLIN},
                              {.fd = t->signals, .events = POLLIN},
                              {.fd = t->headless ? -1 : t->display.in, .events = POLLIN},
                              {.fd = t->headless ? -1 : t->capture.fd, .events = POLLIN}};
        poll(fd, 4, timeout);
        take_signals(t);
        if (!t->headless && fd[2].revents)
            take_keys(t);
        if (!t->headless && fd[3].revents)
            capture_read(&t->capture, take_noise, t);
        take_events(t);
        obey(t);
    }
}

const char *tui_glyphs(int i)
{
    return glyphs_wish(i);
}

const char *tui_color(int i)
{
    static const char *const names[] = {"auto", "always", "never", NULL};
    return names[i];
}

/* An option is refused before; of a variable, which may be meant for another version, one is told.
 */
static void check_variable(struct tui *t, const struct tui_options *o)
{
    const char *value = getenv("SUPCON_GLYPHS");
    struct event e = {.kind = EV_LOG, .usec = now_usec()};
    for (int i = 0; value && *value && glyphs_wish(i); i++)
        if (strcmp(glyphs_wish(i), value) == 0)
            return;
    if (!value || !*value || (o->glyphs && strcmp(o->glyphs, "auto") != 0))
        return;
    e.u.log.level = LOG_WARN;
    snprintf(e.u.log.line, sizeof e.u.log.line,
             "SUPCON_GLYPHS=%.60s: there is no such set; auto is used. Others are %s, %s and %s",
             value, glyphs_wish(1), glyphs_wish(2), glyphs_wish(3));
    console_event(&t->console, &e);
}

/* Everything that can fail before the engine runs. */
static int set_up(struct tui *t, const struct tui_options *o, struct err *e)
{
    struct console_options console = {.post = post, .ctx = t, .objectives = objective_classes};
    setlocale(LC_CTYPE, "");
    t->frame = getenv("SSH_CONNECTION") || getenv("SSH_TTY") ? FRAME_SSH_USEC : FRAME_USEC;
    t->signals = signals_open(true, e);
    if (t->signals < 0 || console_init(&t->console, &console, e) != 0)
        return -1;
    if (display_open(&t->display, STDIN_FILENO, STDOUT_FILENO, o, e) != 0)
        return -1;
    if (capture_start(&t->capture, e) != 0)
        return -1;
    rescue_output(t->capture.fd);
    check_variable(t, o);
    console_tick(&t->console, now_usec());
    draw(t, now_usec());
    t->watcher = engine_watch(t->engine, true);
    return t->watcher ? engine_run(t->engine, e)
                      : err_set(e, EXIT_OS, "too many watch the engine already");
}

static void tear_down(struct tui *t)
{
    const struct model *m = &t->console.model;
    if (!t->headless) {
        display_close(&t->display);
        capture_stop(&t->capture);
    }
    if (m->finished)
        ending_tell(m, !t->headless);
    console_done(&t->console);
    signals_close(t->signals);
}

int tui_main(struct engine *engine, const struct tui_options *o, struct err *e)
{
    struct tui *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(e, EXIT_OS, "out of memory for the console");
    t->engine = engine;
    t->began = o->began;
    t->capture.fd = t->signals = -1;
    int rc = set_up(t, o, e);
    if (rc == 0) {
        loop(t);
        rc = engine_join(engine, e);
    }
    tear_down(t);
    free(t);
    return e->code ? -1 : rc;
}

/* What the description of the terminal lacks; NULL: nothing. */
static const char *terminal_lacks(void)
{
    int problem;
    if (setupterm(NULL, STDOUT_FILENO, &problem) != OK)
        return "the terminal type in TERM is not known";
    bool movable = cursor_address && clear_screen;
    del_curterm(cur_term);
    return movable ? NULL : "the terminal cannot move its cursor";
}

bool tui_possible(const char **why)
{
    const char *term = getenv("TERM");
    if (!isatty(STDIN_FILENO))
        *why = "standard input is not a terminal";
    else if (!isatty(STDOUT_FILENO))
        *why = "standard output is not a terminal";
    else if (!term || !*term)
        *why = "TERM is not set";
    else
        *why = terminal_lacks();
    return *why == NULL;
}
