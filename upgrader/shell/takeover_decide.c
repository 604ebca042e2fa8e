#include "shell/takeover_internal.h"

#include <stdint.h>

bool rpctl_takeover_is_going(const struct rpctl_generation *generation)
{
    if (rpctl_generation_is_leaving(generation) || generation->hidden) return true;
    for (unsigned i = 0; i < generation->instance_count; i++)
        if (generation->instances[i].state == RPCTL_INSTANCE_STOPPING) return true;
    return false;
}

bool rpctl_takeover_told_to_stop(const struct rpctl_generation *generation)
{
    return generation->listener_count == 0 || rpctl_takeover_is_going(generation);
}

/* Nobody can serve: what is left goes, and the release is launched anew. */
static void start_anew(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    struct rpctl_operation *operation = takeover->operation;
    const struct rpctl_supervisor_config *config = service->config;
    struct rpctl_release release = {
        .binary = (char *)(uintptr_t)config->binary, .args = config->args, .env = config->env};

    rpctl_operation_warn(operation, "no generation is left that could serve; %s is launched", config->binary);
    rpctl_takeover_end(takeover);
    rpctl_keeper_release(&service->keeper);
    rpctl_takeover_leave_others(service);
    operation->kind = "start";
    rpctl_service_begin(service, operation, &release);
}

void rpctl_takeover_decide(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    struct rpctl_recovery_generation generations[RPCTL_STATE_GENERATIONS_MAX];
    struct rpctl_recovery_facts facts = {.rollout = takeover->state.document ? takeover->state.rollout
                                                                             : RPCTL_ROLLOUT_IDLE,
                                         .serving = takeover->state.serving,
                                         .candidate = takeover->state.candidate,
                                         .generations = generations};
    struct rpctl_recovery recovery;

    for (const struct rpctl_generation *generation = service->generations;
         generation && facts.count < RPCTL_STATE_GENERATIONS_MAX; generation = generation->next)
        generations[facts.count++] =
            (struct rpctl_recovery_generation){generation->number, rpctl_generation_running(generation),
                                               rpctl_takeover_told_to_stop(generation)};
    rpctl_recovery_decide(&facts, &recovery);
    rpctl_service_log(service, "takeover rollout=%s serving=%u outcome=%d",
                      rpctl_rollout_state_name(facts.rollout), recovery.serving, (int)recovery.outcome);
    takeover->outcome = recovery.outcome;
    uv_timer_stop(&takeover->timer);
    if (recovery.serving == 0) {
        start_anew(takeover);
        return;
    }
    if (takeover->has_failed_trial && rpctl_takeover_can_go_back(takeover))
        recovery = (struct rpctl_recovery){.serving = takeover->way_back, .outcome = RPCTL_RECOVERY_UNDONE};
    else
        takeover->way_back = recovery.other;
    takeover->outcome = recovery.outcome;
    if (!takeover->steering) rpctl_operation_begin(takeover->operation, "steer", 0);
    takeover->steering = true;
    rpctl_takeover_steer_to(takeover, recovery.serving);
}
