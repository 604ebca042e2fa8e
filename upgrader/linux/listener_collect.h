/* The listeners of a process that tells nothing about itself: looked up in /proc, duplicated with
 * pidfd_getfd. */
#ifndef RPCTL_LISTENER_COLLECT_H
#define RPCTL_LISTENER_COLLECT_H

#include <rp/address.h>
#include <rp/error.h>
#include <rp/listener.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rpctl_collected {
    size_t count;
    int fds[RP_LISTENERS_MAX];      /* duplicates, close-on-exec, the caller's */
    uint64_t ids[RP_LISTENERS_MAX]; /* inodes */
    struct rp_address addresses[RP_LISTENERS_MAX];
    char unfit[RP_ERROR_MESSAGE_BYTES]; /* why a listener was left out, e.g. no SO_REUSEPORT; "" = none was */
    /* One that was left out would be in the way of a second version: steering does not reach it (MPTCP), or
     * bind() fails for everybody else. Not one without SO_REUSEPORT on a port that the kernel has chosen
     * (net.ipv4.ip_local_port_range): the second version gets another. */
    bool bars;
    struct rp_address bar;
};

/* Every TCP listener with SO_REUSEPORT that `pid` or one of its descendants has open, each once. None is no
 * error: it may not listen yet. -EPERM with the remedy when descriptors may not be taken; -ENOSPC for more
 * than RP_LISTENERS_MAX. On error nothing is left open. */
int rpctl_listeners_collect(pid_t pid, struct rpctl_collected *ret_collected, struct rp_error *error);

/* Closes what is left in it; idempotent. */
void rpctl_collected_close(struct rpctl_collected *collected);

/* Moves to `collected` what is in `more` and not in it, as far as there is room. */
void rpctl_collected_join(struct rpctl_collected *collected, struct rpctl_collected *more);

/* Moves what is in it to the heap, for rpctl_collected_free; NULL when memory is short, and it stays. */
struct rpctl_collected *rpctl_collected_move(struct rpctl_collected *collected);
void rpctl_collected_free(struct rpctl_collected *collected); /* NULL is fine */

#endif
