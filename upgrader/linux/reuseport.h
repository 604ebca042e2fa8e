/* The steering program of a SO_REUSEPORT group: attach, detach, and waiting until the last packet that saw
 * the program before has gone.
 *
 * Owns nothing. Any listening socket of the group will do as `fd`, also a duplicate; no privilege is needed.
 * Nothing but steering is in this file, so that a build for tests can be linked without it. Thread-safe. */
#ifndef RPCTL_REUSEPORT_H
#define RPCTL_REUSEPORT_H

#include <linux/filter.h>
#include <rp/error.h>
#include <stddef.h>

/* Replaces the group's program, if any, in one step: each SYN sees the old one or the new one. Precondition:
 * 1 <= length <= BPF_MAXINSNS. */
int rpctl_reuseport_attach(int fd, const struct sock_filter *code, size_t length, struct rp_error *error);

/* Removes the program, so that the kernel's own hash spreads over all members. Fine when there is none. */
int rpctl_reuseport_detach(int fd, struct rp_error *error);

/* Returns when no packet is under way any more that saw a program replaced, or a group changed, before the
 * call: an RCU grace period, some milliseconds. -ENOTSUP where this kernel gives this process no way to wait
 * for that. */
int rpctl_reuseport_settle(struct rp_error *error);

#endif
