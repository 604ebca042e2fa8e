/* Taking connections from a listening socket, also when there is no descriptor left for them.
 *
 * A process out of descriptors cannot even refuse: the connection stays in the accept queue, the listener
 * stays readable, and the loop spins. So one descriptor is kept in reserve (the spare); it is given up for a
 * moment to take a connection, tell it 503, and close it. */
#ifndef RP_LINUX_ACCEPT_H
#define RP_LINUX_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum rp_accepted {
    RP_ACCEPTED,       /* *ret_fd is the caller's: non-blocking, close-on-exec */
    RP_ACCEPT_EMPTY,   /* nobody waits */
    RP_ACCEPT_LOST,    /* the one that waited has gone: try the next */
    RP_ACCEPT_NO_FD,   /* EMFILE, ENFILE: use rp_accept_shed */
    RP_ACCEPT_TROUBLE, /* no memory, or the listener is broken: try again later */
};

/* *ret_errno is set for NO_FD and TROUBLE. */
enum rp_accepted rp_accept(int listener_fd, int *ret_fd, struct sockaddr_storage *ret_peer, int *ret_errno);

/* A descriptor for the reserve, or -1. */
int rp_accept_spare(void);

/* Takes one connection at the price of *spare, tells it 503 and closes it. RP_ACCEPT_TROUBLE: there was no
 * spare and none was to be had, or somebody else was faster. *spare may be -1 before and after. */
enum rp_accepted rp_accept_shed(int listener_fd, int *spare);

/* Tells an accepted connection 503 without waiting, and closes it. */
void rp_accept_refuse(int fd);

/* Accepted sockets inherit it from the listener on Linux: one call per listener and none per connection. */
void rp_accept_set_nodelay(int listener_fd);

/* Takes what has come already. 0: nothing yet, or the end or an error, which reading finds again. */
size_t rp_socket_take(int fd, void *bytes, size_t size);

/* What the socket takes at once: bytes, or -EAGAIN, -EPIPE, -ECONNRESET. */
ssize_t rp_socket_give(int fd, const void *bytes, size_t size);

/* Bytes, or the end, wait to be read. */
bool rp_socket_readable(int fd);

/* Bytes that have come and are not read yet. */
size_t rp_socket_unread(int fd);

/* Closing it will be a reset: whoever reads at the other end gets an error and no end of the stream. */
void rp_socket_reset_at_close(int fd);

/* Bytes that were written and that the peer's kernel has not got yet. */
size_t rp_socket_unacknowledged(int fd);

#endif
