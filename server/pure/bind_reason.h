/* Why an address could not be had, in words that say what to do.
 *
 * Owns nothing; linux/bind_error.c collects the facts. */
#ifndef RP_PURE_BIND_REASON_H
#define RP_PURE_BIND_REASON_H

#include "pure/port_holder.h"

struct rp_bind_facts {
    const struct rp_address *address;
    int code;                     /* negative errno of socket(), bind() or listen() */
    struct rp_port_holder holder; /* for EADDRINUSE */
    unsigned own_uid;
    int unprivileged_port_start; /* net.ipv4.ip_unprivileged_port_start, or -1 when not known */
};

/* Sets the error for the facts; returns facts->code. */
int rp_bind_reason(const struct rp_bind_facts *facts, struct rp_error *error);

#endif
