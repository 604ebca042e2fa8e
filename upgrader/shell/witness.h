/* An ordinary client beside an upgrade: so many requests per second, each on a connection of its own,
 * counted.
 *
 * Owns its timer and its requests under way. Runs on the loop's thread. */
#ifndef RPCTL_WITNESS_H
#define RPCTL_WITNESS_H

#include "pure/policy.h"
#include "shell/check.h"
#include <rp/address.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define RPCTL_WITNESS_PER_SECOND_MAX 1000
#define RPCTL_WITNESS_TIMEOUT_MS     5000 /* of one request; longer is a failure */
#define RPCTL_WITNESS_IN_FLIGHT_MAX  256  /* when so many wait for a server that hangs, no more are begun */

struct rpctl_witness;

struct rpctl_witness_figures {
    unsigned long requests; /* finished, good and failed; not those for which rpctl had no socket */
    unsigned long failed;
    uint64_t slowest_ns; /* of all finished */
    /* "127.0.0.1:80: connection refused"; "" = none */
    char first_failure[RP_ADDRESS_TEXT_BYTES + 2 + RPCTL_CHECK_TEXT_BYTES];
};

/* `figures` is valid during the call only. */
typedef void rpctl_witness_cb(const struct rpctl_witness_figures *figures, void *data);

/* Begins with one request at once; the addresses (at least one) take turns. `kind` and `path` as in a check;
 * copied. `per_second` 1 to RPCTL_WITNESS_PER_SECOND_MAX, more is cut to it. -ENOMEM. */
int rpctl_witness_start(uv_loop_t *loop, const struct rp_address *addresses, size_t count,
                        enum rpctl_health_kind kind, const char *path, unsigned per_second,
                        struct rpctl_witness **ret_witness);

/* Goes on counting from these figures. */
void rpctl_witness_resume(struct rpctl_witness *witness, const struct rpctl_witness_figures *figures);

/* The figures so far, valid until the loop's next turn. */
const struct rpctl_witness_figures *rpctl_witness_figures(const struct rpctl_witness *witness);

/* Begins no more requests, waits for those under way (RPCTL_WITNESS_TIMEOUT_MS at most), then calls back, on
 * a later turn, and frees the witness. Once. */
void rpctl_witness_stop(struct rpctl_witness *witness, rpctl_witness_cb *callback, void *data);

/* As stop, but those under way are given up and not counted. Also after stop, to hasten it; the callback of
 * the first call is the one that fires. */
void rpctl_witness_cancel(struct rpctl_witness *witness, rpctl_witness_cb *callback, void *data);

#endif
