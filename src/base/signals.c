/* Signals as things to read: see signals.h. */
#include "base/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int always[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, 0};
static const int with_terminal[] = {SIGTSTP, SIGCONT, SIGWINCH, SIGQUIT, 0};

static bool ignored(int sig)
{
    struct sigaction old;
    return sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

/* A signal that is blocked arrives here even when it is ignored: those are left as they are. */
static void add(sigset_t *set, const int *list)
{
    for (int i = 0; list[i]; i++)
        if (!ignored(list[i]))
            sigaddset(set, list[i]);
}

int signals_open(bool terminal, struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    add(&set, always);
    if (terminal)
        add(&set, with_terminal);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc != 0)
        return err_errno(e, EXIT_OS, rc, "cannot block signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_errno(e, EXIT_OS, errno, "cannot watch signals");
    return fd;
}

void signals_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n;
    do
        n = read(fd, &info, sizeof info);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void signals_die(int sig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    signal(sig, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(sig);
    _exit(128 + sig); /* only where the signal could not be delivered */
}
