#include "linux/binary_check.h"
#include "linux/sock_diag.h"
#include "pure/exit_code.h"
#include "shell/service.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- what is told about it ------------------------------------------------------------------------------ */

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

static void report(struct rpctl_service *service, enum rpctl_rollout_state before, const char *why)
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

/* --- the actions ------------------------------------------------------------------------------------------
 */

/* Posts `good` or, with the reason, `bad`. */
static void post_status(struct rpctl_service *service, int status, const struct rp_error *error,
                        enum rpctl_rollout_event good, enum rpctl_rollout_event bad)
{
    if (status == 0)
        rpctl_service_post(service, good);
    else
        rpctl_service_post_because(service, bad, "%s", error->message);
}

static void on_pinned(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                      const struct rp_error *error)
{
    (void)generation;
    /* A stranger in the group, or a listener that cannot be shared, is a finding; all else is a failure. */
    if ((status == -EEXIST || status == -ENOPROTOOPT) && service->rollout.state == RPCTL_ROLLOUT_PINNING)
        service->operation->refused = true;
    post_status(service, status, error, RPCTL_ROLLOUT_ON_PINNED, RPCTL_ROLLOUT_ON_PIN_FAILED);
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

static void stop_candidate(struct rpctl_service *service)
{
    struct rpctl_generation *candidate = service->candidate;

    candidate->state = RPCTL_GENERATION_STOPPING;
    rpctl_service_probe_cancel(service);
    rpctl_service_collect_stop(service);
    if (rpctl_generation_running(candidate) == 0) {
        rpctl_service_sweep(service, candidate, on_candidate_swept);
        return;
    }
    /* Where it fails, SIGKILL at the end of the grace: nothing is lost, there was no traffic. */
    (void)rpctl_service_signal(candidate, candidate->policy.stop_signal);
    uv_timer_start(&service->stop_timer, on_stop_grace, RPCTL_STOP_GRACE_MS, 0);
}

void rpctl_rollout_shell_on_candidate_ended(struct rpctl_service *service)
{
    uv_timer_stop(&service->stop_timer);
    rpctl_service_sweep(service, service->candidate, on_candidate_swept);
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

static void commit(struct rpctl_service *service)
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

static void finish(struct rpctl_service *service)
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

static void act(struct rpctl_service *service, enum rpctl_rollout_action action)
{
    const struct rpctl_policy *policy = &service->operation->policy;

    switch (action) {
    case RPCTL_ROLLOUT_DO_PIN: rpctl_steering_pin(service, service->serving, on_pinned); return;
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
    case RPCTL_ROLLOUT_DO_STOP_NEW: stop_candidate(service); return;
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
    case RPCTL_ROLLOUT_DO_COMMIT: commit(service); return;
    case RPCTL_ROLLOUT_DO_FINISH: finish(service); return;
    case RPCTL_ROLLOUT_DO_NONE:
    case RPCTL_ROLLOUT_ACTION_COUNT: break;
    }
    assert(false && "an action that has no deed");
}

/* --- feeding it --------------------------------------------------------------------------------------------
 */

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
    if (before != service->rollout.state) {
        rpctl_service_log(service, "rollout=%s event=%s next=%s", rpctl_rollout_state_name(before),
                          rpctl_rollout_event_name(posted->event),
                          rpctl_rollout_state_name(service->rollout.state));
        report(service, before, posted->why);
    }
    if (posted->event == RPCTL_ROLLOUT_ON_NEW_EXITED && before == service->rollout.state &&
        service->operation && !rpctl_rollout_is_undoing(&service->rollout))
        rpctl_operation_warn(service->operation, "%s; the others serve on, for generation %u has died",
                             posted->why, service->operation->from);
    rpctl_keeper_changed(&service->keeper);
    for (size_t i = 0; i < result.action_count; i++) act(service, result.actions[i]);
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

/* --- beginning one
 * --------------------------------------------------------------------------------------------- */

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
