#include "linux/orphans.h"
#include "shell/service.h"

#include <signal.h>
#include <stdlib.h>

/* Theory. When the last process that was launched for a generation has ended, others may be left: a daemon
 * that went into the background, workers that outlived their master. They may listen still, so the generation
 * is not gone before they are. They get SIGTERM, then SIGKILL; each look is a job, for /proc is slow. */

#define SWEEP_LOOK_MS  20
#define SWEEP_GRACE_MS 1000 /* between SIGTERM and SIGKILL */

struct sweep {
    struct rpctl_job job;
    struct rpctl_service *service;
    struct rpctl_generation *generation;
    unsigned number;
    rpctl_sweep_cb *callback;
    uv_timer_t timer;
    uint64_t begun_ms;
    struct rpctl_orphan_owner owner;
    int signal_number; /* for this look; 0 = only look */
    int status;
    struct rp_error error;
    size_t left;  /* at this look */
    size_t found; /* at the first */
    bool first;
};

static void free_sweep(uv_handle_t *handle)
{
    free(handle->data);
}

static void finish(struct sweep *sweep)
{
    struct rpctl_service *service = sweep->service;

    uv_close((uv_handle_t *)&sweep->timer, free_sweep);
    service->sweeps--;
    sweep->generation->sweeping = false;
    if (service->state == RPCTL_SERVICE_RUNNING)
        sweep->callback(service, sweep->generation, sweep->found);
    else
        rpctl_service_on_process_gone(service);
}

static void look_work(struct rpctl_job *job)
{
    struct sweep *sweep = (struct sweep *)job;

    sweep->status = rpctl_orphans_signal(&sweep->owner, sweep->signal_number, &sweep->left, &sweep->error);
}

static void add_leaders(struct rpctl_orphan_owner *owner, const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pid > 0)
            owner->leaders[owner->leader_count++] = generation->instances[i].process.pid;
}

static void add_others(struct rpctl_orphan_owner *owner, const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0 && owner->other_count < RPCTL_ORPHANS_OTHERS_MAX)
            owner->others[owner->other_count++] = generation->instances[i].process.pid;
}

static void add_addresses(struct rpctl_orphan_owner *owner, const struct rpctl_generation *generation)
{
    for (size_t i = 0; i < generation->address_count; i++)
        owner->addresses[owner->address_count++] = generation->addresses[i];
}

void rpctl_service_orphan_owner(const struct rpctl_service *service,
                                const struct rpctl_generation *generation,
                                struct rpctl_orphan_owner *ret_owner)
{
    struct rpctl_orphan_owner *owner = ret_owner;

    *owner = (struct rpctl_orphan_owner){.service = service->config->name,
                                         .generation = generation->number,
                                         .since = generation->first_start_time};
    add_leaders(owner, generation);
    add_addresses(owner, generation);
    if (service->serving && service->serving != generation) add_addresses(owner, service->serving);
    for (const struct rpctl_generation *other = service->generations; other; other = other->next)
        if (other != generation) add_others(owner, other);
}

static void on_look(uv_timer_t *timer)
{
    struct sweep *sweep = timer->data;
    bool patient = uv_now(&sweep->service->loop) - sweep->begun_ms < SWEEP_GRACE_MS;

    sweep->signal_number = patient ? 0 : SIGKILL;
    /* A process may have been launched in the place of a dead one meanwhile. */
    rpctl_service_orphan_owner(sweep->service, sweep->generation, &sweep->owner);
    rpctl_jobs_add(&sweep->service->jobs, &sweep->job);
}

static void look_done(struct rpctl_job *job)
{
    struct sweep *sweep = (struct sweep *)job;

    if (sweep->first) sweep->found = sweep->left;
    if (sweep->first && sweep->left > 0)
        rpctl_service_log(sweep->service, "gen=%u left-behind=%zu", sweep->number, sweep->left);
    sweep->first = false;
    if (sweep->status < 0)
        rpctl_service_log(sweep->service, "gen=%u sweep=given-up reason=\"%s\"", sweep->number,
                          sweep->error.message);
    if (sweep->status < 0 || sweep->left == 0)
        finish(sweep);
    else
        uv_timer_start(&sweep->timer, on_look, SWEEP_LOOK_MS, 0);
}

void rpctl_service_sweep(struct rpctl_service *service, struct rpctl_generation *generation,
                         rpctl_sweep_cb *callback)
{
    struct sweep *sweep;

    if (generation->sweeping) return; /* the one that runs calls back */
    sweep = calloc(1, sizeof *sweep);
    if (!sweep) {
        rpctl_service_log(service, "gen=%u sweep=left-out reason=\"no memory\"", generation->number);
        if (service->state == RPCTL_SERVICE_RUNNING) callback(service, generation, 0);
        return;
    }
    *sweep = (struct sweep){.job = {.work = look_work, .done = look_done},
                            .service = service,
                            .generation = generation,
                            .number = generation->number,
                            .callback = callback,
                            .signal_number = SIGTERM,
                            .first = true,
                            .begun_ms = uv_now(&service->loop)};
    rpctl_service_orphan_owner(service, generation, &sweep->owner);
    uv_timer_init(&service->loop, &sweep->timer);
    sweep->timer.data = sweep;
    service->sweeps++;
    generation->sweeping = true;
    rpctl_jobs_add(&service->jobs, &sweep->job);
}
