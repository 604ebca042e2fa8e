#include "shell/rollout_internal.h"

#include "pure/exit_code.h"

void rpctl_rollout_commit(struct rpctl_service *service)
{
    service->serving = service->candidate;
    service->serving->state = RPCTL_GENERATION_SERVING;
    service->candidate = NULL;
    rpctl_relaunch_forget_failed(service);
}

/* A failed or rolled back candidate is gone for good. */
static void drop_candidate(struct rpctl_service *service)
{
    struct rpctl_operation *operation = service->operation;
    struct rpctl_generation *candidate = service->candidate;

    if (!operation->aborted) operation->log = rpctl_service_last_lines(candidate);
    service->candidate = NULL;
    rpctl_service_forget_generation(service, candidate);
}

/* The program that led the probes of a first start; one that stays sends all to those who are there. Where
 * somebody is still leaving, whom a takeover has found, the last close of a listener does it. */
static void on_first_detached(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                              const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u detach=failed reason=\"%s\"", generation->number, error->message);
}

void rpctl_rollout_finish(struct rpctl_service *service)
{
    struct rpctl_operation *operation = service->operation;
    enum rpctl_rollout_outcome outcome = service->rollout.outcome;
    bool drains = outcome == RPCTL_ROLLOUT_DONE && service->rollout.has_old;

    rpctl_service_probe_cancel(service);
    if (outcome != RPCTL_ROLLOUT_DONE) drop_candidate(service);
    service->operation = NULL;
    rpctl_service_log(service, "operation=%s from=%u to=%u outcome=%d reason=\"%s\"", operation->kind,
                      operation->from, operation->to, (int)outcome, operation->reason);
    if (outcome == RPCTL_ROLLOUT_DONE && !service->rollout.has_old && rpctl_service_draining(service) == 0)
        rpctl_steering_detach(service, service->serving, on_first_detached);
    if (drains && operation->policy.wait == RPCTL_WAIT_DRAINED) {
        operation->draining = true;
        return;
    }
    rpctl_operation_finish(operation, operation->refused ? RPCTL_EXIT_REFUSED : (int)outcome);
}
