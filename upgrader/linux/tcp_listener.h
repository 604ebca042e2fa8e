/* What a descriptor must be to take part in an upgrade: a plain TCP listener with SO_REUSEPORT.
 *
 * Owns nothing. Thread-safe. */
#ifndef RPCTL_TCP_LISTENER_H
#define RPCTL_TCP_LISTENER_H

#include <rp/address.h>
#include <rp/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rpctl_tcp_listener {
    uint64_t id; /* inode */
    struct rp_address address;
    unsigned device; /* index of the interface it is bound to, 0 = none; part of what makes a group */
    bool hidden;     /* … or was, before it was taken out of sight */
    uid_t user;      /* who made the socket: a group belongs to one user */
};

/* Errors, each with address (where there is one) and remedy: -ENOTSOCK, -EPROTONOSUPPORT (not TCP),
 * -EOPNOTSUPP (MPTCP), -EINVAL (not listening), -ENOPROTOOPT (without SO_REUSEPORT). Any other says that it
 * could not be told. */
int rpctl_tcp_listener_inspect(int fd, struct rpctl_tcp_listener *ret_listener, struct rp_error *error);

/* Takes a listener out of sight of new connections, for good, without taking it out of its group: it is bound
 * to an interface that does not exist, so the kernel's lookup passes it by. What is queued or half-open goes
 * on. Whoever finds it later can tell (rpctl_tcp_listener_device), for the supervisor that has hidden it may
 * be dead by then, and the process that has it open not.
 *
 * Why: a SYN is looked up along a chain of all listeners of the port, and the first that fits leads to its
 * group, and so to the steering program. While a listener closes there is a moment at which it has left the
 * group and is still in the chain (inet_unhash); a SYN that meets it first, then, is taken by the closing
 * listener itself and lost, or sent again a second later. IPv6 listeners stand in the chain in listen()
 * order, so the oldest is met by every SYN; of IPv4 it is the youngest. Measured under load: 99 of 20,000
 * closes; none when it was out of sight for a grace period before.
 *
 * Best effort: before Linux 5.7, and for a listener that is bound to an interface, it needs CAP_NET_RAW. */
void rpctl_tcp_listener_hide(int fd);

/* The interface that a listener belongs to which is bound to `bound` (SO_BINDTOIFINDEX, or as sock_diag(7)
 * has it); ret_hidden may be NULL. */
unsigned rpctl_tcp_listener_device(unsigned bound, bool *ret_hidden);

/* *ret_listening is false when the socket has been shut down: it has left its group, though descriptors of it
 * are open. */
int rpctl_tcp_listener_is_listening(int fd, bool *ret_listening, struct rp_error *error);

#endif
