#include "shell/rollout_internal.h"

#include <stdio.h>
#include <string.h>

static unsigned phase_bound_ms(const struct rpctl_operation *operation, enum rpctl_rollout_state state)
{
    switch (state) {
    case RPCTL_ROLLOUT_WAITING:
    case RPCTL_ROLLOUT_CHECKING:
    case RPCTL_ROLLOUT_PROVING: return operation->policy.ready_timeout_ms;
    case RPCTL_ROLLOUT_BAKING: return operation->policy.bake_ms;
    case RPCTL_ROLLOUT_QUIESCING: return operation->policy.quiesce_timeout_ms;
    default: return 0;
    }
}

static json_t *pids_of(const struct rpctl_generation *generation)
{
    json_t *pids = json_array();

    for (unsigned i = 0; i < generation->instance_count; i++)
        json_array_append_new(pids, json_integer(generation->instances[i].process.pid));
    return json_pack("{so}", "pid", pids);
}

static void end_launch(struct rpctl_operation *operation, const struct rpctl_generation *candidate)
{
    pid_t first = candidate->instances[0].process.pid;

    if (candidate->instance_count == 1)
        rpctl_operation_end(operation, pids_of(candidate), "pid %d", (int)first);
    else
        rpctl_operation_end(operation, pids_of(candidate), "%u processes, pids %d … %d",
                            candidate->instance_count, (int)first,
                            (int)candidate->instances[candidate->instance_count - 1].process.pid);
}

static void end_ready(struct rpctl_operation *operation, const struct rpctl_generation *candidate,
                      bool has_old)
{
    json_t *addresses = json_array();
    char text[RPCTL_OPERATION_DETAIL_BYTES / 2] = "";
    char address[RP_ADDRESS_TEXT_BYTES];
    size_t used = 0;

    for (size_t i = 0; i < candidate->address_count; i++) {
        rp_address_format(&candidate->addresses[i], address);
        json_array_append_new(addresses, json_string(address));
        if (used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", address);
    }
    rpctl_operation_end(
        operation,
        json_pack("{sI,so}", "listeners", (json_int_t)candidate->listener_count, "addresses", addresses),
        "%u listeners on %s%s", candidate->listener_count, text, has_old ? ", no traffic" : "");
}

static void end_health(struct rpctl_service *service)
{
    const struct rpctl_rollout *rollout = &service->rollout;

    rpctl_operation_end(
        service->operation,
        json_pack("{sI,sI}", "good", (json_int_t)rollout->good, "wanted", (json_int_t)rollout->health_count),
        "%u/%u %s", rollout->good, rollout->health_count, rpctl_service_probe_text(service));
}

static void end_quiesce(struct rpctl_operation *operation, const struct rpctl_generation *old)
{
    unsigned left = old->quiesce_left;

    if (left == 0)
        rpctl_operation_end(operation, json_pack("{sI}", "left", (json_int_t)0),
                            "accept queues empty, no half-open");
    else
        rpctl_operation_end(operation, json_pack("{sI}", "left", (json_int_t)left),
                            "%u queued or half-open left at the bound", left);
}

/* As ordered; longer where an unhealthy one had to wait for the old one. */
static double bake_seconds(const struct rpctl_operation *operation)
{
    double lasted_ms = rpctl_operation_phase_ms(operation), ordered_ms = operation->policy.bake_ms;

    return (lasted_ms > ordered_ms + RPCTL_BAKE_SLACK_MS ? lasted_ms : ordered_ms) / 1000.0;
}

static const char *bake_text(const struct rpctl_rollout *rollout)
{
    if (!rollout->probes) return "not probed";
    return rollout->bad >= rollout->health_count ? "unhealthy" : "healthy";
}

static void end_phase(struct rpctl_service *service, enum rpctl_rollout_state state)
{
    struct rpctl_operation *operation = service->operation;

    switch (state) {
    case RPCTL_ROLLOUT_LAUNCHING: end_launch(operation, service->candidate); return;
    case RPCTL_ROLLOUT_WAITING:
    case RPCTL_ROLLOUT_CHECKING: end_ready(operation, service->candidate, service->rollout.has_old); return;
    case RPCTL_ROLLOUT_PROVING: end_health(service); return;
    case RPCTL_ROLLOUT_SHIFTING: rpctl_operation_end(operation, NULL, "100 %% of new connections"); return;
    case RPCTL_ROLLOUT_BAKING:
        rpctl_operation_end(operation, NULL, "%.1f s, %s", bake_seconds(operation),
                            bake_text(&service->rollout));
        return;
    case RPCTL_ROLLOUT_QUIESCING: end_quiesce(operation, service->serving); return;
    default: rpctl_operation_end(operation, NULL, "%s", ""); return;
    }
}

static bool is_failure(enum rpctl_rollout_state before, const struct rpctl_rollout *rollout)
{
    if (before == RPCTL_ROLLOUT_PINNING && rollout->state == RPCTL_ROLLOUT_IDLE) return true;
    return rollout->state == RPCTL_ROLLOUT_RETRACTING || rollout->state == RPCTL_ROLLOUT_UNDOING;
}

void rpctl_rollout_report(struct rpctl_service *service, enum rpctl_rollout_state before, const char *why)
{
    enum rpctl_rollout_state now = service->rollout.state;

    if (strcmp(rpctl_rollout_phase(before), rpctl_rollout_phase(now)) == 0) return;
    if (is_failure(before, &service->rollout))
        rpctl_operation_fail(service->operation, "%s", why);
    else if (before != RPCTL_ROLLOUT_IDLE)
        end_phase(service, before);
    if (now != RPCTL_ROLLOUT_IDLE)
        rpctl_operation_begin(service->operation, rpctl_rollout_phase(now),
                              phase_bound_ms(service->operation, now));
}
