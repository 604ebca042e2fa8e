/* Whether the generation that gets all new connections answers well, by ordinary requests to every address.
 *
 * Owns its requests and its timer. Runs on the loop's thread. */
#ifndef RPCTL_TRIAL_H
#define RPCTL_TRIAL_H

#include "pure/policy.h"

#include <rp/address.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct rpctl_trial;

struct rpctl_trial_config {
    const struct rp_address *addresses; /* 1 to RP_ADDRESS_LIST_MAX; copied */
    size_t address_count;
    struct rpctl_health health; /* HTTP or TCP */
    unsigned rounds;            /* bad ones in a row make it fail; the first good one makes it pass */
    unsigned interval_ms;       /* between them */
};

/* `text` says what the last answer was, and is valid during the call only. */
typedef void rpctl_trial_cb(bool good, const char *text, void *data);

/* Begins; NULL when memory is short. The callback fires once, on a later turn of the loop; the trial is not
 * valid any more then. */
struct rpctl_trial *rpctl_trial_start(uv_loop_t *loop, const struct rpctl_trial_config *config,
                                      rpctl_trial_cb *callback, void *data);

/* The callback will not fire. NULL is fine. */
void rpctl_trial_cancel(struct rpctl_trial *trial);

#endif
