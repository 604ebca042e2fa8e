#include "shell/steering_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void refuse(struct rpctl_service *service, struct rpctl_generation *generation,
                   rpctl_steering_cb *callback)
{
    struct rp_error error;
    int status = rp_error_set(&error, -ENOMEM, "no memory to steer generation %u", generation->number);

    if (callback) callback(service, generation, status, &error);
}

struct rpctl_steering_job *rpctl_steering_job_new(struct rpctl_service *service,
                                                  struct rpctl_generation *generation,
                                                  rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = calloc(1, sizeof *job);

    if (!job) {
        refuse(service, generation, callback);
        return NULL;
    }
    job->service = service;
    job->generation = generation;
    job->callback = callback;
    job->number = generation->number;
    return job;
}

void rpctl_steering_job_give_up(struct rpctl_steering_job *job)
{
    struct rpctl_steering_job self = *job;

    free(job);
    refuse(self.service, self.generation, self.callback);
}

void rpctl_steering_job_start(struct rpctl_steering_job *job, void (*work)(struct rpctl_job *),
                              void (*done)(struct rpctl_job *))
{
    job->job.work = work;
    job->job.done = done;
    rpctl_jobs_add(&job->service->jobs, &job->job);
}

struct rpctl_steering_job *rpctl_steering_job_of(struct rpctl_job *job)
{
    return (struct rpctl_steering_job *)job;
}

void rpctl_steering_tell(struct rpctl_job *job)
{
    struct rpctl_steering_job self = *rpctl_steering_job_of(job);

    free(job);
    if (self.service->state != RPCTL_SERVICE_RUNNING) return;
    rpctl_keeper_changed(&self.service->keeper);
    self.callback(self.service, self.generation, self.status, &self.error);
}

void rpctl_steering_look(struct rpctl_steering_job *self)
{
    struct rpctl_groups *groups = self->service->groups;

    self->address_count = rpctl_groups_addresses(groups, self->number, self->addresses, RP_ADDRESS_LIST_MAX);
    self->listener_count = (unsigned)rpctl_groups_listener_count(groups, self->number);
    self->hidden = rpctl_groups_is_hidden(groups, self->number);
    self->user = rpctl_groups_user(groups, self->number);
}

void rpctl_steering_tell_with_look(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_generation *generation = self->generation;

    memcpy(generation->addresses, self->addresses, sizeof generation->addresses);
    generation->address_count = self->address_count;
    generation->listener_count = self->listener_count;
    generation->hidden = self->hidden;
    generation->user = self->user;
    rpctl_steering_tell(job);
}

int rpctl_steering_apply(struct rpctl_service *service, unsigned generation,
                         const struct rpctl_groups_probe *probes, size_t probe_count, struct rp_error *error)
{
    struct rpctl_share share = {.generation = generation, .weight = 1};
    int status = rpctl_groups_steer(service->groups, &share, 1, probes, probe_count, error);

    if (status == 0) service->steered_generation = generation;
    return status;
}

int rpctl_steering_learn_and_apply(struct rpctl_service *service, unsigned generation, struct rp_error *error)
{
    int status = rpctl_groups_learn(service->groups, error);

    if (status == 0) status = rpctl_steering_apply(service, generation, NULL, 0, error);
    rpctl_layout_update(&service->layout, service->groups);
    return status;
}
