#include "pure/peer_counts.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MIX UINT64_C(0x9e3779b97f4a7c15)

/* What counts of an address. */
struct peer_key {
    uint64_t prefix;
    sa_family_t family;
};

struct rp_peer_entry {
    struct rp_peer_entry *next;
    struct peer_key key;
    uint32_t count;
};

static struct peer_key key_of(const struct sockaddr *peer)
{
    struct peer_key key = {.family = peer->sa_family};
    struct sockaddr_in6 ipv6;
    struct sockaddr_in ipv4;
    if (peer->sa_family == AF_INET) {
        memcpy(&ipv4, peer, sizeof ipv4);
        key.prefix = ipv4.sin_addr.s_addr;
    } else if (peer->sa_family == AF_INET6) {
        memcpy(&ipv6, peer, sizeof ipv6);
        if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) {
            key.family = AF_INET;
            memcpy(&key.prefix, ipv6.sin6_addr.s6_addr + 12, sizeof ipv4.sin_addr);
        } else {
            memcpy(&key.prefix, ipv6.sin6_addr.s6_addr, sizeof key.prefix);
        }
    }
    return key;
}

/* Two rounds of multiply and fold, with the seed before each. */
static size_t bucket_of(const struct rp_peer_counts *counts, struct peer_key key)
{
    uint64_t hash = (key.prefix ^ counts->seed) * MIX;
    hash = ((hash ^ hash >> 32) + key.family + (counts->seed >> 7)) * MIX;
    return (size_t)((hash ^ hash >> 29) % RP_PEER_BUCKETS);
}

/* The link that points to the entry, or to NULL behind the last one. */
static struct rp_peer_entry **find(const struct rp_peer_counts *counts, struct peer_key key)
{
    struct rp_peer_entry **link = &counts->buckets[bucket_of(counts, key)];
    while (*link && ((*link)->key.prefix != key.prefix || (*link)->key.family != key.family))
        link = &(*link)->next;
    return link;
}

int rp_peer_counts_init(struct rp_peer_counts *counts, uint64_t seed)
{
    counts->seed = seed;
    counts->buckets = calloc(RP_PEER_BUCKETS, sizeof(*counts->buckets));
    return counts->buckets ? 0 : -ENOMEM;
}

void rp_peer_counts_done(struct rp_peer_counts *counts)
{
    for (size_t i = 0; counts->buckets && i < RP_PEER_BUCKETS; i++) {
        struct rp_peer_entry *next;
        for (struct rp_peer_entry *entry = counts->buckets[i]; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    free(counts->buckets);
    counts->buckets = NULL;
}

int rp_peer_counts_add(struct rp_peer_counts *counts, const struct sockaddr *peer, uint32_t max)
{
    struct peer_key key = key_of(peer);
    struct rp_peer_entry **link = find(counts, key);
    if (!*link) {
        struct rp_peer_entry *entry = calloc(1, sizeof *entry);
        if (!entry) return -ENOMEM;
        entry->key = key;
        *link = entry;
    }
    if ((*link)->count >= max) return -EUSERS;
    (*link)->count++;
    return 0;
}

void rp_peer_counts_remove(struct rp_peer_counts *counts, const struct sockaddr *peer)
{
    struct rp_peer_entry **link = find(counts, key_of(peer));
    struct rp_peer_entry *entry = *link;
    assert(entry && entry->count > 0);
    if (--entry->count > 0) return;
    *link = entry->next;
    free(entry);
}
