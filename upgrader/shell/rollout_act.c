#include "shell/rollout_internal.h"

#include <assert.h>

/* Posts `good` or, with the reason, `bad`. */
static void post_status(struct rpctl_service *service, int status, const struct rp_error *error,
                        enum rpctl_rollout_event good, enum rpctl_rollout_event bad)
{
    if (status == 0)
        rpctl_service_post(service, good);
    else
        rpctl_service_post_because(service, bad, "%s", error->message);
}

static void on_checked(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                       const struct rp_error *error)
{
    if (status == 0 && generation->state == RPCTL_GENERATION_STARTING)
        generation->state = RPCTL_GENERATION_PROVING;
    post_status(service, status, error, RPCTL_ROLLOUT_ON_CHECKED, RPCTL_ROLLOUT_ON_CHECK_FAILED);
}

static void on_shifted(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                       const struct rp_error *error)
{
    if (status == 0) {
        generation->state = RPCTL_GENERATION_SERVING;
        service->serving->state = RPCTL_GENERATION_STANDBY;
    }
    post_status(service, status, error, RPCTL_ROLLOUT_ON_SHIFTED, RPCTL_ROLLOUT_ON_SHIFT_FAILED);
}

static void on_unshifted(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                         const struct rp_error *error)
{
    if (status == 0) {
        generation->state = RPCTL_GENERATION_SERVING;
        service->candidate->state = RPCTL_GENERATION_STANDBY;
    } else {
        rpctl_operation_warn(service->operation, "cannot steer back yet: %s", error->message);
    }
    post_status(service, status, error, RPCTL_ROLLOUT_ON_UNSHIFTED, RPCTL_ROLLOUT_ON_UNSHIFT_FAILED);
}

static void launch(struct rpctl_service *service)
{
    struct rp_error error = {0};
    int status = rpctl_service_launch(service, service->candidate, &error);

    if (status == 0) rpctl_service_collect_start(service);
    post_status(service, status, &error, RPCTL_ROLLOUT_ON_LAUNCHED, RPCTL_ROLLOUT_ON_LAUNCH_FAILED);
}

static void on_deadline(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;
    double seconds = service->operation->policy.ready_timeout_ms / 1000.0;
    const char *reason = rpctl_service_collect_reason(service->candidate);

    if (service->rollout.state == RPCTL_ROLLOUT_PROVING)
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_DEADLINE, "not healthy within %g s: %s", seconds,
                                   rpctl_service_probe_text(service));
    else
        rpctl_service_post_because(
            service, RPCTL_ROLLOUT_ON_DEADLINE, "not ready within %g s: %u of %u processes are%s%s", seconds,
            service->rollout.ready, service->rollout.instances, reason[0] ? "; " : "", reason);
}

static void on_probe_timer(uv_timer_t *timer)
{
    rpctl_service_post(timer->data, RPCTL_ROLLOUT_ON_PROBE_TIMER);
}

static void on_bake_timer(uv_timer_t *timer)
{
    rpctl_service_post(timer->data, RPCTL_ROLLOUT_ON_BAKE_OVER);
}

static void disarm(struct rpctl_service *service)
{
    uv_timer_stop(&service->deadline_timer);
    uv_timer_stop(&service->probe_timer);
    uv_timer_stop(&service->bake_timer);
}

void rpctl_rollout_act(struct rpctl_service *service, enum rpctl_rollout_action action)
{
    const struct rpctl_policy *policy = &service->operation->policy;

    switch (action) {
    case RPCTL_ROLLOUT_DO_PIN: rpctl_rollout_pin(service); return;
    case RPCTL_ROLLOUT_DO_LAUNCH: launch(service); return;
    case RPCTL_ROLLOUT_DO_CHECK:
        rpctl_service_collect_stop(service);
        rpctl_steering_check(service, service->serving, service->candidate, on_checked);
        return;
    case RPCTL_ROLLOUT_DO_PROBE: rpctl_service_probe(service); return;
    case RPCTL_ROLLOUT_DO_SHIFT:
        rpctl_service_probe_cancel(service);
        rpctl_steering_shift(service, service->candidate, true, on_shifted);
        return;
    case RPCTL_ROLLOUT_DO_UNSHIFT:
        rpctl_service_probe_cancel(service);
        rpctl_service_attend(service); /* one of it may have ended while it was leaving */
        rpctl_steering_shift(service, service->serving, false, on_unshifted);
        return;
    case RPCTL_ROLLOUT_DO_RETIRE_OLD:
        rpctl_service_probe_cancel(service);
        rpctl_service_leave(service->serving, service->operation);
        return;
    case RPCTL_ROLLOUT_DO_UNRETIRE_OLD: rpctl_service_stay(service->serving); return;
    case RPCTL_ROLLOUT_DO_RETIRE_NEW: rpctl_service_leave(service->candidate, service->operation); return;
    case RPCTL_ROLLOUT_DO_STOP_NEW: rpctl_rollout_stop_candidate(service); return;
    case RPCTL_ROLLOUT_DO_ARM_DEADLINE:
        uv_timer_start(&service->deadline_timer, on_deadline, policy->ready_timeout_ms, 0);
        return;
    case RPCTL_ROLLOUT_DO_ARM_PROBE:
        uv_timer_start(&service->probe_timer, on_probe_timer, policy->health_interval_ms, 0);
        return;
    case RPCTL_ROLLOUT_DO_ARM_BAKE:
        uv_timer_start(&service->bake_timer, on_bake_timer, policy->bake_ms, 0);
        return;
    case RPCTL_ROLLOUT_DO_WARN_SICK:
        rpctl_operation_warn(
            service->operation, "unhealthy: %s; generation %u serves on, for generation %u has died",
            rpctl_service_probe_text(service), service->operation->to, service->operation->from);
        return;
    case RPCTL_ROLLOUT_DO_DISARM: disarm(service); return;
    case RPCTL_ROLLOUT_DO_COMMIT: rpctl_rollout_commit(service); return;
    case RPCTL_ROLLOUT_DO_FINISH: rpctl_rollout_finish(service); return;
    case RPCTL_ROLLOUT_DO_NONE:
    case RPCTL_ROLLOUT_ACTION_COUNT: break;
    }
    assert(false && "an action that has no deed");
}
