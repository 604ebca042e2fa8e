/* Blocking work, one piece after the other, off the loop's thread.
 *
 * Everything that touches the reuseport groups is a job: one owner, one order, and the loop never waits for
 * the kernel (an RCU grace period takes milliseconds). A job begins when the one before it has ended, so what
 * it undoes has happened. `work` runs on a thread of libuv's pool, `done` on the loop's thread afterwards. */
#ifndef RPCTL_JOBS_H
#define RPCTL_JOBS_H

#include <stdbool.h>
#include <uv.h>

/* Embedded as the first member of what the job needs; the caller's until `done` has been called. */
struct rpctl_job {
    void (*work)(struct rpctl_job *job);
    void (*done)(struct rpctl_job *job); /* may free the job */
    struct rpctl_job *next;
};

struct rpctl_jobs {
    uv_loop_t *loop;
    uv_work_t request;
    struct rpctl_job *first; /* the one that runs */
    struct rpctl_job *last;
};

void rpctl_jobs_init(struct rpctl_jobs *jobs, uv_loop_t *loop);

/* Appends a job; `done` fires exactly once, never before this returns. */
void rpctl_jobs_add(struct rpctl_jobs *jobs, struct rpctl_job *job);

bool rpctl_jobs_idle(const struct rpctl_jobs *jobs);

#endif
