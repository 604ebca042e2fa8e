/* Finds out, without any privilege, why the kernel refused an address.
 *
 * Owns nothing. Reads /proc: slow on a busy machine, so only for the way out. */
#ifndef RP_LINUX_BIND_ERROR_H
#define RP_LINUX_BIND_ERROR_H

#include <rp/address.h>

/* `code` is the negative errno of socket(), setsockopt(), bind() or listen(); sets the error, returns it. */
int rp_bind_error(const struct rp_address *address, int code, struct rp_error *error);

#endif
