/* The instances' links: each process that knows RP_SOCKET keeps one connection, by whose end it learns that
 * the supervisor is gone. Nothing is said on it.
 *
 * Owns the listening socket and the connections. Runs on the loop's thread. */
#ifndef RPCTL_LINKS_H
#define RPCTL_LINKS_H

#include <rp/error.h>
#include <uv.h>

#define RPCTL_LINKS_MAX 512 /* connections; more are closed at once */

struct rpctl_links;

/* Serves on `fd`, a listening Unix socket of type SOCK_SEQPACKET: taken over, also on error; its path stays.
 * Peers of another user than our effective one are refused. -ENOMEM, or what uv_poll_init() says. */
int rpctl_links_new(uv_loop_t *loop, int fd, struct rpctl_links **ret_links, struct rp_error *error);

/* Ends all connections; frees on a later turn. NULL is fine. */
void rpctl_links_close(struct rpctl_links *links);

/* For a re-execution: the listening socket, still ours. */
int rpctl_links_fd(const struct rpctl_links *links);

#endif
