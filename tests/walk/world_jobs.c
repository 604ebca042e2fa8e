/* Jobs on the groups: what they do, and whom they tell (shell/steering*.c, leaving_jobs.c). */
#include "world_internal.h"

#include "pure/generation_state.h"

#include <string.h>

static bool may_detach(const struct world *world, unsigned closing)
{
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++)
        if (world_is_leaving(world_generation(world, n)) &&
            !rpctl_drain_is_emptied(world_generation(world, n)->drain))
            return false;
    return closing == world->candidate || (world->serving && world->rollout == RPCTL_ROLLOUT_IDLE);
}

void world_add_job(struct world *world, enum job_type type, unsigned number)
{
    size_t i = 0;

    while (i < WALK_JOBS_MAX && world->jobs[i].type != JOB_NONE) i++;
    if (i == WALK_JOBS_MAX) {
        world_fail("more jobs than the model has room for");
        return;
    }
    world->jobs[i] = (struct job){.type = (uint8_t)type, .generation = (uint8_t)number};
    if (type == JOB_CHECK || type == JOB_CLOSE_CANDIDATE || type == JOB_CLOSE_LEAVING)
        world->jobs[i].other = world->serving;
    if (type == JOB_CLOSE_CANDIDATE || type == JOB_CLOSE_LEAVING)
        world->jobs[i].may_detach = may_detach(world, number);
}

bool world_is_drain_job(const struct job *job)
{
    return job->type == JOB_SETTLE || job->type == JOB_LOOK || job->type == JOB_COUNT;
}

void world_make_stale(struct world *world, unsigned number)
{
    for (size_t i = 0; i < WALK_JOBS_MAX; i++)
        if (world_is_drain_job(&world->jobs[i]) && world->jobs[i].generation == number)
            world->jobs[i].stale = 1;
}

static bool steer(struct world *world, unsigned number)
{
    if (world_any_unknown(world) || !world_has_flag(world_get(world, number), PROCESS_KNOWN)) return false;
    world->program = world->steered = (uint8_t)number;
    world_get(world, number)->had_traffic = 1;
    return true;
}

static bool detach(struct world *world)
{
    if (world_any_unknown(world) || world_open_generations(world) > 1) return false;
    world->program = world->steered = 0;
    return true;
}

static bool close_all(struct world *world, const struct job *job)
{
    struct generation *generation = world_get(world, job->generation);

    if (!world_has_flag(generation, PROCESS_KNOWN)) return true;
    if (world_any_unknown(world) && world->steered && world->steered != job->generation) return false;
    if (world_another_could_serve(world, job->generation) && world_is_reached(world, job->generation))
        world_fail("the listeners of generation %u are closed while they may be chosen", job->generation);
    if (world->steered == job->generation && job->other)
        world_fail("the listeners of generation %u are closed while all traffic goes there", job->generation);
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) world_drop_listeners(&generation->processes[i]);
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
        if (!world_lives(process)) process->flags &= (uint8_t)~PROCESS_OPEN;
    }
    return works;
}

static bool do_job(struct world *world, const struct job *job, bool works)
{
    struct generation *generation = world_get(world, job->generation);

    switch ((enum job_type)job->type) {
    case JOB_ADD: return add_listeners(generation, works);
    case JOB_CHECK:
        if (!works || world_any_unknown(world) || !world_has_flag(generation, PROCESS_KNOWN)) return false;
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
bool world_can_fail(const struct world *world, const struct job *job)
{
    if (!world_config->failures && job->type != JOB_LOOK) return false;
    if (job->type == JOB_ADD) return job->generation == world->candidate;
    return job->type != JOB_LEND && job->type != JOB_COUNT && job->type != JOB_DOOM &&
           job->type != JOB_DETACH;
}

/* What it does is seen by nobody but whom it tells. */
static bool is_silent(const struct job *job)
{
    return world_is_drain_job(job) || job->type == JOB_LEND || job->type == JOB_DOOM;
}

void world_work(struct world *world, bool works)
{
    struct job job = world->jobs[0];

    world->jobs[0].progress = do_job(world, &job, works) ? JOB_GOOD : JOB_FAILED;
    if (is_silent(&job)) world_job_done(world);
}

static void shifted(struct world *world, unsigned to, unsigned from)
{
    world_get(world, to)->state = RPCTL_GENERATION_SERVING;
    world_get(world, from)->state = RPCTL_GENERATION_STANDBY;
}

static void drain_job_done(struct world *world, const struct job *job, bool good)
{
    struct generation *generation = world_get(world, job->generation);

    if (!generation->exists || job->stale) return;
    if (job->type == JOB_LOOK)
        world_post_drain(world, job->generation, good ? RPCTL_DRAIN_ON_LOOK_EMPTY : RPCTL_DRAIN_ON_LOOK_BUSY);
    else if (job->type == JOB_COUNT && !rpctl_drain_is_emptied(generation->drain))
        world_kill_all(world, job->generation);
    else if (job->type == JOB_SETTLE && good)
        world_post_drain(world, job->generation, RPCTL_DRAIN_ON_SETTLED);
    else if (job->type == JOB_SETTLE && generation->drain == RPCTL_DRAIN_SETTLING)
        generation->timers |= TIMER_RETRY;
}

static void tell(struct world *world, const struct job *job, bool good)
{
    unsigned number = job->generation;

    switch ((enum job_type)job->type) {
    case JOB_ADD:
        if (!good && number == world->candidate) world_post(world, RPCTL_ROLLOUT_ON_CHECK_FAILED);
        return;
    case JOB_PIN: world_pinned(world, good); return;
    case JOB_CHECK:
        if (good && world_get(world, number)->state == RPCTL_GENERATION_STARTING)
            world_get(world, number)->state = RPCTL_GENERATION_PROVING;
        world_post(world, good ? RPCTL_ROLLOUT_ON_CHECKED : RPCTL_ROLLOUT_ON_CHECK_FAILED);
        return;
    case JOB_SHIFT:
        if (good) shifted(world, number, world->serving);
        world_post(world, good ? RPCTL_ROLLOUT_ON_SHIFTED : RPCTL_ROLLOUT_ON_SHIFT_FAILED);
        return;
    case JOB_UNSHIFT:
        if (good) shifted(world, number, world->candidate);
        world_post(world, good ? RPCTL_ROLLOUT_ON_UNSHIFTED : RPCTL_ROLLOUT_ON_UNSHIFT_FAILED);
        return;
    case JOB_CLOSE_CANDIDATE:
        if (good)
            world_post(world, RPCTL_ROLLOUT_ON_NEW_GONE);
        else
            world->timers |= TIMER_STOP;
        return;
    case JOB_CLOSE_LEAVING:
        world_post_drain(world, number, good ? RPCTL_DRAIN_ON_CLOSED : RPCTL_DRAIN_ON_CLOSE_FAILED);
        return;
    case JOB_LEND: world_relaunch(world, number); return;
    case JOB_TAKE_OVER:
        if (good)
            world_taken_over(world, number);
        else
            world_supervisor_dies(world); /* it gives up */
        return;
    case JOB_SETTLE:
    case JOB_LOOK:
    case JOB_COUNT: drain_job_done(world, job, good); return;
    case JOB_DOOM:
        world_get(world, number)->doomed = 0; /* it is told once */
        if (world_get(world, number)->drain == RPCTL_DRAIN_DRAINING) world_stop_processes(world, number);
        return;
    case JOB_DETACH:
    case JOB_NONE: return;
    }
}

void world_job_done(struct world *world)
{
    struct job job = world->jobs[0];

    memmove(&world->jobs[0], &world->jobs[1], (WALK_JOBS_MAX - 1) * sizeof world->jobs[0]);
    memset(&world->jobs[WALK_JOBS_MAX - 1], 0, sizeof world->jobs[0]);
    if (!world_is_drain_job(&job) && !world_get(world, job.generation)->exists)
        world_fail("a job tells of generation %u, which is forgotten", job.generation);
    else
        tell(world, &job, job.progress == JOB_GOOD);
}
