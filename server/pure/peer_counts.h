/* How many connections each address has.
 *
 * An IPv4 address counts by itself, also when it comes through a dual-stack listener; of an IPv6 address the
 * first 64 bits count, for whoever has one has all of its /64 (of a link all hosts with their link-local
 * addresses count as one). Owns an entry for each address that has a connection, and none for others: so its
 * memory is bounded by the number of connections. The hash has a seed, so that nobody can choose addresses
 * that fall together. Not thread-safe. */
#ifndef RP_PURE_PEER_COUNTS_H
#define RP_PURE_PEER_COUNTS_H

#include <stdint.h>
#include <sys/socket.h>

#define RP_PEER_BUCKETS 16384

struct rp_peer_entry;

struct rp_peer_counts {
    uint64_t seed;
    struct rp_peer_entry **buckets;
};

/* -ENOMEM. `seed` is a secret random number. */
int rp_peer_counts_init(struct rp_peer_counts *counts, uint64_t seed);

/* Also one that was never initialised, of zeros. */
void rp_peer_counts_done(struct rp_peer_counts *counts);

/* One connection more; -EUSERS when the address has `max`, which is not 0, already; -ENOMEM. */
int rp_peer_counts_add(struct rp_peer_counts *counts, const struct sockaddr *peer, uint32_t max);

/* One less of those that were added. */
void rp_peer_counts_remove(struct rp_peer_counts *counts, const struct sockaddr *peer);

#endif
