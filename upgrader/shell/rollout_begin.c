#include "shell/rollout_internal.h"

#include "linux/binary_check.h"
#include "linux/sock_diag.h"
#include "pure/exit_code.h"

#include <errno.h>
#include <stdio.h>

static bool is_busy(struct rpctl_service *service, struct rpctl_operation *operation)
{
    char text[RPCTL_OPERATION_DETAIL_BYTES];
    unsigned draining = rpctl_service_draining(service);

    if (service->operation) {
        rpctl_operation_describe(service->operation, text, sizeof text);
        rpctl_operation_fail(operation, "%s; wait for it, or stop it with: rpctl abort", text);
        return true;
    }
    if (service->takeover) {
        rpctl_operation_fail(operation,
                             "the service is being taken over from a former supervisor; wait for it: "
                             "rpctl status");
        return true;
    }
    if (service->reexec || service->unsteered) {
        rpctl_operation_fail(operation, "the supervisor is being replaced by a new program; wait for it: "
                                        "rpctl status");
        return true;
    }
    if (service->failing) {
        rpctl_operation_fail(operation, "generation %u was given up and is being closed; try again",
                             service->failed->number);
        return true;
    }
    if (service->first_release_waits) {
        rpctl_operation_fail(operation, "the service is being started; wait for it: rpctl status");
        return true;
    }
    if (service->serving && draining >= operation->policy.max_draining) {
        rpctl_operation_fail(operation,
                             "%u old generations are still draining (--max-draining %u); see: rpctl status",
                             draining, operation->policy.max_draining);
        return true;
    }
    return false;
}

static int make_candidate(struct rpctl_service *service, struct rpctl_operation *operation,
                          const struct rpctl_release *release)
{
    int status = rpctl_service_add_generation(service, service->last_number + 1, release, &operation->policy,
                                              &service->candidate);

    if (status == 0) service->candidate->since_ms = rpctl_service_wall_ms();
    return status;
}

void rpctl_service_begin_witness(struct rpctl_service *service, struct rpctl_operation *operation)
{
    struct rpctl_health health;

    if (!service->serving || operation->policy.witness_per_s == 0 || service->serving->address_count == 0)
        return;
    /* Requests to an address that is to be dropped fail, and should. */
    if (operation->policy.allow_drop) return;
    health = rpctl_generation_health(service->serving);
    if (health.kind == RPCTL_HEALTH_NONE) health.kind = RPCTL_HEALTH_TCP;
    /* Without memory for a witness the upgrade goes on without one, and the result says so by its absence. */
    (void)rpctl_witness_start(&service->loop, service->serving->addresses, service->serving->address_count,
                              health.kind, health.path, operation->policy.witness_per_s, &operation->witness);
}

static void begin_rollout(struct rpctl_service *service, struct rpctl_operation *operation)
{
    struct rpctl_rollout *rollout = &service->rollout;

    rpctl_rollout_init(rollout);
    service->probe_text[0] = '\0'; /* a former release's last answer is none of this one's */
    rollout->has_old = service->serving != NULL;
    rollout->probes = operation->policy.health.kind != RPCTL_HEALTH_NONE;
    rollout->instances = operation->policy.instances;
    rollout->health_count = operation->policy.health_count;
    rpctl_service_post(service, RPCTL_ROLLOUT_ON_BEGIN);
}

/* True also where that cannot be told. An MPTCP listener stands in the list of TCP with its first subflow. */
static bool is_listened_on(const struct rp_address *address)
{
    struct rpctl_diag_list listeners = {0};
    bool found = rpctl_sock_diag_listeners(address, &listeners, NULL) < 0 || listeners.count > 0;

    rpctl_diag_list_free(&listeners);
    return found;
}

/* The old generation has a listener that the new one could not have: bind() would fail, or the steering does
 * not reach it. */
static int check_old_unfit(const struct rpctl_service *service, const struct rpctl_operation *operation,
                           struct rp_error *error)
{
    const struct rpctl_generation *old = service->serving;

    if (!old || !old->unfit[0] || operation->policy.allow_drop || rpctl_generation_running(old) == 0)
        return 0;
    if (!is_listened_on(&old->unfit_address)) return 0; /* it was closed since */
    return rp_error_set(error, -ENOPROTOOPT, "%s; where the new version does not listen: --allow-drop",
                        old->unfit);
}

void rpctl_service_begin(struct rpctl_service *service, struct rpctl_operation *operation,
                         const struct rpctl_release *release)
{
    struct rp_error error = {0};

    if (is_busy(service, operation)) {
        rpctl_operation_finish(operation, RPCTL_EXIT_BUSY);
        return;
    }
    if (!release) release = &service->serving->release;
    if (rpctl_binary_check(release->binary, &error) < 0 || check_old_unfit(service, operation, &error) < 0) {
        rpctl_operation_fail(operation, "%s", error.message);
        rpctl_operation_finish(operation, RPCTL_EXIT_REFUSED);
        return;
    }
    if (make_candidate(service, operation, release) < 0) {
        rpctl_operation_fail(operation, "no memory for another generation; the service is as before");
        rpctl_operation_finish(operation, RPCTL_EXIT_FAILED);
        return;
    }
    operation->from = rpctl_service_serving_number(service);
    operation->to = service->candidate->number;
    snprintf(operation->release, sizeof operation->release, "%s", rpctl_release_name(release));
    service->operation = operation;
    rpctl_operation_announce(operation);
    rpctl_service_begin_witness(service, operation);
    begin_rollout(service, operation);
}
