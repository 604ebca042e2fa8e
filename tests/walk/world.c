/* What each move does: the shell's order of things, around the real machines. */
#include "world.h"
#include "pure/drain.h"
#include "pure/generation_state.h"
#include "pure/recovery.h"
#include "pure/rollout.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_DRAINING 2 /* --max-draining */
#define POSTED_MAX   8

const char *world_fault;

static const struct walk_config *config;

/* The rollout's events that come while it acts. */
static enum rpctl_rollout_event posted[POSTED_MAX];
static size_t posted_count;
static bool stepping;

/* Of the move that is being made. */
static bool launch_fails, has_launched;

static void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fault(const char *format, ...)
{
    static char text[256];
    va_list arguments;

    if (world_fault) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    world_fault = text;
}

/* --- questions
 * ---------------------------------------------------------------------------------------------- */

static struct generation *get(struct world *world, unsigned number)
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

static bool has_flag(const struct generation *generation, enum process_flag flag)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].flags & flag) return true;
    return false;
}

bool world_is_open(const struct generation *generation)
{
    return has_flag(generation, PROCESS_OPEN);
}

static bool lives(const struct process *process)
{
    return process->phase != PROCESS_NONE && process->phase != PROCESS_DEAD;
}

/* None of them holds a listener open. One that was told while it was starting has none yet, then holds on to
 * what it has. */
static bool have_closed(const struct generation *generation)
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

static bool another_could_serve(const struct world *world, unsigned number)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        if (n != number && world_generation(world, n)->proven && world_can_serve(world_generation(world, n)))
            return true;
    return false;
}

static bool any_unknown(const struct world *world)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
            uint8_t flags = world_generation(world, n)->processes[i].flags;

            if (flags & PROCESS_OPEN && !(flags & PROCESS_KNOWN)) return true;
        }
    return false;
}

static unsigned open_generations(const struct world *world)
{
    unsigned count = 0;

    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) count += world_is_open(world_generation(world, n));
    return count;
}

static unsigned draining(const struct world *world)
{
    unsigned count = 0;

    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        count += world_generation(world, n)->exists && world_is_leaving(world_generation(world, n));
    return count;
}

struct record world_record(const struct world *world)
{
    struct record record = {
        .rollout = world->rollout, .serving = world->serving, .candidate = world->candidate};

    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++) {
        const struct generation *generation = &world->generations[i];

        record.exists[i] = generation->exists;
        record.drain[i] = generation->drain;
        record.stopping[i] = has_flag(generation, PROCESS_SAID);
    }
    return record;
}

/* What a former supervisor has left stays until this one has decided, and carried it out. */
static bool is_held(const struct world *world)
{
    return world->takeover == TAKEOVER_FINDS || world->takeover == TAKEOVER_STEERS ||
           world->takeover == TAKEOVER_TRIES;
}

/* Where no supervisor can crash or give up any more, nobody will read the disk: then it is left out of the
 * world. */
static bool has_disk(const struct world *world)
{
    if (is_held(world)) return true;
    return config->supervisor_crash && world->crash_left;
}

static bool is_written(const struct world *world)
{
    struct record now = world_record(world);

    return !has_disk(world) || is_held(world) || memcmp(&now, &world->disk, sizeof now) == 0;
}

static bool should_run(const struct world *world, unsigned number)
{
    return world->serving == number && !world_is_leaving(world_generation(world, number));
}

/* --- jobs, operations
 * ---------------------------------------------------------------------------------------- */

static bool may_detach(const struct world *world, unsigned closing)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        if (world_is_leaving(world_generation(world, n)) &&
            !rpctl_drain_is_emptied(world_generation(world, n)->drain))
            return false;
    return closing == world->candidate || (world->serving && world->rollout == RPCTL_ROLLOUT_IDLE);
}

static void add_job(struct world *world, enum job_type type, unsigned number)
{
    size_t i = 0;

    while (i < WALK_JOBS_MAX && world->jobs[i].type != JOB_NONE) i++;
    if (i == WALK_JOBS_MAX) {
        fault("more jobs than the model has room for");
        return;
    }
    world->jobs[i] = (struct job){.type = (uint8_t)type, .generation = (uint8_t)number};
    if (type == JOB_CHECK || type == JOB_CLOSE_CANDIDATE || type == JOB_CLOSE_LEAVING)
        world->jobs[i].other = world->serving;
    if (type == JOB_CLOSE_CANDIDATE || type == JOB_CLOSE_LEAVING)
        world->jobs[i].may_detach = may_detach(world, number);
}

static bool is_drain_job(const struct job *job)
{
    return job->type == JOB_SETTLE || job->type == JOB_LOOK || job->type == JOB_COUNT;
}

static void make_stale(struct world *world, unsigned number)
{
    for (size_t i = 0; i < WALK_JOBS_MAX; i++)
        if (is_drain_job(&world->jobs[i]) && world->jobs[i].generation == number) world->jobs[i].stale = 1;
}

static void operation_over(struct world *world, unsigned number, enum operation expected)
{
    if (number == 0 || world->operations[number - 1] != expected)
        fault("an operation ends that is not under way, or twice");
    else
        world->operations[number - 1] = OPERATION_OVER;
    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++)
        if (world->generations[i].operation == number) world->generations[i].operation = 0;
}

static void forget(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    if (world_running(generation) > 0) fault("generation %u is forgotten while a process of it runs", number);
    if (world_is_open(generation)) fault("generation %u is forgotten with listeners in the group", number);
    if (generation->sweep != SWEEP_NONE) fault("generation %u is forgotten in its sweep", number);
    for (size_t i = 0; i < WALK_JOBS_MAX; i++)
        if (world->jobs[i].type != JOB_NONE && world->jobs[i].generation == number &&
            !is_drain_job(&world->jobs[i]))
            fault("generation %u is forgotten while a job is for it", number);
    memset(generation, 0, sizeof *generation);
}

/* --- processes
 * ------------------------------------------------------------------------------------------------- */

static void sweep(struct world *world, unsigned number, enum sweep kind)
{
    if (get(world, number)->sweep == SWEEP_NONE) get(world, number)->sweep = (uint8_t)kind;
}

static void kill_all(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++)
        if (generation->processes[i].phase != PROCESS_NONE)
            generation->processes[i].flags |= PROCESS_TOLD | PROCESS_SAID | PROCESS_KILLED;
}

static void tell_all(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
        struct process *process = &generation->processes[i];

        if (process->phase == PROCESS_NONE || process->flags & PROCESS_SAID) continue;
        if (generation->proven && generation->had_traffic &&
            (process->flags & (PROCESS_TOLD | PROCESS_EARLY)) == PROCESS_TOLD)
            fault("generation %u is told to stop a second time, which cuts its connections", number);
        process->flags |= PROCESS_TOLD | PROCESS_SAID;
        if (process->phase != PROCESS_READY) process->flags |= PROCESS_EARLY;
    }
}

static bool launch(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);
    unsigned count = launch_fails ? config->processes - 1u : config->processes;

    has_launched = true;
    for (unsigned i = 0; i < count; i++) generation->processes[i].phase = PROCESS_BORN;
    return !launch_fails;
}

static void relaunch_missing(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    if (!should_run(world, number)) return;
    for (size_t i = 0; i < config->processes; i++)
        if (generation->processes[i].phase == PROCESS_NONE) generation->processes[i].flags |= PROCESS_DUE;
}

static void cancel_relaunch(struct generation *generation)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) generation->processes[i].flags &= (uint8_t)~PROCESS_DUE;
}

/* --- a drain (shell/leaving.c)
 * --------------------------------------------------------------------------------- */

static void post(struct world *world, enum rpctl_rollout_event event);
static void post_drain(struct world *world, unsigned number, enum rpctl_drain_event event);
static void takeover_on_gone(struct world *world);

/* One that serves, or has served, is told to stop only when another one has all traffic that has shown that
 * it can serve. One that could not serve anyway may be told at any time. */
static void check_stop(const struct world *world, unsigned number)
{
    const struct generation *generation = world_generation(world, number);

    if (!generation->proven || !world_can_serve(generation)) return;
    if (world->program == 0 || world->program == number || !world_generation(world, world->program)->proven ||
        !world_is_open(world_generation(world, world->program)))
        fault("generation %u is told to stop, and no other one that is proven has all traffic", number);
}

static void stop_processes(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    generation->stop_waits = !is_written(world);
    if (generation->stop_waits) return;
    if (generation->drain != RPCTL_DRAIN_DRAINING)
        fault("generation %u is told to stop before its queues are empty, or given up", number);
    check_stop(world, number);
    tell_all(world, number);
}

static bool is_starting(const struct world *world)
{
    const struct rpctl_rollout rollout = {.state = world->rollout};

    return rpctl_rollout_is_starting(&rollout);
}

static void close_listeners(struct world *world, unsigned number)
{
    if (!is_starting(world) && !is_held(world)) {
        add_job(world, JOB_CLOSE_LEAVING, number);
        return;
    }
    get(world, number)->doomed = 0;
    get(world, number)->timers |= TIMER_LOOK;
}

/* What may come to listeners that are about to go is led elsewhere first: a matter of places, but it takes
 * its time. */
static void stop(struct world *world, unsigned number)
{
    if (get(world, number)->doomed || is_starting(world)) {
        stop_processes(world, number);
        return;
    }
    get(world, number)->doomed = 1;
    add_job(world, JOB_DOOM, number);
}

static void drain_finish(struct world *world, unsigned number)
{
    unsigned operation = get(world, number)->operation;

    get(world, number)->operation = 0;
    if (number == world->candidate) {
        post(world, RPCTL_ROLLOUT_ON_NEW_RETIRED);
        return;
    }
    if (operation && world->operations[operation - 1] == OPERATION_DRAINS)
        operation_over(world, operation, OPERATION_DRAINS);
    forget(world, number);
    takeover_on_gone(world);
}

static void act_drain(struct world *world, unsigned number, enum rpctl_drain_action action)
{
    struct generation *generation = get(world, number);

    switch (action) {
    case RPCTL_DRAIN_DO_SETTLE: add_job(world, JOB_SETTLE, number); return;
    case RPCTL_DRAIN_DO_LOOK: add_job(world, JOB_LOOK, number); return;
    case RPCTL_DRAIN_DO_ARM_LOOK:
        if (generation->drain != RPCTL_DRAIN_DRAINING) generation->timers |= TIMER_LOOK;
        return;
    case RPCTL_DRAIN_DO_ARM_QUIESCE: generation->timers |= TIMER_QUIESCE; return;
    case RPCTL_DRAIN_DO_ARM_DEADLINE: generation->timers |= TIMER_DEADLINE; return;
    case RPCTL_DRAIN_DO_DISARM: generation->timers = 0; return;
    case RPCTL_DRAIN_DO_QUIET:
        if (number == world->serving) post(world, RPCTL_ROLLOUT_ON_OLD_QUIET);
        return;
    case RPCTL_DRAIN_DO_DISARM_LOOK: generation->timers &= (uint8_t)~TIMER_LOOK; return;
    case RPCTL_DRAIN_DO_WATCH: return;
    case RPCTL_DRAIN_DO_STOP: stop(world, number); return;
    case RPCTL_DRAIN_DO_KILL: add_job(world, JOB_COUNT, number); return;
    case RPCTL_DRAIN_DO_CLOSE: close_listeners(world, number); return;
    case RPCTL_DRAIN_DO_FINISH: drain_finish(world, number); return;
    case RPCTL_DRAIN_DO_NONE:
    case RPCTL_DRAIN_ACTION_COUNT: break;
    }
    fault("a drain's action that has no deed");
}

/* Nobody but the rollout, which may call another drain off or begin one, changes a drain that is not meant.
 */
static void post_drain(struct world *world, unsigned number, enum rpctl_drain_event event)
{
    struct generation *generation = get(world, number);
    struct rpctl_drain drain = {
        .state = generation->drain, .empty_looks = generation->empty_looks, .looked = generation->looked};
    struct rpctl_drain_step step = rpctl_drain_step(&drain, event);

    if (!step.possible)
        fault("impossible in the drain of generation %u: %s in %s", number, rpctl_drain_event_name(event),
              rpctl_drain_state_name(generation->drain));
    generation->drain = (uint8_t)drain.state;
    generation->empty_looks = drain.state == RPCTL_DRAIN_QUIESCING ? (uint8_t)drain.empty_looks : 0;
    generation->looked = drain.state == RPCTL_DRAIN_QUIESCING && drain.looked;
    for (size_t i = 0; i < step.action_count && !world_fault; i++) act_drain(world, number, step.actions[i]);
}

static void leave(struct world *world, unsigned number, unsigned operation)
{
    struct generation *generation = get(world, number);

    generation->operation = (uint8_t)operation;
    make_stale(world, number);
    cancel_relaunch(generation);
    generation->state = RPCTL_GENERATION_DRAINING;
    post_drain(world, number, RPCTL_DRAIN_ON_BEGIN);
    if (world_running(generation) == 0) sweep(world, number, SWEEP_LEAVING);
}

static void stay(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    post_drain(world, number, RPCTL_DRAIN_ON_CANCEL);
    if (world_is_leaving(generation)) fault("generation %u is called back too late", number);
    generation->operation = 0;
    generation->state = RPCTL_GENERATION_STANDBY;
    relaunch_missing(world, number);
}

/* --- the rollout (shell/rollout_*.c)
 * ------------------------------------------------------------------------ */

static void stop_candidate(struct world *world)
{
    struct generation *candidate = get(world, world->candidate);

    candidate->state = RPCTL_GENERATION_STOPPING;
    world->probing = 0;
    if (world_running(candidate) == 0) {
        sweep(world, world->candidate, SWEEP_CANDIDATE);
        return;
    }
    tell_all(world, world->candidate);
    world->timers |= TIMER_STOP;
}

static void check_outcome(const struct world *world)
{
    bool done = world->outcome == RPCTL_ROLLOUT_DONE;

    if (!done && world->outcome != RPCTL_ROLLOUT_FAILED && world->outcome != RPCTL_ROLLOUT_ROLLED_BACK)
        fault("an outcome that is not documented");
    if (done && world->candidate) fault("done, and the new generation does not serve");
    if (!done && world->has_old && world->program && world->program != world->serving)
        fault("it has failed, and the old generation does not have all traffic");
}

static void end_service(struct world *world)
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
        forget(world, candidate);
    }
    if (done && !world->has_old && draining(world) == 0) add_job(world, JOB_DETACH, world->serving);
    if (done && world->has_old && operation && world->operations[operation - 1] == OPERATION_RUNS)
        world->operations[operation - 1] = OPERATION_DRAINS;
    else
        operation_over(world, operation, OPERATION_RUNS);
    if (!done && !world->serving) end_service(world);
}

static void act(struct world *world, enum rpctl_rollout_action action)
{
    switch (action) {
    case RPCTL_ROLLOUT_DO_PIN: add_job(world, JOB_PIN, world->serving); return;
    case RPCTL_ROLLOUT_DO_LAUNCH:
        post(world,
             launch(world, world->candidate) ? RPCTL_ROLLOUT_ON_LAUNCHED : RPCTL_ROLLOUT_ON_LAUNCH_FAILED);
        return;
    case RPCTL_ROLLOUT_DO_CHECK: add_job(world, JOB_CHECK, world->candidate); return;
    case RPCTL_ROLLOUT_DO_PROBE: world->probing = 1; return;
    case RPCTL_ROLLOUT_DO_SHIFT:
        world->probing = 0;
        get(world, world->candidate)->proven = 1;
        add_job(world, JOB_SHIFT, world->candidate);
        return;
    case RPCTL_ROLLOUT_DO_UNSHIFT:
        world->probing = 0;
        add_job(world, JOB_UNSHIFT, world->serving);
        return;
    case RPCTL_ROLLOUT_DO_RETIRE_OLD:
        world->probing = 0;
        leave(world, world->serving, world->operation);
        return;
    case RPCTL_ROLLOUT_DO_UNRETIRE_OLD: stay(world, world->serving); return;
    case RPCTL_ROLLOUT_DO_RETIRE_NEW: leave(world, world->candidate, world->operation); return;
    case RPCTL_ROLLOUT_DO_STOP_NEW: stop_candidate(world); return;
    case RPCTL_ROLLOUT_DO_ARM_DEADLINE: world->timers |= TIMER_READY; return;
    case RPCTL_ROLLOUT_DO_ARM_PROBE: world->timers |= TIMER_PROBE; return;
    case RPCTL_ROLLOUT_DO_ARM_BAKE: world->timers |= TIMER_BAKE; return;
    case RPCTL_ROLLOUT_DO_WARN_SICK: return;
    case RPCTL_ROLLOUT_DO_DISARM: world->timers &= TIMER_STOP; return;
    case RPCTL_ROLLOUT_DO_COMMIT:
        world->serving = world->candidate;
        world->candidate = 0;
        get(world, world->serving)->state = RPCTL_GENERATION_SERVING;
        get(world, world->serving)->proven = 1;
        return;
    case RPCTL_ROLLOUT_DO_FINISH: finish(world); return;
    case RPCTL_ROLLOUT_DO_NONE:
    case RPCTL_ROLLOUT_ACTION_COUNT: break;
    }
    fault("a rollout's action that has no deed");
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
        fault("all is steered back to generation %u, which has died; generation %u could serve",
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
        .probes = config->health_count > 0,
        .instances = config->processes,
        .ready = world->ready,
        .health_count = config->health_count,
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
    world->ready = waits ? at_most(rollout->ready, config->processes) : 0;
    world->good = counts ? at_most(rollout->good, config->health_count) : 0;
    world->baked = rollout->baked;
    world->bad = counts ? at_most(rollout->bad, config->health_count) : 0;
}

static void step(struct world *world, enum rpctl_rollout_event event)
{
    struct rpctl_rollout rollout = unpack(world);
    struct rpctl_rollout_step step = rpctl_rollout_step(&rollout, event);
    enum rpctl_rollout_state before = world->rollout;

    if (!step.possible)
        fault("impossible in the rollout: %s in %s", rpctl_rollout_event_name(event),
              rpctl_rollout_state_name(world->rollout));
    pack(world, &rollout);
    check_way_back(world, before);
    for (size_t i = 0; i < step.action_count && !world_fault; i++) act(world, step.actions[i]);
}

static void post(struct world *world, enum rpctl_rollout_event event)
{
    assert(posted_count < POSTED_MAX);
    posted[posted_count++] = event;
    if (stepping) return;
    stepping = true;
    for (size_t i = 0; i < posted_count && !world_fault && !world->ended; i++) step(world, posted[i]);
    posted_count = 0;
    stepping = false;
}

static void begin(struct world *world, unsigned operation)
{
    struct rpctl_rollout rollout;
    unsigned number = ++world->last;

    *get(world, number) = (struct generation){.exists = 1};
    world->candidate = (uint8_t)number;
    world->operation = (uint8_t)operation;
    rpctl_rollout_init(&rollout);
    pack(world, &rollout);
    world->has_old = world->serving != 0;
    post(world, RPCTL_ROLLOUT_ON_BEGIN);
}

static unsigned new_operation(struct world *world)
{
    assert(world->operation_count < WALK_OPERATIONS_MAX);
    world->operations[world->operation_count] = OPERATION_RUNS;
    return ++world->operation_count;
}

/* --- the end of a process (shell/launch.c)
 * ----------------------------------------------------------------------- */

static void on_ended(struct world *world, unsigned number, struct process *process)
{
    struct generation *generation = get(world, number);
    bool last;

    process->phase = PROCESS_NONE;
    process->flags &= PROCESS_OPEN | PROCESS_HELD | PROCESS_KNOWN;
    last = world_running(generation) == 0;
    if (should_run(world, number)) process->flags |= PROCESS_DUE;
    if (number == world->candidate && generation->state == RPCTL_GENERATION_STOPPING) {
        if (last) world->timers &= (uint8_t)~TIMER_STOP;
        if (last) sweep(world, number, SWEEP_CANDIDATE);
        return;
    }
    if (number == world->candidate) post(world, RPCTL_ROLLOUT_ON_NEW_EXITED);
    if (last && world_is_leaving(generation)) sweep(world, number, SWEEP_LEAVING);
}

static void close_candidate(struct world *world)
{
    world->timers &= (uint8_t)~TIMER_STOP;
    add_job(world, JOB_CLOSE_CANDIDATE, world->candidate);
}

static void swept(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);
    uint8_t kind = generation->sweep;

    generation->sweep = SWEEP_NONE;
    if (kind == SWEEP_CANDIDATE)
        close_candidate(world);
    else if (world_is_leaving(generation) && !rpctl_drain_is_emptied(generation->drain) &&
             world_running(generation) == 0)
        post_drain(world, number, RPCTL_DRAIN_ON_EXITED);
}

static void stop_timer(struct world *world)
{
    world->timers &= (uint8_t)~TIMER_STOP;
    if (world_running(get(world, world->candidate)) == 0)
        close_candidate(world);
    else
        kill_all(world, world->candidate);
}

/* --- a successor (shell/adopt.c, takeover*.c)
 * ----------------------------------------------------------------------- */

static void takeover_over(struct world *world)
{
    if (world->takeover_operation != OPERATION_RUNS) fault("a takeover ends twice");
    world->takeover = TAKEOVER_NONE;
    world->takeover_operation = OPERATION_OVER;
}

static void takeover_on_gone(struct world *world)
{
    if (world->takeover == TAKEOVER_STEERED && draining(world) == 0) takeover_over(world);
}

/* With it go its duplicates: a listener whose process has none of its own is gone. What a process that was
 * told to stop has is closed by it. */
static void supervisor_dies(struct world *world)
{
    for (size_t i = 0; i < WALK_GENERATIONS_MAX; i++) {
        struct generation *generation = &world->generations[i];
        struct generation left = {.proven = generation->proven, .had_traffic = generation->had_traffic};

        for (size_t p = 0; p < WALK_PROCESSES_MAX; p++) {
            struct process *process = &generation->processes[p];

            if (!lives(process)) continue;
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
            world->probing = world->operation = world->takeover = world->takeover_operation = world->tried =
                world->way_back = 0;
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
        if (world_running(generation) == 0) sweep(world, (unsigned)i + 1, SWEEP_LEAVING);
    }
    for (size_t p = 0; p < WALK_PROCESSES_MAX; p++) {
        struct process *process = &generation->processes[p];

        if (process->flags & PROCESS_OPEN) process->flags |= PROCESS_HELD | PROCESS_KNOWN;
        if (lives(process) && world->loaded.exists[i] && world->loaded.stopping[i])
            process->flags |= PROCESS_SAID;
    }
}

static void start_first(struct world *world)
{
    if (world->last == WALK_GENERATIONS_MAX || world->operation_count == WALK_OPERATIONS_MAX)
        end_service(world);
    else
        begin(world, new_operation(world));
}

static void supervisor_starts(struct world *world)
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
        if (get(world, n)->exists && n != world->serving && n != world->candidate &&
            !world_is_leaving(get(world, n)))
            leave(world, n, 0);
}

static bool was_told(const struct generation *generation)
{
    return world_is_leaving(generation) || !has_flag(generation, PROCESS_KNOWN) ||
           has_flag(generation, PROCESS_SAID);
}

static void decide(struct world *world)
{
    struct rpctl_recovery_generation generations[WALK_GENERATIONS_MAX];
    struct rpctl_recovery_facts facts = {.rollout = world->loaded.rollout,
                                         .serving = world->loaded.serving,
                                         .candidate = world->loaded.candidate,
                                         .generations = generations};
    struct rpctl_recovery recovery;

    for (unsigned n = WALK_GENERATIONS_MAX; n > 0; n--)
        if (get(world, n)->exists)
            generations[facts.count++] =
                (struct rpctl_recovery_generation){n, world_running(get(world, n)), was_told(get(world, n))};
    rpctl_recovery_decide(&facts, &recovery);
    memset(&world->loaded, 0, sizeof world->loaded);
    if (recovery.serving) {
        world->takeover = TAKEOVER_STEERS;
        world->way_back = (uint8_t)recovery.other;
        add_job(world, JOB_TAKE_OVER, recovery.serving);
        return;
    }
    takeover_over(world);
    leave_others(world);
    start_first(world);
}

static void go_on_with(struct world *world, unsigned number)
{
    world->tried = world->way_back = 0;
    if (!get(world, number)->proven && another_could_serve(world, number))
        fault("generation %u serves from now on, that was never proven, and another one could", number);
    world->takeover = TAKEOVER_STEERED;
    world->serving = (uint8_t)number;
    get(world, number)->state = RPCTL_GENERATION_SERVING;
    get(world, number)->proven = 1; /* it is all there is */
    relaunch_missing(world, number);
    leave_others(world);
    if (draining(world) == 0) add_job(world, JOB_DETACH, number);
    takeover_on_gone(world);
}

static bool can_go_back(const struct world *world)
{
    return world->way_back && world_running(world_generation(world, world->way_back)) > 0 &&
           !was_told(world_generation(world, world->way_back));
}

static void taken_over(struct world *world, unsigned number)
{
    if (config->health_count > 0 && can_go_back(world)) {
        world->takeover = TAKEOVER_TRIES;
        world->tried = (uint8_t)number;
    } else {
        go_on_with(world, number);
    }
}

/* Ordinary requests, for all traffic comes to it: they may fail though it could serve. */
static void trial_over(struct world *world, bool good)
{
    unsigned number = world->tried, other = world->way_back;

    if (good || !can_go_back(world)) {
        go_on_with(world, number);
        return;
    }
    world->takeover = TAKEOVER_STEERS;
    world->tried = world->way_back = 0;
    add_job(world, JOB_TAKE_OVER, other);
}

/* --- jobs: what they do
 * ---------------------------------------------------------------------------------------------- */

static bool steer(struct world *world, unsigned number)
{
    if (any_unknown(world) || !has_flag(get(world, number), PROCESS_KNOWN)) return false;
    world->program = world->steered = (uint8_t)number;
    get(world, number)->had_traffic = 1;
    return true;
}

static bool detach(struct world *world)
{
    if (any_unknown(world) || open_generations(world) > 1) return false;
    world->program = world->steered = 0;
    return true;
}

static void drop_listeners(struct process *process)
{
    process->flags &= (uint8_t) ~(PROCESS_OPEN | PROCESS_HELD | PROCESS_KNOWN);
}

static bool close_all(struct world *world, const struct job *job)
{
    struct generation *generation = get(world, job->generation);

    if (!has_flag(generation, PROCESS_KNOWN)) return true;
    if (any_unknown(world) && world->steered && world->steered != job->generation) return false;
    if (another_could_serve(world, job->generation) && world_is_reached(world, job->generation))
        fault("the listeners of generation %u are closed while they may be chosen", job->generation);
    if (world->steered == job->generation && job->other)
        fault("the listeners of generation %u are closed while all traffic goes there", job->generation);
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) drop_listeners(&generation->processes[i]);
    return true;
}

static bool add_listeners(struct generation *generation, bool works)
{
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) {
        struct process *process = &generation->processes[i];

        if (!(process->flags & PROCESS_HELD) || process->flags & PROCESS_KNOWN) continue;
        if (works) {
            process->flags |= PROCESS_KNOWN;
            continue;
        }
        process->flags &= (uint8_t)~PROCESS_HELD;
        if (!lives(process)) process->flags &= (uint8_t)~PROCESS_OPEN;
    }
    return works;
}

static bool do_job(struct world *world, const struct job *job, bool works)
{
    struct generation *generation = get(world, job->generation);

    switch ((enum job_type)job->type) {
    case JOB_ADD: return add_listeners(generation, works);
    case JOB_CHECK:
        if (!works || any_unknown(world) || !has_flag(generation, PROCESS_KNOWN)) return false;
        return job->other ? true : steer(world, job->generation);
    case JOB_PIN:
    case JOB_SHIFT:
    case JOB_UNSHIFT:
    case JOB_TAKE_OVER: return works && steer(world, job->generation);
    case JOB_CLOSE_CANDIDATE:
    case JOB_CLOSE_LEAVING:
        if (!works || !close_all(world, job)) return false;
        if (job->may_detach) (void)detach(world);
        return true;
    case JOB_DETACH: return detach(world);
    case JOB_LEND:
    case JOB_SETTLE:
    case JOB_LOOK:
    case JOB_COUNT:
    case JOB_DOOM:
    case JOB_NONE: break;
    }
    return works;
}

/* The failure of a look is that it finds something. */
static bool can_fail(const struct world *world, const struct job *job)
{
    if (!config->failures && job->type != JOB_LOOK) return false;
    if (job->type == JOB_ADD) return job->generation == world->candidate;
    return job->type != JOB_LEND && job->type != JOB_COUNT && job->type != JOB_DOOM &&
           job->type != JOB_DETACH;
}

/* What it does is seen by nobody but whom it tells. */
static bool is_silent(const struct job *job)
{
    return is_drain_job(job) || job->type == JOB_LEND || job->type == JOB_DOOM;
}

static void job_done(struct world *world);

static void work(struct world *world, bool works)
{
    struct job job = world->jobs[0];

    world->jobs[0].progress = do_job(world, &job, works) ? JOB_GOOD : JOB_FAILED;
    if (is_silent(&job)) job_done(world);
}

/* --- … and whom they tell
 * -------------------------------------------------------------------------------------------- */

static void shifted(struct world *world, unsigned to, unsigned from)
{
    get(world, to)->state = RPCTL_GENERATION_SERVING;
    get(world, from)->state = RPCTL_GENERATION_STANDBY;
}

static void relaunch(struct world *world, unsigned number)
{
    struct generation *generation = get(world, number);

    if (!should_run(world, number)) return;
    for (size_t i = 0; i < config->processes; i++) {
        struct process *process = &generation->processes[i];

        if (process->phase != PROCESS_NONE || process->flags & PROCESS_DUE) continue;
        has_launched = true;
        if (launch_fails)
            process->flags |= PROCESS_DUE;
        else
            process->phase = PROCESS_BORN;
        return;
    }
}

static void drain_job_done(struct world *world, const struct job *job, bool good)
{
    struct generation *generation = get(world, job->generation);

    if (!generation->exists || job->stale) return;
    if (job->type == JOB_LOOK)
        post_drain(world, job->generation, good ? RPCTL_DRAIN_ON_LOOK_EMPTY : RPCTL_DRAIN_ON_LOOK_BUSY);
    else if (job->type == JOB_COUNT && !rpctl_drain_is_emptied(generation->drain))
        kill_all(world, job->generation);
    else if (job->type == JOB_SETTLE && good)
        post_drain(world, job->generation, RPCTL_DRAIN_ON_SETTLED);
    else if (job->type == JOB_SETTLE && generation->drain == RPCTL_DRAIN_SETTLING)
        generation->timers |= TIMER_RETRY;
}

static void tell(struct world *world, const struct job *job, bool good)
{
    unsigned number = job->generation;

    switch ((enum job_type)job->type) {
    case JOB_ADD:
        if (!good && number == world->candidate) post(world, RPCTL_ROLLOUT_ON_CHECK_FAILED);
        return;
    case JOB_PIN: post(world, good ? RPCTL_ROLLOUT_ON_PINNED : RPCTL_ROLLOUT_ON_PIN_FAILED); return;
    case JOB_CHECK:
        if (good && get(world, number)->state == RPCTL_GENERATION_STARTING)
            get(world, number)->state = RPCTL_GENERATION_PROVING;
        post(world, good ? RPCTL_ROLLOUT_ON_CHECKED : RPCTL_ROLLOUT_ON_CHECK_FAILED);
        return;
    case JOB_SHIFT:
        if (good) shifted(world, number, world->serving);
        post(world, good ? RPCTL_ROLLOUT_ON_SHIFTED : RPCTL_ROLLOUT_ON_SHIFT_FAILED);
        return;
    case JOB_UNSHIFT:
        if (good) shifted(world, number, world->candidate);
        post(world, good ? RPCTL_ROLLOUT_ON_UNSHIFTED : RPCTL_ROLLOUT_ON_UNSHIFT_FAILED);
        return;
    case JOB_CLOSE_CANDIDATE:
        if (good)
            post(world, RPCTL_ROLLOUT_ON_NEW_GONE);
        else
            world->timers |= TIMER_STOP;
        return;
    case JOB_CLOSE_LEAVING:
        post_drain(world, number, good ? RPCTL_DRAIN_ON_CLOSED : RPCTL_DRAIN_ON_CLOSE_FAILED);
        return;
    case JOB_LEND: relaunch(world, number); return;
    case JOB_TAKE_OVER:
        if (good)
            taken_over(world, number);
        else
            supervisor_dies(world); /* it gives up */
        return;
    case JOB_SETTLE:
    case JOB_LOOK:
    case JOB_COUNT: drain_job_done(world, job, good); return;
    case JOB_DOOM:
        get(world, number)->doomed = 0; /* it is told once */
        if (get(world, number)->drain == RPCTL_DRAIN_DRAINING) stop_processes(world, number);
        return;
    case JOB_DETACH:
    case JOB_NONE: return;
    }
}

static void job_done(struct world *world)
{
    struct job job = world->jobs[0];

    memmove(&world->jobs[0], &world->jobs[1], (WALK_JOBS_MAX - 1) * sizeof world->jobs[0]);
    memset(&world->jobs[WALK_JOBS_MAX - 1], 0, sizeof world->jobs[0]);
    if (!is_drain_job(&job) && !get(world, job.generation)->exists)
        fault("a job tells of generation %u, which is forgotten", job.generation);
    else
        tell(world, &job, job.progress == JOB_GOOD);
}

/* --- the moves
 * ------------------------------------------------------------------------------------------------------- */

static void process_ends(const struct world *world, struct process *process)
{
    if (!(process->flags & PROCESS_HELD)) drop_listeners(process);
    process->phase = world->up ? PROCESS_DEAD : PROCESS_NONE;
    if (!world->up) process->flags = 0;
}

static void process_speaks(struct world *world, unsigned number, struct process *process)
{
    process->phase = PROCESS_READY;
    process->flags |= PROCESS_HELD;
    add_job(world, JOB_ADD, number);
    if (number == world->candidate) post(world, RPCTL_ROLLOUT_ON_INSTANCE_READY);
}

static void write_disk(struct world *world)
{
    world->disk = world_record(world);
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) {
        struct generation *generation = get(world, n);

        if (!generation->stop_waits) continue;
        generation->stop_waits = 0;
        if (generation->drain == RPCTL_DRAIN_DRAINING) stop_processes(world, n);
    }
}

static void fire(struct world *world, enum rollout_timer timer, enum rpctl_rollout_event event)
{
    world->timers &= (uint8_t)~timer;
    post(world, event);
}

static void fire_drain(struct world *world, unsigned number, enum leaving_timer timer,
                       enum rpctl_drain_event event)
{
    get(world, number)->timers &= (uint8_t)~timer;
    post_drain(world, number, event);
}

static void answer(struct world *world, enum rpctl_rollout_event event)
{
    world->probing = 0;
    post(world, event);
}

static void apply(struct world *world, const struct move *move)
{
    unsigned number = move->generation;
    struct generation *generation = number ? get(world, number) : NULL;
    struct process *process = generation ? &generation->processes[move->process] : NULL;

    switch ((enum move_kind)move->kind) {
    case MOVE_START: begin(world, new_operation(world)); return;
    case MOVE_UPGRADE:
        world->upgrades_left--;
        begin(world, new_operation(world));
        return;
    case MOVE_ABORT: post(world, RPCTL_ROLLOUT_ON_ABORT); return;
    case MOVE_LISTEN:
        process->phase = PROCESS_LISTENS;
        process->flags |= PROCESS_OPEN;
        return;
    case MOVE_SPEAK: process_speaks(world, number, process); return;
    case MOVE_CRASH: world->crash_left = 0; /* fall through */
    case MOVE_END: process_ends(world, process); return;
    case MOVE_REAP: on_ended(world, number, process); return;
    case MOVE_WORK: work(world, true); return;
    case MOVE_WORK_FAILS: work(world, false); return;
    case MOVE_DONE: job_done(world); return;
    case MOVE_PROBE_GOOD: answer(world, RPCTL_ROLLOUT_ON_PROBE_GOOD); return;
    case MOVE_PROBE_BAD: answer(world, RPCTL_ROLLOUT_ON_PROBE_BAD); return;
    case MOVE_UNLISTEN: post_drain(world, number, RPCTL_DRAIN_ON_LISTENERS_CLOSED); return;
    case MOVE_SWEPT: swept(world, number); return;
    case MOVE_READY_TIMER: fire(world, TIMER_READY, RPCTL_ROLLOUT_ON_DEADLINE); return;
    case MOVE_PROBE_TIMER: fire(world, TIMER_PROBE, RPCTL_ROLLOUT_ON_PROBE_TIMER); return;
    case MOVE_BAKE_TIMER: fire(world, TIMER_BAKE, RPCTL_ROLLOUT_ON_BAKE_OVER); return;
    case MOVE_STOP_TIMER: stop_timer(world); return;
    case MOVE_LOOK_TIMER: fire_drain(world, number, TIMER_LOOK, RPCTL_DRAIN_ON_LOOK_TIMER); return;
    case MOVE_QUIESCE_TIMER: fire_drain(world, number, TIMER_QUIESCE, RPCTL_DRAIN_ON_QUIESCE_TIMEOUT); return;
    case MOVE_DEADLINE_TIMER: fire_drain(world, number, TIMER_DEADLINE, RPCTL_DRAIN_ON_DEADLINE); return;
    case MOVE_RETRY_TIMER:
        generation->timers &= (uint8_t)~TIMER_RETRY;
        if (generation->drain == RPCTL_DRAIN_SETTLING) add_job(world, JOB_SETTLE, number);
        return;
    case MOVE_RELAUNCH:
        process->flags &= (uint8_t)~PROCESS_DUE;
        add_job(world, JOB_LEND, number);
        return;
    case MOVE_WRITE: write_disk(world); return;
    case MOVE_SUPERVISOR_CRASH:
        world->crash_left = 0;
        supervisor_dies(world);
        return;
    case MOVE_SUPERVISOR_START: supervisor_starts(world); return;
    case MOVE_DECIDE: decide(world); return;
    case MOVE_TRIAL_GOOD: trial_over(world, true); return;
    case MOVE_TRIAL_BAD: trial_over(world, false); return;
    case MOVE_GIVE_UP: supervisor_dies(world); return;
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

/* One change behind: what was before it has been written by the time of the next. */
static void keep_up(struct world *world, const struct record *before)
{
    struct record now = world_record(world);
    bool changed = memcmp(before, &now, sizeof now) != 0;

    if (!has_disk(world))
        memset(&world->disk, 0, sizeof world->disk);
    else if (!is_held(world) && changed && memcmp(&world->disk, &now, sizeof now) != 0)
        world->disk = *before;
}

bool world_make(struct world *world, const struct walk_config *of, const struct move *move)
{
    struct record before = world_record(world);

    world_fault = NULL;
    config = of;
    launch_fails = move->launch_fails;
    has_launched = false;
    apply(world, move);
    posted_count = 0;
    stepping = false;
    if (world->up) keep_up(world, &before);
    sort_processes(world);
    return has_launched && config->failures;
}

/* --- which may come
 * -------------------------------------------------------------------------------------------------- */

struct list {
    struct move *moves;
    size_t count;
};

static void offer(struct list *list, bool may, enum move_kind kind, unsigned generation, size_t process)
{
    if (!may) return;
    assert(list->count < WORLD_MOVES_MAX);
    list->moves[list->count++] =
        (struct move){.kind = (uint8_t)kind, .generation = (uint8_t)generation, .process = (uint8_t)process};
}

static void offer_process(struct list *list, const struct world *world, unsigned number, size_t i)
{
    const struct process *process = &world_generation(world, number)->processes[i];
    bool told = process->flags & PROCESS_TOLD, alive = lives(process);

    offer(list, process->phase == PROCESS_BORN && (!told || config->late_signals), MOVE_LISTEN, number, i);
    offer(list, world->up && process->phase == PROCESS_LISTENS && process->flags & PROCESS_OPEN, MOVE_SPEAK,
          number, i);
    offer(list, alive && told, MOVE_END, number, i);
    offer(list, alive && !told && world->crash_left && config->process_crash, MOVE_CRASH, number, i);
    offer(list, world->up && process->phase == PROCESS_DEAD, MOVE_REAP, number, i);
    offer(list, world->up && process->flags & PROCESS_DUE, MOVE_RELAUNCH, number, i);
}

static void offer_generation(struct list *list, const struct world *world, unsigned number)
{
    const struct generation *generation = world_generation(world, number);

    if (!generation->exists) return;
    for (size_t i = 0; i < config->processes; i++) offer_process(list, world, number, i);
    if (!world->up) return;
    offer(list, generation->drain == RPCTL_DRAIN_DRAINING && have_closed(generation), MOVE_UNLISTEN, number,
          0);
    offer(list, generation->sweep, MOVE_SWEPT, number, 0);
    offer(list, generation->timers & TIMER_LOOK, MOVE_LOOK_TIMER, number, 0);
    offer(list, generation->timers & TIMER_QUIESCE, MOVE_QUIESCE_TIMER, number, 0);
    offer(list, generation->timers & TIMER_DEADLINE, MOVE_DEADLINE_TIMER, number, 0);
    offer(list, generation->timers & TIMER_RETRY, MOVE_RETRY_TIMER, number, 0);
}

static void offer_commands(struct list *list, const struct world *world)
{
    const struct rpctl_rollout rollout = {.state = world->rollout};
    bool busy = world->operation || world->takeover || draining(world) >= MAX_DRAINING;

    offer(list, world->last == 0, MOVE_START, 0, 0);
    offer(list, !busy && world->serving && world->upgrades_left && world->last < WALK_GENERATIONS_MAX,
          MOVE_UPGRADE, 0, 0);
    offer(list, world->operation && !rpctl_rollout_is_undoing(&rollout), MOVE_ABORT, 0, 0);
}

static void offer_rollout(struct list *list, const struct world *world)
{
    const struct job *job = &world->jobs[0];
    bool healthy =
        world->probing && world->candidate && world_can_serve(world_generation(world, world->candidate));

    offer(list, job->type != JOB_NONE && job->progress == JOB_WAITS, MOVE_WORK, 0, 0);
    offer(list, job->type != JOB_NONE && job->progress == JOB_WAITS && can_fail(world, job), MOVE_WORK_FAILS,
          0, 0);
    offer(list, job->type != JOB_NONE && job->progress != JOB_WAITS, MOVE_DONE, 0, 0);
    offer(list, healthy, MOVE_PROBE_GOOD, 0, 0);
    offer(list, world->probing, MOVE_PROBE_BAD, 0, 0);
    offer(list, world->timers & TIMER_READY, MOVE_READY_TIMER, 0, 0);
    offer(list, world->timers & TIMER_PROBE, MOVE_PROBE_TIMER, 0, 0);
    offer(list, world->timers & TIMER_BAKE, MOVE_BAKE_TIMER, 0, 0);
    offer(list, world->timers & TIMER_STOP, MOVE_STOP_TIMER, 0, 0);
    offer(list, !is_written(world), MOVE_WRITE, 0, 0);
}

/* It waits for who might serve and has not shown its listeners, but not for ever. */
static void offer_takeover(struct list *list, const struct world *world)
{
    bool finds = world->takeover == TAKEOVER_FINDS;

    offer(list, finds && !any_unknown(world), MOVE_DECIDE, 0, 0);
    offer(list, finds && any_unknown(world), MOVE_GIVE_UP, 0, 0);
    offer(list, world->takeover == TAKEOVER_TRIES && world_can_serve(world_generation(world, world->tried)),
          MOVE_TRIAL_GOOD, 0, 0);
    offer(list, world->takeover == TAKEOVER_TRIES, MOVE_TRIAL_BAD, 0, 0);
    offer(list, world->crash_left && config->supervisor_crash, MOVE_SUPERVISOR_CRASH, 0, 0);
}

size_t world_moves(const struct world *world, const struct walk_config *of, struct move *ret_moves)
{
    struct list list = {.moves = ret_moves};

    config = of;
    if (world->ended) return 0;
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) offer_generation(&list, world, n);
    offer(&list, !world->up, MOVE_SUPERVISOR_START, 0, 0);
    if (!world->up) return list.count;
    offer_commands(&list, world);
    offer_rollout(&list, world);
    offer_takeover(&list, world);
    return list.count;
}

void world_init(struct world *world, const struct walk_config *of)
{
    memset(world, 0, sizeof *world);
    world->up = 1;
    world->upgrades_left = of->upgrades;
    world->crash_left = of->process_crash || of->supervisor_crash;
}

bool world_move_is_foreign(const struct world *world, const struct move *move)
{
    switch ((enum move_kind)move->kind) {
    case MOVE_START:
    case MOVE_UPGRADE:
    case MOVE_ABORT:
    case MOVE_CRASH:
    case MOVE_SUPERVISOR_CRASH:
    case MOVE_LISTEN:
    case MOVE_SPEAK:
    case MOVE_UNLISTEN:
    case MOVE_PROBE_GOOD:
    case MOVE_TRIAL_GOOD: return true;
    case MOVE_END:
        return !(world_generation(world, move->generation)->processes[move->process].flags & PROCESS_KILLED);
    default: return false;
    }
}
