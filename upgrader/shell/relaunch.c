#include "pure/policy.h"
#include "shell/service.h"

#include <stdio.h>
#include <stdlib.h>

/* Theory. A process of the generation that serves has ended, and nobody has asked for that. Its listeners are
 * still in the groups, for the supervisor has duplicates of them. In order:
 *
 *   steer     at once, to the listeners of those of the generation that are ready (rpctl_service_attend);
 * what stands in the queues of the dead one stays there. Where nobody is ready nothing is steered: new
 *             connections wait in the queues too
 *   launch    another process in its place, with those listeners: the first time at once, then with back-off
 *   steer     to all again, when it is ready
 *
 * After `max-restarts` launches in a row that did not last the instance is given up. Nobody will ever accept
 * from its listeners then, and a duplicate without a process is a trap, so they leave the groups in order, as
 * those of a generation do. With the last instance the generation is given up: its listeners are closed, so
 * that clients are refused and not left hanging, and a load balancer sees it. The generation is shown as
 * failed until another one serves; an upgrade begins as a first start does. */

struct relaunch {
    struct rpctl_service *service;
    struct rpctl_instance *instance;
};

static bool should_run(const struct rpctl_service *service, const struct rpctl_generation *generation)
{
    return service->state == RPCTL_SERVICE_RUNNING && generation == service->serving &&
           !rpctl_generation_is_leaving(generation);
}

static void relaunch_after(struct rpctl_service *service, struct rpctl_instance *instance, unsigned delay_ms);

/* --- giving up ------------------------------------------------------------------------------------------ */

static bool is_given_up(const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].state != RPCTL_INSTANCE_FAILED) return false;
    return true;
}

static void close_failed(struct rpctl_service *service);

static void on_close_again(uv_timer_t *timer)
{
    close_failed(timer->data);
}

static void on_failed_closed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                             const struct rp_error *error)
{
    if (status < 0) {
        rpctl_service_log(service, "gen=%u close=failed reason=\"%s\"", generation->number, error->message);
        uv_timer_start(&service->attend_timer, on_close_again, RPCTL_RETRY_MS, 0);
        return;
    }
    generation->listener_count = 0;
    generation->address_count = 0;
    service->failing = false;
    rpctl_keeper_changed(&service->keeper);
}

/* The drain of an older generation closes what is left then: nothing. */
static void on_older_closed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                            const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u close=failed reason=\"%s\"", generation->number, error->message);
}

/* Those of older generations that drain go first: alone in their groups they would get the connections that
 * are to be refused, and nobody accepts there any more. */
static void close_failed(struct rpctl_service *service)
{
    for (struct rpctl_generation *older = service->generations; older; older = older->next)
        if (older != service->failed) rpctl_steering_close(service, older, on_older_closed);
    rpctl_steering_close(service, service->failed, on_failed_closed);
}

static void on_swept(struct rpctl_service *service, struct rpctl_generation *generation, size_t found)
{
    (void)generation;
    (void)found;
    close_failed(service);
}

/* Not while an operation is under way: it finds out whether another generation can serve, and goes by the one
 * that serves until then. */
static void give_generation_up(struct rpctl_service *service, struct rpctl_instance *instance)
{
    struct rpctl_generation *generation = instance->generation;

    if (!should_run(service, generation)) return;
    if (service->operation || service->takeover || service->reexec) {
        relaunch_after(service, instance, RPCTL_RETRY_MS);
        return;
    }
    rpctl_service_log(service, "gen=%u given-up=generation", generation->number);
    rpctl_service_cancel_relaunch(generation);
    uv_timer_stop(&service->attend_timer);
    generation->state = RPCTL_GENERATION_FAILED;
    service->serving = NULL;
    service->failed = generation;
    service->failing = true;
    rpctl_keeper_changed(&service->keeper);
    rpctl_service_sweep(service, generation, on_swept);
}

static void give_up(struct rpctl_service *service, struct rpctl_instance *instance)
{
    instance->state = RPCTL_INSTANCE_FAILED;
    rpctl_service_log(service, "gen=%u instance=%u given-up=instance restarts=%u",
                      instance->generation->number, instance->number, instance->restarts);
    rpctl_keeper_changed(&service->keeper);
    if (is_given_up(instance->generation))
        give_generation_up(service, instance);
    else
        rpctl_service_attend(service);
}

void rpctl_relaunch_forget_failed(struct rpctl_service *service)
{
    if (!service->failed) return;
    rpctl_service_forget_generation(service, service->failed);
    service->failed = NULL;
}

/* --- launching again ------------------------------------------------------------------------------------ */

/* A run of that length is over. */
static void relaunch_or_give_up(struct rpctl_service *service, struct rpctl_instance *instance,
                                uint64_t lived_ms)
{
    unsigned delay_ms = rpctl_backoff_next(&instance->backoff, lived_ms);

    if (rpctl_backoff_is_over(&instance->backoff, instance->generation->policy.max_restarts))
        give_up(service, instance);
    else
        relaunch_after(service, instance, delay_ms);
}

/* It gets the listeners of the dead one, so that what stands in their queues is served. */
static void relaunch_with(struct rpctl_service *service, struct rpctl_instance *instance, const int *fds,
                          size_t fd_count, int status)
{
    struct rp_error error = {0};

    /* A generation that was called back may have asked for it twice. */
    if (!should_run(service, instance->generation) || instance->process.pidfd >= 0) return;
    if (status < 0)
        rp_error_set(&error, status, "no descriptors of its listeners");
    else
        status = rpctl_service_spawn(service, instance, fds, fd_count, &error);
    if (status == 0) {
        instance->restarts++;
        return;
    }
    rpctl_service_log(service, "gen=%u instance=%u relaunch=failed reason=\"%s\"",
                      instance->generation->number, instance->number, error.message);
    relaunch_or_give_up(service, instance, 0);
}

static void free_timer(uv_handle_t *handle)
{
    free(handle->data);
    free(handle);
}

static void drop_timer(struct rpctl_instance *instance)
{
    if (!instance->relaunch) return;
    uv_close((uv_handle_t *)instance->relaunch, free_timer);
    instance->relaunch = NULL;
}

/* What is known of the dead one's failures holds for those that come in its place. */
static void pass_backoff_on(struct rpctl_generation *candidate, const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < candidate->instance_count && i < generation->instance_count; i++) {
        candidate->instances[i].backoff = generation->instances[i].backoff;
        candidate->instances[i].restarts = generation->instances[i].restarts;
    }
}

static void begin_replacement(struct rpctl_service *service, struct rpctl_instance *instance)
{
    struct rpctl_policy policy = instance->generation->policy;
    struct rpctl_operation *operation;

    policy.bake_ms = policy.witness_per_s = 0;
    policy.allow_drop = false;
    policy.wait = RPCTL_WAIT_SHIFTED;
    policy.max_draining = RPCTL_DRAINING_MAX;
    operation = rpctl_operation_new(service, "restart", &policy);
    if (!operation) return;
    instance->restarts++;
    rpctl_service_begin(service, operation, NULL);
    if (service->candidate) pass_backoff_on(service->candidate, instance->generation);
}

/* A server that does not take listeners over would leave those of the dead one unserved, and they would
 * swallow connections. So a new generation takes the place of the whole, and the dead listeners leave with
 * the old one. Where that one serves still when the operation is over, it has not worked. */
static void replace_generation(struct rpctl_service *service, struct rpctl_instance *instance)
{
    if (!should_run(service, instance->generation)) return;
    if (service->operation || service->takeover || service->reexec) {
        relaunch_after(service, instance, RPCTL_RETRY_MS);
    } else if (instance->replacing) {
        instance->replacing = false;
        relaunch_or_give_up(service, instance, 0);
    } else {
        instance->replacing = true;
        relaunch_after(service, instance, RPCTL_RETRY_MS);
        begin_replacement(service, instance);
    }
}

static void on_relaunch_timer(uv_timer_t *timer)
{
    struct relaunch *relaunch = timer->data;
    struct rpctl_service *service = relaunch->service;
    struct rpctl_instance *instance = relaunch->instance;

    drop_timer(instance);
    if (instance->state == RPCTL_INSTANCE_FAILED)
        give_generation_up(service, instance);
    else if (instance->collected)
        replace_generation(service, instance);
    else
        rpctl_steering_lend(service, instance, relaunch_with);
}

static void relaunch_after(struct rpctl_service *service, struct rpctl_instance *instance, unsigned delay_ms)
{
    struct relaunch *relaunch = malloc(sizeof *relaunch);

    drop_timer(instance);
    instance->relaunch = malloc(sizeof *instance->relaunch);
    if (!relaunch || !instance->relaunch) {
        free(relaunch);
        free(instance->relaunch);
        instance->relaunch = NULL;
        /* See rpctl_service_relaunch_missing. */
        rpctl_service_log(service, "gen=%u instance=%u relaunch=postponed reason=\"no memory\"",
                          instance->generation->number, instance->number);
        return;
    }
    *relaunch = (struct relaunch){service, instance};
    instance->next_try_ms = rpctl_service_wall_ms() + delay_ms;
    uv_timer_init(&service->loop, instance->relaunch);
    instance->relaunch->data = relaunch;
    uv_timer_start(instance->relaunch, on_relaunch_timer, delay_ms, 0);
}

void rpctl_service_relaunch_at(struct rpctl_service *service, struct rpctl_instance *instance,
                               int64_t when_ms)
{
    int64_t left_ms = when_ms - rpctl_service_wall_ms();

    if (left_ms > RPCTL_BACKOFF_MAX_MS) left_ms = RPCTL_BACKOFF_MAX_MS; /* the clock was set back */
    relaunch_after(service, instance, left_ms > 0 ? (unsigned)left_ms : 0);
}

void rpctl_service_cancel_relaunch(struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) drop_timer(&generation->instances[i]);
}

void rpctl_service_relaunch_missing(struct rpctl_service *service, struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count && should_run(service, generation); i++) {
        struct rpctl_instance *instance = &generation->instances[i];
        bool is_failed = instance->state == RPCTL_INSTANCE_FAILED;

        if (instance->process.pidfd >= 0 || instance->relaunch) continue;
        if (is_failed && is_given_up(generation)) give_generation_up(service, instance);
        if (!is_failed) relaunch_after(service, instance, 0);
    }
}

/* --- its end -------------------------------------------------------------------------------------------- */

static void note_crash(struct rpctl_service *service, const struct rpctl_instance *instance, const char *how,
                       uint64_t lived_ms)
{
    struct rpctl_state_crash *crash = &service->crash;
    bool given_up = instance->state == RPCTL_INSTANCE_FAILED;

    snprintf(service->crash_how, sizeof service->crash_how, "%s", how);
    *crash = (struct rpctl_state_crash){.count = crash->count + 1,
                                        .generation = instance->generation->number,
                                        .instance = instance->number,
                                        .pid = instance->process.pid,
                                        .how = service->crash_how,
                                        .at_ms = rpctl_service_wall_ms(),
                                        .lived_ms = lived_ms,
                                        .failures = instance->backoff.failures,
                                        .given_up = given_up};
    rpctl_service_log(service,
                      "gen=%u instance=%u crash=%d how=\"%s\" lived_ms=%llu failures=%u restarts=%u next=%s",
                      crash->generation, crash->instance, (int)crash->pid, how, (unsigned long long)lived_ms,
                      crash->failures, instance->restarts, given_up ? "none" : "relaunch");
}

void rpctl_relaunch_restore_crash(struct rpctl_service *service, const struct rpctl_state_crash *crash)
{
    snprintf(service->crash_how, sizeof service->crash_how, "%s", crash->how);
    service->crash = *crash;
    service->crash.how = service->crash_how;
}

void rpctl_relaunch_on_ended(struct rpctl_service *service, struct rpctl_instance *instance, const char *how)
{
    uint64_t lived_ms = uv_now(&service->loop) - instance->launched_ms;

    if (!should_run(service, instance->generation)) return;
    rpctl_service_attend(service);
    relaunch_or_give_up(service, instance, lived_ms);
    note_crash(service, instance, how, lived_ms);
}

/* --- steering by who is there --------------------------------------------------------------------------- */

static void on_attend_again(uv_timer_t *timer)
{
    rpctl_service_attend(timer->data);
}

static void on_attended(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                        const struct rp_error *error)
{
    bool was_failing = service->attend_failing;

    service->attend_failing = status < 0;
    if (status == 0) return;
    if (!was_failing)
        rpctl_service_log(service, "gen=%u attend=failed reason=\"%s\"", generation->number, error->message);
    uv_timer_start(&service->attend_timer, on_attend_again, RPCTL_RETRY_MS, 0);
}

void rpctl_service_attend(struct rpctl_service *service)
{
    if (service->state != RPCTL_SERVICE_RUNNING || !service->serving) return;
    uv_timer_stop(&service->attend_timer);
    rpctl_steering_attend(service, service->serving, on_attended);
}
