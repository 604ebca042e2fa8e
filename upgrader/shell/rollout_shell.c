#include "shell/rollout_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* One that takes no listeners over is not launched again before the operation is over (shell/relaunch.c). */
static enum rpctl_rollout_old look_at_old(const struct rpctl_generation *old)
{
    enum rpctl_rollout_old found = RPCTL_ROLLOUT_OLD_GONE;

    for (unsigned i = 0; i < old->instance_count; i++) {
        const struct rpctl_instance *instance = &old->instances[i];

        if (instance->process.pidfd >= 0 && instance->state == RPCTL_INSTANCE_READY)
            return RPCTL_ROLLOUT_OLD_SERVES;
        if (instance->state != RPCTL_INSTANCE_FAILED && !instance->collected)
            found = RPCTL_ROLLOUT_OLD_RETURNS;
    }
    return found;
}

static void look_around(struct rpctl_service *service)
{
    if (service->serving) service->rollout.old = look_at_old(service->serving);
    service->rollout.running = service->candidate ? rpctl_generation_running(service->candidate) : 0;
}

bool rpctl_rollout_shell_can_abort(struct rpctl_service *service)
{
    look_around(service);
    return rpctl_rollout_can_abort(&service->rollout);
}

static void step(struct rpctl_service *service, const struct rpctl_posted *posted)
{
    enum rpctl_rollout_state before = service->rollout.state;
    struct rpctl_rollout_step result;

    look_around(service);
    result = rpctl_rollout_step(&service->rollout, posted->event);
    assert(result.possible);
    if (service->rollout.state != RPCTL_ROLLOUT_PINNING) service->pinned_waits = false;
    if (before != service->rollout.state) {
        rpctl_service_log(service, "rollout=%s event=%s next=%s", rpctl_rollout_state_name(before),
                          rpctl_rollout_event_name(posted->event),
                          rpctl_rollout_state_name(service->rollout.state));
        rpctl_rollout_report(service, before, posted->why);
    }
    if (posted->event == RPCTL_ROLLOUT_ON_NEW_EXITED && before == service->rollout.state &&
        service->operation && !rpctl_rollout_is_undoing(&service->rollout))
        rpctl_operation_warn(service->operation, "%s; the others serve on, for generation %u has died",
                             posted->why, service->operation->from);
    rpctl_keeper_changed(&service->keeper);
    for (size_t i = 0; i < result.action_count; i++) rpctl_rollout_act(service, result.actions[i]);
}

void rpctl_service_post_because(struct rpctl_service *service, enum rpctl_rollout_event event,
                                const char *format, ...)
{
    struct rpctl_posted *posted = &service->posted[service->posted_count];
    va_list arguments;

    if (service->state != RPCTL_SERVICE_RUNNING) return;
    assert(service->posted_count < RPCTL_POSTED_EVENTS_MAX);
    posted->event = event;
    va_start(arguments, format);
    vsnprintf(posted->why, sizeof posted->why, format, arguments);
    va_end(arguments);
    service->posted_count++;
    if (service->stepping) return;
    service->stepping = true;
    for (size_t i = 0; i < service->posted_count; i++) step(service, &service->posted[i]);
    service->posted_count = 0;
    service->stepping = false;
}

void rpctl_service_post(struct rpctl_service *service, enum rpctl_rollout_event event)
{
    rpctl_service_post_because(service, event, "%s", rpctl_rollout_event_name(event));
}
