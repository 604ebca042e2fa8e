/* How long to wait before a crashed instance is launched again.
 *
 * Pure: one small value per instance, no clock. */
#ifndef RPCTL_BACKOFF_H
#define RPCTL_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define RPCTL_BACKOFF_FIRST_MS 100
#define RPCTL_BACKOFF_MAX_MS   10000
#define RPCTL_BACKOFF_RESET_MS 10000 /* a run that lived this long forgives all before it */

struct rpctl_backoff {
    unsigned failures; /* ends in a row, each but the first after a short life; 0 at the beginning */
};

/* A run has died that lived `lived_ms`. Returns the delay in ms before the next launch: 0, then 100, doubling
 * up to 10,000; from 0 again when the run had lived RPCTL_BACKOFF_RESET_MS. */
unsigned rpctl_backoff_next(struct rpctl_backoff *backoff, uint64_t lived_ms);

/* After `max` launches in a row that did not last; 0 = never. Asked after rpctl_backoff_next. */
bool rpctl_backoff_is_over(const struct rpctl_backoff *backoff, unsigned max);

#endif
