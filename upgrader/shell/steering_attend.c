#include "shell/steering_internal.h"

#include <errno.h>

static enum rpctl_attendance attendance_of(const struct rpctl_instance *instance)
{
    if (instance->state == RPCTL_INSTANCE_FAILED) return RPCTL_ATTENDANCE_GIVEN_UP;
    return instance->process.pidfd >= 0 && instance->state == RPCTL_INSTANCE_READY ? RPCTL_ATTENDANCE_SERVED
                                                                                   : RPCTL_ATTENDANCE_WAITING;
}

/* Where the last one was given up the whole generation is, and closes as one; until then its listeners are
 * what the groups are held by. */
static void take_attendance(struct rpctl_steering_job *job, const struct rpctl_generation *generation)
{
    bool all = true;

    job->instance_count = generation->instance_count;
    for (unsigned i = 0; i < job->instance_count; i++) {
        job->attendance[i] = attendance_of(&generation->instances[i]);
        all = all && job->attendance[i] == RPCTL_ATTENDANCE_GIVEN_UP;
    }
    for (unsigned i = 0; all && i < job->instance_count; i++) job->attendance[i] = RPCTL_ATTENDANCE_WAITING;
}

static void apply_attendance(const struct rpctl_steering_job *self)
{
    struct rpctl_groups *groups = self->service->groups;

    for (unsigned i = 0; i < self->instance_count; i++) {
        if (self->attendance[i] == RPCTL_ATTENDANCE_GIVEN_UP)
            rpctl_groups_disown(groups, self->number, i + 1);
        else
            rpctl_groups_set_served(groups, self->number, i + 1,
                                    self->attendance[i] == RPCTL_ATTENDANCE_SERVED);
    }
}

/* At once by the order that is known, for it has not changed where we hold every listener; then by the one
 * that is true, where a process has closed one of its own accord. */
static int steer_around(struct rpctl_service *service, unsigned generation, struct rp_error *error)
{
    int status = rpctl_steering_apply(service, generation, NULL, 0, error);

    if (status == 0 && rpctl_groups_verify(service->groups, NULL) == -ESTALE) status = -ESTALE;
    return status == -ESTALE ? rpctl_steering_learn_and_apply(service, generation, error) : status;
}

/* See close_listeners() in leaving.c for why not while a release is starting. */
static int close_disowned(struct rpctl_steering_job *self)
{
    struct rpctl_groups *groups = self->service->groups;

    if (rpctl_groups_listener_count(groups, RPCTL_GROUPS_NOBODY) == 0) return 0;
    if (!self->may_close)
        return rp_error_set(&self->error, -EBUSY, "listeners that were given up stay during an operation");
    return rpctl_groups_close_generation(groups, RPCTL_GROUPS_NOBODY, self->service->steered_generation,
                                         &self->closed, &self->error);
}

static void attend_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_service *service = self->service;
    unsigned steered = service->steered_generation;
    struct rp_error ignored;

    if (!service->groups) return;
    apply_attendance(self);
    self->steered = steered > 0 || rpctl_groups_need_steering(service->groups);
    if (self->steered)
        self->status = steer_around(service, steered > 0 ? steered : self->number, &self->error);
    if (self->status == 0) self->status = close_disowned(self);
    rpctl_steering_look(self);
    rpctl_layout_update(&service->layout, service->groups);
    if (self->status < 0 || !self->may_detach || !self->steered) return;
    if (rpctl_groups_detach(service->groups, &ignored) == 0) service->steered_generation = 0;
}

static void attend_done(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (self->steered) self->service->closes++;
    if (self->closed.listeners > 0)
        rpctl_service_log(self->service, "gen=%u given-up=closed listeners=%u queued=%u", self->number,
                          self->closed.listeners, self->closed.queued);
    rpctl_steering_tell_with_look(job);
}

void rpctl_steering_attend(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (!job) return;
    take_attendance(job, generation);
    job->may_close = service->rollout.state == RPCTL_ROLLOUT_IDLE;
    job->may_detach = job->may_close && !rpctl_service_somebody_leaves(service);
    rpctl_steering_job_start(job, attend_work, attend_done);
}
