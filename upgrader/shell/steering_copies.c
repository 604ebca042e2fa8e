#include "shell/steering_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void lend_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_groups_listener *listeners;
    size_t count;

    if (!self->service->groups) return;
    listeners = calloc(RP_LISTENERS_MAX, sizeof *listeners);
    if (!listeners) {
        self->status = -ENOMEM;
        return;
    }
    count = rpctl_groups_listeners(self->service->groups, self->number, self->instance_number, listeners,
                                   RP_LISTENERS_MAX);
    for (size_t i = 0; i < count && i < RP_LISTENERS_MAX; i++) {
        int fd = fcntl(listeners[i].fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0) self->status = -errno;
        if (fd >= 0) self->fds[self->fd_count++] = fd;
    }
    free(listeners);
}

static void lend_done(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);

    if (self->service->state == RPCTL_SERVICE_RUNNING)
        self->lend(self->service, self->instance, self->fds, self->fd_count, self->status);
    for (size_t i = 0; i < self->fd_count; i++) close(self->fds[i]);
    free(self);
}

void rpctl_steering_lend(struct rpctl_service *service, struct rpctl_instance *instance,
                         rpctl_steering_lend_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, instance->generation, NULL);

    if (!job) {
        callback(service, instance, NULL, 0, -ENOMEM);
        return;
    }
    job->instance = instance;
    job->instance_number = instance->number;
    job->lend = callback;
    rpctl_steering_job_start(job, lend_work, lend_done);
}

struct list_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    unsigned number;
    rpctl_steering_list_cb *callback;
    void *data;
    struct rpctl_groups_listener listeners[RP_LISTENERS_MAX];
    size_t count;
};

static void list_work(struct rpctl_job *job)
{
    struct list_job *self = (struct list_job *)job;

    for (unsigned i = 1; self->service->groups && i <= RPCTL_INSTANCES_MAX && self->count < RP_LISTENERS_MAX;
         i++) {
        size_t room = RP_LISTENERS_MAX - self->count;
        size_t found = rpctl_groups_listeners(self->service->groups, self->number, i,
                                              self->listeners + self->count, room);

        self->count += found < room ? found : room;
    }
}

static void list_done(struct rpctl_job *job)
{
    struct list_job *self = (struct list_job *)job;

    self->callback(self->data, self->listeners, self->count);
    free(self);
}

int rpctl_steering_list(struct rpctl_service *service, const struct rpctl_generation *generation,
                        rpctl_steering_list_cb *callback, void *data)
{
    struct list_job *job = calloc(1, sizeof *job);

    if (!job) return -ENOMEM;
    job->job = (struct rpctl_job){.work = list_work, .done = list_done};
    job->service = service;
    job->number = generation->number;
    job->callback = callback;
    job->data = data;
    rpctl_jobs_add(&service->jobs, &job->job);
    return 0;
}
