#include "pure/inbox.h"

#include <string.h>

bool rp_inbox_put(struct rp_inbox *inbox, int fd, const struct sockaddr_storage *peer)
{
    if (!inbox->open || inbox->count == RP_INBOX_MAX) return false;
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
