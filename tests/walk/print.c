/* A world and a move in words, for the way to a fault. */
#include "pure/drain.h"
#include "pure/rollout.h"
#include "world.h"

#include <stdio.h>

static const char *const moves[MOVE_COUNT] = {
    [MOVE_START] = "start",
    [MOVE_UPGRADE] = "upgrade",
    [MOVE_ABORT] = "abort",
    [MOVE_LISTEN] = "listens",
    [MOVE_SPEAK] = "sends its listeners and READY=1",
    [MOVE_END] = "ends",
    [MOVE_CRASH] = "crashes",
    [MOVE_REAP] = "its end is heard of",
    [MOVE_WORK] = "job works",
    [MOVE_WORK_FAILS] = "job fails",
    [MOVE_DONE] = "job tells",
    [MOVE_PROBE_GOOD] = "probe good",
    [MOVE_PROBE_BAD] = "probe bad",
    [MOVE_UNLISTEN] = "has closed its listeners",
    [MOVE_SWEPT] = "swept",
    [MOVE_READY_TIMER] = "ready timeout",
    [MOVE_PROBE_TIMER] = "probe timer",
    [MOVE_BAKE_TIMER] = "bake timer",
    [MOVE_STOP_TIMER] = "stop timer",
    [MOVE_LOOK_TIMER] = "look timer",
    [MOVE_QUIESCE_TIMER] = "quiesce timeout",
    [MOVE_DEADLINE_TIMER] = "drain timeout",
    [MOVE_RETRY_TIMER] = "retry timer",
    [MOVE_RELAUNCH] = "relaunch timer",
    [MOVE_WRITE] = "the state is written",
    [MOVE_SUPERVISOR_CRASH] = "the supervisor crashes",
    [MOVE_SUPERVISOR_START] = "a supervisor starts",
    [MOVE_DECIDE] = "it decides",
    [MOVE_TRIAL_GOOD] = "the trial is passed",
    [MOVE_TRIAL_BAD] = "the trial is failed",
    [MOVE_GIVE_UP] = "it gives up",
};

static const char *const phases[] = {[PROCESS_NONE] = "-",
                                     [PROCESS_BORN] = "born",
                                     [PROCESS_LISTENS] = "listens",
                                     [PROCESS_READY] = "ready",
                                     [PROCESS_DEAD] = "dead"};

static const char *const jobs[] = {[JOB_NONE] = "",
                                   [JOB_ADD] = "add",
                                   [JOB_PIN] = "pin",
                                   [JOB_CHECK] = "check",
                                   [JOB_SHIFT] = "shift",
                                   [JOB_UNSHIFT] = "unshift",
                                   [JOB_DETACH] = "detach",
                                   [JOB_CLOSE_CANDIDATE] = "close-candidate",
                                   [JOB_LEND] = "lend",
                                   [JOB_CLOSE_LEAVING] = "close",
                                   [JOB_SETTLE] = "settle",
                                   [JOB_LOOK] = "look",
                                   [JOB_COUNT] = "count",
                                   [JOB_DOOM] = "doom",
                                   [JOB_TAKE_OVER] = "take-over"};

void world_print_move(const struct move *move)
{
    printf("%s", moves[move->kind]);
    if (move->generation) printf(" (generation %u)", move->generation);
    if (move->launch_fails) printf(", the launch fails");
    printf("\n");
}

static void print_process(const struct process *process)
{
    static const char letters[] = "ohktsdK"; /* open, held, known, told, said, due, killed */

    printf(" %s/", phases[process->phase]);
    for (size_t i = 0; letters[i]; i++)
        if (process->flags & 1 << i) printf("%c", letters[i]);
}

static void print_generation(const struct world *world, unsigned number)
{
    const struct generation *generation = world_generation(world, number);

    if (!generation->exists) return;
    printf("    gen %u%s drain=%s timers=%x sweep=%u:", number, generation->proven ? " proven" : "",
           rpctl_drain_state_name(generation->drain), generation->timers, generation->sweep);
    for (size_t i = 0; i < WALK_PROCESSES_MAX; i++) print_process(&generation->processes[i]);
    printf("\n");
}

void world_print(const struct world *world)
{
    printf("    %s program=%u serving=%u candidate=%u rollout=%s timers=%x takeover=%u disk=%s/%u/%u jobs:",
           world->up ? "up" : "DOWN", world->program, world->serving, world->candidate,
           rpctl_rollout_state_name(world->rollout), world->timers, world->takeover,
           rpctl_rollout_state_name(world->disk.rollout), world->disk.serving, world->disk.candidate);
    for (size_t i = 0; i < WALK_JOBS_MAX && world->jobs[i].type; i++)
        printf(" %s:%u%s", jobs[world->jobs[i].type], world->jobs[i].generation,
               world->jobs[i].progress ? "!" : "");
    printf("\n");
    for (unsigned n = 1; n <= WALK_GENERATIONS_MAX; n++) print_generation(world, n);
}
