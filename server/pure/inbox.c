#include "pure/inbox.h"

#include <string.h>

/* The clocks of the senders' loops may be behind each other. */
static bool neglected(const struct rp_inbox *inbox, uint64_t now_ms)
{
    return inbox->count > 0 && now_ms > inbox->since_ms + RP_INBOX_WAIT_MS;
}

bool rp_inbox_put(struct rp_inbox *inbox, int fd, const struct sockaddr_storage *peer, uint64_t now_ms)
{
    if (!inbox->open || inbox->count == RP_INBOX_MAX || neglected(inbox, now_ms)) return false;
    if (inbox->count == 0) inbox->since_ms = now_ms;
    inbox->arrivals[inbox->count++] = (struct rp_arrival){.fd = fd, .peer = *peer};
    return true;
}

unsigned rp_inbox_take(struct rp_inbox *inbox, struct rp_arrival arrivals[RP_INBOX_MAX])
{
    unsigned count = inbox->count;
    memcpy(arrivals, inbox->arrivals, count * sizeof *arrivals);
    inbox->count = 0;
    return count;
}
