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

/* *ret_listening is false when the socket has been shut down: it has left its group, though descriptors of it
 * are open. */
int rpctl_tcp_listener_is_listening(int fd, bool *ret_listening, struct rp_error *error);

#endif
