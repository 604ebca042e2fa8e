#include "pure/deadlines.h"

#include <criterion/criterion.h>

static void init(struct rp_deadlines *deadlines, struct rp_deadline *entries, unsigned count)
{
    static const uint64_t wait_ms[] = {100, 10, RP_NEVER_MS};
    rp_deadlines_init(deadlines, 3, wait_ms);
    for (unsigned i = 0; i < count; i++) rp_deadline_init(&entries[i]);
}

Test(deadlines, earliest_of_all_lists)
{
    struct rp_deadlines deadlines;
    struct rp_deadline entries[3];
    init(&deadlines, entries, 3);
    cr_assert_eq(rp_deadlines_next(&deadlines), RP_NEVER_MS);
    rp_deadlines_place(&deadlines, &entries[0], 0, 1000);
    cr_assert_eq(rp_deadlines_next(&deadlines), 1100u);
    rp_deadlines_place(&deadlines, &entries[1], 1, 1005);
    cr_assert_eq(rp_deadlines_next(&deadlines), 1015u);
    rp_deadlines_place(&deadlines, &entries[2], 2, 0);
    cr_assert_eq(rp_deadlines_next(&deadlines), 1015u);
    rp_deadlines_remove(&entries[1]);
    rp_deadlines_remove(&entries[1]);
    cr_assert_eq(rp_deadlines_next(&deadlines), 1100u);
}

Test(deadlines, expire_in_order_and_once)
{
    struct rp_deadlines deadlines;
    struct rp_deadline entries[3];
    init(&deadlines, entries, 3);
    rp_deadlines_place(&deadlines, &entries[0], 1, 0);
    rp_deadlines_place(&deadlines, &entries[1], 1, 1);
    rp_deadlines_place(&deadlines, &entries[2], 1, 2);
    rp_deadlines_place(&deadlines, &entries[0], 1, 3);
    cr_assert_null(rp_deadlines_expire(&deadlines, 10));
    cr_assert_eq(rp_deadlines_expire(&deadlines, 12), &entries[1]);
    cr_assert_eq(rp_deadlines_expire(&deadlines, 12), &entries[2]);
    cr_assert_null(rp_deadlines_expire(&deadlines, 12));
    cr_assert_eq(rp_deadlines_expire(&deadlines, UINT64_MAX - 1), &entries[0]);
    cr_assert_null(rp_deadlines_expire(&deadlines, UINT64_MAX - 1));
}

Test(deadlines, waiting_for_ever)
{
    struct rp_deadlines deadlines;
    struct rp_deadline entry;
    init(&deadlines, &entry, 1);
    rp_deadlines_place(&deadlines, &entry, 2, 5);
    cr_assert_eq(rp_deadlines_next(&deadlines), RP_NEVER_MS);
    cr_assert_null(rp_deadlines_expire(&deadlines, UINT64_MAX - 1));
    rp_deadlines_place(&deadlines, &entry, 0, UINT64_MAX - 5);
    cr_assert_eq(entry.at_ms, RP_NEVER_MS);
}

/* As a drain without grace does with a connection whose next request has just come in. */
Test(deadlines, a_walk_over_expired_entries_ends_when_they_are_placed_again)
{
    struct rp_deadlines deadlines;
    struct rp_deadline entries[3];
    struct rp_deadline *entry;
    unsigned expired = 0;
    init(&deadlines, entries, 3);
    for (unsigned i = 0; i < 3; i++) rp_deadlines_place(&deadlines, &entries[i], 0, 50);
    rp_deadlines_shorten(&deadlines, 0, 0, 70);
    while ((entry = rp_deadlines_expire(&deadlines, 71)) != NULL) {
        cr_assert_leq(++expired, 3u);
        rp_deadlines_place(&deadlines, entry, 0, 71);
    }
    cr_assert_eq(expired, 3u);
    cr_assert_eq(rp_deadlines_next(&deadlines), 72u);
}

Test(deadlines, shorten)
{
    struct rp_deadlines deadlines;
    struct rp_deadline entries[3];
    init(&deadlines, entries, 3);
    rp_deadlines_place(&deadlines, &entries[0], 0, 0);
    rp_deadlines_place(&deadlines, &entries[1], 0, 90);
    rp_deadlines_shorten(&deadlines, 0, 20, 90);
    cr_assert_eq(entries[0].at_ms, 100u); /* it was earlier than that already */
    cr_assert_eq(entries[1].at_ms, 110u);
    rp_deadlines_place(&deadlines, &entries[2], 0, 95);
    cr_assert_eq(entries[2].at_ms, 115u);
    rp_deadlines_shorten(&deadlines, 0, 50, 96);
    rp_deadlines_place(&deadlines, &entries[2], 0, 97);
    cr_assert_eq(entries[2].at_ms, 117u);
}
