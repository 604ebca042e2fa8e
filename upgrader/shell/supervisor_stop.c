#include "pure/exit_code.h"
#include "shell/adopt.h"
#include "shell/reexec.h"
#include "shell/service.h"
#include "shell/takeover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static void close_own_handles(struct rpctl_service *service)
{
    uv_handle_t *const handles[] = {
        (uv_handle_t *)&service->deadline_timer, (uv_handle_t *)&service->probe_timer,
        (uv_handle_t *)&service->bake_timer,     (uv_handle_t *)&service->stop_timer,
        (uv_handle_t *)&service->progress_timer, (uv_handle_t *)&service->listen_timer,
        (uv_handle_t *)&service->upkeep_timer,   (uv_handle_t *)&service->watch_timer,
        (uv_handle_t *)&service->attend_timer,   (uv_handle_t *)&service->resteer_timer,
        (uv_handle_t *)&service->term_signal,    (uv_handle_t *)&service->int_signal,
        (uv_handle_t *)&service->child_signal,   (uv_handle_t *)&service->usr2_signal,
    };

    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) uv_close(handles[i], NULL);
    if (service->notify_fd >= 0) uv_close((uv_handle_t *)&service->notify_poll, NULL);
    rpctl_links_close(service->links);
    rpctl_keeper_stop(&service->keeper);
}

/* Generations are freed at the very end: jobs that are still running know them. */
static void let_leaving_go(struct rpctl_service *service)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        rpctl_service_cancel_relaunch(generation);
        rpctl_leaving_let_go(generation->leaving);
        rpctl_sweep_let_go(generation);
    }
}

static void begin_closing(struct rpctl_service *service)
{
    rpctl_service_census_end(service);
    rpctl_service_watch_end(service);
    service->state = RPCTL_SERVICE_CLOSING;
    let_leaving_go(service);
    rpctl_service_show_stop(service);
    close_own_handles(service);
    rpctl_control_server_close(service->control, NULL, NULL);
}

static void close_when_over(struct rpctl_service *service)
{
    if (service->state == RPCTL_SERVICE_STOPPING && service->released &&
        rpctl_service_running(service) == 0 && service->swept && service->sweeps == 0 && !service->operations)
        begin_closing(service);
}

/* The result of a `stop`: what the drains of all generations came to. */
static void finish_stop(struct rpctl_service *service)
{
    struct rpctl_operation *operation = service->stop_operation;
    const struct rpctl_generation *generation;
    const char *crash = "";
    bool killed = false;

    service->stop_operation = NULL;
    operation->drained = true;
    for (generation = service->generations; generation; generation = generation->next) {
        operation->finished += generation->finished;
        operation->cut += generation->cut;
        if (generation->crash[0]) crash = generation->crash;
        for (unsigned i = 0; i < generation->instance_count; i++) killed |= generation->instances[i].killed;
    }
    rpctl_operation_end(operation, NULL, "%lu finished, %lu cut", operation->finished, operation->cut);
    if (operation->cut > 0)
        rpctl_operation_fail(operation, "%lu connections were cut at the drain deadline", operation->cut);
    else if (killed)
        rpctl_operation_fail(operation, "a process did not stop by the drain deadline and was killed");
    else if (crash[0])
        rpctl_operation_fail(operation, "a process ended with %s while it drained", crash);
    rpctl_operation_finish(operation, operation->reason[0] ? RPCTL_EXIT_NOT_SPOTLESS : RPCTL_EXIT_DONE);
}

static void sweep_all(struct rpctl_service *service)
{
    service->swept = true;
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        rpctl_service_sweep(service, generation, NULL);
}

void rpctl_service_on_process_gone(struct rpctl_service *service)
{
    if (!service->released || rpctl_service_running(service) > 0) return;
    if (!service->swept) sweep_all(service);
    if (service->sweeps > 0) return;
    if (service->stop_operation) finish_stop(service);
    close_when_over(service);
}

static int signal_all(struct rpctl_service *service, int signal_number)
{
    int result = 0;

    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        /* A second SIGTERM would end a process that is draining already. */
        if (signal_number != SIGKILL && rpctl_generation_was_told_to_stop(generation) &&
            !rpctl_leaving_is_stop_due(generation->leaving))
            continue;
        if (rpctl_service_signal(generation,
                                 signal_number == SIGKILL ? SIGKILL : generation->policy.stop_signal) < 0)
            result = -EAGAIN;
    }
    return result;
}

/* The stop signal, at the deadline SIGKILL; again while it fails for one. */
static void on_stop_timer(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;
    uint64_t now = uv_now(&service->loop);
    bool late = now >= service->stop_by_ms;
    uint64_t left = late ? UINT64_MAX : service->stop_by_ms - now;

    if (signal_all(service, late ? SIGKILL : SIGTERM) < 0 && left > RPCTL_RETRY_MS) left = RPCTL_RETRY_MS;
    if (left < UINT64_MAX) uv_timer_start(timer, on_stop_timer, left, 0);
}

/* Our duplicates go first: a process that empties its accept queue and closes must be the last to hold it. */
static void on_released(struct rpctl_service *service)
{
    unsigned deadline_ms = service->policy.drain_timeout_ms;

    service->released = true;
    service->stop_since_ms = rpctl_service_wall_ms();
    if (service->serving) deadline_ms = service->serving->policy.drain_timeout_ms;
    service->stop_deadline_ms = service->stop_since_ms + deadline_ms;
    service->stop_by_ms = uv_now(&service->loop) + deadline_ms + 1; /* told first, also where it is 0 */
    on_stop_timer(&service->stop_timer);
    rpctl_service_on_process_gone(service);
}

static void end_operations(struct rpctl_service *service, const struct rpctl_operation *except)
{
    struct rpctl_operation *operation = service->operations;

    service->operation = NULL;
    while (operation) {
        struct rpctl_operation *next = operation->next;

        if (operation != except && !operation->ended) {
            rpctl_operation_fail(operation, "the service was stopped");
            rpctl_operation_finish(operation, RPCTL_EXIT_FAILED);
        }
        operation = next;
    }
}

static void stop_timers(struct rpctl_service *service)
{
    uv_timer_stop(&service->deadline_timer);
    uv_timer_stop(&service->probe_timer);
    uv_timer_stop(&service->bake_timer);
    uv_timer_stop(&service->stop_timer);
    uv_timer_stop(&service->listen_timer);
    uv_timer_stop(&service->attend_timer);
    uv_timer_stop(&service->resteer_timer);
}

static void let_go(struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        rpctl_adopt_unwatch(&generation->instances[i]);
        rpctl_process_close(&generation->instances[i].process);
    }
}

static void abandon_all(struct rpctl_service *service)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        let_go(generation);
}

static void on_abandoned(struct rpctl_service *service)
{
    abandon_all(service);
    begin_closing(service);
}

/* Ends as one that is killed: the processes go on, and what is steered stays. */
static void abandon(struct rpctl_service *service)
{
    service->state = RPCTL_SERVICE_STOPPING;
    stop_timers(service);
    rpctl_steering_release(service, on_abandoned);
}

void rpctl_service_give_up(struct rpctl_service *service)
{
    abandon_all(service);
    let_leaving_go(service);
    close_own_handles(service);
    if (service->control) rpctl_control_server_close(service->control, NULL, NULL);
}

void rpctl_service_stop(struct rpctl_service *service, struct rpctl_operation *operation)
{
    if (service->state != RPCTL_SERVICE_RUNNING) {
        if (operation) {
            rpctl_operation_fail(operation, "the service is stopping already");
            rpctl_operation_finish(operation, RPCTL_EXIT_BUSY);
        } else {
            service->stop_by_ms = uv_now(&service->loop);
            if (service->released) on_stop_timer(&service->stop_timer);
        }
        return;
    }
    service->state = RPCTL_SERVICE_STOPPING;
    service->first_release_waits = false;
    rpctl_service_log(service, "stopping");
    stop_timers(service);
    rpctl_reexec_cancel(service);
    rpctl_takeover_cancel(service);
    rpctl_service_probe_cancel(service);
    end_operations(service, operation);
    service->stop_operation = operation;
    if (operation) {
        operation->from = rpctl_service_serving_number(service);
        if (service->serving)
            snprintf(operation->release, sizeof operation->release, "%s",
                     rpctl_release_name(&service->serving->release));
        rpctl_operation_announce(operation);
        rpctl_operation_begin(operation, "drain", operation->policy.drain_timeout_ms);
    }
    rpctl_steering_release(service, on_released);
}

void rpctl_service_on_operation_over(struct rpctl_service *service, int exit_code)
{
    if (!service->operations) uv_timer_stop(&service->progress_timer);
    if (service->abandons && service->state == RPCTL_SERVICE_RUNNING) {
        service->exit_code = exit_code;
        abandon(service);
        return;
    }
    if (service->state == RPCTL_SERVICE_RUNNING && !service->serving && !service->failed &&
        !service->operations && !service->first_release_waits) {
        /* The first start has failed: there is nothing to supervise. */
        service->exit_code = exit_code;
        rpctl_service_stop(service, NULL);
    } else {
        close_when_over(service);
    }
}
