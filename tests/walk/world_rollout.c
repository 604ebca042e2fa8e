/* The operations and their rollout: the real machine, and what its actions do (shell/rollout_*.c). */
#include "world_internal.h"

#include "pure/generation_state.h"

#include <assert.h>
#include <string.h>

#define POSTED_MAX 8

/* Events that come while it acts. */
static enum rpctl_rollout_event posted[POSTED_MAX];
static size_t posted_count;
static bool stepping;

unsigned world_new_operation(struct world *world)
{
    assert(world->operation_count < WALK_OPERATIONS_MAX);
    world->operations[world->operation_count] = OPERATION_RUNS;
    return ++world->operation_count;
}

void world_operation_over(struct world *world, unsigned number, enum operation expected)
{
    if (number == 0 || world->operations[number - 1] != expected)
        world_fail("an operation ends that is not under way, or twice");
    else
        world->operations[number - 1] = OPERATION_OVER;
    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++)
        if (world->generations[i].operation == number) world->generations[i].operation = 0;
}

void world_forget(struct world *world, unsigned number)
{
    struct generation *generation = world_get(world, number);

    if (world_running(generation) > 0)
        world_fail("generation %u is forgotten while a process of it runs", number);
    if (world_is_open(generation))
        world_fail("generation %u is forgotten with listeners in the group", number);
    if (generation->sweep != SWEEP_NONE) world_fail("generation %u is forgotten in its sweep", number);
    for (size_t i = 0; i < WALK_JOBS_MAX; i++)
        if (world->jobs[i].type != JOB_NONE && world->jobs[i].generation == number &&
            !world_is_drain_job(&world->jobs[i]))
            world_fail("generation %u is forgotten while a job is for it", number);
    memset(generation, 0, sizeof *generation);
}

static void stop_candidate(struct world *world)
{
    struct generation *candidate = world_get(world, world->candidate);

    candidate->state = RPCTL_GENERATION_STOPPING;
    world->probing = 0;
    if (world_running(candidate) == 0) {
        world_sweep(world, world->candidate, SWEEP_CANDIDATE);
        return;
    }
    world_tell_all(world, world->candidate);
    world->timers |= TIMER_STOP;
}

static void check_outcome(const struct world *world)
{
    bool done = world->outcome == RPCTL_ROLLOUT_DONE;

    if (!done && world->outcome != RPCTL_ROLLOUT_FAILED && world->outcome != RPCTL_ROLLOUT_ROLLED_BACK)
        world_fail("an outcome that is not documented");
    if (done && world->candidate) world_fail("done, and the new generation does not serve");
    if (!done && world->has_old && world->program && world->program != world->serving)
        world_fail("it has failed, and the old generation does not have all traffic");
}

void world_end_service(struct world *world)
{
    struct world ended = {.ended = 1, .operation_count = world->operation_count};

    memcpy(ended.operations, world->operations, sizeof ended.operations);
    *world = ended;
}

static void finish(struct world *world)
{
    unsigned operation = world->operation, candidate = world->candidate;
    bool done = world->outcome == RPCTL_ROLLOUT_DONE;

    check_outcome(world);
    world->probing = 0;
    world->operation = 0;
    if (!done) {
        world->candidate = 0;
        world_forget(world, candidate);
    }
    if (done && !world->has_old && world_draining(world) == 0)
        world_add_job(world, JOB_DETACH, world->serving);
    if (done && world->has_old && operation && world->operations[operation - 1] == OPERATION_RUNS)
        world->operations[operation - 1] = OPERATION_DRAINS;
    else
        world_operation_over(world, operation, OPERATION_RUNS);
    if (!done && !world->serving) world_end_service(world);
}

static void act(struct world *world, enum rpctl_rollout_action action)
{
    switch (action) {
    case RPCTL_ROLLOUT_DO_PIN: world_add_job(world, JOB_PIN, world->serving); return;
    case RPCTL_ROLLOUT_DO_LAUNCH:
        world_post(world, world_launch(world, world->candidate) ? RPCTL_ROLLOUT_ON_LAUNCHED
                                                                : RPCTL_ROLLOUT_ON_LAUNCH_FAILED);
        return;
    case RPCTL_ROLLOUT_DO_CHECK: world_add_job(world, JOB_CHECK, world->candidate); return;
    case RPCTL_ROLLOUT_DO_PROBE: world->probing = 1; return;
    case RPCTL_ROLLOUT_DO_SHIFT:
        world->probing = 0;
        world_get(world, world->candidate)->proven = 1;
        world_add_job(world, JOB_SHIFT, world->candidate);
        return;
    case RPCTL_ROLLOUT_DO_UNSHIFT:
        world->probing = 0;
        world_add_job(world, JOB_UNSHIFT, world->serving);
        return;
    case RPCTL_ROLLOUT_DO_RETIRE_OLD:
        world->probing = 0;
        world_leave(world, world->serving, world->operation);
        return;
    case RPCTL_ROLLOUT_DO_UNRETIRE_OLD: world_stay(world, world->serving); return;
    case RPCTL_ROLLOUT_DO_RETIRE_NEW: world_leave(world, world->candidate, world->operation); return;
    case RPCTL_ROLLOUT_DO_STOP_NEW: stop_candidate(world); return;
    case RPCTL_ROLLOUT_DO_ARM_DEADLINE: world->timers |= TIMER_READY; return;
    case RPCTL_ROLLOUT_DO_ARM_PROBE: world->timers |= TIMER_PROBE; return;
    case RPCTL_ROLLOUT_DO_ARM_BAKE: world->timers |= TIMER_BAKE; return;
    case RPCTL_ROLLOUT_DO_WARN_SICK: return;
    case RPCTL_ROLLOUT_DO_DISARM: world->timers &= TIMER_STOP; return;
    case RPCTL_ROLLOUT_DO_COMMIT:
        world->serving = world->candidate;
        world->candidate = 0;
        world_get(world, world->serving)->state = RPCTL_GENERATION_SERVING;
        world_get(world, world->serving)->proven = 1;
        return;
    case RPCTL_ROLLOUT_DO_FINISH: finish(world); return;
    case RPCTL_ROLLOUT_DO_NONE:
    case RPCTL_ROLLOUT_ACTION_COUNT: break;
    }
    world_fail("a rollout's action that has no deed");
}

/* The supervisor does not know of a death that it has not heard of. */
static bool is_thought_to_serve(const struct generation *generation)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].phase == PROCESS_READY || generation->processes[i].phase == PROCESS_DEAD)
            return true;
    return false;
}

static enum rpctl_rollout_old look_at_old(const struct world *world)
{
    if (!world->serving || is_thought_to_serve(world_generation(world, world->serving)))
        return RPCTL_ROLLOUT_OLD_SERVES;
    return RPCTL_ROLLOUT_OLD_RETURNS;
}

/* The way back leads to somebody, unless nobody is there at its beginning either. */
static void check_way_back(const struct world *world, enum rpctl_rollout_state before)
{
    if (before == world->rollout || world->rollout != RPCTL_ROLLOUT_UNDOING) return;
    if (!is_thought_to_serve(world_generation(world, world->serving)) &&
        world_can_serve(world_generation(world, world->candidate)))
        world_fail("all is steered back to generation %u, which has died; generation %u could serve",
                   world->serving, world->candidate);
}

static struct rpctl_rollout unpack(const struct world *world)
{
    return (struct rpctl_rollout){
        .state = world->rollout,
        .outcome = world->outcome,
        .has_old = world->has_old,
        .old = look_at_old(world),
        .running = world->candidate ? world_running(world_generation(world, world->candidate)) : 0,
        .probes = world_config->health_count > 0,
        .instances = world_config->processes,
        .ready = world->ready,
        .health_count = world_config->health_count,
        .good = world->good,
        .bad = world->bad,
        .baked = world->baked};
}

static uint8_t at_most(unsigned value, unsigned limit)
{
    return (uint8_t)(value < limit ? value : limit);
}

/* A count that is past its mark, or is not asked for in this state, makes no other world. */
static void pack(struct world *world, const struct rpctl_rollout *rollout)
{
    bool counts = rollout->state == RPCTL_ROLLOUT_PROVING || rollout->state == RPCTL_ROLLOUT_BAKING;
    bool waits = rollout->state == RPCTL_ROLLOUT_LAUNCHING || rollout->state == RPCTL_ROLLOUT_WAITING;

    world->rollout = (uint8_t)rollout->state;
    world->outcome = (uint8_t)rollout->outcome;
    world->ready = waits ? at_most(rollout->ready, world_config->processes) : 0;
    world->good = counts ? at_most(rollout->good, world_config->health_count) : 0;
    world->baked = rollout->baked;
    world->bad = counts ? at_most(rollout->bad, world_config->health_count) : 0;
}

static void pinned_over(struct world *world)
{
    if (world->pinned_waits) world->timers &= (uint8_t)~TIMER_READY;
    world->pinned_waits = 0;
}

static void step(struct world *world, enum rpctl_rollout_event event)
{
    struct rpctl_rollout rollout = unpack(world);
    struct rpctl_rollout_step step = rpctl_rollout_step(&rollout, event);
    enum rpctl_rollout_state before = world->rollout;

    if (!step.possible)
        world_fail("impossible in the rollout: %s in %s", rpctl_rollout_event_name(event),
                   rpctl_rollout_state_name(world->rollout));
    pack(world, &rollout);
    if (world->rollout != RPCTL_ROLLOUT_PINNING) pinned_over(world);
    check_way_back(world, before);
    for (size_t i = 0; i < step.action_count && !world_fault; i++) act(world, step.actions[i]);
}

void world_post(struct world *world, enum rpctl_rollout_event event)
{
    assert(posted_count < POSTED_MAX);
    posted[posted_count++] = event;
    if (stepping) return;
    stepping = true;
    for (size_t i = 0; i < posted_count && !world_fault && !world->ended; i++) step(world, posted[i]);
    posted_count = 0;
    stepping = false;
}

void world_pinned(struct world *world, bool good)
{
    bool waits = good && world->rollout == RPCTL_ROLLOUT_PINNING &&
                 world_running(world_generation(world, world->serving)) > 0 && !world_is_written(world);

    if (!waits) {
        world_post(world, good ? RPCTL_ROLLOUT_ON_PINNED : RPCTL_ROLLOUT_ON_PIN_FAILED);
        return;
    }
    world->pinned_waits = 1;
    world->timers |= TIMER_READY;
}

void world_rollout_on_written(struct world *world)
{
    if (!world->pinned_waits) return;
    pinned_over(world);
    world_post(world, RPCTL_ROLLOUT_ON_PINNED);
}

void world_begin(struct world *world, unsigned operation)
{
    struct rpctl_rollout rollout;
    unsigned number = ++world->last;

    *world_get(world, number) = (struct generation){.exists = 1};
    world->candidate = (uint8_t)number;
    world->operation = (uint8_t)operation;
    rpctl_rollout_init(&rollout);
    pack(world, &rollout);
    world->has_old = world->serving != 0;
    world_post(world, RPCTL_ROLLOUT_ON_BEGIN);
}
