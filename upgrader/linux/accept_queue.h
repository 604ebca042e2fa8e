/* The accept queue of a listener: connections whose handshake is done and which nobody has accepted yet.
 *
 * Owns nothing. Thread-safe. */
#ifndef RPCTL_ACCEPT_QUEUE_H
#define RPCTL_ACCEPT_QUEUE_H

#include <rp/error.h>

struct rpctl_accept_queue {
    unsigned waiting; /* now */
    unsigned limit;   /* the backlog, as cut by net.core.somaxconn */
};

/* Any descriptor of the listener will do. -EINVAL when the socket is not listening (any more). */
int rpctl_accept_queue_read(int fd, struct rpctl_accept_queue *ret_queue, struct rp_error *error);

#endif
