#include "pure/backoff.h"

#include <limits.h>

unsigned rpctl_backoff_next(struct rpctl_backoff *backoff, uint64_t lived_ms)
{
    unsigned delay_ms;

    if (lived_ms >= RPCTL_BACKOFF_RESET_MS) backoff->failures = 0;
    delay_ms = backoff->failures > 0 ? RPCTL_BACKOFF_FIRST_MS : 0;
    for (unsigned i = 1; i < backoff->failures && delay_ms < RPCTL_BACKOFF_MAX_MS; i++) delay_ms *= 2;
    if (backoff->failures < UINT_MAX) backoff->failures++;
    return delay_ms < RPCTL_BACKOFF_MAX_MS ? delay_ms : RPCTL_BACKOFF_MAX_MS;
}

bool rpctl_backoff_is_over(const struct rpctl_backoff *backoff, unsigned max)
{
    return max > 0 && backoff->failures > max;
}
