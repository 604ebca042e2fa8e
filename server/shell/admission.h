/* Who may have a connection: the limits on all connections of a server, and on those of one address.
 *
 * Owns the counts, which all workers share. They are touched when a connection is taken and when it has
 * ended, never for a request: the number of all is an atomic, and the table of addresses, with its lock, is
 * only there when there is a limit per address. Any thread. */
#ifndef RP_SHELL_ADMISSION_H
#define RP_SHELL_ADMISSION_H

#include "pure/peer_counts.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct rp_admission {
    uint32_t connections_max;
    uint32_t per_address_max; /* 0: no such limit */
    atomic_uint connections;
    uv_mutex_t lock; /* of `peers`; both only with a limit per address */
    struct rp_peer_counts peers;
};

/* A negative errno leaves nothing behind. */
int rp_admission_init(struct rp_admission *admission, uint32_t connections_max, uint32_t per_address_max);
void rp_admission_done(struct rp_admission *admission);

/* -ENFILE: there are too many connections; -EUSERS: this address has too many; -ENOMEM. With 0
 * rp_admission_leave has to follow. */
int rp_admission_enter(struct rp_admission *admission, const struct sockaddr *peer);
void rp_admission_leave(struct rp_admission *admission, const struct sockaddr *peer);

#endif
