/* The rollout: the whole grid of states and events against a table written down a second time, and every
 * order of events that the world can produce. */
#include "pure/rollout.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* --- the grid ------------------------------------------------------------------------------------------- */

/* What may come in a state: moves as "EVENT>NEXT:ACTION,ACTION", late events by name; all others are
 * impossible. Two instances, of which none is ready; two good rounds are wanted; an old generation is there.
 */
static const struct {
    const char *moves;
    const char *late;
} grid[RPCTL_ROLLOUT_STATE_COUNT] = {
    [RPCTL_ROLLOUT_IDLE] = {"BEGIN>PINNING:PIN", "PROBE_GOOD PROBE_BAD PROBE_TIMER NEW_EXITED ABORT"},
    [RPCTL_ROLLOUT_PINNING] = {"PINNED>LAUNCHING:ARM_DEADLINE,LAUNCH PIN_FAILED>IDLE:FINISH "
                               "ABORT>RETRACTING:STOP_NEW",
                               "PROBE_GOOD PROBE_BAD"},
    [RPCTL_ROLLOUT_LAUNCHING] =
        {"LAUNCHED>WAITING: LAUNCH_FAILED>RETRACTING:DISARM,STOP_NEW "
         "CHECK_FAILED>RETRACTING:DISARM,STOP_NEW NEW_EXITED>RETRACTING:DISARM,STOP_NEW "
         "DEADLINE>RETRACTING:DISARM,STOP_NEW ABORT>RETRACTING:DISARM,STOP_NEW",
         "INSTANCE_READY"},
    [RPCTL_ROLLOUT_WAITING] = {"INSTANCE_READY>WAITING: CHECK_FAILED>RETRACTING:DISARM,STOP_NEW "
                               "NEW_EXITED>RETRACTING:DISARM,STOP_NEW DEADLINE>RETRACTING:DISARM,STOP_NEW "
                               "ABORT>RETRACTING:DISARM,STOP_NEW",
                               ""},
    [RPCTL_ROLLOUT_CHECKING] = {"CHECKED>PROVING:PROBE CHECK_FAILED>RETRACTING:DISARM,STOP_NEW "
                                "NEW_EXITED>RETRACTING:DISARM,STOP_NEW DEADLINE>RETRACTING:DISARM,STOP_NEW "
                                "ABORT>RETRACTING:DISARM,STOP_NEW",
                                "INSTANCE_READY"},
    [RPCTL_ROLLOUT_PROVING] =
        {"PROBE_GOOD>PROVING:PROBE PROBE_BAD>PROVING:ARM_PROBE PROBE_TIMER>PROVING:PROBE "
         "CHECK_FAILED>RETRACTING:DISARM,STOP_NEW NEW_EXITED>RETRACTING:DISARM,STOP_NEW "
         "DEADLINE>RETRACTING:DISARM,STOP_NEW ABORT>RETRACTING:DISARM,STOP_NEW",
         "INSTANCE_READY"},
    [RPCTL_ROLLOUT_SHIFTING] = {"SHIFTED>BAKING:ARM_BAKE,ARM_PROBE SHIFT_FAILED>RETRACTING:STOP_NEW "
                                "NEW_EXITED>UNDOING:UNSHIFT ABORT>UNDOING:UNSHIFT",
                                "INSTANCE_READY DEADLINE PROBE_TIMER PROBE_GOOD PROBE_BAD CHECK_FAILED"},
    [RPCTL_ROLLOUT_BAKING] =
        {"PROBE_TIMER>BAKING:PROBE PROBE_GOOD>BAKING:ARM_PROBE PROBE_BAD>BAKING:ARM_PROBE "
         "BAKE_OVER>QUIESCING:DISARM,RETIRE_OLD NEW_EXITED>UNDOING:DISARM,UNSHIFT "
         "ABORT>UNDOING:DISARM,UNSHIFT",
         "INSTANCE_READY DEADLINE CHECK_FAILED"},
    [RPCTL_ROLLOUT_QUIESCING] =
        {"OLD_QUIET>IDLE:COMMIT,FINISH NEW_EXITED>UNDOING:UNRETIRE_OLD,UNSHIFT "
         "ABORT>UNDOING:UNRETIRE_OLD,UNSHIFT",
         "INSTANCE_READY DEADLINE BAKE_OVER PROBE_TIMER PROBE_GOOD PROBE_BAD CHECK_FAILED"},
    [RPCTL_ROLLOUT_UNDOING] =
        {"UNSHIFTED>RETIRING:DISARM,RETIRE_NEW UNSHIFT_FAILED>UNDOING:ARM_PROBE "
         "PROBE_TIMER>UNDOING:UNSHIFT",
         "SHIFTED SHIFT_FAILED OLD_QUIET NEW_EXITED ABORT INSTANCE_READY DEADLINE BAKE_OVER "
         "PROBE_GOOD PROBE_BAD CHECK_FAILED"},
    [RPCTL_ROLLOUT_RETIRING] = {"NEW_RETIRED>IDLE:FINISH",
                                "OLD_QUIET NEW_EXITED ABORT INSTANCE_READY DEADLINE BAKE_OVER PROBE_TIMER "
                                "PROBE_GOOD PROBE_BAD CHECK_FAILED"},
    [RPCTL_ROLLOUT_RETRACTING] =
        {"NEW_GONE>IDLE:FINISH",
         "PINNED PIN_FAILED LAUNCHED LAUNCH_FAILED CHECKED CHECK_FAILED NEW_EXITED ABORT "
         "INSTANCE_READY DEADLINE PROBE_TIMER PROBE_GOOD PROBE_BAD"},
};

static struct rpctl_rollout rollout_in(enum rpctl_rollout_state state)
{
    struct rpctl_rollout rollout;

    rpctl_rollout_init(&rollout);
    rollout.has_old = true;
    rollout.instances = rollout.health_count = 2;
    rollout.state = state;
    return rollout;
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return true;
    return false;
}

/* Finds "EVENT>NEXT:ACTIONS" and writes "NEXT:ACTIONS". */
static bool find_move(const char *moves, const char *event, char *ret_move)
{
    char wanted[64];
    const char *at = moves;

    snprintf(wanted, sizeof wanted, "%s>", event);
    while ((at = strstr(at, wanted))) {
        if (at == moves || at[-1] == ' ') {
            sscanf(at + strlen(wanted), "%127s", ret_move);
            return true;
        }
        at++;
    }
    return false;
}

static void describe(const struct rpctl_rollout *rollout, const struct rpctl_rollout_step *step, char *text)
{
    size_t used = (size_t)sprintf(text, "%s:", rpctl_rollout_state_name(rollout->state));

    for (size_t i = 0; i < step->action_count; i++)
        used +=
            (size_t)sprintf(text + used, "%s%s", i ? "," : "", rpctl_rollout_action_name(step->actions[i]));
}

static void check_pair(enum rpctl_rollout_state state, enum rpctl_rollout_event event)
{
    struct rpctl_rollout rollout = rollout_in(state);
    struct rpctl_rollout_step step = rpctl_rollout_step(&rollout, event);
    const char *name = rpctl_rollout_event_name(event);
    char expected[128], got[256];
    bool late = has_word(grid[state].late, name);
    bool moves = find_move(grid[state].moves, name, expected);

    cr_expect_eq(step.possible, late || moves, "%s in %s: possible is %d", name,
                 rpctl_rollout_state_name(state), step.possible);
    if (moves) {
        describe(&rollout, &step, got);
        cr_expect_str_eq(got, expected, "%s in %s: %s, not %s", name, rpctl_rollout_state_name(state), got,
                         expected);
    } else {
        cr_expect_eq(rollout.state, state);
        cr_expect_eq(step.action_count, 0);
    }
}

Test(rollout, every_pair_of_state_and_event)
{
    for (int state = 0; state < RPCTL_ROLLOUT_STATE_COUNT; state++)
        for (int event = 0; event < RPCTL_ROLLOUT_EVENT_COUNT; event++)
            check_pair((enum rpctl_rollout_state)state, (enum rpctl_rollout_event)event);
}

/* --- what counts ---------------------------------------------------------------------------------------- */

static struct rpctl_rollout_step feed(struct rpctl_rollout *rollout, enum rpctl_rollout_event event)
{
    struct rpctl_rollout_step step = rpctl_rollout_step(rollout, event);

    cr_assert(step.possible, "%s in %s", rpctl_rollout_event_name(event),
              rpctl_rollout_state_name(rollout->state));
    return step;
}

Test(rollout, waits_for_every_instance)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_WAITING);

    feed(&rollout, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_WAITING);
    feed(&rollout, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_CHECKING);
}

Test(rollout, instances_that_are_ready_before_the_last_is_launched_count)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_LAUNCHING);

    feed(&rollout, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    feed(&rollout, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_LAUNCHING);
    feed(&rollout, RPCTL_ROLLOUT_ON_LAUNCHED);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_CHECKING);
}

Test(rollout, good_rounds_must_come_in_a_row)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_PROVING);

    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_TIMER);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_PROVING);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_SHIFTING);
}

Test(rollout, a_release_that_sickens_in_the_bake_is_rolled_back)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_BAKING);

    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_BAKING);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_UNDOING);
    cr_expect_eq(rollout.outcome, RPCTL_ROLLOUT_ROLLED_BACK);
}

/* --- after the shift, the old generation has died --- */

static enum rpctl_rollout_state baking_after(enum rpctl_rollout_old old,
                                             const enum rpctl_rollout_event *events, size_t count)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_BAKING);

    rollout.old = old;
    for (size_t i = 0; i < count; i++) cr_assert(rpctl_rollout_step(&rollout, events[i]).possible);
    return rollout.state;
}

Test(rollout, an_abort_leads_back_only_to_somebody)
{
    static const enum rpctl_rollout_state after_the_shift[] = {RPCTL_ROLLOUT_SHIFTING, RPCTL_ROLLOUT_BAKING,
                                                               RPCTL_ROLLOUT_QUIESCING};

    for (int old = RPCTL_ROLLOUT_OLD_SERVES; old <= RPCTL_ROLLOUT_OLD_GONE; old++) {
        for (size_t i = 0; i < 3; i++) {
            struct rpctl_rollout rollout = rollout_in(after_the_shift[i]);
            struct rpctl_rollout_step step;
            bool can = old == RPCTL_ROLLOUT_OLD_SERVES;

            rollout.old = (enum rpctl_rollout_old)old;
            cr_expect_eq(rpctl_rollout_can_abort(&rollout), can);
            step = rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_ABORT);
            cr_expect(step.possible);
            cr_expect_eq(rollout.state, can ? RPCTL_ROLLOUT_UNDOING : after_the_shift[i]);
            cr_expect_eq(step.action_count > 0, can);
        }
    }
}

Test(rollout, one_process_that_ends_is_missed_while_nobody_is_there_to_go_back_to)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_BAKING);

    rollout.old = RPCTL_ROLLOUT_OLD_RETURNS;
    rollout.running = 1;
    cr_expect(rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_NEW_EXITED).possible);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_BAKING);
    rollout.running = 0;
    rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_NEW_EXITED);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_UNDOING);
    rollout = rollout_in(RPCTL_ROLLOUT_BAKING);
    rollout.running = 1;
    rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_NEW_EXITED);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_UNDOING);
}

Test(rollout, an_abort_before_the_shift_needs_nobody)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_PROVING);

    rollout.old = RPCTL_ROLLOUT_OLD_GONE;
    cr_expect(rpctl_rollout_can_abort(&rollout));
    rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_ABORT);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_RETRACTING);
    cr_expect_not(rpctl_rollout_can_abort(&rollout));
}

Test(rollout, one_that_sickens_stays_while_nobody_else_is_there)
{
    static const enum rpctl_rollout_event events[] = {RPCTL_ROLLOUT_ON_PROBE_BAD, RPCTL_ROLLOUT_ON_PROBE_BAD,
                                                      RPCTL_ROLLOUT_ON_PROBE_BAD, RPCTL_ROLLOUT_ON_BAKE_OVER,
                                                      RPCTL_ROLLOUT_ON_PROBE_BAD, RPCTL_ROLLOUT_ON_DEADLINE};

    cr_expect_eq(baking_after(RPCTL_ROLLOUT_OLD_SERVES, events, 2), RPCTL_ROLLOUT_UNDOING);
    cr_expect_eq(baking_after(RPCTL_ROLLOUT_OLD_RETURNS, events, 3), RPCTL_ROLLOUT_BAKING);
    cr_expect_eq(baking_after(RPCTL_ROLLOUT_OLD_RETURNS, events, 5), RPCTL_ROLLOUT_BAKING);
    cr_expect_eq(baking_after(RPCTL_ROLLOUT_OLD_RETURNS, events, 6), RPCTL_ROLLOUT_QUIESCING);
    cr_expect_eq(baking_after(RPCTL_ROLLOUT_OLD_GONE, events, 4), RPCTL_ROLLOUT_QUIESCING);
}

Test(rollout, it_is_told_once_that_a_sick_one_stays)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_BAKING);
    unsigned told = 0;

    rollout.old = RPCTL_ROLLOUT_OLD_GONE;
    for (int i = 0; i < 5; i++) {
        struct rpctl_rollout_step step = rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);

        cr_expect_eq(step.actions[0], RPCTL_ROLLOUT_DO_ARM_PROBE);
        told += step.action_count == 2 && step.actions[1] == RPCTL_ROLLOUT_DO_WARN_SICK;
    }
    cr_expect_eq(told, 1);
}

Test(rollout, one_that_has_sickened_is_rolled_back_when_the_old_one_is_back)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_BAKING);

    rollout.old = RPCTL_ROLLOUT_OLD_RETURNS;
    rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    cr_expect_eq(rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_BAKE_OVER).actions[0],
                 RPCTL_ROLLOUT_DO_ARM_DEADLINE);
    rollout.old = RPCTL_ROLLOUT_OLD_SERVES;
    rpctl_rollout_step(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_UNDOING);
    cr_expect_eq(rollout.outcome, RPCTL_ROLLOUT_ROLLED_BACK);
}

Test(rollout, one_that_recovers_is_promoted_after_the_death_of_the_old_one)
{
    static const enum rpctl_rollout_event events[] = {RPCTL_ROLLOUT_ON_PROBE_BAD, RPCTL_ROLLOUT_ON_PROBE_BAD,
                                                      RPCTL_ROLLOUT_ON_BAKE_OVER,
                                                      RPCTL_ROLLOUT_ON_PROBE_GOOD};

    cr_expect_eq(baking_after(RPCTL_ROLLOUT_OLD_RETURNS, events, 4), RPCTL_ROLLOUT_QUIESCING);
}

Test(rollout, bad_rounds_while_proving_do_not_count_in_the_bake)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_SHIFTING);

    rollout.bad = 1;
    feed(&rollout, RPCTL_ROLLOUT_ON_SHIFTED);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_BAD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_BAKING);
}

Test(rollout, without_health_checks_ready_is_proven)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_CHECKING);

    rollout.probes = false;
    feed(&rollout, RPCTL_ROLLOUT_ON_CHECKED);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_SHIFTING);
    cr_expect_eq(feed(&rollout, RPCTL_ROLLOUT_ON_SHIFTED).action_count, 1);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_BAKING);
}

Test(rollout, a_first_start_neither_pins_nor_shifts)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_IDLE);

    rollout.has_old = false;
    feed(&rollout, RPCTL_ROLLOUT_ON_BEGIN);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_LAUNCHING);
    feed(&rollout, RPCTL_ROLLOUT_ON_LAUNCHED);
    feed(&rollout, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    feed(&rollout, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    feed(&rollout, RPCTL_ROLLOUT_ON_CHECKED);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    feed(&rollout, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_IDLE);
    cr_expect_eq(rollout.outcome, RPCTL_ROLLOUT_DONE);
}

Test(rollout, a_first_start_without_health_checks)
{
    struct rpctl_rollout rollout = rollout_in(RPCTL_ROLLOUT_CHECKING);

    rollout.has_old = rollout.probes = false;
    cr_expect_eq(feed(&rollout, RPCTL_ROLLOUT_ON_CHECKED).action_count, 3);
    cr_expect_eq(rollout.state, RPCTL_ROLLOUT_IDLE);
}

/* --- every order of events
 * ----------------------------------------------------------------------------------------
 *
 * The world as the rollout sees it: which answers are due, which timers run, which processes live. From each
 * situation every event that can come next is tried; situations seen before are not gone into again. */

struct world {
    struct rpctl_rollout rollout;
    unsigned jobs[4]; /* steering jobs in their order; 0 = none */
    bool launching, probing, retiring_old, retiring_new, stopping_new;
    bool deadline, probe_timer, bake_timer;
    bool candidate; /* the new generation exists */
    unsigned alive, unready;
    bool old_serves; /* steered to old (or nobody was steered) */
    bool new_serves;
    bool committed;
};

#define WORLDS_MAX 400000
static struct world worlds[WORLDS_MAX];
static size_t world_count;

static void push(const struct world *world)
{
    for (size_t i = world_count; i-- > 0;)
        if (memcmp(&worlds[i], world, sizeof *world) == 0) return;
    cr_assert_lt(world_count, WORLDS_MAX);
    memcpy(&worlds[world_count++], world, sizeof *world);
}

static void add_job(struct world *world, enum rpctl_rollout_action action)
{
    size_t i = 0;

    while (i < 4 && world->jobs[i]) i++;
    cr_assert_lt(i, 4, "no heap of jobs");
    world->jobs[i] = action;
}

static void carry_out(struct world *world, enum rpctl_rollout_action action)
{
    switch (action) {
    case RPCTL_ROLLOUT_DO_PIN:
    case RPCTL_ROLLOUT_DO_CHECK:
    case RPCTL_ROLLOUT_DO_SHIFT:
    case RPCTL_ROLLOUT_DO_UNSHIFT: add_job(world, action); return;
    case RPCTL_ROLLOUT_DO_LAUNCH: world->launching = true; return;
    case RPCTL_ROLLOUT_DO_PROBE:
        cr_expect(!world->probing, "one round at a time");
        world->probing = true;
        return;
    case RPCTL_ROLLOUT_DO_RETIRE_OLD:
        cr_expect(world->new_serves && !world->old_serves, "old goes only when new has everything");
        world->retiring_old = true;
        return;
    case RPCTL_ROLLOUT_DO_UNRETIRE_OLD: world->retiring_old = false; return;
    case RPCTL_ROLLOUT_DO_RETIRE_NEW:
        cr_expect(world->old_serves && !world->new_serves, "new goes only when old has everything again");
        world->retiring_new = true;
        return;
    case RPCTL_ROLLOUT_DO_STOP_NEW:
        cr_expect(!world->new_serves, "a release that serves is never stopped like a failed one");
        world->stopping_new = true;
        return;
    case RPCTL_ROLLOUT_DO_ARM_DEADLINE: world->deadline = true; return;
    case RPCTL_ROLLOUT_DO_ARM_PROBE: world->probe_timer = true; return;
    case RPCTL_ROLLOUT_DO_ARM_BAKE: world->bake_timer = true; return;
    case RPCTL_ROLLOUT_DO_DISARM: world->deadline = world->probe_timer = world->bake_timer = false; return;
    case RPCTL_ROLLOUT_DO_COMMIT: world->committed = true; return;
    case RPCTL_ROLLOUT_DO_FINISH:
        cr_expect_eq(world->rollout.state, RPCTL_ROLLOUT_IDLE);
        cr_expect_eq(world->committed, world->rollout.outcome == RPCTL_ROLLOUT_DONE);
        if (!world->committed && world->rollout.has_old) cr_expect(world->old_serves && !world->new_serves);
        world->candidate = false;
        return;
    default: cr_assert_fail("no action");
    }
}

static void happen(struct world world, enum rpctl_rollout_event event)
{
    struct rpctl_rollout_step step = rpctl_rollout_step(&world.rollout, event);

    cr_assert(step.possible, "%s came in %s", rpctl_rollout_event_name(event),
              rpctl_rollout_state_name(world.rollout.state));
    for (size_t i = 0; i < step.action_count; i++) carry_out(&world, step.actions[i]);
    /* Counters beyond what is compared would make every situation a new one. */
    if (world.rollout.good > 2) world.rollout.good = 2;
    if (world.rollout.bad > 2) world.rollout.bad = 2;
    push(&world);
}

static void finish_job(struct world world)
{
    enum rpctl_rollout_action job = (enum rpctl_rollout_action)world.jobs[0];
    struct world failed;

    memmove(world.jobs, world.jobs + 1, 3 * sizeof *world.jobs);
    world.jobs[3] = 0;
    failed = world;
    if (job == RPCTL_ROLLOUT_DO_SHIFT) {
        world.old_serves = false;
        world.new_serves = true;
        happen(world, RPCTL_ROLLOUT_ON_SHIFTED);
        happen(failed, RPCTL_ROLLOUT_ON_SHIFT_FAILED);
    } else if (job == RPCTL_ROLLOUT_DO_UNSHIFT) {
        world.old_serves = true;
        world.new_serves = false;
        happen(world, RPCTL_ROLLOUT_ON_UNSHIFTED);
        happen(failed, RPCTL_ROLLOUT_ON_UNSHIFT_FAILED);
    } else if (job == RPCTL_ROLLOUT_DO_PIN) {
        happen(world, RPCTL_ROLLOUT_ON_PINNED);
        happen(failed, RPCTL_ROLLOUT_ON_PIN_FAILED);
    } else {
        happen(world, RPCTL_ROLLOUT_ON_CHECKED);
        happen(failed, RPCTL_ROLLOUT_ON_CHECK_FAILED);
    }
}

static void launch_and_live(struct world world)
{
    struct world next = world;

    if (world.launching) {
        next.launching = false;
        next.alive = next.unready = 2;
        happen(next, RPCTL_ROLLOUT_ON_LAUNCHED);
        next = world;
        next.launching = false;
        next.alive = 1;
        happen(next, RPCTL_ROLLOUT_ON_LAUNCH_FAILED);
        return;
    }
    if (world.alive > 0) {
        next = world;
        next.alive--;
        if (next.unready > next.alive) next.unready = next.alive;
        happen(next, RPCTL_ROLLOUT_ON_NEW_EXITED);
    }
    if (world.unready > 0 && world.alive > 0) {
        next = world;
        next.unready--;
        happen(next, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    }
}

static void let_time_pass(struct world world)
{
    struct world next = world;

    next.deadline = false;
    if (world.deadline) happen(next, RPCTL_ROLLOUT_ON_DEADLINE);
    next = world;
    next.probe_timer = false;
    if (world.probe_timer) happen(next, RPCTL_ROLLOUT_ON_PROBE_TIMER);
    next = world;
    next.bake_timer = false;
    if (world.bake_timer) happen(next, RPCTL_ROLLOUT_ON_BAKE_OVER);
}

static void answer(struct world world)
{
    struct world next = world;

    next.probing = false;
    if (world.probing) happen(next, RPCTL_ROLLOUT_ON_PROBE_GOOD);
    if (world.probing) happen(next, RPCTL_ROLLOUT_ON_PROBE_BAD);
    next = world;
    next.retiring_old = false;
    if (world.retiring_old) happen(next, RPCTL_ROLLOUT_ON_OLD_QUIET);
    next = world;
    next.retiring_new = false;
    next.alive = next.unready = 0;
    if (world.retiring_new) happen(next, RPCTL_ROLLOUT_ON_NEW_RETIRED);
    /* The listeners of a release that is stopped are closed by a job: after those before it. */
    next = world;
    next.stopping_new = false;
    if (world.stopping_new && world.alive == 0 && !world.jobs[0]) happen(next, RPCTL_ROLLOUT_ON_NEW_GONE);
}

static bool has_a_way_on(const struct world *world)
{
    return world->jobs[0] || world->launching || world->probing || world->retiring_old ||
           world->retiring_new || world->stopping_new || world->deadline || world->probe_timer ||
           world->bake_timer;
}

static size_t walk(bool has_old, bool probes)
{
    struct world world;
    size_t ends = 0;

    memset(&world, 0, sizeof world);
    rpctl_rollout_init(&world.rollout);
    world.rollout.has_old = has_old;
    world.rollout.probes = probes;
    world.rollout.instances = world.rollout.health_count = 2;
    world.candidate = world.old_serves = true;
    world_count = 0;
    happen(world, RPCTL_ROLLOUT_ON_BEGIN);
    for (size_t i = 0; i < world_count; i++) {
        memcpy(&world, &worlds[i], sizeof world);
        if (!world.candidate) {
            ends++;
            continue;
        }
        cr_expect(has_a_way_on(&world), "stuck in %s", rpctl_rollout_state_name(world.rollout.state));
        if (world.jobs[0]) finish_job(world);
        launch_and_live(world);
        let_time_pass(world);
        answer(world);
        if (!world.launching) happen(world, RPCTL_ROLLOUT_ON_ABORT);
    }
    return ends;
}

Test(rollout, every_order_of_events_ends_and_keeps_its_promises, .timeout = 60)
{
    for (int i = 0; i < 4; i++) {
        size_t ends = walk(i & 1, i & 2);

        cr_log_info("old %d, probes %d: %zu situations, %zu ends", i & 1, i & 2, world_count, ends);
        cr_expect_gt(ends, 0);
    }
}

Test(rollout, is_starting_from_the_pin_until_its_listeners_are_known)
{
    static const bool starting[RPCTL_ROLLOUT_STATE_COUNT] = {
        [RPCTL_ROLLOUT_PINNING] = true,  [RPCTL_ROLLOUT_LAUNCHING] = true,  [RPCTL_ROLLOUT_WAITING] = true,
        [RPCTL_ROLLOUT_CHECKING] = true, [RPCTL_ROLLOUT_RETRACTING] = true,
    };

    for (int state = 0; state < RPCTL_ROLLOUT_STATE_COUNT; state++) {
        struct rpctl_rollout rollout = rollout_in((enum rpctl_rollout_state)state);

        cr_expect_eq(rpctl_rollout_is_starting(&rollout), starting[state], "%s",
                     rpctl_rollout_state_name((enum rpctl_rollout_state)state));
        cr_expect_eq(rpctl_rollout_is_undoing(&rollout),
                     strcmp(rpctl_rollout_phase(rollout.state), "undo") == 0);
    }
}
