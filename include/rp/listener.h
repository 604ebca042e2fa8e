/* The listening sockets of one process: SO_REUSEPORT, non-blocking, close-on-exec.
 *
 * Owns the descriptors. Opening is two steps because between them lies the last moment at which a release
 * with a wrong address can still fail without taking traffic: a socket gets its part of the new connections
 * the instant listen() is called, not at bind(). The order of the listen() calls is the order of the slots in
 * the kernel's group (net/core/sock_reuseport.c), so all of them are made here, on the caller's thread, in
 * the order of `items`. Not thread-safe. */
#ifndef RP_LISTENER_H
#define RP_LISTENER_H

#include <rp/address.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* With one listener per address the supervisor cannot close an older generation's listeners without a window
 * in which a SYN falls on one that nobody serves. */
#define RP_LISTENERS_PER_ADDRESS_MIN 2
#define RP_LISTENERS_MAX             250 /* one SCM_RIGHTS message carries 253 (SCM_MAX_FD) */
#define RP_BACKLOG_DEFAULT           4096

struct rp_listener {
    struct rp_address address; /* with the real port, also when 0 was asked for */
    int fd;
    bool inherited; /* taken over through LISTEN_FDS: it is listening already, perhaps without SO_REUSEPORT (a
                       socket of systemd) */
};

/* All listeners of the first address, then all of the second, … */
struct rp_listeners {
    struct rp_listener *items;
    size_t count;
};

/* Opens `per_address` (at least RP_LISTENERS_PER_ADDRESS_MIN are made) sockets for each address and binds
 * them. Port 0 is resolved by the first bind, the others take the same port.
 *
 * For an address of which LISTEN_FDS (sd_listen_fds(3)) holds listeners, those are taken instead, be they
 * fewer or more than `per_address`: each must be served, for connections may wait in its queue. Descriptors
 * there that are no TCP listeners on one of the addresses are an error. LISTEN_* is taken out of the
 * environment, so call this before other threads run.
 *
 * Errors name address, reason and remedy: -EADDRINUSE (held by another user, by a socket without
 * SO_REUSEPORT, or by a connection), -EACCES (privileged port), -EADDRNOTAVAIL, -EAFNOSUPPORT, -EMFILE;
 * -EINVAL for no address, the same one twice, or malformed LISTEN_*; -E2BIG for more than RP_LISTENERS_MAX.
 * On error nothing stays open, but with -EBADF (LISTEN_FDS counts a descriptor that is not open, so none of
 * them is known to be ours) no descriptor of LISTEN_FDS is closed. */
int rp_listeners_bind(struct rp_listeners *ret_listeners, const struct rp_address *addresses, size_t count,
                      unsigned per_address, struct rp_error *error);

/* The check between bind and listen: every address of `expected` (the old generation's, RP_LISTEN) must be
 * bound, unless allow_drop; and no bound address may shadow one of `expected` (rp_address_shadows), ever, but
 * one that is in `expected` itself, whose group is pinned too. Pure. -EADDRNOTAVAIL with a message that names
 * the address and the remedy. */
int rp_listeners_check(const struct rp_listeners *listeners, const struct rp_address *expected, size_t count,
                       bool allow_drop, struct rp_error *error);

/* listen() on every socket that is not inherited, in order. `backlog` is cut by net.core.somaxconn. Errors as
 * rp_listeners_bind; the earlier ones are listening then, and the caller closes all. */
int rp_listeners_listen(struct rp_listeners *listeners, int backlog, struct rp_error *error);

/* Closes all and empties the struct; idempotent. Closing a listener resets what is in its accept queue,
 * unless a duplicate of the descriptor is open elsewhere (under rpctl the supervisor holds one). */
void rp_listeners_close(struct rp_listeners *listeners);

#ifdef __cplusplus
}
#endif

#endif
