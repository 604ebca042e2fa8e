#include "linux/orphans.h"
#include "shell/service.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* Theory. When the last process that was launched for a generation has ended, others may be left: a daemon
 * that went into the background, workers that outlived their master. They may listen still, so the generation
 * is not gone before they are. They get SIGTERM, then SIGKILL; each look is a job, for /proc is slow.
 *
 * A sweep must not be left out for want of memory: those that listen would stand in the way of every upgrade
 * to come. So it is made with the generation; and a look that fails is repeated, for so long. */

#define SWEEP_LOOK_MS  20
#define SWEEP_GRACE_MS 1000 /* between SIGTERM and SIGKILL */
#define SWEEP_TRIES_MS 3000 /* for looks that fail */

struct rpctl_sweep {
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

static void finish(struct rpctl_sweep *sweep)
{
    struct rpctl_service *service = sweep->service;

    service->sweeps--;
    sweep->generation->sweeping = false;
    if (service->state == RPCTL_SERVICE_RUNNING)
        sweep->callback(service, sweep->generation, sweep->found);
    else
        rpctl_service_on_process_gone(service);
}

static void look_work(struct rpctl_job *job)
{
    struct rpctl_sweep *sweep = (struct rpctl_sweep *)job;

    sweep->status = rpctl_orphans_signal(&sweep->owner, sweep->signal_number, &sweep->left, &sweep->error);
}

static void add_leaders(struct rpctl_orphan_owner *owner, const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];

        if (instance->process.pid > 0)
            owner->leaders[owner->leader_count++] = (struct rpctl_orphan_leader){
                instance->process.pid, instance->process.pidfd >= 0 ? UINT64_MAX : instance->ended};
    }
}

static void add_others(struct rpctl_orphan_owner *owner, const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pid > 0 && owner->other_count < RPCTL_ORPHANS_OTHERS_MAX)
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
                                         .notify_path = service->notify_path,
                                         .generation = generation->number,
                                         .taken_over = generation->taken_over,
                                         .since = generation->first_start_time};
    add_leaders(owner, generation);
    add_addresses(owner, generation);
    if (service->serving && service->serving != generation) add_addresses(owner, service->serving);
    for (const struct rpctl_generation *other = service->generations; other; other = other->next)
        if (other != generation) add_others(owner, other);
}

static uint64_t age_ms(const struct rpctl_sweep *sweep)
{
    return uv_now(&sweep->service->loop) - sweep->begun_ms;
}

static void on_look(uv_timer_t *timer)
{
    struct rpctl_sweep *sweep = timer->data;
    bool patient = age_ms(sweep) < SWEEP_GRACE_MS;

    sweep->signal_number = sweep->first ? SIGTERM : patient ? 0 : SIGKILL;
    /* A process may have been launched in the place of a dead one meanwhile. */
    rpctl_service_orphan_owner(sweep->service, sweep->generation, &sweep->owner);
    rpctl_jobs_add(&sweep->service->jobs, &sweep->job);
}

static void look_again(struct rpctl_sweep *sweep)
{
    uv_timer_start(&sweep->timer, on_look, SWEEP_LOOK_MS, 0);
}

static void look_failed(struct rpctl_sweep *sweep)
{
    if (age_ms(sweep) < SWEEP_TRIES_MS) {
        look_again(sweep);
        return;
    }
    rpctl_service_log(sweep->service, "gen=%u sweep=given-up reason=\"%s\"", sweep->number,
                      sweep->error.message);
    finish(sweep);
}

static void look_done(struct rpctl_job *job)
{
    struct rpctl_sweep *sweep = (struct rpctl_sweep *)job;

    if (sweep->status < 0) {
        look_failed(sweep);
        return;
    }
    if (sweep->first) sweep->found = sweep->left;
    if (sweep->first && sweep->left > 0)
        rpctl_service_log(sweep->service, "gen=%u left-behind=%zu", sweep->number, sweep->left);
    sweep->first = false;
    if (sweep->left == 0)
        finish(sweep);
    else
        look_again(sweep);
}

int rpctl_sweep_new(struct rpctl_service *service, struct rpctl_generation *generation)
{
    struct rpctl_sweep *sweep = calloc(1, sizeof *sweep);

    if (!sweep) return -ENOMEM;
    sweep->job = (struct rpctl_job){.work = look_work, .done = look_done};
    sweep->service = service;
    sweep->generation = generation;
    sweep->number = generation->number;
    uv_timer_init(&service->loop, &sweep->timer);
    sweep->timer.data = sweep;
    generation->sweep = sweep;
    return 0;
}

void rpctl_sweep_let_go(struct rpctl_generation *generation)
{
    assert(!generation->sweeping);
    uv_close((uv_handle_t *)&generation->sweep->timer, free_sweep);
    generation->sweep = NULL;
}

void rpctl_service_sweep(struct rpctl_service *service, struct rpctl_generation *generation,
                         rpctl_sweep_cb *callback)
{
    struct rpctl_sweep *sweep = generation->sweep;

    if (generation->sweeping) return; /* the one that runs calls back */
    sweep->callback = callback;
    sweep->signal_number = SIGTERM;
    sweep->first = true;
    sweep->found = 0;
    sweep->begun_ms = uv_now(&service->loop);
    rpctl_service_orphan_owner(service, generation, &sweep->owner);
    service->sweeps++;
    generation->sweeping = true;
    rpctl_jobs_add(&service->jobs, &sweep->job);
}
