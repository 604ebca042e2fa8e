#include "shell/rollout_internal.h"

#include <errno.h>

/* Theory. Two things come before a launch beside a generation that serves: every group is pinned to it, and
 * the disk knows that it serves. Were the disk behind, a successor of this supervisor could take the new
 * generation, which nobody has proven, for the one that does. So a slow disk holds the launch up, for the
 * ready timeout at most; one that cannot be written to does not. */

static void on_disk_late(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;

    if (!service->pinned_waits) return;
    service->pinned_waits = false;
    rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_PIN_FAILED,
                               "the service's state was not on disk within %g s, and nothing was launched; "
                               "is the disk of %s overloaded, or stuck?",
                               service->operation->policy.ready_timeout_ms / 1000.0,
                               rpctl_service_dir_path(service->config->dir));
}

/* Beside one that has no process any more nobody can be mistaken, and there is no time to lose. */
static bool must_wait(const struct rpctl_service *service)
{
    return service->rollout.state == RPCTL_ROLLOUT_PINNING &&
           rpctl_generation_running(service->serving) > 0 &&
           !rpctl_keeper_has_written(&service->keeper, service->pinned_state);
}

static void on_pinned(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    (void)generation;
    /* A stranger in the group, or a listener that cannot be shared, is a finding; all else is a failure. */
    if ((status == -EEXIST || status == -ENOPROTOOPT) && service->rollout.state == RPCTL_ROLLOUT_PINNING)
        service->operation->refused = true;
    if (status < 0) {
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_PIN_FAILED, "%s", error->message);
        return;
    }
    service->pinned_state = rpctl_keeper_now(&service->keeper);
    service->pinned_waits = must_wait(service);
    if (service->pinned_waits)
        uv_timer_start(&service->deadline_timer, on_disk_late, service->operation->policy.ready_timeout_ms,
                       0);
    else
        rpctl_service_post(service, RPCTL_ROLLOUT_ON_PINNED);
}

void rpctl_rollout_pin(struct rpctl_service *service)
{
    rpctl_steering_pin(service, service->serving, on_pinned);
}

void rpctl_rollout_shell_look_at_pin(struct rpctl_service *service)
{
    if (!service->pinned_waits || must_wait(service)) return;
    service->pinned_waits = false;
    uv_timer_stop(&service->deadline_timer);
    rpctl_service_post(service, RPCTL_ROLLOUT_ON_PINNED);
}
