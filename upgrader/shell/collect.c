#include "linux/listener_collect.h"
#include "shell/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Theory. A server that knows nothing of us is ready when it listens on every address of the old generation,
 * and the number of its listeners has stood still for some looks (workers come up one after the other). At a
 * first start nobody can say where it should listen: anything will do. One that listens on an address that
 * comes before an old one takes its traffic from that instant on, so that ends the upgrade at once. A process
 * that has sent a notification is held to READY=1 and not looked at. */

#define SETTLED_LOOKS 5

struct collect_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    unsigned generation, instance;
    pid_t pid;
    int status;
    struct rp_error error;
    struct rpctl_collected collected;
};

static void collect_work(struct rpctl_job *job)
{
    struct collect_job *self = (struct collect_job *)job;

    self->status = rpctl_listeners_collect(self->pid, &self->collected, &self->error);
}

static bool is_among(const struct rp_address *addresses, size_t count, const struct rp_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (rp_address_equal(&addresses[i], address)) return true;
    return false;
}

/* An address of the old generation where it does not listen; NULL when there is none. */
static const struct rp_address *missing_address(const struct rpctl_generation *old,
                                                const struct rpctl_collected *collected)
{
    for (size_t i = 0; i < old->address_count; i++)
        if (!is_among(collected->addresses, collected->count, &old->addresses[i])) return &old->addresses[i];
    return NULL;
}

/* An address of the old generation whose connections it takes by listening on another one, which is
 * `*ret_by`. */
static const struct rp_address *shadowed_address(const struct rpctl_generation *old,
                                                 const struct rpctl_collected *collected,
                                                 const struct rp_address **ret_by)
{
    for (size_t i = 0; i < collected->count; i++) {
        *ret_by = &collected->addresses[i];
        if (is_among(old->addresses, old->address_count, *ret_by)) continue;
        for (size_t k = 0; k < old->address_count; k++)
            if (rp_address_shadows(*ret_by, &old->addresses[k])) return &old->addresses[k];
    }
    return NULL;
}

static void fail_for_shadow(struct rpctl_service *service, const struct rpctl_instance *instance,
                            const struct rp_address *address, const struct rp_address *by)
{
    char text[RP_ADDRESS_TEXT_BYTES], by_text[RP_ADDRESS_TEXT_BYTES];

    rp_address_format(address, text);
    rp_address_format(by, by_text);
    rpctl_service_post_because(
        service, RPCTL_ROLLOUT_ON_CHECK_FAILED,
        "pid %d listens on %s and takes connections to %s from the generation that serves: it "
        "must listen on %s itself",
        (int)instance->process.pid, by_text, text, text);
}

/* True when it listens everywhere it should; otherwise the instance knows why not. */
static bool is_complete(const struct rpctl_generation *old, struct rpctl_instance *instance,
                        const struct rpctl_collected *collected)
{
    const struct rp_address *missing = old ? missing_address(old, collected) : NULL;
    char text[RP_ADDRESS_TEXT_BYTES] = "";

    if (collected->count > 0 && (!missing || instance->generation->policy.allow_drop)) return true;
    if (missing) rp_address_format(missing, text);
    if (collected->unfit[0])
        snprintf(instance->unfit, sizeof instance->unfit, "%s", collected->unfit);
    else
        snprintf(instance->unfit, sizeof instance->unfit, "pid %d does not listen%s%s",
                 (int)instance->process.pid, missing ? " on " : "", text);
    return false;
}

static void on_added(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                     const struct rp_error *error)
{
    if (generation != service->candidate) return;
    if (status < 0)
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_CHECK_FAILED, "%s", error->message);
    else
        rpctl_service_post(service, RPCTL_ROLLOUT_ON_INSTANCE_READY);
}

static void judge(struct rpctl_service *service, struct rpctl_instance *instance,
                  struct rpctl_collected *collected)
{
    const struct rpctl_generation *old = service->serving;
    const struct rp_address *by, *shadowed = old ? shadowed_address(old, collected, &by) : NULL;
    bool same = collected->count == instance->seen_listeners;

    if (shadowed) {
        fail_for_shadow(service, instance, shadowed, by);
        return;
    }
    instance->seen_listeners = (unsigned)collected->count;
    instance->settled_looks = same ? instance->settled_looks + 1 : 0;
    if (!is_complete(old, instance, collected) || instance->settled_looks < SETTLED_LOOKS) return;
    instance->state = RPCTL_INSTANCE_READY;
    instance->collected = true;
    rpctl_steering_add(service, instance, collected->fds, collected->count, on_added);
    collected->count = 0; /* the job's now */
}

static struct rpctl_instance *find(struct rpctl_service *service, const struct collect_job *job)
{
    struct rpctl_generation *generation = rpctl_service_find_generation(service, job->generation);
    struct rpctl_instance *instance = generation ? rpctl_generation_find(generation, job->pid) : NULL;

    if (!instance || instance->notifies || instance->state != RPCTL_INSTANCE_STARTING) return NULL;
    return generation == service->candidate ? instance : NULL;
}

static void collect_done(struct rpctl_job *job)
{
    struct collect_job *self = (struct collect_job *)job;
    struct rpctl_service *service = self->service;
    struct rpctl_instance *instance = find(service, self);

    if (instance && self->status < 0 && self->status != -ESRCH)
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_CHECK_FAILED, "%s", self->error.message);
    else if (instance)
        judge(service, instance, &self->collected);
    rpctl_collected_close(&self->collected);
    free(self);
}

static void look_at(struct rpctl_service *service, const struct rpctl_instance *instance)
{
    struct collect_job *job = calloc(1, sizeof *job);

    if (!job) return; /* at the next look, perhaps */
    job->job = (struct rpctl_job){.work = collect_work, .done = collect_done};
    job->service = service;
    job->generation = instance->generation->number;
    job->instance = instance->number;
    job->pid = instance->process.pid;
    rpctl_jobs_add(&service->jobs, &job->job);
}

static void on_look(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;
    struct rpctl_generation *candidate = service->candidate;

    if (!candidate || !rpctl_jobs_idle(&service->jobs)) return; /* no heap of looks when they are slow */
    for (unsigned i = 0; i < candidate->instance_count; i++) {
        const struct rpctl_instance *instance = &candidate->instances[i];

        if (instance->process.pidfd >= 0 && !instance->notifies && instance->state == RPCTL_INSTANCE_STARTING)
            look_at(service, instance);
    }
}

void rpctl_service_collect_start(struct rpctl_service *service)
{
    uv_timer_start(&service->listen_timer, on_look, RPCTL_LISTEN_POLL_MS, RPCTL_LISTEN_POLL_MS);
}

const char *rpctl_service_collect_reason(const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];

        if (instance->state == RPCTL_INSTANCE_STARTING && !instance->notifies) return instance->unfit;
    }
    return "";
}

void rpctl_service_collect_stop(struct rpctl_service *service)
{
    uv_timer_stop(&service->listen_timer);
}
