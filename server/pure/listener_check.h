/* What can be known wrong about listeners without asking the kernel: a request before anything is opened, and
 * inherited listeners that nobody asked for. The check against the old generation is in rp/listener.h.
 *
 * Owns nothing. */
#ifndef RP_PURE_LISTENER_CHECK_H
#define RP_PURE_LISTENER_CHECK_H

#include <rp/listener.h>

/* Refuses no address, the same address twice (-EINVAL), and more than RP_LISTENERS_MAX in all (-E2BIG). */
int rp_listeners_check_request(const struct rp_address *addresses, size_t count, unsigned per_address,
                               struct rp_error *error);

/* -EADDRNOTAVAIL when one of `inherited` is on none of the addresses. */
int rp_listeners_check_inherited(const struct rp_listeners *inherited, const struct rp_address *addresses,
                                 size_t count, struct rp_error *error);

#endif
