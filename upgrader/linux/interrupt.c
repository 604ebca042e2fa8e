#include "linux/interrupt.h"
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

int rpctl_interrupt_open(struct rpctl_interrupt *ret_interrupt, struct rp_error *error)
{
    struct rpctl_interrupt opened;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    opened.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (opened.fd < 0) return rp_error_set(error, -errno, "cannot wait for signals: %s", strerror(errno));
    sigprocmask(SIG_BLOCK, &signals, &opened.before);
    *ret_interrupt = opened;
    return 0;
}

int rpctl_interrupt_take(struct rpctl_interrupt *interrupt)
{
    struct signalfd_siginfo info;
    return read(interrupt->fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

void rpctl_interrupt_close(struct rpctl_interrupt *interrupt)
{
    if (interrupt->fd < 0) return;
    close(interrupt->fd);
    interrupt->fd = -1;
    sigprocmask(SIG_SETMASK, &interrupt->before, NULL);
}
