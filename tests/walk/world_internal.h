/* The parts of the model world (world.h), for one another. A part that finds what must not be says so by
 * world_fail and goes on.
 *
 *   world.c             what each move does
 *   world_moves.c       which moves may come next
 *   world_questions.c   what both ask of a world
 *   world_processes.c   processes
 *   world_jobs.c        jobs on the groups
 *   world_drain.c       a generation leaves
 *   world_rollout.c     an operation
 *   world_takeover.c    a successor of a supervisor that has died */
#ifndef RP_WALK_WORLD_INTERNAL_H
#define RP_WALK_WORLD_INTERNAL_H

#include "pure/drain.h"
#include "pure/rollout.h"
#include "world.h"

/* Of the move that is being made. */
extern const struct walk_config *world_config;
extern bool world_launch_fails, world_has_launched;

/* Sets world_fault; the first one stands. */
void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- questions --- */

struct generation *world_get(struct world *world, unsigned number);
bool world_has_flag(const struct generation *generation, enum process_flag flag); /* one of its processes */
bool world_lives(const struct process *process);
bool world_have_closed(const struct generation *generation); /* all that it was told to */
bool world_another_could_serve(const struct world *world, unsigned number);
bool world_any_unknown(const struct world *world); /* a listener in the group that no job has added */
unsigned world_open_generations(const struct world *world);
unsigned world_draining(const struct world *world);
bool world_is_starting(const struct world *world); /* a release */
bool world_is_held(const struct world *world);
bool world_has_disk(const struct world *world);
bool world_is_written(const struct world *world);
bool world_should_run(const struct world *world, unsigned number);

/* --- processes --- */

bool world_launch(struct world *world, unsigned number);
void world_relaunch(struct world *world, unsigned number); /* one */
void world_relaunch_missing(struct world *world, unsigned number);
void world_cancel_relaunch(struct generation *generation);
void world_process_speaks(struct world *world, unsigned number, struct process *process);
void world_process_ends(const struct world *world, struct process *process);
void world_drop_listeners(struct process *process);
void world_on_ended(struct world *world, unsigned number, struct process *process); /* it is heard of */
void world_tell_all(struct world *world, unsigned number);
void world_kill_all(struct world *world, unsigned number);
void world_stop_timer(struct world *world);
void world_sweep(struct world *world, unsigned number, enum sweep kind);
void world_swept(struct world *world, unsigned number);

/* --- jobs --- */

void world_add_job(struct world *world, enum job_type type, unsigned number);
bool world_is_drain_job(const struct job *job);
void world_make_stale(struct world *world, unsigned number); /* the jobs of its drain */
bool world_can_fail(const struct world *world, const struct job *job);
void world_work(struct world *world, bool works); /* the first of the queue */
void world_job_done(struct world *world);

/* --- a drain --- */

void world_leave(struct world *world, unsigned number, unsigned operation);
void world_stay(struct world *world, unsigned number);
void world_post_drain(struct world *world, unsigned number, enum rpctl_drain_event event);
void world_stop_processes(struct world *world, unsigned number);

/* --- an operation --- */

unsigned world_new_operation(struct world *world);
void world_begin(struct world *world, unsigned operation);
void world_post(struct world *world, enum rpctl_rollout_event event); /* queued while another one acts */
void world_pinned(struct world *world, bool good);
void world_rollout_on_written(struct world *world);
void world_operation_over(struct world *world, unsigned number, enum operation expected);
void world_forget(struct world *world, unsigned number);
void world_end_service(struct world *world);

/* --- a successor --- */

void world_supervisor_dies(struct world *world);
void world_supervisor_starts(struct world *world);
void world_decide(struct world *world);
void world_taken_over(struct world *world, unsigned number);
void world_takeover_on_gone(struct world *world);
void world_trial_over(struct world *world, bool good);

#endif
