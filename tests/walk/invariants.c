/* What must hold in every world, and when nothing is under way. */
#include "pure/drain.h"
#include "pure/rollout.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

/* A generation that new connections may come to, and one that could take them all. */
static char text[160];

/* From DRAINING on there is no way back: it is about to be told to stop. */
static bool is_fit(const struct generation *generation)
{
    return generation->exists && generation->proven && generation->drain < RPCTL_DRAIN_DRAINING &&
           world_can_serve(generation);
}

/* Somebody has died of whom the supervisor has not heard. */
static bool is_news(const struct generation *generation)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].phase == PROCESS_DEAD) return true;
    return false;
}

/* The one that serves again has died on the way back: its listeners are kept, what comes to them waits until
 * it is launched again. */
static bool is_returning(const struct world *world, unsigned number)
{
    return world->rollout == RPCTL_ROLLOUT_RETIRING && number == world->serving;
}

/* The supervisor cannot have done it yet: there is none, it has not found out yet, it has not heard of an
 * end, or the job that steers to the other one is under way. */
static bool is_being_mended(const struct world *world, unsigned reached)
{
    if (!world->up || world->takeover == TAKEOVER_FINDS || world->takeover == TAKEOVER_STEERS) return true;
    if (is_news(world_generation(world, reached))) return true;
    return world->rollout == RPCTL_ROLLOUT_UNDOING || world->rollout == RPCTL_ROLLOUT_SHIFTING;
}

static void check_traffic(const struct world *world, unsigned fit)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) {
        if (!world_is_reached(world, n) || is_fit(world_generation(world, n))) continue;
        if (is_being_mended(world, n) || is_returning(world, n)) continue;
        snprintf(text, sizeof text, "generation %u gets traffic and cannot serve it; generation %u could", n,
                 fit);
        world_fault = text;
    }
}

void world_check(const struct world *world)
{
    if (world->ended || world_fault) return;
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX && !world_fault; n++)
        if (is_fit(world_generation(world, n))) check_traffic(world, n);
}

/* What is started in the place of a dead process may take its time. */
static bool is_at_rest(const struct generation *generation)
{
    bool any = false;

    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
        const struct process *process = &generation->processes[i];

        if (process->phase == PROCESS_DEAD) return false;
        if ((process->flags & (PROCESS_TOLD | PROCESS_EARLY)) == PROCESS_TOLD) return false;
        any = any || process->phase != PROCESS_NONE || process->flags & PROCESS_DUE;
    }
    return any && !world_is_leaving(generation) && !generation->timers && !generation->sweep;
}

static bool is_over(const struct world *world)
{
    for (size_t i = 0; i < WALK_OPERATIONS_MAX; i++)
        if (world->operations[i] == OPERATION_RUNS || world->operations[i] == OPERATION_DRAINS) return false;
    return world->takeover == TAKEOVER_NONE && world->operation == 0 && world->rollout == RPCTL_ROLLOUT_IDLE;
}

bool world_is_quiescent(const struct world *world)
{
    if (!is_over(world) || world->timers || world->probing || world->jobs[0].type != JOB_NONE) return false;
    if (world->ended) return true;
    if (!world->up || !world->serving || world->candidate) return false;
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        if (n != world->serving && world_generation(world, n)->exists) return false;
    return is_at_rest(world_generation(world, world->serving));
}
