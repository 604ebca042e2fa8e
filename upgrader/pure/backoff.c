#include "pure/backoff.h"

unsigned rpctl_backoff_next(struct rpctl_backoff *backoff, uint64_t lived_ms)
{
    if (lived_ms >= RPCTL_BACKOFF_RESET_MS) backoff->failures = 0;
    unsigned delay_ms = backoff->failures > 0 ? RPCTL_BACKOFF_FIRST_MS : 0;
    for (unsigned i = 1; i < backoff->failures && delay_ms < RPCTL_BACKOFF_MAX_MS; i++) delay_ms *= 2;
    if (delay_ms >= RPCTL_BACKOFF_MAX_MS) return RPCTL_BACKOFF_MAX_MS;
    backoff->failures++;
    return delay_ms;
}
