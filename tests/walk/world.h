/* A model of one service for the walk: the real pure machines (rollout, drain, recovery), and around them
 * what the shell, the kernel and the processes do, as far as it decides what may come next. A world is a
 * value of bytes without padding, so that two are the same when their bytes are.
 *
 * Modelled, each as the shell does it (shell/rollout_*.c, leaving*.c, steering*.c, launch.c, sweep.c,
 * takeover*.c, adopt.c, keeper.c):
 *   - processes: launched, listen, send their listeners and READY=1, end; that one has ended is heard of
 * later. One that was told to stop ends sometime. One that serves and has died is launched again with the
 * listeners of the dead one.
 *   - listeners: in the group from listen() on; unknown to the supervisor until its job has added them; kept
 * by its duplicates when the process is gone; gone with the last descriptor.
 *   - jobs: one queue, first in, first out. What a job does and the call back are two moves, and everything
 * else may come between. Each may fail that can fail, and fails when a listener is in the group that nobody
 * knows. The answers to jobs of a drain that was called off are not wanted.
 *   - timers: fire at any time while they are armed, in any order: no deadline is long enough to count on it.
 *   - a probe round: one answer, good or bad, at any time; not wanted after a decision.
 *   - sweeps, relaunches with their job, the events that a step posts while it acts.
 *   - the state on disk: any number of changes behind; a launch beside one that serves waits for it, and the
 * stop signal of a drain.
 *   - commands: the start, upgrades one after the other while old generations drain, abort at any time.
 *   - one crash anywhere: of any process, or of the supervisor; then another one takes over by what is on
 * disk and what runs, with the real decision, and goes on. It may give up; then there is a next one.
 *
 * Left out: looks for listeners that are held open still (that nobody holds one is known at any time, or
 * never); places in the group (pure/close_plan has its own tests), so who is chosen is a matter of
 * generations; time; lack of memory; signals that cannot be sent; a disk that cannot be written to; servers
 * that hand nothing over; the end of the service. */
#ifndef RP_WALK_WORLD_H
#define RP_WALK_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WALK_GENERATIONS_MAX 4
#define WALK_PROCESSES_MAX   2
#define WALK_JOBS_MAX        12
#define WALK_OPERATIONS_MAX  5

/* What a walk is over. */
struct walk_config {
    const char *name;
    uint8_t processes;    /* of each generation */
    uint8_t health_count; /* 0: --health none */
    uint8_t upgrades;
    bool failures; /* of launches and of jobs, beside those that a listener causes that nobody knows */
    bool process_crash;
    bool supervisor_crash;
    bool late_signals; /* one that is told to stop while it is starting may listen all the same */
};

enum process_phase {
    PROCESS_NONE,
    PROCESS_BORN,
    PROCESS_LISTENS,
    PROCESS_READY, /* it has sent its listeners and READY=1 */
    PROCESS_DEAD,  /* nobody has heard of it yet */
};

enum process_flag {
    PROCESS_OPEN = 1,  /* its listeners are in the group */
    PROCESS_HELD = 2,  /* the supervisor has duplicates of them */
    PROCESS_KNOWN = 4, /* … and has added them */
    PROCESS_TOLD = 8,  /* the stop signal was sent */
    PROCESS_SAID = 16, /* the supervisor knows that it is stopping */
    PROCESS_DUE = 32,  /* to be launched again: the timer runs */
    PROCESS_KILLED = 64,
    PROCESS_EARLY = 128, /* told before it was ready */
};

struct process {
    uint8_t phase;
    uint8_t flags;
};

enum leaving_timer { TIMER_LOOK = 1, TIMER_QUIESCE = 2, TIMER_DEADLINE = 4, TIMER_RETRY = 8 };

enum sweep { SWEEP_NONE, SWEEP_LEAVING, SWEEP_CANDIDATE };

struct generation {
    uint8_t exists;
    uint8_t state; /* enum rpctl_generation_state */
    uint8_t proven;
    uint8_t had_traffic;
    uint8_t sweep;
    uint8_t drain;
    uint8_t empty_looks;
    uint8_t looked;
    uint8_t timers;
    uint8_t operation; /* its drain reports to; 0 = none */
    uint8_t stop_waits;
    uint8_t doomed;
    struct process processes[WALK_PROCESSES_MAX];
};

enum job_type {
    JOB_NONE,
    JOB_ADD,
    JOB_PIN,
    JOB_CHECK,
    JOB_SHIFT,
    JOB_UNSHIFT,
    JOB_CLOSE_CANDIDATE,
    JOB_CLOSE_LEAVING,
    JOB_DETACH,
    JOB_LEND,
    JOB_SETTLE,
    JOB_LOOK,
    JOB_COUNT,
    JOB_DOOM,
    JOB_TAKE_OVER,
};

enum job_progress { JOB_WAITS, JOB_GOOD, JOB_FAILED };

struct job {
    uint8_t type;
    uint8_t generation;
    uint8_t other; /* old, or serving; 0 = none */
    uint8_t may_detach;
    uint8_t stale; /* of a drain that was called off, or begun anew */
    uint8_t progress;
};

enum rollout_timer { TIMER_READY = 1, TIMER_PROBE = 2, TIMER_BAKE = 4, TIMER_STOP = 8 };

enum takeover { TAKEOVER_NONE, TAKEOVER_FINDS, TAKEOVER_STEERS, TAKEOVER_TRIES, TAKEOVER_STEERED };

enum operation { OPERATION_NONE, OPERATION_RUNS, OPERATION_DRAINS, OPERATION_OVER, OPERATION_LOST };

/* What of the state matters to a successor. */
struct record {
    uint8_t rollout, serving, candidate;
    uint8_t exists[WALK_GENERATIONS_MAX];
    uint8_t drain[WALK_GENERATIONS_MAX];
    uint8_t stopping[WALK_GENERATIONS_MAX];
};

/* Generations and operations are named by number, from 1; 0 = none. */
struct world {
    /* the kernel and the disk */
    uint8_t program; /* whom the steering program names; 0 = there is none */
    struct record disk;
    struct record loaded; /* by a successor, at its start */
    struct generation generations[WALK_GENERATIONS_MAX];

    /* the supervisor */
    uint8_t up;
    uint8_t ended;   /* a first start has failed */
    uint8_t steered; /* its belief of `program` */
    uint8_t serving, candidate, last;
    uint8_t rollout, outcome, has_old, ready, good, bad, baked;
    uint8_t timers;
    uint8_t probing;      /* a round's answer is wanted */
    uint8_t pinned_waits; /* for the disk */
    uint8_t operation;
    uint8_t takeover;
    uint8_t takeover_operation;
    uint8_t tried;    /* by a takeover: the one that is to serve */
    uint8_t way_back; /* … and the one that serves if it does not answer well */
    struct job jobs[WALK_JOBS_MAX];

    /* the people */
    uint8_t operations[WALK_OPERATIONS_MAX];
    uint8_t operation_count;
    uint8_t upgrades_left;
    uint8_t crash_left;
};

enum move_kind {
    MOVE_START,
    MOVE_UPGRADE,
    MOVE_ABORT,
    MOVE_LISTEN,
    MOVE_SPEAK,
    MOVE_END, /* of a process that was told to stop */
    MOVE_CRASH,
    MOVE_REAP,
    MOVE_WORK,
    MOVE_WORK_FAILS,
    MOVE_DONE,
    MOVE_PROBE_GOOD,
    MOVE_PROBE_BAD,
    MOVE_UNLISTEN, /* all that were told to stop have closed their listeners, and that is known */
    MOVE_SWEPT,
    MOVE_READY_TIMER,
    MOVE_PROBE_TIMER,
    MOVE_BAKE_TIMER,
    MOVE_STOP_TIMER,
    MOVE_LOOK_TIMER,
    MOVE_QUIESCE_TIMER,
    MOVE_DEADLINE_TIMER,
    MOVE_RETRY_TIMER,
    MOVE_RELAUNCH,
    MOVE_WRITE,
    MOVE_SUPERVISOR_CRASH,
    MOVE_SUPERVISOR_START,
    MOVE_DECIDE,
    MOVE_TRIAL_GOOD,
    MOVE_TRIAL_BAD,
    MOVE_GIVE_UP,
    MOVE_COUNT
};

struct move {
    uint8_t kind;
    uint8_t generation;
    uint8_t process;
    uint8_t launch_fails;
};

/* NULL, or what must not be: of the last call into this module. */
extern const char *world_fault;

void world_init(struct world *world, const struct walk_config *config);

/* Every move that may come next; room for WORLD_MOVES_MAX. */
#define WORLD_MOVES_MAX 96
size_t world_moves(const struct world *world, const struct walk_config *config, struct move *ret_moves);

/* Makes it; true when it has launched something, and launching could fail instead. Sets world_fault. */
bool world_make(struct world *world, const struct walk_config *config, const struct move *move);

/* Holds the invariants of invariants.c against a world. Sets world_fault. */
void world_check(const struct world *world);

/* Nothing is under way: one serves, or is launched again; or the service has ended. */
bool world_is_quiescent(const struct world *world);

/* Of a person, a misfortune, or a server that does what it should: no way out may depend on it. */
bool world_move_is_foreign(const struct world *world, const struct move *move);

/* --- questions --- */

const struct generation *world_generation(const struct world *world, unsigned number);
bool world_is_leaving(const struct generation *generation);
unsigned world_running(const struct generation *generation); /* processes, as the supervisor has heard */
bool world_is_open(const struct generation *generation);     /* it has listeners in the group */
bool world_can_serve(const struct generation *generation);   /* a ready process that was not told to stop */
bool world_is_reached(const struct world *world, unsigned number); /* new connections may come to it */
struct record world_record(const struct world *world);

void world_print(const struct world *world);
void world_print_move(const struct move *move);

#endif
