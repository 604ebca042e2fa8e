/* What each move does: the shell's order of things, around the real machines. */
#include "world_internal.h"

#include <assert.h>
#include <string.h>

const struct walk_config *world_config;

static void write_disk(struct world *world)
{
    world->disk = world_record(world);
    world_rollout_on_written(world);
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) {
        struct generation *generation = world_get(world, n);

        if (!generation->stop_waits) continue;
        generation->stop_waits = 0;
        if (generation->drain == RPCTL_DRAIN_DRAINING) world_stop_processes(world, n);
    }
}

static void fire(struct world *world, enum rollout_timer timer, enum rpctl_rollout_event event)
{
    world->timers &= (uint8_t)~timer;
    world_post(world, event);
}

static void fire_drain(struct world *world, unsigned number, enum leaving_timer timer,
                       enum rpctl_drain_event event)
{
    world_get(world, number)->timers &= (uint8_t)~timer;
    world_post_drain(world, number, event);
}

static void answer(struct world *world, enum rpctl_rollout_event event)
{
    world->probing = 0;
    world_post(world, event);
}

static void apply(struct world *world, const struct move *move)
{
    unsigned number = move->generation;
    struct generation *generation = number ? world_get(world, number) : NULL;
    struct process *process = generation ? &generation->processes[move->process] : NULL;

    switch ((enum move_kind)move->kind) {
    case MOVE_START: world_begin(world, world_new_operation(world)); return;
    case MOVE_UPGRADE:
        world->upgrades_left--;
        world_begin(world, world_new_operation(world));
        return;
    case MOVE_ABORT: world_post(world, RPCTL_ROLLOUT_ON_ABORT); return;
    case MOVE_LISTEN:
        process->phase = PROCESS_LISTENS;
        process->flags |= PROCESS_OPEN;
        return;
    case MOVE_SPEAK: world_process_speaks(world, number, process); return;
    case MOVE_CRASH: world->crash_left = 0; /* fall through */
    case MOVE_END: world_process_ends(world, process); return;
    case MOVE_REAP: world_on_ended(world, number, process); return;
    case MOVE_WORK: world_work(world, true); return;
    case MOVE_WORK_FAILS: world_work(world, false); return;
    case MOVE_DONE: world_job_done(world); return;
    case MOVE_PROBE_GOOD: answer(world, RPCTL_ROLLOUT_ON_PROBE_GOOD); return;
    case MOVE_PROBE_BAD: answer(world, RPCTL_ROLLOUT_ON_PROBE_BAD); return;
    case MOVE_UNLISTEN: world_post_drain(world, number, RPCTL_DRAIN_ON_LISTENERS_CLOSED); return;
    case MOVE_SWEPT: world_swept(world, number); return;
    case MOVE_READY_TIMER:
        fire(world, TIMER_READY,
             world->pinned_waits ? RPCTL_ROLLOUT_ON_PIN_FAILED : RPCTL_ROLLOUT_ON_DEADLINE);
        return;
    case MOVE_PROBE_TIMER: fire(world, TIMER_PROBE, RPCTL_ROLLOUT_ON_PROBE_TIMER); return;
    case MOVE_BAKE_TIMER: fire(world, TIMER_BAKE, RPCTL_ROLLOUT_ON_BAKE_OVER); return;
    case MOVE_STOP_TIMER: world_stop_timer(world); return;
    case MOVE_LOOK_TIMER: fire_drain(world, number, TIMER_LOOK, RPCTL_DRAIN_ON_LOOK_TIMER); return;
    case MOVE_QUIESCE_TIMER: fire_drain(world, number, TIMER_QUIESCE, RPCTL_DRAIN_ON_QUIESCE_TIMEOUT); return;
    case MOVE_DEADLINE_TIMER: fire_drain(world, number, TIMER_DEADLINE, RPCTL_DRAIN_ON_DEADLINE); return;
    case MOVE_RETRY_TIMER:
        generation->timers &= (uint8_t)~TIMER_RETRY;
        if (generation->drain == RPCTL_DRAIN_SETTLING) world_add_job(world, JOB_SETTLE, number);
        return;
    case MOVE_RELAUNCH:
        process->flags &= (uint8_t)~PROCESS_DUE;
        world_add_job(world, JOB_LEND, number);
        return;
    case MOVE_WRITE: write_disk(world); return;
    case MOVE_SUPERVISOR_CRASH:
        world->crash_left = 0;
        world_supervisor_dies(world);
        return;
    case MOVE_SUPERVISOR_START: world_supervisor_starts(world); return;
    case MOVE_DECIDE: world_decide(world); return;
    case MOVE_TRIAL_GOOD: world_trial_over(world, true); return;
    case MOVE_TRIAL_BAD: world_trial_over(world, false); return;
    case MOVE_GIVE_UP: world_supervisor_dies(world); return;
    case MOVE_COUNT: break;
    }
    assert(false);
}

/* Processes of one generation are the same but for what they do. */
static void sort_processes(struct world *world)
{
    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++) {
        struct process *processes = world->generations[i].processes, first = processes[0];

        if (memcmp(&processes[0], &processes[1], sizeof first) >= 0) continue;
        processes[0] = processes[1];
        processes[1] = first;
    }
}

bool world_make(struct world *world, const struct walk_config *of, const struct move *move)
{
    world_fault = NULL;
    world_config = of;
    world_launch_fails = move->launch_fails;
    world_has_launched = false;
    apply(world, move);
    if (world->up && !world_has_disk(world)) memset(&world->disk, 0, sizeof world->disk);
    sort_processes(world);
    return world_has_launched && world_config->failures;
}

void world_init(struct world *world, const struct walk_config *of)
{
    memset(world, 0, sizeof *world);
    world->up = 1;
    world->upgrades_left = of->upgrades;
    world->crash_left = of->process_crash || of->supervisor_crash;
}
