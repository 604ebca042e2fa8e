/* SIGINT and SIGTERM as something that can be waited for together with a socket.
 *
 * Owns a signalfd and, while it is open, the blocking of the two signals in the calling thread. */
#ifndef RPCTL_INTERRUPT_H
#define RPCTL_INTERRUPT_H

#include <rp/error.h>
#include <signal.h>

struct rpctl_interrupt {
    int fd; /* readable when a signal came; -1 = closed */
    sigset_t before;
};

int rpctl_interrupt_open(struct rpctl_interrupt *ret_interrupt, struct rp_error *error);

/* The number of a signal that came, or 0. Does not block. */
int rpctl_interrupt_take(struct rpctl_interrupt *interrupt);

/* Restores the blocking as it was; a signal that came and was not taken acts then. Idempotent. */
void rpctl_interrupt_close(struct rpctl_interrupt *interrupt);

#endif
