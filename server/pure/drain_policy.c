#include "pure/drain_policy.h"

#include <rp/lifecycle.h>
#include <rp/server.h>

#define REPORT_MARGIN_MS 1000

static uint32_t before_kill(uint32_t kill_ms)
{
    uint32_t half = kill_ms / 2;
    return kill_ms > REPORT_MARGIN_MS && kill_ms - REPORT_MARGIN_MS > half ? kill_ms - REPORT_MARGIN_MS
                                                                           : half;
}

struct rp_drain_policy rp_drain_policy(uint32_t program_deadline_ms, uint32_t program_grace_ms,
                                       uint32_t supervisor_deadline_ms, uint32_t supervisor_grace_ms)
{
    struct rp_drain_policy policy = {.deadline_ms = RP_DRAIN_TIMEOUT_MS_DEFAULT,
                                     .grace_ms = RP_IDLE_GRACE_MS_DEFAULT};
    if (program_deadline_ms != RP_MS_UNSET) policy.deadline_ms = program_deadline_ms;
    if (supervisor_deadline_ms > 0) policy.deadline_ms = before_kill(supervisor_deadline_ms);
    if (program_grace_ms != RP_MS_UNSET)
        policy.grace_ms = program_grace_ms;
    else if (supervisor_grace_ms > 0)
        policy.grace_ms = supervisor_grace_ms;
    if (policy.grace_ms > policy.deadline_ms) policy.grace_ms = policy.deadline_ms;
    return policy;
}
