/* NOTIFY_SOCKET, from text to socket address: "/run/x.sock", or "@name" for an abstract socket.
 *
 * Owns nothing. */
#ifndef RP_PURE_NOTIFY_ADDRESS_H
#define RP_PURE_NOTIFY_ADDRESS_H

#include <rp/error.h>
#include <sys/socket.h>
#include <sys/un.h>

/* -EINVAL for a text that is neither form, -ENAMETOOLONG when it does not fit into a socket address. */
int rp_notify_address_parse(struct sockaddr_un *ret_address, socklen_t *ret_length, const char *text,
                            struct rp_error *error);

#endif
