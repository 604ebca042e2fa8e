/* Who holds a port, as far as a line of /proc/net/tcp or tcp6 tells.
 *
 * Owns nothing. Those files show listening and connected sockets of every user, but no socket that is bound
 * and does nothing yet, and not whether SO_REUSEPORT is set. */
#ifndef RP_PURE_PORT_HOLDER_H
#define RP_PURE_PORT_HOLDER_H

#include <rp/address.h>

struct rp_port_holder {
    bool found;
    bool listening;            /* otherwise a connection whose own end is this port */
    struct rp_address address; /* as far as the file shows it: v6only and the scope are missing */
    unsigned uid;              /* of the user who opened it */
    unsigned long inode;       /* 0 when no process has it any more */
    int pid;                   /* 0 when not found; filled by the caller */
};

/* Reads one line; `family` is AF_INET for tcp, AF_INET6 for tcp6. False when the line is no socket (the
 * heading), or one that does not stand in the way of binding `address`. */
bool rp_port_holder_parse_line(struct rp_port_holder *ret_holder, const char *line, int family,
                               const struct rp_address *address);

/* True for a line of a connected socket. In those files all listeners stand before the first one. */
bool rp_port_holder_is_connection_line(const char *line);

/* True when a listener on `address` would take connections from the holder, who listens: the same address, or
 * one that shadows it. What the file does not show is taken for harmless. */
bool rp_port_holder_would_lose(const struct rp_port_holder *holder, const struct rp_address *address);

/* True when `a` explains a refused bind better than `b`, for a process of user `own_uid`. */
bool rp_port_holder_is_better(const struct rp_port_holder *a, const struct rp_port_holder *b,
                              unsigned own_uid);

#endif
