/* Where a new release listens, held against where the old one does.
 *
 * Owns nothing; the results point into the arrays of the caller. */
#ifndef RPCTL_LISTEN_MATCH_H
#define RPCTL_LISTEN_MATCH_H

#include <rp/address.h>
#include <stddef.h>

struct rpctl_listen_match {
    const struct rp_address *missing; /* an old address where new does not listen; NULL = none */
    /* An old address whose connections new takes by listening on `by`, and that is not an old address; NULL
     * = none. */
    const struct rp_address *shadowed;
    const struct rp_address *by;
};

void rpctl_listen_match(const struct rp_address *old, size_t old_count, const struct rp_address *new,
                        size_t new_count, struct rpctl_listen_match *ret_match);

/* Does a listener on this address take connections of any of the old ones? */
bool rpctl_listen_shadows(const struct rp_address *old, size_t old_count, const struct rp_address *address);

#endif
