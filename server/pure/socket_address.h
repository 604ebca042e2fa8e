/* The sockets of the process contract, from text to socket address.
 *
 * Owns nothing. */
#ifndef RP_PURE_SOCKET_ADDRESS_H
#define RP_PURE_SOCKET_ADDRESS_H

#include <rp/error.h>
#include <sys/socket.h>
#include <sys/un.h>

/* NOTIFY_SOCKET: "/run/x.sock", or "@name" for an abstract socket. -EINVAL for a text that is neither form,
 * -ENAMETOOLONG when it does not fit into a socket address. */
int rp_socket_address_parse_notify(struct sockaddr_un *ret_address, socklen_t *ret_length, const char *text,
                                   struct rp_error *error);

/* RP_SOCKET: "/run/x.sock" alone. An abstract name would be free for everybody once the supervisor is gone,
 * and who takes it gets the listeners. Errors as above. */
int rp_socket_address_parse_link(struct sockaddr_un *ret_address, socklen_t *ret_length, const char *text,
                                 struct rp_error *error);

#endif
