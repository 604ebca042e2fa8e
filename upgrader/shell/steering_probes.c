#include "shell/steering_internal.h"

#include <errno.h>
#include <stdlib.h>

struct probes_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    const struct rpctl_groups_probe *probes;
    size_t probe_count;
    rpctl_steering_probes_cb *callback;
    void *data;
    int status;
    struct rp_error error;
};

/* Whoever has all other traffic keeps it: the shift, or the way back, may have come before this job. Where
 * nothing is steered any more there is nothing to take out. */
static void probes_work(struct rpctl_job *job)
{
    struct probes_job *self = (struct probes_job *)job;
    unsigned steered = self->service->steered_generation;

    if (!self->service->groups || (steered == 0 && self->probe_count == 0)) return;
    self->status =
        rpctl_steering_apply(self->service, steered, self->probes, self->probe_count, &self->error);
}

static void probes_done(struct rpctl_job *job)
{
    struct probes_job *self = (struct probes_job *)job;

    self->callback(self->data, self->status, &self->error);
    free(self);
}

int rpctl_steering_probes(struct rpctl_service *service, const struct rpctl_groups_probe *probes,
                          size_t probe_count, rpctl_steering_probes_cb *callback, void *data)
{
    struct probes_job *job = calloc(1, sizeof *job);

    if (!job) return -ENOMEM;
    job->job = (struct rpctl_job){.work = probes_work, .done = probes_done};
    job->service = service;
    job->probes = probes;
    job->probe_count = probe_count;
    job->callback = callback;
    job->data = data;
    rpctl_jobs_add(&service->jobs, &job->job);
    return 0;
}
