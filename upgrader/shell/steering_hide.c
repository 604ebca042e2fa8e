#include "linux/listener_collect.h"
#include "shell/steering_internal.h"

#include <fcntl.h>
#include <unistd.h>

/* Theory. While a listener closes there is a moment at which it takes a SYN whatever is steered
 * (linux/listener_hide.h). As long as we have a duplicate, a process that closes its own closes nothing; but
 * this process may be killed, and its duplicates with it. So listeners are hidden before it is told to stop.
 *
 * Of a release that was being proven some may not be known: it has not sent them, or they could not be taken.
 * It may have the youngest of IPv4, which every SYN meets first. They are fetched, and then hidden as the
 * others; of a process that has ended by itself there is what the looks at it have found. */

/* What fails does not keep the others from being hidden. */
static void note(struct rpctl_steering_job *self, int status, const struct rp_error *error)
{
    if (status == 0) return;
    self->status = status;
    self->error = *error;
}

/* Those of nobody. What stands in a group already is ours, or belongs to another generation, of which this
 * one may have inherited it. */
static void add_unknown(struct rpctl_steering_job *self, unsigned instance, struct rpctl_collected *collected)
{
    struct rpctl_groups *groups = self->service->groups;
    struct rp_error error;

    for (size_t i = 0; i < collected->count; i++) {
        if (rpctl_groups_has(groups, collected->ids[i]))
            close(collected->fds[i]);
        else
            note(self, rpctl_groups_add(groups, collected->fds[i], self->number, instance, &error), &error);
    }
    collected->count = 0;
}

static void fetch(struct rpctl_steering_job *self, unsigned instance, const struct rpctl_process *process)
{
    struct rpctl_collected collected = {0};
    struct rp_error error;

    note(self, rpctl_listeners_collect(process->pid, &collected, &error), &error);
    /* Alive after the look it was the one that was looked at, whoever may get its pid later. */
    if (!rpctl_process_is_dead(process)) add_unknown(self, instance, &collected);
    rpctl_collected_close(&collected);
}

static void hide_work(struct rpctl_job *job)
{
    struct rpctl_steering_job *self = rpctl_steering_job_of(job);
    struct rpctl_groups *groups = self->service->groups;

    for (unsigned i = 0; i < self->instance_count; i++) {
        struct rpctl_process *process = &self->processes[i];

        if (groups && self->seen[i]) add_unknown(self, i + 1, self->seen[i]);
        if (groups && process->pidfd >= 0) fetch(self, i + 1, process);
        rpctl_collected_free(self->seen[i]);
        rpctl_process_close(process);
    }
    if (!groups) return;
    /* Who has all traffic is not hidden, though it leaves: nobody else is there. */
    if (self->service->steered_generation != self->number) rpctl_groups_hide(groups, self->number);
    rpctl_steering_look(self);
    rpctl_layout_update(&self->service->layout, groups);
}

void rpctl_steering_hide(struct rpctl_service *service, struct rpctl_generation *generation,
                         rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (job) rpctl_steering_job_start(job, hide_work, rpctl_steering_tell_with_look);
}

void rpctl_steering_fetch_and_hide(struct rpctl_service *service, struct rpctl_generation *generation,
                                   rpctl_steering_cb *callback)
{
    struct rpctl_steering_job *job = rpctl_steering_job_new(service, generation, callback);

    if (!job) return;
    job->instance_count = generation->instance_count;
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_process *process = &generation->instances[i].process;

        job->seen[i] = generation->instances[i].seen;
        generation->instances[i].seen = NULL;
        job->processes[i] = *process;
        if (process->pidfd >= 0) job->processes[i].pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 0);
    }
    rpctl_steering_job_start(job, hide_work, rpctl_steering_tell_with_look);
}
