/* Unix sockets inside a directory that is held open, however long its path is.
 *
 * A socket's address takes 107 bytes; here it is /proc/self/fd/<dir_fd>/<name>, which is short and cannot be
 * led astray by somebody who exchanges a directory of the path. Every descriptor is close-on-exec and the
 * caller's. */
#ifndef RPCTL_UNIX_SOCKET_H
#define RPCTL_UNIX_SOCKET_H

#include <rp/error.h>
#include <sys/socket.h>

/* Binds `name` with mode 0600 from its first moment; `type` is SOCK_STREAM or SOCK_SEQPACKET (then it
 * also listens) or SOCK_DGRAM (then it has SO_PASSCRED, so that no message comes without its sender's pid).
 * Non-blocking. A socket that a dead process left there is replaced, so the caller must hold the directory's
 * lock. -EEXIST when something else than a socket is there. */
int rpctl_unix_socket_bind(int dir_fd, const char *name, int type, int *ret_fd, struct rp_error *error);

/* Connects a blocking stream socket. -ENOENT: no such socket; -ECONNREFUSED: nobody listens; -EACCES. */
int rpctl_unix_socket_connect(int dir_fd, const char *name, int *ret_fd, struct rp_error *error);

/* Who is at the other end, as of its connect() or listen(). */
int rpctl_unix_socket_peer(int fd, struct ucred *ret_peer, struct rp_error *error);

#endif
