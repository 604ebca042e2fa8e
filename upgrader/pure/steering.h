/* The program of one SO_REUSEPORT group: which listener gets a new connection, as a pure function of shares
 * and probes, compiled to classic BPF.
 *
 * Owns nothing. A packet from a probe's source goes to that probe's index. Of all others a share is chosen by
 * weight, then one of its indices, each with equal probability. The indices are numbers fixed at the time of
 * compiling: a listener that joins the group later gets nothing, which is what makes a pin hold while a new
 * process starts to listen. */
#ifndef RPCTL_STEERING_H
#define RPCTL_STEERING_H

#include "pure/filter_program.h"
#include "pure/probe_match.h"

#define RPCTL_STEERING_SHARES_MAX 16
#define RPCTL_STEERING_WEIGHT_MAX 1000000 /* of one share; small against 2^32, so that `mod` is fair */

struct rpctl_steering_share {
    const uint16_t *indices; /* distinct, in any order */
    size_t count;
    unsigned weight; /* relative to the other shares; 0 takes no part */
};

/* Precondition: at most RPCTL_STEERING_SHARES_MAX shares, each weight in its limit, each index below
 * RPCTL_GROUP_MAX. Shares without an index or without a weight take no part. -EINVAL when none takes part,
 * -E2BIG when the program would be larger than the kernel takes. */
int rpctl_steering_compile(struct rpctl_filter_program *ret_program,
                           const struct rpctl_steering_share *shares, size_t share_count,
                           const struct rpctl_probe_match *probes, size_t probe_count);

#endif
