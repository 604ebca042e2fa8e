/* The datagrams of the sd_notify protocol: text, and descriptors beside it.
 *
 * Owns one socket. Is connected, because only a connected socket can wait in poll() for room in the
 * receiver's queue; when the receiver has been replaced by another on the same address it connects again. Not
 * thread-safe. */
#ifndef RP_LINUX_NOTIFY_H
#define RP_LINUX_NOTIFY_H

#include <rp/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct rp_notify {
    int fd; /* -1: nobody wants to be notified */
    bool connected;
    struct sockaddr_un address;
    socklen_t address_length;
};

/* `address` is NOTIFY_SOCKET, or NULL: then every send succeeds and does nothing. Does not connect yet.
 * -EINVAL, -ENAMETOOLONG, or what socket() says. */
int rp_notify_init(struct rp_notify *notify, const char *address, struct rp_error *error);
void rp_notify_done(struct rp_notify *notify);

/* The next send goes to whoever has the address then, though the receiver of the last one may still be there.
 */
void rp_notify_reconnect(struct rp_notify *notify);

/* Sends `text` and up to RP_LISTENERS_MAX descriptors in one datagram. With wait_ms 0 it never blocks.
 * Otherwise it waits so long for room in the receiver's queue, or for the receiver to be there. 0, or the
 * negative errno of the last try (-EAGAIN: no room). */
int rp_notify_send(struct rp_notify *notify, const char *text, const int *fds, size_t fd_count,
                   unsigned wait_ms);

#endif
