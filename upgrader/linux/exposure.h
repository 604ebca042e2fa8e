/* Listeners that take connections they should not have: out of sight at once, and a count of what they got.
 *
 * Owns nothing. Thread-safe. */
#ifndef RPCTL_EXPOSURE_H
#define RPCTL_EXPOSURE_H

#include <rp/address.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rpctl_exposure {
    uint64_t ended_ns;  /* CLOCK_MONOTONIC: no new connection reaches them from then on */
    unsigned queued;    /* connections that stood in their queues, which the process may still accept */
    unsigned long open; /* … that the process had accepted and had open */
    unsigned listeners; /* taken out of sight; 0 = nothing was exposed */
};

/* Takes those of the listeners `fds` out of sight (rpctl_listener_hide) that shadow one of the `old`
 * addresses, then counts what they have and what process `pid` has from them. The descriptors stay the
 * caller's. What cannot be counted is left out: the stop matters more. Connections that began and ended while
 * they were exposed are in no list of the kernel's, so the count is of those that were there at the end. */
void rpctl_exposure_end(const int *fds, const struct rp_address *addresses, size_t count,
                        const struct rp_address *old, size_t old_count, pid_t pid,
                        struct rpctl_exposure *ret_exposure);

#endif
