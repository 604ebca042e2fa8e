#include "shell/rollout_internal.h"

static void close_candidate(struct rpctl_service *service);

static void on_stop_grace(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;

    if (rpctl_generation_running(service->candidate) == 0)
        close_candidate(service);
    else if (rpctl_service_signal(service->candidate, SIGKILL) < 0)
        uv_timer_start(timer, on_stop_grace, RPCTL_RETRY_MS, 0);
}

static void on_candidate_closed(struct rpctl_service *service, struct rpctl_generation *generation,
                                int status, const struct rp_error *error)
{
    (void)generation;
    if (status < 0) {
        /* Its listeners must not stay in the groups, for nobody accepts there: try again until it works. */
        rpctl_operation_warn(service->operation, "cannot close the new listeners yet: %s", error->message);
        uv_timer_start(&service->stop_timer, on_stop_grace, RPCTL_RETRY_MS, 0);
        return;
    }
    rpctl_service_post(service, RPCTL_ROLLOUT_ON_NEW_GONE);
}

static void close_candidate(struct rpctl_service *service)
{
    uv_timer_stop(&service->stop_timer);
    rpctl_steering_close(service, service->candidate, on_candidate_closed);
}

static void on_candidate_swept(struct rpctl_service *service, struct rpctl_generation *generation,
                               size_t found)
{
    (void)generation;
    if (found > 0)
        rpctl_operation_warn(service->operation, "%zu processes that the new release left behind were ended",
                             found);
    close_candidate(service);
}

static void stop_processes(struct rpctl_service *service)
{
    struct rpctl_generation *candidate = service->candidate;

    if (rpctl_generation_running(candidate) == 0) {
        rpctl_service_sweep(service, candidate, on_candidate_swept);
        return;
    }
    /* Where it fails, SIGKILL at the end of the grace: nothing is lost, there was no traffic. */
    (void)rpctl_service_signal(candidate, candidate->policy.stop_signal);
    uv_timer_start(&service->stop_timer, on_stop_grace, RPCTL_STOP_GRACE_MS, 0);
}

static void on_hidden(struct rpctl_service *service, struct rpctl_generation *candidate, int status,
                      const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u hide=failed reason=\"%s\"", candidate->number, error->message);
    stop_processes(service);
}

void rpctl_rollout_stop_candidate(struct rpctl_service *service)
{
    struct rpctl_generation *candidate = service->candidate;

    candidate->state = RPCTL_GENERATION_STOPPING;
    rpctl_service_probe_cancel(service);
    rpctl_service_collect_stop(service);
    if (service->serving)
        rpctl_steering_fetch_and_hide(service, candidate, on_hidden);
    else
        stop_processes(service);
}

void rpctl_rollout_shell_on_candidate_ended(struct rpctl_service *service)
{
    uv_timer_stop(&service->stop_timer);
    rpctl_service_sweep(service, service->candidate, on_candidate_swept);
}
