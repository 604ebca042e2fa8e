/* How a generation leaves: the drain machine (pure/drain.h), carried out.
 *
 * Theory. The drain machine of a generation needs timers and jobs, which may still be under way when the
 * generation is gone. So they stand in an object of their own, made with the generation (leaving must not
 * fail for want of memory). It is let go of with the generation and frees itself when its last timer is
 * closed and its last job is done. A generation may be brought back and leave again: each attempt has a
 * number, and the answer to a job of an earlier one is not wanted.
 *
 *   leaving.c         the actions of the machine, and what others ask for
 *   leaving_jobs.c    what takes long and runs beside the loop
 *   leaving_stop.c    the processes are told to stop
 *   leaving_report.c  what is told about it, and the end */
#ifndef RPCTL_LEAVING_INTERNAL_H
#define RPCTL_LEAVING_INTERNAL_H

#include "pure/drain.h"
#include "shell/service.h"

enum {
    RPCTL_LEAVING_TIMER_LOOK,
    RPCTL_LEAVING_TIMER_QUIESCE,
    RPCTL_LEAVING_TIMER_DEADLINE,
    RPCTL_LEAVING_TIMER_RETRY, /* an action that failed and has no way out but to succeed */
    RPCTL_LEAVING_TIMER_COUNT
};

struct rpctl_leaving {
    struct rpctl_service *service;
    struct rpctl_generation *generation; /* NULL: let go of */
    struct rpctl_operation *operation;   /* NULL: its result is out */
    uv_timer_t timers[RPCTL_LEAVING_TIMER_COUNT];
    unsigned open_timers;
    unsigned pending_jobs;
    unsigned attempt;
    struct rpctl_half_open *mark;                  /* jobs only */
    unsigned left;                                 /* at the last look */
    unsigned quiesce_timeout_ms, drain_timeout_ms; /* of the operation, which may be over before they are */
    int64_t since_ms, deadline_ms;                 /* wall clock; 0 = not yet: nobody was told */
    uint64_t stop_state;                           /* … which stop_waits waits for */
    bool stop_due;                                 /* the processes are to be told, and have not been */
    bool stop_waits;                               /* for the state to be on disk */
    bool doomed;                                   /* … its listeners, or on the way to be */
    bool resumed;                                  /* … and nobody knows yet whether it was told to stop */
    enum rpctl_drain_action retry;
    enum rpctl_drain_state retry_state;
};

void rpctl_leaving_post(struct rpctl_leaving *leaving, enum rpctl_drain_event event);
void rpctl_leaving_act(struct rpctl_leaving *leaving, enum rpctl_drain_action action);

/* SETTLE, LOOK, WATCH or KILL. Ends in an event of the machine, if it is still wanted then. */
void rpctl_leaving_begin_job(struct rpctl_leaving *leaving, enum rpctl_drain_action action);
void rpctl_leaving_retry_later(struct rpctl_leaving *leaving, enum rpctl_drain_action action);
void rpctl_leaving_free_when_quiet(struct rpctl_leaving *leaving);

void rpctl_leaving_stop(struct rpctl_leaving *leaving);

/* They have been told. */
void rpctl_leaving_begin_deadline(struct rpctl_leaving *leaving);

/* Some of those that serve carry the load of all while listeners are doomed: not for long. */
void rpctl_leaving_spread_again(struct rpctl_leaving *leaving);

/* The operation that tells of this drain, or NULL. */
struct rpctl_operation *rpctl_leaving_reported(const struct rpctl_leaving *leaving);
void rpctl_leaving_report_drained(struct rpctl_leaving *leaving);
void rpctl_leaving_finish(struct rpctl_leaving *leaving);

#endif
