#include "pure/recovery.h"

#include <criterion/criterion.h>

/* Generation 1 serves, 2 is the candidate; each has `alive` processes. */
static struct rpctl_recovery decide(enum rpctl_rollout_state rollout, unsigned alive_1, bool told_1,
                                    unsigned alive_2, bool told_2)
{
    const struct rpctl_recovery_generation generations[] = {{2, alive_2, told_2}, {1, alive_1, told_1}};
    const struct rpctl_recovery_facts facts = {rollout, 1, rollout == RPCTL_ROLLOUT_IDLE ? 0 : 2, generations,
                                               2};
    struct rpctl_recovery recovery;
    rpctl_recovery_decide(&facts, &recovery);
    return recovery;
}

static void expect(struct rpctl_recovery recovery, unsigned serving, enum rpctl_recovery_outcome outcome)
{
    cr_assert_eq(recovery.serving, serving);
    cr_assert_eq(recovery.outcome, outcome);
}

Test(recovery, everybody_lives)
{
    static const struct {
        unsigned serving;
        enum rpctl_recovery_outcome outcome;
    } wanted[RPCTL_ROLLOUT_STATE_COUNT] = {
        [RPCTL_ROLLOUT_IDLE] = {1, RPCTL_RECOVERY_NOTHING},
        [RPCTL_ROLLOUT_PINNING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_LAUNCHING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_WAITING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_CHECKING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_PROVING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_SHIFTING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_BAKING] = {2, RPCTL_RECOVERY_FINISHED},
        [RPCTL_ROLLOUT_QUIESCING] = {2, RPCTL_RECOVERY_FINISHED},
        [RPCTL_ROLLOUT_UNDOING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_RETIRING] = {1, RPCTL_RECOVERY_UNDONE},
        [RPCTL_ROLLOUT_RETRACTING] = {1, RPCTL_RECOVERY_UNDONE},
    };
    for (int i = 0; i < RPCTL_ROLLOUT_STATE_COUNT; i++)
        expect(decide((enum rpctl_rollout_state)i, 1, false, 1, false), wanted[i].serving, wanted[i].outcome);
}

/* Whoever was to be told to go is somebody to go back to, as long as nobody has told it. */
Test(recovery, the_way_back_is_open_until_old_is_told)
{
    cr_assert_eq(decide(RPCTL_ROLLOUT_BAKING, 1, false, 1, false).other, 1);
    cr_assert_eq(decide(RPCTL_ROLLOUT_QUIESCING, 1, false, 1, false).other, 1);
    cr_assert_eq(decide(RPCTL_ROLLOUT_QUIESCING, 1, true, 1, false).other, 0);
    cr_assert_eq(decide(RPCTL_ROLLOUT_BAKING, 0, false, 1, false).other, 0);
    cr_assert_eq(decide(RPCTL_ROLLOUT_BAKING, 1, false, 0, false).other, 0);
    cr_assert_eq(decide(RPCTL_ROLLOUT_PROVING, 1, false, 1, false).other, 0);
    cr_assert_eq(decide(RPCTL_ROLLOUT_IDLE, 1, false, 1, false).other, 0);
}

/* Whatever was under way: who lives and was not told to stop serves, if there is anybody. */
Test(recovery, whoever_lives_serves)
{
    for (int i = 0; i < RPCTL_ROLLOUT_STATE_COUNT; i++)
        for (unsigned facts = 0; facts < 16; facts++) {
            unsigned alive_1 = facts & 1, alive_2 = (facts >> 1) & 1;
            bool told_1 = facts & 4, told_2 = facts & 8;
            struct rpctl_recovery recovery =
                decide((enum rpctl_rollout_state)i, alive_1, told_1, alive_2, told_2);
            bool can_1 = alive_1 && !told_1, can_2 = alive_2 && !told_2;
            if (recovery.serving == 1) cr_assert(can_1);
            if (recovery.serving == 2) cr_assert(can_2);
            cr_assert_eq(recovery.serving == 0, !can_1 && !can_2);
            cr_assert_eq(recovery.outcome == RPCTL_RECOVERY_LOST, recovery.serving == 0);
        }
}

Test(recovery, the_other_takes_the_place_of_a_dead_one)
{
    expect(decide(RPCTL_ROLLOUT_PROVING, 0, false, 1, false), 2, RPCTL_RECOVERY_EXCHANGED);
    expect(decide(RPCTL_ROLLOUT_BAKING, 1, false, 0, false), 1, RPCTL_RECOVERY_EXCHANGED);
    expect(decide(RPCTL_ROLLOUT_BAKING, 1, true, 0, false), 0, RPCTL_RECOVERY_LOST);
}

/* A first start: there is no old one to go back to. */
Test(recovery, first_start)
{
    const struct rpctl_recovery_generation generations[] = {{1, 1, false}};
    const struct rpctl_recovery_facts facts = {RPCTL_ROLLOUT_PROVING, 0, 1, generations, 1};
    struct rpctl_recovery recovery;
    rpctl_recovery_decide(&facts, &recovery);
    expect(recovery, 1, RPCTL_RECOVERY_FINISHED);
}

/* No state was there: the newest that listens, and the one before it if that is unhealthy. */
Test(recovery, without_a_state)
{
    const struct rpctl_recovery_generation generations[] = {{4, 1, true}, {3, 2, false}, {2, 1, false}};
    const struct rpctl_recovery_facts facts = {RPCTL_ROLLOUT_IDLE, 0, 0, generations, 3};
    struct rpctl_recovery recovery;
    rpctl_recovery_decide(&facts, &recovery);
    expect(recovery, 3, RPCTL_RECOVERY_GUESSED);
    cr_assert_eq(recovery.other, 2);
}

/* … or one of long ago, whose generations are gone. */
Test(recovery, with_a_state_of_long_ago)
{
    const struct rpctl_recovery_generation generations[] = {{6, 1, false}, {5, 1, false}};
    const struct rpctl_recovery_facts facts = {RPCTL_ROLLOUT_BAKING, 1, 2, generations, 2};
    struct rpctl_recovery recovery;
    rpctl_recovery_decide(&facts, &recovery);
    expect(recovery, 6, RPCTL_RECOVERY_GUESSED);
    cr_assert_eq(recovery.other, 5);
}

Test(recovery, nobody)
{
    const struct rpctl_recovery_facts facts = {RPCTL_ROLLOUT_IDLE, 1, 0, NULL, 0};
    struct rpctl_recovery recovery;
    rpctl_recovery_decide(&facts, &recovery);
    expect(recovery, 0, RPCTL_RECOVERY_LOST);
}
