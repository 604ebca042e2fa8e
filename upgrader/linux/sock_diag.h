/* The kernel's list of TCP sockets on a local address (NETLINK_SOCK_DIAG): who listens there, which
 * handshakes are half-open, which connections are established.
 *
 * Each call opens and closes a netlink socket of its own; lists belong to the caller. No privilege is needed.
 * Only sockets of the calling thread's network namespace are seen. Thread-safe. */
#ifndef RPCTL_SOCK_DIAG_H
#define RPCTL_SOCK_DIAG_H

/* The kernel has a header of this name, which ours stands in front of: whoever wants that one gets both. */
#include_next <linux/sock_diag.h>
#include <rp/address.h>
#include <rp/error.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RPCTL_DIAG_ENTRIES_MAX (4u << 20) /* sockets in one list */

struct rpctl_endpoint {
    uint8_t address[16]; /* network order; IPv4 as IPv4-mapped IPv6 */
    uint16_t port;       /* host order */
};

struct rpctl_diag_entry {
    uint64_t inode;  /* 0 for a half-open handshake and for a connection that nobody has accepted yet */
    uint64_t cookie; /* never used twice */
    uid_t uid;
    unsigned device; /* index of the interface the socket is bound to, 0 = none */
    struct rpctl_endpoint local;
    struct rpctl_endpoint remote;
};

struct rpctl_diag_list {
    struct rpctl_diag_entry *entries;
    size_t count;
};

/* The listeners bound to exactly this address, that is: the members of its group and, if any, those bound to
 * an interface. In no useful order. */
int rpctl_sock_diag_listeners(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                              struct rp_error *error);

/* The handshakes under way (SYN_RECV), or the established connections, that a listener on `address` can have
 * answered: with a wildcard, those to any local address of that port; a dual-stack one covers both families.
 * Connections waiting in an accept queue are established. */
int rpctl_sock_diag_half_open(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                              struct rp_error *error);
int rpctl_sock_diag_established(const struct rp_address *address, struct rpctl_diag_list *ret_list,
                                struct rp_error *error);

/* As above, without the list. */
int rpctl_sock_diag_count_established(const struct rp_address *address, size_t *ret_count,
                                      struct rp_error *error);

/* Idempotent. */
void rpctl_diag_list_free(struct rpctl_diag_list *list);

#endif
