#include "shell/steering_internal.h"

#include <assert.h>

static void doom_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (!self->service->groups) return;
    self->status = rpctl_groups_doom(self->service->groups, self->number, self->doomed, &self->error);
}

static void doom_done(struct rpctl_job *job)
{
    rpctl_steering_job_of(job)->service->closes++;
    rpctl_steering_tell(job);
}

void rpctl_steering_doom(struct rpctl_service *service, struct rpctl_generation *generation, bool doomed,
                         rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (!job) return;
    job->doomed = doomed;
    rpctl_steering_job_start(job, doom_work, doom_done);
}

static void close_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_groups *groups = self->service->groups;
    unsigned steered = self->service->steered_generation;
    struct rp_error ignored;

    if (!self->service->groups) return;
    /* A release whose first start failed has all traffic itself: nobody else is there. */
    assert(steered != self->number || self->other == 0);
    if (steered == self->number) steered = 0;
    if (rpctl_groups_listener_count(groups, self->number) > 0)
        self->status =
            rpctl_groups_close_generation(groups, self->number, steered, &self->closed, &self->error);
    self->listener_count = (unsigned)rpctl_groups_listener_count(groups, self->number);
    rpctl_layout_update(&self->service->layout, groups);
    if (self->status < 0 || !self->may_detach) return;
    /* Another generation may be draining still: its own close comes here again. A program that stays where
     * one generation is left sends all to that one, so a detach that fails is no harm. */
    if (rpctl_groups_detach(groups, &ignored) == 0) self->service->steered_generation = 0;
}

static void close_done(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    self->service->closes++;
    self->generation->listener_count = self->listener_count;
    if (self->closed.queued > 0)
        rpctl_service_log(self->service, "gen=%u closed=%u queued=%u", self->number, self->closed.listeners,
                          self->closed.queued);
    rpctl_steering_tell(job);
}

static bool may_detach(const struct rpctl_service *service, const struct rpctl_generation *closing)
{
    if (rpctl_service_somebody_leaves(service)) return false;
    if (closing == service->candidate) return true;
    return service->serving && service->rollout.state == RPCTL_ROLLOUT_IDLE;
}

void rpctl_steering_close(struct rpctl_service *service, struct rpctl_generation *generation,
                          rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (!job) return;
    job->other = rpctl_service_serving_number(service);
    job->may_detach = may_detach(service, generation);
    rpctl_steering_job_start(job, close_work, close_done);
}

static void detach_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (!self->service->groups) return;
    self->status = rpctl_groups_detach(self->service->groups, &self->error);
    if (self->status == 0) self->service->steered_generation = 0;
}

void rpctl_steering_detach(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (job) rpctl_steering_job_start(job, detach_work, rpctl_steering_tell);
}

struct release_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    void (*callback)(struct rpctl_service *service);
};

static void release_work(struct rpctl_job *job)
{
    struct rpctl_service *service = ((struct release_job *)job)->service;

    rpctl_groups_free(service->groups);
    service->groups = NULL;
    service->steered_generation = 0;
}

static void release_done(struct rpctl_job *job)
{
    struct release_job *self = (struct release_job *)job;

    self->callback(self->service);
}

void rpctl_steering_release(struct rpctl_service *service, void (*callback)(struct rpctl_service *service))
{
    static struct release_job job; /* the last thing a supervisor does, once */

    job = (struct release_job){{.work = release_work, .done = release_done}, service, callback};
    rpctl_jobs_add(&service->jobs, &job.job);
}
