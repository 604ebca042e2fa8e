#include "linux/exposure.h"
#include "linux/listener_collect.h"
#include "linux/process.h"
#include "pure/listen_match.h"
#include "shell/service.h"
#include "shell/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Theory. A server that hands no listeners over is looked at: /proc and pidfd_getfd tell where it listens.
 * One that says nothing at all is ready when it listens on every address of the old generation, and the
 * number of its listeners has stood still for some looks (workers come up one after the other). At a first
 * start nobody can say where it should listen: anything will do. One that has sent a notification is held to
 * READY=1; what it listens on then is taken.
 *
 * One that listens on an address that comes before an old one takes its traffic from that instant on: the pin
 * does not hold there. So every look takes such listeners out of sight at once, and that ends the upgrade. */

#define SETTLED_LOOKS  5
#define EAGER_MS       2000
#define PATIENT_FACTOR 5

struct collect_job {
    struct rpctl_job job;
    struct rpctl_service *service;
    unsigned generation, instance;
    pid_t pid;
    struct rp_address old[RP_ADDRESS_LIST_MAX];
    size_t old_count;
    uid_t user, old_user;
    bool said_ready; /* before the look began: what it sees is what it spoke of */
    uint64_t begun_ns;
    int status;
    struct rp_error error;
    struct rpctl_collected collected;
    struct rpctl_exposure exposure;
};

static void collect_work(struct rpctl_job *job)
{
    struct collect_job *self = (struct collect_job *)job;
    const struct rpctl_collected *collected = &self->collected;

    self->begun_ns = uv_hrtime();
    self->user = self->old_user;
    (void)rpctl_process_user(self->pid, &self->user);
    self->status = rpctl_listeners_collect(self->pid, &self->collected, &self->error);
    if (self->status == 0)
        rpctl_exposure_end(collected->fds, collected->addresses, collected->count, self->old, self->old_count,
                           self->pid, &self->exposure);
}

/* It can serve, but a later release could not take its place. */
static void warn_of_bar(struct rpctl_service *service, struct rpctl_generation *generation,
                        const struct rpctl_collected *collected)
{
    snprintf(generation->unfit, sizeof generation->unfit, "%s", collected->unfit);
    generation->unfit_address = collected->bar;
    rpctl_operation_warn(service->operation, "%s; until then upgrades are refused", collected->unfit);
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

static void take(struct rpctl_service *service, struct rpctl_instance *instance,
                 struct rpctl_collected *collected)
{
    instance->state = RPCTL_INSTANCE_READY;
    instance->collected = true;
    if (collected->bars && !instance->generation->unfit[0])
        warn_of_bar(service, instance->generation, collected);
    rpctl_steering_add(service, instance, collected->fds, collected->count, on_added);
    collected->count = 0; /* the job's now */
    rpctl_collected_free(instance->seen);
    instance->seen = NULL;
}

static void note_unfit(struct rpctl_instance *instance, const struct collect_job *job,
                       const struct rp_address *missing)
{
    char text[RP_ADDRESS_TEXT_BYTES] = "";
    char user[96] = "";

    if (job->collected.unfit[0]) {
        snprintf(instance->unfit, sizeof instance->unfit, "%s", job->collected.unfit);
        return;
    }
    if (missing) rp_address_format(missing, text);
    if (missing && job->user != job->old_user)
        snprintf(user, sizeof user, " (it runs as user %u, the listeners there belong to user %u)",
                 (unsigned)job->user, (unsigned)job->old_user);
    snprintf(instance->unfit, sizeof instance->unfit, "pid %d does not listen%s%s%s", (int)job->pid,
             missing ? " on " : "", text, user);
}

/* One that says nothing: complete, and the same for some looks. Otherwise the instance knows why not. */
static bool is_settled(struct rpctl_instance *instance, const struct collect_job *job,
                       const struct rp_address *missing)
{
    size_t count = job->collected.count;
    bool same = count == instance->seen_listeners;

    instance->seen_listeners = (unsigned)count;
    instance->settled_looks = same ? instance->settled_looks + 1 : 0;
    if (count > 0 && (!missing || instance->generation->policy.allow_drop))
        return instance->settled_looks >= SETTLED_LOOKS;
    note_unfit(instance, job, missing);
    return false;
}

/* One that has said READY=1: what it listens on is what there is. */
static void take_its_word(struct rpctl_service *service, struct rpctl_instance *instance,
                          struct rpctl_collected *collected)
{
    if (collected->count > 0) {
        take(service, instance, collected);
        return;
    }
    rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_CHECK_FAILED, "%s",
                               collected->unfit[0]
                                   ? collected->unfit
                                   : "the new release is ready but has no listener: it must listen, and with "
                                     "SO_REUSEPORT, before it says so");
}

/* Should it end before it is ready, it must not be its end that closes them: shell/steering_hide.c. A process
 * that is about to end shows some of them, or none, so those of the looks before are kept too. */
static void keep_seen(struct rpctl_instance *instance, struct rpctl_collected *collected)
{
    if (instance->seen)
        rpctl_collected_join(instance->seen, collected);
    else if (collected->count > 0)
        instance->seen = rpctl_collected_move(collected);
}

static void judge(struct rpctl_service *service, struct rpctl_instance *instance, struct collect_job *job)
{
    struct rpctl_collected *collected = &job->collected;
    struct rpctl_listen_match match;

    rpctl_listen_match(job->old, job->old_count, collected->addresses, collected->count, &match);
    if (match.shadowed) {
        rpctl_shadow_fail(service, instance, &match, &job->exposure);
        return;
    }
    instance->clear_ns = job->begun_ns;
    if (job->said_ready)
        take_its_word(service, instance, collected);
    else if (!instance->notifies && is_settled(instance, job, match.missing))
        take(service, instance, collected);
    keep_seen(instance, collected);
}

static bool is_looked_at(const struct rpctl_instance *instance)
{
    return instance->process.pidfd >= 0 && instance->state == RPCTL_INSTANCE_STARTING &&
           !instance->handed_over;
}

static struct rpctl_instance *find(struct rpctl_service *service, const struct collect_job *job)
{
    struct rpctl_generation *generation = rpctl_service_find_generation(service, job->generation);
    struct rpctl_instance *instance = generation ? rpctl_generation_find(generation, job->pid) : NULL;

    return instance && generation == service->candidate && is_looked_at(instance) ? instance : NULL;
}

/* What may have passed by the next look; the deadline bounds that. */
static bool is_passing(int status)
{
    switch (-status) {
    case EAGAIN:
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return true;
    default: return false;
    }
}

/* One that has not said READY=1 may still send its listeners: then nobody need look at it. */
static bool may_be_needless(const struct rpctl_instance *instance, int status)
{
    return !instance->said_ready && (status == -EACCES || status == -EPERM);
}

static void look_failed(struct rpctl_service *service, struct rpctl_instance *instance, int status,
                        const struct rp_error *error)
{
    if (status == -ESRCH) return;
    if (is_passing(status) || may_be_needless(instance, status))
        snprintf(instance->unfit, sizeof instance->unfit, "%s", error->message);
    else
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_CHECK_FAILED, "%s", error->message);
}

static void collect_done(struct rpctl_job *job)
{
    struct collect_job *self = (struct collect_job *)job;
    struct rpctl_service *service = self->service;
    struct rpctl_instance *instance;

    /* What it said before it listened is there to be read by now. */
    rpctl_service_notify_drain(service);
    instance = find(service, self);

    if (instance && self->status < 0)
        look_failed(service, instance, self->status, &self->error);
    else if (instance)
        judge(service, instance, self);
    rpctl_collected_close(&self->collected);
    free(self);
}

static void look_at(struct rpctl_service *service, const struct rpctl_instance *instance)
{
    const struct rpctl_generation *old = service->serving;
    struct collect_job *job = calloc(1, sizeof *job);

    if (!job) return; /* at the next look, perhaps */
    job->job = (struct rpctl_job){.work = collect_work, .done = collect_done};
    job->service = service;
    job->generation = instance->generation->number;
    job->instance = instance->number;
    job->pid = instance->process.pid;
    job->said_ready = instance->said_ready;
    job->old_count = old ? old->address_count : 0;
    if (old) memcpy(job->old, old->addresses, sizeof job->old);
    job->old_user = old ? old->user : geteuid();
    rpctl_jobs_add(&service->jobs, &job->job);
}

static void on_look(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;
    struct rpctl_generation *candidate = service->candidate;

    if (!candidate || !rpctl_jobs_idle(&service->jobs)) return; /* no heap of looks when they are slow */
    for (unsigned i = 0; i < candidate->instance_count; i++)
        if (is_looked_at(&candidate->instances[i])) look_at(service, &candidate->instances[i]);
    /* A look reads all of /proc: one that takes its time is looked at less often. */
    if (uv_now(&service->loop) - candidate->instances[0].launched_ms > EAGER_MS)
        uv_timer_set_repeat(timer, RPCTL_LISTEN_POLL_MS * PATIENT_FACTOR);
}

void rpctl_service_collect_start(struct rpctl_service *service)
{
    uv_timer_start(&service->listen_timer, on_look, RPCTL_LISTEN_POLL_MS, RPCTL_LISTEN_POLL_MS);
}

const char *rpctl_service_collect_reason(const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];

        if (instance->state == RPCTL_INSTANCE_STARTING && (!instance->notifies || instance->said_ready) &&
            instance->unfit[0])
            return instance->unfit;
    }
    return "";
}

void rpctl_service_collect_stop(struct rpctl_service *service)
{
    uv_timer_stop(&service->listen_timer);
}
