/* Takes sd_notify datagrams, with the sender's identity and its descriptors, off the notify socket.
 *
 * A received message owns its descriptors until they are taken out or closed. */
#ifndef RPCTL_NOTIFY_RECEIVE_H
#define RPCTL_NOTIFY_RECEIVE_H

#include <rp/error.h>
#include <stddef.h>
#include <sys/types.h>

#define RPCTL_NOTIFY_BYTES_MAX 8192
#define RPCTL_NOTIFY_FDS_MAX   253 /* SCM_MAX_FD */

struct rpctl_notify_message {
    pid_t pid; /* of the process that sent it, by the kernel's word */
    uid_t uid;
    gid_t gid;
    size_t length;
    size_t fd_count;
    int fds[RPCTL_NOTIFY_FDS_MAX];          /* close-on-exec */
    char bytes[RPCTL_NOTIFY_BYTES_MAX + 1]; /* terminated, for debugging; may have NULs inside */
};

/* One datagram from a bound, non-blocking datagram socket with SO_PASSCRED. -EAGAIN: none is left. On the
 * errors that follow the datagram is gone, its descriptors are closed and the next may be read: -EMSGSIZE
 * (more than RPCTL_NOTIFY_BYTES_MAX), -EMFILE (descriptors were lost, for want of free numbers here), -EPROTO
 * (no credentials). Other errors are the socket's own. */
int rpctl_notify_receive(int fd, struct rpctl_notify_message *ret_message, struct rp_error *error);

/* Closes the descriptors that are left in it (those >= 0) and empties the list; idempotent. */
void rpctl_notify_message_close_fds(struct rpctl_notify_message *message);

#endif
