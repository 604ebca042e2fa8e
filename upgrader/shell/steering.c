#include "shell/steering_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void add_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (!self->service->groups) {
        for (size_t i = 0; i < self->fd_count; i++) close(self->fds[i]);
        return;
    }
    for (size_t i = 0; i < self->fd_count; i++) {
        struct rp_error error;
        int status = rpctl_groups_add(self->service->groups, self->fds[i], self->number,
                                      self->instance_number, &error);

        if (status == 0 || self->status < 0) continue;
        self->status = status;
        self->error = error;
    }
    rpctl_steering_look(self);
    rpctl_layout_update(&self->service->layout, self->service->groups);
}

static void refuse_so_many(struct rpctl_service *service, const struct rpctl_instance *instance, size_t count,
                           rpctl_steering_cb *callback)
{
    struct rp_error error;
    int status =
        rp_error_set(&error, -E2BIG, "process %d hands over %zu listeners at a time, at most %d are taken",
                     (int)instance->process.pid, count, RP_LISTENERS_MAX);

    callback(service, instance->generation, status, &error);
}

void rpctl_steering_add(struct rpctl_service *service, struct rpctl_instance *instance, const int *fds,
                        size_t fd_count, rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = NULL;

    if (fd_count <= RP_LISTENERS_MAX)
        job = rpctl_steering_job_new(service, instance->generation, callback);
    else
        refuse_so_many(service, instance, fd_count, callback);
    if (!job) {
        for (size_t i = 0; i < fd_count; i++) close(fds[i]);
        return;
    }
    job->instance_number = instance->number;
    memcpy(job->fds, fds, fd_count * sizeof *fds);
    job->fd_count = fd_count;
    rpctl_steering_job_start(job, add_work, rpctl_steering_tell_with_look);
}

static void pin_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (!self->service->groups) return;
    self->status = rpctl_groups_check_shareable(self->service->groups, self->number, &self->error);
    if (self->status == 0) self->status = rpctl_groups_learn(self->service->groups, &self->error);
    if (self->status == 0)
        self->status = rpctl_steering_apply(self->service, self->number, NULL, 0, &self->error);
    rpctl_layout_update(&self->service->layout, self->service->groups);
}

void rpctl_steering_pin(struct rpctl_service *service, struct rpctl_generation *generation,
                        rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (job) rpctl_steering_job_start(job, pin_work, rpctl_steering_tell);
}

static void check_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_groups *groups = self->service->groups;

    if (!self->service->groups) return;
    rpctl_steering_look(self);
    self->status = rpctl_groups_learn(groups, &self->error);
    if (self->status == 0 && self->other)
        self->status =
            rpctl_groups_check_shape(groups, self->other, self->number, self->allow_drop, &self->error);
    if (self->status == 0 && !self->other)
        self->status = rpctl_steering_apply(self->service, self->number, NULL, 0, &self->error);
    rpctl_layout_update(&self->service->layout, groups);
}

void rpctl_steering_check(struct rpctl_service *service, struct rpctl_generation *old,
                          struct rpctl_generation *candidate, rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, candidate, callback);

    if (!job) return;
    job->other = old ? old->number : 0;
    job->allow_drop = candidate->policy.allow_drop;
    rpctl_steering_job_start(job, check_work, rpctl_steering_tell_with_look);
}

static void shift_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (!self->service->groups) return;
    if (self->verify) self->status = rpctl_groups_verify(self->service->groups, &self->error);
    if (self->status == 0)
        self->status = rpctl_steering_apply(self->service, self->number, NULL, 0, &self->error);
    /* A listener has come since the order was learnt. */
    if (self->status == -ESTALE)
        self->status = rpctl_steering_learn_and_apply(self->service, self->number, &self->error);
}

void rpctl_steering_shift(struct rpctl_service *service, struct rpctl_generation *generation, bool verify,
                          rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (!job) return;
    job->verify = verify;
    rpctl_steering_job_start(job, shift_work, rpctl_steering_tell);
}

static void verify_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (self->service->groups) self->status = rpctl_groups_verify(self->service->groups, &self->error);
}

void rpctl_steering_verify(struct rpctl_service *service, struct rpctl_generation *generation,
                           rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (job) rpctl_steering_job_start(job, verify_work, rpctl_steering_tell);
}
