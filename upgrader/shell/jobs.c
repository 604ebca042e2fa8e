#include "shell/jobs.h"

#include <assert.h>
#include <stddef.h>

void rpctl_jobs_init(struct rpctl_jobs *jobs, uv_loop_t *loop)
{
    *jobs = (struct rpctl_jobs){.loop = loop};
    jobs->request.data = jobs;
}

static void run_first(uv_work_t *request)
{
    struct rpctl_jobs *jobs = request->data;

    jobs->first->work(jobs->first);
}

static void begin_first(struct rpctl_jobs *jobs);

static void finish_first(uv_work_t *request, int status)
{
    struct rpctl_jobs *jobs = request->data;
    struct rpctl_job *job = jobs->first;

    assert(status == 0); /* jobs are never cancelled */
    jobs->first = job->next;
    if (jobs->first)
        begin_first(jobs);
    else
        jobs->last = NULL;
    job->done(job);
}

static void begin_first(struct rpctl_jobs *jobs)
{
    int status = uv_queue_work(jobs->loop, &jobs->request, run_first, finish_first);

    assert(status == 0); /* it fails for a missing callback only */
}

void rpctl_jobs_add(struct rpctl_jobs *jobs, struct rpctl_job *job)
{
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
    if (jobs->first == job) begin_first(jobs);
}

bool rpctl_jobs_idle(const struct rpctl_jobs *jobs)
{
    return !jobs->first;
}
