/* Processes, from their launch to the end of what they have left behind (shell/launch.c, relaunch.c,
 * sweep.c). */
#include "world_internal.h"

#include "pure/generation_state.h"

bool world_launch_fails, world_has_launched;

void world_sweep(struct world *world, unsigned number, enum sweep kind)
{
    if (world_get(world, number)->sweep == SWEEP_NONE) world_get(world, number)->sweep = (uint8_t)kind;
}

void world_kill_all(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].phase != PROCESS_NONE)
            generation->processes[i].flags |= PROCESS_TOLD | PROCESS_SAID | PROCESS_KILLED;
}

void world_tell_all(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
        struct process *process = &generation->processes[i];

        if (process->phase == PROCESS_NONE || process->flags & PROCESS_SAID) continue;
        if (generation->proven && generation->had_traffic &&
            (process->flags & (PROCESS_TOLD | PROCESS_EARLY | PROCESS_KILLED)) == PROCESS_TOLD)
            world_fail("generation %u is told to stop a second time, which cuts its connections", number);
        process->flags |= PROCESS_TOLD | PROCESS_SAID;
        if (process->phase != PROCESS_READY) process->flags |= PROCESS_EARLY;
    }
}

bool world_launch(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);
    unsigned count = world_launch_fails ? world_config->processes - 1u : world_config->processes;

    world_has_launched = true;
    for (unsigned i = 0; i < count; i++) generation->processes[i].phase = PROCESS_BORN;
    return !world_launch_fails;
}

void world_relaunch(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    if (!world_should_run(world, number)) return;
    for (size_t i = 0; i < world_config->processes; i++) {
        struct process *process = &generation->processes[i];

        if (process->phase != PROCESS_NONE || process->flags & PROCESS_DUE) continue;
        world_has_launched = true;
        if (world_launch_fails)
            process->flags |= PROCESS_DUE;
        else
            process->phase = PROCESS_BORN;
        return;
    }
}

void world_relaunch_missing(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    if (!world_should_run(world, number)) return;
    for (size_t i = 0; i < world_config->processes; i++)
        if (generation->processes[i].phase == PROCESS_NONE) generation->processes[i].flags |= PROCESS_DUE;
}

void world_cancel_relaunch(struct generation *generation)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) generation->processes[i].flags &= (uint8_t)~PROCESS_DUE;
}

void world_drop_listeners(struct process *process)
{
    process->flags &= (uint8_t) ~(PROCESS_OPEN | PROCESS_HELD | PROCESS_KNOWN);
}

void world_process_ends(const struct world *world, struct process *process)
{
    if (!(process->flags & PROCESS_HELD)) world_drop_listeners(process);
    process->phase = world->up ? PROCESS_DEAD : PROCESS_NONE;
    if (!world->up) process->flags = 0;
}

void world_process_speaks(struct world *world, unsigned number, struct process *process)
{
    process->phase = PROCESS_READY;
    process->flags |= PROCESS_HELD;
    world_add_job(world, JOB_ADD, number);
    if (number == world->candidate) world_post(world, RPCTL_ROLLOUT_ON_INSTANCE_READY);
}

void world_on_ended(struct world *world, unsigned number, struct process *process)
{
    struct generation *generation = world_get(world, number);
    bool last;

    process->phase = PROCESS_NONE;
    process->flags &= PROCESS_OPEN | PROCESS_HELD | PROCESS_KNOWN;
    last = world_running(generation) == 0;
    if (world_should_run(world, number)) process->flags |= PROCESS_DUE;
    if (number == world->candidate && generation->state == RPCTL_GENERATION_STOPPING) {
        if (last) world->timers &= (uint8_t)~TIMER_STOP;
        if (last) world_sweep(world, number, SWEEP_CANDIDATE);
        return;
    }
    if (number == world->candidate) world_post(world, RPCTL_ROLLOUT_ON_NEW_EXITED);
    if (last && world_is_leaving(generation)) world_sweep(world, number, SWEEP_LEAVING);
}

static void close_candidate(struct world *world)
{
    world->timers &= (uint8_t)~TIMER_STOP;
    world_add_job(world, JOB_CLOSE_CANDIDATE, world->candidate);
}

void world_swept(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);
    uint8_t kind = generation->sweep;

    generation->sweep = SWEEP_NONE;
    if (kind == SWEEP_CANDIDATE)
        close_candidate(world);
    else if (world_is_leaving(generation) && !rpctl_drain_is_emptied(generation->drain) &&
             world_running(generation) == 0)
        world_post_drain(world, number, RPCTL_DRAIN_ON_EXITED);
}

void world_stop_timer(struct world *world)
{
    world->timers &= (uint8_t)~TIMER_STOP;
    if (world_running(world_get(world, world->candidate)) == 0)
        close_candidate(world);
    else
        world_kill_all(world, world->candidate);
}
