#include "pure/phase.h"

#include <criterion/criterion.h>

/* The whole grid: the first fact that holds, in this order, decides. */
Test(phase, follows_from_the_facts)
{
    for (unsigned bits = 0; bits < 32; bits++) {
        const struct rp_phase_facts facts = {.queued = bits & 1,
                                             .lingering = bits & 2,
                                             .request = bits & 4,
                                             .body = bits & 8,
                                             .head = bits & 16};
        enum rp_phase expected = facts.queued      ? RP_PHASE_WRITE
                                 : facts.lingering ? RP_PHASE_LINGER
                                 : facts.request   ? (facts.body ? RP_PHASE_BODY : RP_PHASE_HANDLER)
                                 : facts.head      ? RP_PHASE_HEAD
                                                   : RP_PHASE_IDLE;
        cr_assert_eq(rp_phase_of(&facts), expected, "%u", bits);
    }
}

Test(phase, properties)
{
    cr_assert_str_eq(rp_phase_text(RP_PHASE_IDLE), "idle");
    cr_assert_str_eq(rp_phase_text(RP_PHASE_LINGER), "linger");
    cr_assert_not(rp_phase_busy(RP_PHASE_IDLE));
    cr_assert_not(rp_phase_busy(RP_PHASE_LINGER));
    cr_assert(rp_phase_busy(RP_PHASE_HEAD));
    cr_assert(rp_phase_busy(RP_PHASE_HANDLER));
    cr_assert_eq(rp_phase_expiry(RP_PHASE_IDLE), RP_EXPIRY_CLOSE);
    cr_assert_eq(rp_phase_expiry(RP_PHASE_HEAD), RP_EXPIRY_TIMEOUT);
    cr_assert_eq(rp_phase_expiry(RP_PHASE_HANDLER), RP_EXPIRY_NOTHING);
    cr_assert_eq(rp_phase_expiry(RP_PHASE_WRITE), RP_EXPIRY_STALLED);
}
