#include "pure/backoff.h"
#include <criterion/criterion.h>

Test(backoff, doubles_to_its_limit)
{
    static const unsigned expected[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};
    struct rpctl_backoff backoff = {0};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_assert_eq(rpctl_backoff_next(&backoff, 0), expected[i], "%zu", i);
}

Test(backoff, stays_at_its_limit)
{
    struct rpctl_backoff backoff = {0};
    for (int i = 0; i < 100000; i++) rpctl_backoff_next(&backoff, RPCTL_BACKOFF_RESET_MS - 1);
    cr_assert_eq(rpctl_backoff_next(&backoff, RPCTL_BACKOFF_RESET_MS - 1), RPCTL_BACKOFF_MAX_MS);
}

Test(backoff, a_long_run_forgives)
{
    struct rpctl_backoff backoff = {0};
    for (int i = 0; i < 5; i++) rpctl_backoff_next(&backoff, 1);
    cr_assert_eq(rpctl_backoff_next(&backoff, RPCTL_BACKOFF_RESET_MS), 0);
    cr_assert_eq(rpctl_backoff_next(&backoff, 1), 100);
    cr_assert_eq(rpctl_backoff_next(&backoff, UINT64_MAX), 0);
}

Test(backoff, is_over_after_so_many_launches)
{
    struct rpctl_backoff backoff = {0};
    cr_assert_not(rpctl_backoff_is_over(&backoff, 1));
    for (int launches = 0; launches < 3; launches++) {
        rpctl_backoff_next(&backoff, launches == 0 ? UINT64_MAX : 1);
        cr_assert_not(rpctl_backoff_is_over(&backoff, 3), "%d", launches);
    }
    rpctl_backoff_next(&backoff, 1);
    cr_assert(rpctl_backoff_is_over(&backoff, 3));
    cr_assert_not(rpctl_backoff_is_over(&backoff, 0), "0 is without end");
    rpctl_backoff_next(&backoff, RPCTL_BACKOFF_RESET_MS);
    cr_assert_not(rpctl_backoff_is_over(&backoff, 3), "a long run forgives");
}
