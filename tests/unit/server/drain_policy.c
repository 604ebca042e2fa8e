#include "pure/drain_policy.h"

#include <criterion/criterion.h>
#include <rp/lifecycle.h>
#include <rp/server.h>

static void is(struct rp_drain_policy policy, uint32_t deadline_ms, uint32_t grace_ms)
{
    cr_assert_eq(policy.deadline_ms, deadline_ms, "deadline %u", policy.deadline_ms);
    cr_assert_eq(policy.grace_ms, grace_ms, "grace %u", policy.grace_ms);
}

Test(drain_policy, alone)
{
    is(rp_drain_policy(RP_MS_UNSET, RP_MS_UNSET, 0, 0), RP_DRAIN_TIMEOUT_MS_DEFAULT,
       RP_IDLE_GRACE_MS_DEFAULT);
    is(rp_drain_policy(5000, 100, 0, 0), 5000, 100);
    is(rp_drain_policy(5000, 0, 0, 0), 5000, 0);
    is(rp_drain_policy(0, RP_MS_UNSET, 0, 0), 0, 0);
    is(rp_drain_policy(500, 900, 0, 0), 500, 500);
}

Test(drain_policy, under_a_supervisor)
{
    is(rp_drain_policy(5000, RP_MS_UNSET, 30000, 0), 29000, RP_IDLE_GRACE_MS_DEFAULT);
    is(rp_drain_policy(RP_MS_UNSET, RP_MS_UNSET, 30000, 700), 29000, 700);
    is(rp_drain_policy(RP_MS_UNSET, 300, 30000, 700), 29000, 300);
    is(rp_drain_policy(RP_MS_UNSET, 300, 2000, 700), 1000, 300);
    is(rp_drain_policy(RP_MS_UNSET, 300, 1999, 700), 999, 300);
    is(rp_drain_policy(RP_MS_UNSET, 300, 1000, 700), 500, 300);
    is(rp_drain_policy(RP_MS_UNSET, 300, 1, 700), 0, 0);
    is(rp_drain_policy(RP_MS_UNSET, RP_MS_UNSET, UINT32_MAX, 1), UINT32_MAX - 1000, 1);
}
