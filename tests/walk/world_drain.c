/* A drain: the real machine, and what its actions do (shell/leaving*.c). */
#include "world_internal.h"

#include "pure/generation_state.h"

/* One that serves, or has served, is told to stop only when another one has all traffic that has shown that
 * it can serve. One that could not serve anyway may be told at any time. */
static void check_stop(const struct world *world, unsigned number)
{
    const struct generation *generation = world_generation(world, number);

    if (!generation->proven || !world_can_serve(generation)) return;
    if (world->program == 0 || world->program == number || !world_generation(world, world->program)->proven ||
        !world_is_open(world_generation(world, world->program)))
        world_fail("generation %u is told to stop, and no other one that is proven has all traffic", number);
}

void world_stop_processes(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    generation->stop_waits = !world_is_written(world);
    if (generation->stop_waits) return;
    if (generation->drain != RPCTL_DRAIN_DRAINING)
        world_fail("generation %u is told to stop before its queues are empty, or given up", number);
    check_stop(world, number);
    world_tell_all(world, number);
}

static void close_listeners(struct world *world, unsigned number)
{
    if (!world_is_starting(world) && !world_is_held(world)) {
        world_add_job(world, JOB_CLOSE_LEAVING, number);
        return;
    }
    world_get(world, number)->doomed = 0;
    world_get(world, number)->timers |= TIMER_LOOK;
}

/* What may come to listeners that are about to go is led elsewhere first: a matter of places, but it takes
 * its time. */
static void stop(struct world *world, unsigned number)
{
    if (world_get(world, number)->doomed || world_is_starting(world)) {
        world_stop_processes(world, number);
        return;
    }
    world_get(world, number)->doomed = 1;
    world_add_job(world, JOB_DOOM, number);
}

static void drain_finish(struct world *world, unsigned number)
{
    unsigned operation = world_get(world, number)->operation;

    world_get(world, number)->operation = 0;
    if (number == world->candidate) {
        world_post(world, RPCTL_ROLLOUT_ON_NEW_RETIRED);
        return;
    }
    if (operation && world->operations[operation - 1] == OPERATION_DRAINS)
        world_operation_over(world, operation, OPERATION_DRAINS);
    world_forget(world, number);
    world_takeover_on_gone(world);
}

static void act_drain(struct world *world, unsigned number, enum rpctl_drain_action action)
{
    struct generation *generation = world_get(world, number);

    switch (action) {
    case RPCTL_DRAIN_DO_SETTLE: world_add_job(world, JOB_SETTLE, number); return;
    case RPCTL_DRAIN_DO_LOOK: world_add_job(world, JOB_LOOK, number); return;
    case RPCTL_DRAIN_DO_ARM_LOOK:
        if (generation->drain != RPCTL_DRAIN_DRAINING) generation->timers |= TIMER_LOOK;
        return;
    case RPCTL_DRAIN_DO_ARM_QUIESCE: generation->timers |= TIMER_QUIESCE; return;
    case RPCTL_DRAIN_DO_ARM_DEADLINE: generation->timers |= TIMER_DEADLINE; return;
    case RPCTL_DRAIN_DO_DISARM: generation->timers = 0; return;
    case RPCTL_DRAIN_DO_QUIET:
        if (number == world->serving) world_post(world, RPCTL_ROLLOUT_ON_OLD_QUIET);
        return;
    case RPCTL_DRAIN_DO_DISARM_LOOK: generation->timers &= (uint8_t)~TIMER_LOOK; return;
    case RPCTL_DRAIN_DO_WATCH: return;
    case RPCTL_DRAIN_DO_STOP: stop(world, number); return;
    case RPCTL_DRAIN_DO_KILL: world_add_job(world, JOB_COUNT, number); return;
    case RPCTL_DRAIN_DO_CLOSE: close_listeners(world, number); return;
    case RPCTL_DRAIN_DO_FINISH: drain_finish(world, number); return;
    case RPCTL_DRAIN_DO_NONE:
    case RPCTL_DRAIN_ACTION_COUNT: break;
    }
    world_fail("a drain's action that has no deed");
}

/* Nobody but the rollout, which may call another drain off or begin one, changes a drain that is not meant.
 */
void world_post_drain(struct world *world, unsigned number, enum rpctl_drain_event event)
{
    struct generation *generation = world_get(world, number);
    struct rpctl_drain drain = {
        .state = generation->drain, .empty_looks = generation->empty_looks, .looked = generation->looked};
    struct rpctl_drain_step step = rpctl_drain_step(&drain, event);

    if (!step.possible)
        world_fail("impossible in the drain of generation %u: %s in %s", number,
                   rpctl_drain_event_name(event), rpctl_drain_state_name(generation->drain));
    generation->drain = (uint8_t)drain.state;
    generation->empty_looks = drain.state == RPCTL_DRAIN_QUIESCING ? (uint8_t)drain.empty_looks : 0;
    generation->looked = drain.state == RPCTL_DRAIN_QUIESCING && drain.looked;
    for (size_t i = 0; i < step.action_count && !world_fault; i++) act_drain(world, number, step.actions[i]);
}

void world_leave(struct world *world, unsigned number, unsigned operation)
{
    struct generation *generation = world_get(world, number);

    generation->operation = (uint8_t)operation;
    world_make_stale(world, number);
    world_cancel_relaunch(generation);
    generation->state = RPCTL_GENERATION_DRAINING;
    world_post_drain(world, number, RPCTL_DRAIN_ON_BEGIN);
    if (world_running(generation) == 0) world_sweep(world, number, SWEEP_LEAVING);
}

void world_stay(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    world_post_drain(world, number, RPCTL_DRAIN_ON_CANCEL);
    if (world_is_leaving(generation)) world_fail("generation %u is called back too late", number);
    generation->operation = 0;
    generation->state = RPCTL_GENERATION_STANDBY;
    world_relaunch_missing(world, number);
}
