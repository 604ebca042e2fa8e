/* The drain: the whole grid of states and events against a table written down a second time, and its
 * counting. */
#include "pure/drain.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    enum rpctl_drain_state state;
    enum rpctl_drain_event event;
    enum rpctl_drain_state next;
    enum rpctl_drain_action actions[RPCTL_DRAIN_ACTIONS_MAX + 1];
} moves[] = {
#define S(name)  RPCTL_DRAIN_##name
#define ON(name) RPCTL_DRAIN_ON_##name
#define DO(name) RPCTL_DRAIN_DO_##name
    {S(IDLE), ON(BEGIN), S(SETTLING), {DO(ARM_QUIESCE), DO(SETTLE)}},
    {S(SETTLING), ON(SETTLED), S(QUIESCING), {DO(LOOK)}},
    {S(SETTLING), ON(QUIESCE_TIMEOUT), S(SETTLING), {DO(ARM_QUIESCE)}},
    {S(SETTLING), ON(EXITED), S(CLOSING), {DO(DISARM), DO(QUIET), DO(CLOSE)}},
    {S(SETTLING), ON(CANCEL), S(IDLE), {DO(DISARM)}},
    {S(QUIESCING), ON(LOOK_EMPTY), S(QUIESCING), {DO(ARM_LOOK)}},
    {S(QUIESCING), ON(LOOK_BUSY), S(QUIESCING), {DO(ARM_LOOK)}},
    {S(QUIESCING), ON(LOOK_TIMER), S(QUIESCING), {DO(LOOK)}},
    {S(QUIESCING),
     ON(QUIESCE_TIMEOUT),
     S(DRAINING),
     {DO(DISARM), DO(QUIET), DO(ARM_DEADLINE), DO(STOP), DO(ARM_LOOK)}},
    {S(QUIESCING), ON(EXITED), S(CLOSING), {DO(DISARM), DO(QUIET), DO(CLOSE)}},
    {S(QUIESCING), ON(CANCEL), S(IDLE), {DO(DISARM)}},
    {S(DRAINING), ON(EXITED), S(CLOSING), {DO(DISARM), DO(CLOSE)}},
    {S(DRAINING), ON(DEADLINE), S(KILLING), {DO(DISARM_LOOK), DO(KILL)}},
    {S(DRAINING), ON(LOOK_TIMER), S(DRAINING), {DO(WATCH)}},
    {S(DRAINING), ON(LISTENERS_HELD), S(DRAINING), {DO(ARM_LOOK)}},
    {S(DRAINING), ON(LISTENERS_CLOSED), S(UNLISTENING), {DO(DISARM_LOOK), DO(CLOSE)}},
    {S(UNLISTENING), ON(CLOSED), S(UNLISTENED), {DO(NONE)}},
    {S(UNLISTENING), ON(CLOSE_FAILED), S(UNLISTENING), {DO(ARM_LOOK)}},
    {S(UNLISTENING), ON(LOOK_TIMER), S(UNLISTENING), {DO(CLOSE)}},
    {S(UNLISTENING), ON(EXITED), S(OVERTAKEN), {DO(NONE)}},
    {S(UNLISTENING), ON(DEADLINE), S(UNLISTENING), {DO(KILL)}},
    {S(UNLISTENED), ON(EXITED), S(CLOSING), {DO(DISARM), DO(CLOSE)}},
    {S(UNLISTENED), ON(DEADLINE), S(KILLING), {DO(KILL)}},
    {S(OVERTAKEN), ON(CLOSED), S(CLOSING), {DO(DISARM), DO(CLOSE)}},
    {S(OVERTAKEN), ON(CLOSE_FAILED), S(CLOSING), {DO(DISARM), DO(ARM_LOOK)}},
    {S(OVERTAKEN), ON(LOOK_TIMER), S(CLOSING), {DO(DISARM), DO(CLOSE)}},
    {S(KILLING), ON(EXITED), S(CLOSING), {DO(DISARM), DO(CLOSE)}},
    {S(CLOSING), ON(CLOSED), S(DONE), {DO(FINISH)}},
    {S(CLOSING), ON(CLOSE_FAILED), S(CLOSING), {DO(ARM_LOOK)}},
    {S(CLOSING), ON(LOOK_TIMER), S(CLOSING), {DO(CLOSE)}},
};

#define BIT(event) (1u << RPCTL_DRAIN_ON_##event)

static const unsigned late[RPCTL_DRAIN_STATE_COUNT] = {
    [S(IDLE)] = BIT(SETTLED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) | BIT(LOOK_TIMER) | BIT(QUIESCE_TIMEOUT) |
                BIT(EXITED) | BIT(CANCEL),
    [S(SETTLING)] = BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) | BIT(LOOK_TIMER),
    [S(QUIESCING)] = BIT(SETTLED),
    [S(DRAINING)] = BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) | BIT(QUIESCE_TIMEOUT) | BIT(SETTLED) | BIT(CANCEL),
    [S(UNLISTENING)] = BIT(LISTENERS_HELD) | BIT(LISTENERS_CLOSED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) |
                       BIT(QUIESCE_TIMEOUT) | BIT(SETTLED) | BIT(CANCEL),
    [S(UNLISTENED)] = BIT(LISTENERS_HELD) | BIT(LISTENERS_CLOSED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) |
                      BIT(QUIESCE_TIMEOUT) | BIT(SETTLED) | BIT(CANCEL),
    [S(KILLING)] = BIT(LISTENERS_HELD) | BIT(LISTENERS_CLOSED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) |
                   BIT(SETTLED) | BIT(CANCEL),
    [S(OVERTAKEN)] = BIT(LISTENERS_HELD) | BIT(LISTENERS_CLOSED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) |
                     BIT(QUIESCE_TIMEOUT) | BIT(SETTLED) | BIT(DEADLINE) | BIT(CANCEL),
    [S(CLOSING)] = BIT(LISTENERS_HELD) | BIT(LISTENERS_CLOSED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) |
                   BIT(SETTLED) | BIT(DEADLINE) | BIT(QUIESCE_TIMEOUT) | BIT(CANCEL),
    [S(DONE)] = BIT(LISTENERS_HELD) | BIT(LISTENERS_CLOSED) | BIT(LOOK_EMPTY) | BIT(LOOK_BUSY) |
                BIT(SETTLED) | BIT(CANCEL),
};

static void check_move(size_t i, const struct rpctl_drain *drain, const struct rpctl_drain_step *step)
{
    size_t count = 0;

    cr_expect_eq(drain->state, moves[i].next, "%s in %s leads to %s", rpctl_drain_event_name(moves[i].event),
                 rpctl_drain_state_name(moves[i].state), rpctl_drain_state_name(drain->state));
    while (moves[i].actions[count] != DO(NONE)) count++;
    cr_assert_eq(step->action_count, count, "move %zu", i);
    cr_expect_eq(memcmp(step->actions, moves[i].actions, count * sizeof step->actions[0]), 0, "move %zu", i);
}

static void check_pair(int state, int event)
{
    struct rpctl_drain drain = {.state = (enum rpctl_drain_state)state, .looked = true};
    struct rpctl_drain_step step = rpctl_drain_step(&drain, (enum rpctl_drain_event)event);

    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        if ((int)moves[i].state != state || (int)moves[i].event != event) continue;
        check_move(i, &drain, &step);
        return;
    }
    cr_expect_eq(step.possible, (late[state] & 1u << event) != 0, "%s in %s",
                 rpctl_drain_event_name((enum rpctl_drain_event)event),
                 rpctl_drain_state_name((enum rpctl_drain_state)state));
    cr_expect_eq((int)drain.state, state);
    cr_expect_eq(step.action_count, 0);
}

Test(drain, every_pair_of_state_and_event)
{
    for (int state = 0; state < RPCTL_DRAIN_STATE_COUNT; state++)
        for (int event = 0; event < RPCTL_DRAIN_EVENT_COUNT; event++) check_pair(state, event);
}

Test(drain, is_quiet_only_after_enough_empty_looks_in_a_row)
{
    struct rpctl_drain drain;

    rpctl_drain_init(&drain);
    rpctl_drain_step(&drain, ON(BEGIN));
    rpctl_drain_step(&drain, ON(SETTLED));
    for (int i = 0; i < RPCTL_DRAIN_QUIET_LOOKS - 1; i++) rpctl_drain_step(&drain, ON(LOOK_EMPTY));
    rpctl_drain_step(&drain, ON(LOOK_BUSY));
    for (int i = 0; i < RPCTL_DRAIN_QUIET_LOOKS - 1; i++) rpctl_drain_step(&drain, ON(LOOK_EMPTY));
    cr_expect_eq(drain.state, S(QUIESCING));
    cr_expect_eq(rpctl_drain_step(&drain, ON(LOOK_EMPTY)).actions[3], DO(STOP));
    cr_expect_eq(drain.state, S(DRAINING));
}

/* What is left at the bound is told: it has to be known. */
Test(drain, waits_for_the_first_look_at_its_bound)
{
    struct rpctl_drain drain;

    rpctl_drain_init(&drain);
    rpctl_drain_step(&drain, ON(BEGIN));
    rpctl_drain_step(&drain, ON(SETTLED));
    cr_expect_eq(rpctl_drain_step(&drain, ON(QUIESCE_TIMEOUT)).actions[0], DO(ARM_QUIESCE));
    cr_expect_eq(drain.state, S(QUIESCING));
    rpctl_drain_step(&drain, ON(LOOK_BUSY));
    rpctl_drain_step(&drain, ON(QUIESCE_TIMEOUT));
    cr_expect_eq(drain.state, S(DRAINING));
}

Test(drain, begins_to_count_anew_when_it_leaves_again)
{
    struct rpctl_drain drain;

    rpctl_drain_init(&drain);
    rpctl_drain_step(&drain, ON(BEGIN));
    rpctl_drain_step(&drain, ON(SETTLED));
    for (int i = 0; i < RPCTL_DRAIN_QUIET_LOOKS - 1; i++) rpctl_drain_step(&drain, ON(LOOK_EMPTY));
    rpctl_drain_step(&drain, ON(CANCEL));
    rpctl_drain_step(&drain, ON(BEGIN));
    rpctl_drain_step(&drain, ON(SETTLED));
    rpctl_drain_step(&drain, ON(LOOK_EMPTY));
    cr_expect_eq(drain.state, S(QUIESCING));
}

static struct rpctl_drain drain_in(enum rpctl_drain_state state)
{
    return (struct rpctl_drain){.state = state};
}

/* Whatever comes first, the last close begins when the last process has ended, and no two are under way at
 * once. */
Test(drain, closes_once_more_when_closed_and_exited_in_either_order)
{
    struct rpctl_drain first = drain_in(S(UNLISTENING)), second = drain_in(S(UNLISTENING));

    rpctl_drain_step(&first, ON(CLOSED));
    cr_expect_eq(rpctl_drain_step(&first, ON(EXITED)).actions[1], DO(CLOSE));
    cr_expect_eq(rpctl_drain_step(&first, ON(CLOSED)).actions[0], DO(FINISH));
    cr_expect_eq(rpctl_drain_step(&second, ON(EXITED)).action_count, 0);
    cr_expect_eq(rpctl_drain_step(&second, ON(CLOSED)).actions[1], DO(CLOSE));
    cr_expect_eq(rpctl_drain_step(&second, ON(CLOSED)).actions[0], DO(FINISH));
}

Test(drain, is_emptied_when_the_last_process_has_ended)
{
    for (int state = 0; state < RPCTL_DRAIN_STATE_COUNT; state++) {
        struct rpctl_drain drain = drain_in((enum rpctl_drain_state)state);
        bool emptied = rpctl_drain_is_emptied(drain.state);

        cr_expect_eq(rpctl_drain_step(&drain, ON(EXITED)).possible, !emptied, "state %d", state);
        cr_expect(!emptied || state >= S(OVERTAKEN));
    }
}
