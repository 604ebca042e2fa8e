/* What the moves ask of a world. */
#include "world_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *world_fault;

void world_fail(const char *format, ...)
{
    static char text[256];
    va_list arguments;

    if (world_fault) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    world_fault = text;
}

struct generation *world_get(struct world *world, unsigned number)
{
    assert(number > 0 && number <= WALK_GENERATIONS_MAX);
    return &world->generations[number - 1];
}

const struct generation *world_generation(const struct world *world, unsigned number)
{
    assert(number > 0 && number <= WALK_GENERATIONS_MAX);
    return &world->generations[number - 1];
}

bool world_is_leaving(const struct generation *generation)
{
    return generation->drain != RPCTL_DRAIN_IDLE;
}

unsigned world_running(const struct generation *generation)
{
    unsigned running = 0;

    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].phase != PROCESS_NONE) running++;
    return running;
}

bool world_has_flag(const struct generation *generation, enum process_flag flag)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].flags & flag) return true;
    return false;
}

bool world_is_open(const struct generation *generation)
{
    return world_has_flag(generation, PROCESS_OPEN);
}

bool world_lives(const struct process *process)
{
    return process->phase != PROCESS_NONE && process->phase != PROCESS_DEAD;
}

/* None of them holds a listener open. One that was told while it was starting has none yet, then holds on to
 * what it has. */
bool world_have_closed(const struct generation *generation)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
        const struct process *process = &generation->processes[i];

        if (process->phase == PROCESS_LISTENS) return false;
        if (process->phase == PROCESS_READY && !(process->flags & PROCESS_TOLD)) return false;
    }
    return world_running(generation) > 0;
}

bool world_can_serve(const struct generation *generation)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
        const struct process *process = &generation->processes[i];

        if (process->phase == PROCESS_READY && process->flags & PROCESS_OPEN &&
            !(process->flags & PROCESS_TOLD))
            return true;
    }
    return false;
}

bool world_is_reached(const struct world *world, unsigned number)
{
    if (!world_is_open(world_generation(world, number))) return false;
    if (world->program && world_is_open(world_generation(world, world->program)))
        return world->program == number;
    return true;
}

bool world_another_could_serve(const struct world *world, unsigned number)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        if (n != number && world_generation(world, n)->proven && world_can_serve(world_generation(world, n)))
            return true;
    return false;
}

bool world_any_unknown(const struct world *world)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
            uint8_t flags = world_generation(world, n)->processes[i].flags;

            if (flags & PROCESS_OPEN && !(flags & PROCESS_KNOWN)) return true;
        }
    return false;
}

unsigned world_open_generations(const struct world *world)
{
    unsigned count = 0;

    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) count += world_is_open(world_generation(world, n));
    return count;
}

unsigned world_draining(const struct world *world)
{
    unsigned count = 0;

    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        count += world_generation(world, n)->exists && world_is_leaving(world_generation(world, n));
    return count;
}

bool world_is_starting(const struct world *world)
{
    const struct rpctl_rollout rollout = {.state = world->rollout};

    return rpctl_rollout_is_starting(&rollout);
}

struct record world_record(const struct world *world)
{
    struct record record = {
        .rollout = world->rollout, .serving = world->serving, .candidate = world->candidate};

    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++) {
        const struct generation *generation = &world->generations[i];

        record.exists[i] = generation->exists;
        record.drain[i] = generation->drain;
        record.stopping[i] = world_has_flag(generation, PROCESS_SAID);
    }
    return record;
}

/* What a former supervisor has left stays until this one has decided, and carried it out. */
bool world_is_held(const struct world *world)
{
    return world->takeover == TAKEOVER_FINDS || world->takeover == TAKEOVER_STEERS ||
           world->takeover == TAKEOVER_TRIES;
}

/* Where no supervisor can crash or give up any more, nobody will read the disk: then it is left out of the
 * world. */
bool world_has_disk(const struct world *world)
{
    if (world_is_held(world)) return true;
    return world_config->supervisor_crash && world->crash_left;
}

bool world_is_written(const struct world *world)
{
    struct record now = world_record(world);

    return !world_has_disk(world) || world_is_held(world) || memcmp(&now, &world->disk, sizeof now) == 0;
}

bool world_should_run(const struct world *world, unsigned number)
{
    return world->serving == number && !world_is_leaving(world_generation(world, number));
}
