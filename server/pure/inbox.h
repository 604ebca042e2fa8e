/* Connections on their way from one worker to another.
 *
 * Owns their descriptors while they are in it. A worker that does not look into it, because a handler keeps
 * it busy, gets no more: whoever is in it waits with the handler, where the sender could have served him. Not
 * thread-safe. */
#ifndef RP_PURE_INBOX_H
#define RP_PURE_INBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RP_INBOX_MAX     16
#define RP_INBOX_WAIT_MS 5u

struct rp_arrival {
    int fd;
    struct sockaddr_storage peer;
};

/* Zeros: closed. */
struct rp_inbox {
    bool open;
    unsigned count;
    uint64_t since_ms; /* when the first of them came */
    struct rp_arrival arrivals[RP_INBOX_MAX];
};

/* False if it is closed or full, or what is in it has waited for too long: the descriptor stays with the
 * caller. */
bool rp_inbox_put(struct rp_inbox *inbox, int fd, const struct sockaddr_storage *peer, uint64_t now_ms);

/* All that is in it, in order; returns how many. They are the caller's then. */
unsigned rp_inbox_take(struct rp_inbox *inbox, struct rp_arrival arrivals[RP_INBOX_MAX]);

#endif
