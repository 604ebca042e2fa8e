#include "shell/steering_internal.h"

#include <errno.h>
#include <stdlib.h>

/* The recorded order is good enough for the program that is in force while the true one is learnt. */
static void take_over_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_groups *groups = self->service->groups;

    if (!groups) return;
    if (rpctl_groups_assume_order(groups, self->recorded, self->recorded_count))
        self->status = rpctl_steering_apply(self->service, self->number, NULL, 0, &self->error);
    if (self->status == 0) self->status = rpctl_groups_learn(groups, &self->error);
    if (self->status == 0)
        self->status = rpctl_steering_apply(self->service, self->number, NULL, 0, &self->error);
    rpctl_steering_look(self);
    rpctl_layout_update(&self->service->layout, groups);
}

static void take_over_done(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    rpctl_state_groups_free(self->recorded, self->recorded_count);
    free(self->recorded);
    rpctl_steering_tell_with_look(job);
}

void rpctl_steering_take_over(struct rpctl_service *service, struct rpctl_generation *generation,
                              const struct rpctl_state_group *recorded, size_t count,
                              rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (!job) return;
    if (rpctl_state_groups_copy(recorded, count, &job->recorded) < 0) {
        rpctl_steering_job_give_up(job);
        return;
    }
    job->recorded_count = count;
    rpctl_steering_job_start(job, take_over_work, take_over_done);
}

static void add_recorded(struct rpctl_service *service, const struct rpctl_state_listener *listener)
{
    struct rp_error error;

    if (listener->fd < 0) return;
    if (rpctl_groups_add(service->groups, listener->fd, listener->generation, listener->instance, &error) < 0)
        rpctl_service_log(service, "gen=%u listener=lost reason=\"%s\"", listener->generation, error.message);
}

static void look_at_all(struct rpctl_service *service)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        generation->address_count = rpctl_groups_addresses(service->groups, generation->number,
                                                           generation->addresses, RP_ADDRESS_LIST_MAX);
        generation->listener_count =
            (unsigned)rpctl_groups_listener_count(service->groups, generation->number);
        generation->user = rpctl_groups_user(service->groups, generation->number);
    }
}

int rpctl_steering_restore(struct rpctl_service *service, const struct rpctl_state_group *recorded,
                           size_t count, unsigned steered, struct rp_error *error)
{
    int status = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < recorded[i].listener_count; k++)
            add_recorded(service, &recorded[i].listeners[k]);
    look_at_all(service);
    (void)rpctl_groups_assume_order(service->groups, recorded, count); /* else it is learnt when it matters */
    if (steered > 0) status = rpctl_steering_apply(service, steered, NULL, 0, error);
    if (status == -ESTALE) status = rpctl_groups_learn(service->groups, error);
    if (status == 0 && steered > 0 && service->steered_generation == 0)
        status = rpctl_steering_apply(service, steered, NULL, 0, error);
    rpctl_layout_update(&service->layout, service->groups);
    return status;
}
