/* Steering: jobs on the groups.
 *
 * Theory. The groups and what is steered belong to the jobs, which run one after another on a thread of their
 * own. Each function of steering in service.h makes a job: what it needs of the loop's state is copied into
 * it, `work` (a function that ends in _work) does the thing on the jobs' thread, and `done` copies back what
 * came of it, on the loop's thread, and tells who asked. `work` finds no groups when the service has released
 * them; then it does nothing.
 *
 *   steering.c          an operation's steps: listeners are added, the order is learnt, traffic is shifted
 *   steering_probes.c   the probes of a round, beside what is steered
 *   steering_attend.c   some of the processes that serve are not there
 *   steering_close.c    listeners leave their groups, and the programs
 *   steering_hide.c     … and are out of sight before
 *   steering_resume.c   what another supervisor has left
 *   steering_copies.c   listeners for a process, or a list of them
 *   steering_job.c      what all of them share */
#ifndef RPCTL_STEERING_INTERNAL_H
#define RPCTL_STEERING_INTERNAL_H

#include "shell/service.h"

/* What becomes of the listeners of an instance. */
enum rpctl_attendance { RPCTL_ATTENDANCE_SERVED, RPCTL_ATTENDANCE_WAITING, RPCTL_ATTENDANCE_GIVEN_UP };

/* One job on the groups: what it works on, what came of it, and whom to tell. */
struct rpctl_steering_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    struct rpctl_generation *generation; /* of the loop's thread: not to be touched by `work` */
    struct rpctl_instance *instance;
    rpctl_steering_cb *callback;
    rpctl_steering_lend_cb *lend;

    unsigned number; /* of the generation it is about */
    unsigned other;  /* old (check), serving (close); 0 = none */
    unsigned instance_number;
    enum rpctl_attendance attendance[RPCTL_INSTANCES_MAX]; /* attend: of instance i + 1 */
    unsigned instance_count;
    bool steered;                       /* attend: the programs were replaced */
    struct rpctl_state_group *recorded; /* take_over: a copy */
    size_t recorded_count;
    struct rpctl_process processes[RPCTL_INSTANCES_MAX]; /* hide: of instance i + 1, the job's own */
    struct rpctl_collected *seen[RPCTL_INSTANCES_MAX];   /* hide: the same */
    bool verify;                                         /* shift */
    bool allow_drop;                                     /* check */
    bool doomed;                                         /* doom */
    bool may_close;                                      /* attend: those that were given up */
    bool may_detach;                                     /* close, attend */
    int fds[RP_LISTENERS_MAX];
    size_t fd_count;

    int status;
    struct rp_error error;
    struct rpctl_groups_closed closed;
    struct rp_address addresses[RP_ADDRESS_LIST_MAX];
    size_t address_count;
    unsigned listener_count;
    bool hidden;
    uid_t user;
};

/* For what is asked of `generation`. NULL when memory is short: then `callback` (may be NULL) was told. */
struct rpctl_steering_job *rpctl_steering_job_new(struct rpctl_service *service,
                                                  struct rpctl_generation *generation,
                                                  rpctl_steering_cb *callback);
/* Instead of the start: memory is short for the rest of it. */
void rpctl_steering_job_give_up(struct rpctl_steering_job *job);
void rpctl_steering_job_start(struct rpctl_steering_job *job, void (*work)(struct rpctl_job *),
                              void (*done)(struct rpctl_job *));
struct rpctl_steering_job *rpctl_steering_job_of(struct rpctl_job *job);

/* For `done`: frees the job and calls back, but not when the service has begun to stop. */
void rpctl_steering_tell(struct rpctl_job *job);

/* For `work`: takes down what the groups say of the generation's listeners; and for `done`: what was taken
 * down becomes what the loop knows of them. */
void rpctl_steering_look(struct rpctl_steering_job *job);
void rpctl_steering_tell_with_look(struct rpctl_job *job);

/* For `work`: all traffic to `generation` (0: by the kernel's own hash), beside the probes. -ESTALE: a
 * listener has come since the order was learnt. */
int rpctl_steering_apply(struct rpctl_service *service, unsigned generation,
                         const struct rpctl_groups_probe *probes, size_t probe_count, struct rp_error *error);
/* The order is learnt before. */
int rpctl_steering_learn_and_apply(struct rpctl_service *service, unsigned generation,
                                   struct rp_error *error);

#endif
