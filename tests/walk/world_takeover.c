/* A supervisor dies, and a successor goes on, by the real decision (shell/adopt.c, takeover*.c). */
#include "world_internal.h"

#include "pure/generation_state.h"
#include "pure/recovery.h"

#include <string.h>

static void takeover_over(struct world *world)
{
    if (world->takeover_operation != OPERATION_RUNS) world_fail("a takeover ends twice");
    world->takeover = TAKEOVER_NONE;
    world->takeover_operation = OPERATION_OVER;
}

void world_takeover_on_gone(struct world *world)
{
    if (world->takeover == TAKEOVER_STEERED && world_draining(world) == 0) takeover_over(world);
}

/* With it go its duplicates: a listener whose process has none of its own is gone. What a process that was
 * told to stop has is closed by it. */
void world_supervisor_dies(struct world *world)
{
    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++) {
        struct generation *generation = &world->generations[i];
        struct generation left = {.proven = generation->proven, .had_traffic = generation->had_traffic};

        for (size_t p = 0; p < WALK_PROCESSES_MAX; p++) {
            struct process *process = &generation->processes[p];

            if (!world_lives(process)) continue;
            left.exists = 1;
            left.processes[p].phase = process->phase;
            left.processes[p].flags = process->flags & (PROCESS_TOLD | PROCESS_KILLED | PROCESS_EARLY);
            if (!(process->flags & PROCESS_TOLD)) left.processes[p].flags |= process->flags & PROCESS_OPEN;
        }
        *generation = left.exists ? left : (struct generation){0};
    }
    for (size_t i = 0; i < WALK_OPERATIONS_MAX; i++)
        if (world->operations[i] == OPERATION_RUNS || world->operations[i] == OPERATION_DRAINS)
            world->operations[i] = OPERATION_LOST;
    memset(world->jobs, 0, sizeof world->jobs);
    world->up = world->steered = world->serving = world->candidate = world->rollout = world->outcome =
        world->has_old = world->ready = world->good = world->bad = world->baked = world->timers =
            world->probing = world->pinned_waits = world->operation = world->takeover =
                world->takeover_operation = world->tried = world->way_back = 0;
}

/* One that ends while it is being adopted is there without a process. */
static void adopt(struct world *world, size_t i, bool *found)
{
    struct generation *generation = &world->generations[i];

    if (!generation->exists) return;
    if (world_running(generation) > 0) *found = true;
    if (world->loaded.exists[i] && world->loaded.drain[i] >= RPCTL_DRAIN_DRAINING) {
        generation->state = RPCTL_GENERATION_DRAINING;
        generation->drain = RPCTL_DRAIN_DRAINING;
        generation->timers = TIMER_DEADLINE;
        if (world_running(generation) == 0) world_sweep(world, (unsigned)i + 1, SWEEP_LEAVING);
    }
    for (size_t p = 0; p < WALK_PROCESSES_MAX; p++) {
        struct process *process = &generation->processes[p];

        if (process->flags & PROCESS_OPEN) process->flags |= PROCESS_HELD | PROCESS_KNOWN;
        if (world_lives(process) && world->loaded.exists[i] && world->loaded.stopping[i])
            process->flags |= PROCESS_SAID;
    }
}

static void start_first(struct world *world)
{
    if (world->last == WALK_GENERATIONS_MAX || world->operation_count == WALK_OPERATIONS_MAX)
        world_end_service(world);
    else
        world_begin(world, world_new_operation(world));
}

void world_supervisor_starts(struct world *world)
{
    bool found = false;

    world->up = 1;
    world->loaded = world->disk;
    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++) adopt(world, i, &found);
    if (found) {
        world->takeover = TAKEOVER_FINDS;
        world->takeover_operation = OPERATION_RUNS;
    } else {
        memset(world->generations, 0, sizeof world->generations);
        start_first(world);
    }
}

static void leave_others(struct world *world)
{
    for (unsigned n = WALK_GENERATIONS_MAX; n > 0; n--)
        if (world_get(world, n)->exists && n != world->serving && n != world->candidate &&
            !world_is_leaving(world_get(world, n)))
            world_leave(world, n, 0);
}

static bool was_told(const struct generation *generation)
{
    return world_is_leaving(generation) || !world_has_flag(generation, PROCESS_KNOWN) ||
           world_has_flag(generation, PROCESS_SAID);
}

void world_decide(struct world *world)
{
    struct rpctl_recovery_generation generations[WALK_GENERATIONS_MAX];
    struct rpctl_recovery_facts facts = {.rollout = world->loaded.rollout,
                                         .serving = world->loaded.serving,
                                         .candidate = world->loaded.candidate,
                                         .generations = generations};
    struct rpctl_recovery recovery;

    for (unsigned n = WALK_GENERATIONS_MAX; n > 0; n--)
        if (world_get(world, n)->exists)
            generations[facts.count++] = (struct rpctl_recovery_generation){
                n, world_running(world_get(world, n)), was_told(world_get(world, n))};
    rpctl_recovery_decide(&facts, &recovery);
    memset(&world->loaded, 0, sizeof world->loaded);
    if (recovery.serving) {
        world->takeover = TAKEOVER_STEERS;
        world->way_back = (uint8_t)recovery.other;
        world_add_job(world, JOB_TAKE_OVER, recovery.serving);
        return;
    }
    takeover_over(world);
    leave_others(world);
    start_first(world);
}

static void go_on_with(struct world *world, unsigned number)
{
    world->tried = world->way_back = 0;
    if (!world_get(world, number)->proven && world_another_could_serve(world, number))
        world_fail("generation %u serves from now on, that was never proven, and another one could", number);
    world->takeover = TAKEOVER_STEERED;
    world->serving = (uint8_t)number;
    world_get(world, number)->state = RPCTL_GENERATION_SERVING;
    world_get(world, number)->proven = 1; /* it is all there is */
    world_relaunch_missing(world, number);
    leave_others(world);
    if (world_draining(world) == 0) world_add_job(world, JOB_DETACH, number);
    world_takeover_on_gone(world);
}

static bool can_go_back(const struct world *world)
{
    return world->way_back && world_running(world_generation(world, world->way_back)) > 0 &&
           !was_told(world_generation(world, world->way_back));
}

void world_taken_over(struct world *world, unsigned number)
{
    if (world_config->health_count > 0 && can_go_back(world)) {
        world->takeover = TAKEOVER_TRIES;
        world->tried = (uint8_t)number;
    } else {
        go_on_with(world, number);
    }
}

/* Ordinary requests, for all traffic comes to it: they may fail though it could serve. */
void world_trial_over(struct world *world, bool good)
{
    unsigned number = world->tried, other = world->way_back;

    if (good || !can_go_back(world)) {
        go_on_with(world, number);
        return;
    }
    world->takeover = TAKEOVER_STEERS;
    world->tried = world->way_back = 0;
    world_add_job(world, JOB_TAKE_OVER, other);
}
