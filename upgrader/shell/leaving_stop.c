#include "shell/leaving_internal.h"

#include <string.h>

static void on_doom_changed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                            const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u steer=failed reason=\"%s\"", generation->number, error->message);
}

void rpctl_leaving_spread_again(struct rpctl_leaving *leaving)
{
    if (!leaving->doomed) return;
    leaving->doomed = false;
    rpctl_steering_doom(leaving->service, leaving->generation, false, on_doom_changed);
}

/* Before KILLING there is time for it, whatever becomes of the listeners meanwhile. */
static bool may_be_told(const struct rpctl_leaving *leaving)
{
    enum rpctl_drain_state state = leaving->generation->drain.state;

    return state == RPCTL_DRAIN_DRAINING || state == RPCTL_DRAIN_UNLISTENING ||
           state == RPCTL_DRAIN_UNLISTENED;
}

static void tell_processes(struct rpctl_leaving *leaving)
{
    struct rpctl_operation *operation = rpctl_leaving_reported(leaving);
    bool begun = operation && operation->phase && strcmp(operation->phase, "drain") == 0; /* a second try */

    leaving->stop_due =
        rpctl_service_signal(leaving->generation, leaving->generation->policy.stop_signal) < 0;
    if (leaving->stop_due) rpctl_leaving_retry_later(leaving, RPCTL_DRAIN_DO_STOP);
    if (leaving->deadline_ms == 0) rpctl_leaving_begin_deadline(leaving);
    rpctl_keeper_changed(&leaving->service->keeper);
    if (operation && !begun) rpctl_operation_begin(operation, "drain", operation->policy.drain_timeout_ms);
}

/* They are told also where there was no memory for it. */
static void on_hidden(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    (void)service;
    (void)status;
    (void)error;
    if (may_be_told(generation->leaving)) tell_processes(generation->leaving);
}

/* Were it hidden, or told, before the disk knows that another one serves, a successor could take it for the
 * one that does. A disk that cannot be written to is no reason to wait. */
static void stop_when_written(struct rpctl_leaving *leaving)
{
    leaving->stop_waits = !rpctl_keeper_has_written(&leaving->service->keeper, leaving->stop_state);
    if (!leaving->stop_waits && may_be_told(leaving))
        rpctl_steering_hide(leaving->service, leaving->generation, on_hidden);
}

static void stop_processes(struct rpctl_leaving *leaving)
{
    leaving->stop_state = rpctl_keeper_now(&leaving->service->keeper);
    stop_when_written(leaving);
}

static void on_doomed(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    on_doom_changed(service, generation, status, error);
    if (may_be_told(generation->leaving)) stop_processes(generation->leaving);
}

/* Theirs, which we hold duplicates of: a program with another contract may go on listening as long as it
 * likes. */
static bool closes_at_once(const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0 && !generation->instances[i].handed_over)
            return false;
    return true;
}

/* From the moment that the processes have closed their listeners until ours have left the groups, the end of
 * this process would put the groups out of order. While a release is starting that cannot be brief. */
void rpctl_leaving_stop(struct rpctl_leaving *leaving)
{
    bool brief =
        closes_at_once(leaving->generation) && !rpctl_rollout_is_starting(&leaving->service->rollout);

    leaving->stop_due = true;
    if (leaving->doomed || !brief) {
        stop_processes(leaving);
        return;
    }
    leaving->doomed = true;
    rpctl_steering_doom(leaving->service, leaving->generation, true, on_doomed);
}

/* A librp server says it when it has closed its listeners; what others mean by it is found out by looking. */
void rpctl_leaving_on_stopping(struct rpctl_generation *generation)
{
    if (generation->drain.state != RPCTL_DRAIN_DRAINING || !closes_at_once(generation)) return;
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].process.pidfd >= 0 && !generation->instances[i].said_stopping) return;
    rpctl_leaving_post(generation->leaving, RPCTL_DRAIN_ON_LISTENERS_CLOSED);
}

bool rpctl_leaving_is_stop_due(const struct rpctl_leaving *leaving)
{
    return leaving && leaving->stop_due;
}

void rpctl_leaving_on_written(struct rpctl_generation *generation)
{
    struct rpctl_leaving *leaving = generation->leaving;

    if (leaving && leaving->stop_waits) stop_when_written(leaving);
}
