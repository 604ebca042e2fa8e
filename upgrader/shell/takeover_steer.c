#include "shell/takeover_internal.h"

#include <errno.h>
#include <string.h>

static const char *outcome_text(enum rpctl_recovery_outcome outcome)
{
    switch (outcome) {
    case RPCTL_RECOVERY_UNDONE: return "; the operation that was under way is undone";
    case RPCTL_RECOVERY_FINISHED: return "; the operation that was under way is brought to its end";
    case RPCTL_RECOVERY_EXCHANGED: return "; the one that should serve has died";
    case RPCTL_RECOVERY_GUESSED: return "; nobody on record can serve, and it is the newest that can";
    case RPCTL_RECOVERY_NOTHING:
    case RPCTL_RECOVERY_LOST: break;
    }
    return "";
}

static void note_release(struct rpctl_takeover *takeover)
{
    struct rpctl_service *service = takeover->service;
    const char *runs = service->serving->release.binary;

    if (strcmp(runs, service->config->binary) != 0)
        rpctl_operation_warn(takeover->operation, "%s goes on; to change to %s: rpctl upgrade", runs,
                             service->config->binary);
}

void rpctl_takeover_leave_others(struct rpctl_service *service)
{
    struct rpctl_generation *next;

    for (struct rpctl_generation *generation = service->generations; generation; generation = next) {
        next = generation->next;
        if (generation == service->serving || rpctl_generation_is_leaving(generation)) continue;
        rpctl_service_leave(generation, NULL);
    }
}

/* A program that stays sends all to those who are there. */
static void on_detached(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                        const struct rp_error *error)
{
    if (status < 0)
        rpctl_service_log(service, "gen=%u detach=failed reason=\"%s\"", generation->number, error->message);
}

static void go_on_with(struct rpctl_takeover *takeover, struct rpctl_generation *generation)
{
    struct rpctl_service *service = takeover->service;

    takeover->steered = true;
    service->serving = generation;
    generation->state = RPCTL_GENERATION_SERVING;
    note_release(takeover);
    rpctl_keeper_release(&service->keeper);
    rpctl_service_relaunch_missing(service, generation);
    rpctl_takeover_leave_others(service);
    /* Somebody of it may have ended since its listeners were learnt. Not before the others leave: it may
     * detach. */
    rpctl_service_attend(service);
    if (rpctl_service_draining(service) > 0)
        rpctl_operation_begin(takeover->operation, "drain", 0);
    else
        rpctl_steering_detach(service, generation, on_detached);
    rpctl_takeover_on_gone(service);
}

bool rpctl_takeover_can_go_back(const struct rpctl_takeover *takeover)
{
    const struct rpctl_generation *old = rpctl_service_find_generation(takeover->service, takeover->way_back);

    return old && rpctl_generation_running(old) > 0 && !rpctl_takeover_told_to_stop(old);
}

static void on_tried(bool good, const char *text, void *data)
{
    struct rpctl_takeover *takeover = data;
    unsigned number = takeover->tried->number;

    takeover->trial = NULL;
    if (!good && rpctl_takeover_can_go_back(takeover)) {
        rpctl_operation_end(takeover->operation, NULL, "unhealthy: %s", text);
        rpctl_operation_warn(takeover->operation,
                             "generation %u is unhealthy: all goes back to generation %u", number,
                             takeover->way_back);
        takeover->has_failed_trial = true;
        takeover->outcome = RPCTL_RECOVERY_UNDONE;
        rpctl_operation_begin(takeover->operation, "steer", 0);
        rpctl_takeover_steer_to(takeover, takeover->way_back);
        return;
    }
    rpctl_operation_end(takeover->operation, NULL, "%s%s", good ? "" : "unhealthy: ", text);
    if (!good)
        rpctl_operation_warn(takeover->operation,
                             "generation %u is unhealthy and serves on, for generation %u has died", number,
                             takeover->way_back);
    go_on_with(takeover, takeover->tried);
}

/* Its bake was not over, or nobody knows that it ever served: before another one that could serve is told to
 * go, it has to answer well. */
static bool begin_trial(struct rpctl_takeover *takeover, struct rpctl_generation *generation)
{
    struct rpctl_trial_config config = {.addresses = generation->addresses,
                                        .address_count = generation->address_count,
                                        .health = rpctl_generation_health(generation),
                                        .rounds = generation->policy.health_count,
                                        .interval_ms = generation->policy.health_interval_ms};

    bool doubtful =
        takeover->outcome == RPCTL_RECOVERY_FINISHED || takeover->outcome == RPCTL_RECOVERY_GUESSED;

    if (!doubtful || config.health.kind == RPCTL_HEALTH_NONE || config.address_count == 0 ||
        !rpctl_takeover_can_go_back(takeover))
        return false;
    takeover->tried = generation;
    takeover->trial = rpctl_trial_start(&takeover->service->loop, &config, on_tried, takeover);
    if (takeover->trial) rpctl_operation_begin(takeover->operation, "health", 0);
    return takeover->trial;
}

static void on_steered(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                       const struct rp_error *error)
{
    struct rpctl_takeover *takeover = service->takeover;

    /* A release that was being started has begun to listen just now. */
    if (status == -EEXIST && !rpctl_takeover_is_late(takeover)) {
        rpctl_takeover_look_again(takeover);
        return;
    }
    if (status < 0) {
        rpctl_takeover_give_up(takeover, error->message);
        return;
    }
    rpctl_operation_end(takeover->operation, NULL, "all new connections to generation %u%s",
                        generation->number, outcome_text(takeover->outcome));
    if (!begin_trial(takeover, generation)) go_on_with(takeover, generation);
}

void rpctl_takeover_steer_to(struct rpctl_takeover *takeover, unsigned generation)
{
    struct rpctl_service *service = takeover->service;

    rpctl_steering_take_over(service, rpctl_service_find_generation(service, generation),
                             takeover->state.groups, takeover->state.group_count, on_steered);
}
