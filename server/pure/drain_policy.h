/* How long a drain may take: from what the program says, what the supervisor says, and the defaults. */
#ifndef RP_PURE_DRAIN_POLICY_H
#define RP_PURE_DRAIN_POLICY_H

#include <stdint.h>

struct rp_drain_policy {
    uint32_t deadline_ms; /* from SIGTERM until the rest is cut */
    uint32_t grace_ms;    /* from SIGTERM until idle connections are closed; at most the deadline */
};

/* Program values: RP_MS_UNSET when not set. Supervisor values: 0 when not given. The supervisor's deadline
 * wins, because it kills: what is left is cut a second before it, or at half of it if that is later. */
struct rp_drain_policy rp_drain_policy(uint32_t program_deadline_ms, uint32_t program_grace_ms,
                                       uint32_t supervisor_deadline_ms, uint32_t supervisor_grace_ms);

#endif
