/* Takes over listeners that this process was started with (LISTEN_FDS, sd_listen_fds(3)).
 *
 * Owns nothing afterwards: the descriptors are the caller's. */
#ifndef RP_LINUX_LISTEN_FDS_H
#define RP_LINUX_LISTEN_FDS_H

#include <rp/listener.h>

/* Fills *ret_inherited with the listeners in the order of their descriptors, close-on-exec and non-blocking,
 * or with none; free with rp_listeners_close. Takes LISTEN_* out of the environment, so call it before any
 * other thread runs. Errors: malformed variables; a descriptor that is not open, or no listening TCP socket:
 * then all are closed. */
int rp_listen_fds_take(struct rp_listeners *ret_inherited, struct rp_error *error);

#endif
