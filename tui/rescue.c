/* Giving the terminal back; see rescue.h. Only what signal-safety(7) allows happens in the handler.
 */
#include "tui/rescue.h"

#include <poll.h>
#include <curses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static struct {
    volatile sig_atomic_t armed;
    bool registered;
    int tty, captured;
    struct termios modes;
    char bytes[256]; /* to be written */
    size_t n;
    char words[1400]; /* last line */
    size_t n_words;
    char *stack;
} rescue = {.captured = -1};

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

static int collect(int c)
{
    if (rescue.n < sizeof rescue.bytes)
        rescue.bytes[rescue.n++] = (char)c;
    return c;
}

static void render(const char *capability)
{
    if (capability && capability != (char *)-1)
        tputs(capability, 1, collect);
}

static void put(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(rescue.tty, bytes, n);
        if (done <= 0)
            return;
        bytes += done;
        n -= (size_t)done;
    }
}

static void restore(void)
{
    put(rescue.bytes, rescue.n);
    tcsetattr(rescue.tty, TCSANOW, &rescue.modes);
}

/* What libraries wrote last, without what could steer the terminal. */
static void show_captured(void)
{
    char text[512];
    ssize_t n;
    while (rescue.captured >= 0 && (n = read(rescue.captured, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if ((unsigned char)text[i] < 0x20 && text[i] != '\n')
                text[i] = '?';
        put(text, (size_t)n);
    }
}

static void on_fatal(int sig)
{
    if (rescue.armed) {
        rescue.armed = 0;
        restore();
        show_captured();
        put(rescue.words, rescue.n_words);
    }
    raise(sig); /* SA_RESETHAND: now it has its default action */
}

void rescue_now(void)
{
    struct pollfd fd = {.fd = rescue.tty, .events = POLLOUT};
    if (rescue.armed && poll(&fd, 1, 0) == 1 && (fd.revents & (POLLERR | POLLHUP)) == 0)
        restore();
    rescue.armed = 0;
}

static void at_exit(void)
{
    if (rescue.armed)
        restore();
    rescue.armed = 0;
}

void rescue_save(int tty)
{
    tcgetattr(tty, &rescue.modes);
}

static void set_stack(void)
{
    size_t size = (size_t)SIGSTKSZ + 16384;
    if (!rescue.stack && (rescue.stack = malloc(size)))
        sigaltstack(&(stack_t){.ss_sp = rescue.stack, .ss_size = size}, NULL);
}

void rescue_arm(int tty)
{
    struct sigaction action = {.sa_handler = on_fatal,
                               .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};
    rescue.tty = tty;
    rescue.n = 0;
    render(exit_attribute_mode);
    render(cursor_normal);
    render(keypad_local);
    render(exit_ca_mode);
    rescue_run("");
    set_stack();
    rescue.armed = 1;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &action, NULL);
    if (!rescue.registered)
        rescue.registered = atexit(at_exit) == 0;
}

void rescue_disarm(void)
{
    rescue.armed = 0;
    rescue.captured = -1;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], SIG_DFL);
}

void rescue_output(int fd)
{
    rescue.captured = fd;
}

void rescue_run(const char *dir)
{
    int n =
        snprintf(rescue.words, sizeof rescue.words,
                 "supcon: ended by a fatal signal; complete checkpoints and the log are in %s\n",
                 dir[0] ? dir : "the run directory");
    rescue.n_words = n > 0 && (size_t)n < sizeof rescue.words ? (size_t)n : 0;
}
