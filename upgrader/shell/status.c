#include "linux/process.h"
#include "pure/policy_settings.h"
#include "pure/request.h"
#include "pure/timestamp.h"
#include "pure/version.h"
#include "shell/service.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Theory. A status says who gets the new connections, and the kernel decides that the instant a job has
 * steered, before the loop has heard of it. So who serves is told by `steered_generation`, and the loop's own
 * states, which follow a moment later, are read through it: share and state cannot contradict each other. It
 * may change while a status is being made, so it is asked once for the whole of it. */

/* The generation that gets the new connections; 0 = none. */
static unsigned receiver(const struct rpctl_service *service)
{
    const struct rpctl_generation *candidate = service->candidate;
    unsigned steered = service->steered_generation;

    if (service->released) return 0;
    if (steered > 0) return steered;
    if (service->serving) return service->serving->number;
    return candidate && candidate->listener_count > 0 ? candidate->number : 0;
}

static enum rpctl_generation_state state_of(const struct rpctl_service *service,
                                            const struct rpctl_generation *generation, unsigned receives)
{
    enum rpctl_generation_state state = generation->state;

    if (state == RPCTL_GENERATION_STOPPING || state == RPCTL_GENERATION_DRAINING) return state;
    if (service->released) return RPCTL_GENERATION_DRAINING;
    if (!service->serving) return state; /* a first start has to be proven; or the last one has failed */
    if (receives == generation->number) return RPCTL_GENERATION_SERVING;
    return state == RPCTL_GENERATION_SERVING ? RPCTL_GENERATION_STANDBY : state;
}

static json_t *time_text(int64_t wall_s)
{
    char text[RPCTL_TIMESTAMP_BYTES];

    rpctl_timestamp_format(wall_s, text);
    return json_string(text);
}

/* --- instances ------------------------------------------------------------------------------------------ */

static const char *instance_state(const struct rpctl_instance *instance)
{
    bool was_launched = instance->process.pid > 0;

    return rpctl_instance_state_name(was_launched ? instance->state : RPCTL_INSTANCE_STARTING);
}

static void add_end(json_t *status, const struct rpctl_instance *instance)
{
    char how[RPCTL_PROCESS_STATUS_BYTES];

    if (instance->exit_unknown)
        snprintf(how, sizeof how, "unknown: a former supervisor launched it");
    else
        rpctl_process_describe_status(instance->exit_status, how);
    json_object_set_new(status, "ended", json_string(how));
}

static json_t *instance_status(const struct rpctl_instance *instance)
{
    bool is_failed = instance->state == RPCTL_INSTANCE_FAILED;
    bool has_exited = instance->state == RPCTL_INSTANCE_EXITED && instance->process.pid > 0;
    json_t *status =
        json_pack("{sI,sI,ss,so,sI}", "instance", (json_int_t)instance->number, "pid",
                  (json_int_t)instance->process.pid, "state", instance_state(instance), "since",
                  time_text(instance->since_ms / 1000), "restarts", (json_int_t)instance->restarts);

    if (!status) return NULL;
    if (instance->process.pidfd >= 0 && rpctl_instance_is_counted(instance))
        json_object_set_new(status, "connections", json_integer((json_int_t)instance->connections));
    if (has_exited || is_failed || instance->restarts > 0) add_end(status, instance);
    if (instance->backoff.failures > 0)
        json_object_set_new(status, "failures", json_integer((json_int_t)instance->backoff.failures));
    if (instance->relaunch && !is_failed)
        json_object_set_new(status, "next_try", time_text((instance->next_try_ms + 999) / 1000));
    if (instance->status[0]) json_object_set_new(status, "status", json_string(instance->status));
    return status;
}

/* --- generations ---------------------------------------------------------------------------------------- */

static json_t *addresses_status(const struct rpctl_generation *generation)
{
    json_t *addresses = json_array();
    char text[RP_ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i < generation->address_count; i++) {
        rp_address_format(&generation->addresses[i], text);
        json_array_append_new(addresses, json_string(text));
    }
    return addresses;
}

/* Only when the figure of each process is there. */
static void add_connections(json_t *status, const struct rpctl_generation *generation)
{
    json_int_t sum = 0;

    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_instance *instance = &generation->instances[i];

        if (!rpctl_instance_is_counted(instance)) return;
        if (instance->process.pidfd >= 0) sum += (json_int_t)instance->connections;
    }
    json_object_set_new(status, "connections", json_integer(sum));
}

static void add_drain(json_t *status, const struct rpctl_service *service,
                      const struct rpctl_generation *generation)
{
    int64_t since_ms, deadline_ms;
    json_t *drain;

    rpctl_leaving_times(generation->leaving, &since_ms, &deadline_ms);
    if (since_ms == 0) since_ms = service->stop_since_ms;
    if (service->released) deadline_ms = service->stop_deadline_ms;
    drain = json_pack("{so}", "since", time_text(since_ms / 1000));
    if (drain && deadline_ms > 0) json_object_set_new(drain, "deadline", time_text(deadline_ms / 1000));
    json_object_set_new(status, "drain", drain);
}

static json_t *generation_status(const struct rpctl_service *service,
                                 const struct rpctl_generation *generation, unsigned receives)
{
    enum rpctl_generation_state state = state_of(service, generation, receives);
    json_t *instances = json_array();
    json_t *status;

    for (unsigned i = 0; i < generation->instance_count; i++)
        json_array_append_new(instances, instance_status(&generation->instances[i]));
    status =
        json_pack("{sI,ss,ss,sI,sI,so,so,so}", "generation", (json_int_t)generation->number, "state",
                  rpctl_generation_state_name(state), "release", rpctl_release_name(&generation->release),
                  "share", (json_int_t)(receives == generation->number ? 100 : 0), "listeners",
                  (json_int_t)generation->listener_count, "addresses", addresses_status(generation), "since",
                  time_text(generation->since_ms / 1000), "instances", instances);
    if (!status) return NULL;
    add_connections(status, generation);
    if (state == RPCTL_GENERATION_DRAINING) add_drain(status, service, generation);
    return status;
}

static json_t *generations_status(const struct rpctl_service *service, unsigned receives)
{
    json_t *generations = json_array();
    const struct rpctl_generation *generation;

    for (generation = service->generations; generation; generation = generation->next)
        json_array_append_new(generations, generation_status(service, generation, receives));
    return generations;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static json_t *operation_status(const struct rpctl_operation *operation)
{
    json_t *status =
        json_pack("{ss,sI,sI,ss,so,ss,so}", "operation", operation->kind, "from", (json_int_t)operation->from,
                  "to", (json_int_t)operation->to, "release", operation->release, "since",
                  time_text(operation->since_s), "phase", operation->phase ? operation->phase : "", "events",
                  operation->events ? json_copy(operation->events) : json_array());

    if (!status || !operation->phase) return status;
    json_object_set_new(status, "ms", json_real(rpctl_operation_phase_ms(operation)));
    if (operation->phase_total_ms > 0)
        json_object_set_new(status, "total", json_integer((json_int_t)operation->phase_total_ms));
    return status;
}

/* The result of the last operation, without what belongs to an event. */
static json_t *last_status(const struct rpctl_service *service)
{
    static const char *const left_out[] = {"event", "service", "schema", "log"};
    json_t *last = json_copy(service->last_result);

    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) json_object_del(last, left_out[i]);
    json_object_set_new(last, "ended", time_text(service->last_result_s));
    return last;
}

static const char *service_state(const struct rpctl_service *service)
{
    if (service->state != RPCTL_SERVICE_RUNNING) return "stopping";
    if (service->failed && !service->failing) return "failed"; /* an upgrade may begin */
    return service->serving || service->failing ? "running" : "starting";
}

static unsigned count_draining(const struct rpctl_service *service, unsigned receives)
{
    unsigned count = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (state_of(service, generation, receives) == RPCTL_GENERATION_DRAINING) count++;
    return count;
}

static json_t *args_status(const struct rpctl_release *release)
{
    json_t *args = json_array();

    for (size_t i = 0; release->args[i]; i++) json_array_append_new(args, json_string(release->args[i]));
    return args;
}

static json_t *crash_status(const struct rpctl_state_crash *crash)
{
    return json_pack("{sI,sI,sI,sI,ss,so,sI,sI,sb}", "count", (json_int_t)crash->count, "generation",
                     (json_int_t)crash->generation, "instance", (json_int_t)crash->instance, "pid",
                     (json_int_t)crash->pid, "ended", crash->how, "at", time_text(crash->at_ms / 1000),
                     "lived_ms", (json_int_t)crash->lived_ms, "failures", (json_int_t)crash->failures,
                     "given_up", (int)crash->given_up);
}

json_t *rpctl_service_status(struct rpctl_service *service)
{
    const struct rpctl_generation *current = service->serving ? service->serving : service->failed;
    unsigned receives = receiver(service);
    json_t *status = json_pack(
        "{ss,si,ss,ss,so,sI,s{sI,ss,so},so}", "event", "status", "schema", RPCTL_SCHEMA, "service",
        service->config->name, "state", service_state(service), "generations",
        generations_status(service, receives), "draining", (json_int_t)count_draining(service, receives),
        "supervisor", "pid", (json_int_t)getpid(), "version", rpctl_version, "since",
        time_text(service->since_s), "policy", rpctl_policy_settings_of(&service->policy));

    if (!status) return NULL;
    if (current) {
        json_object_set_new(status, "release", json_string(current->release.binary));
        json_object_set_new(status, "args", args_status(&current->release));
    }
    if (service->crash.count > 0) json_object_set_new(status, "crash", crash_status(&service->crash));
    if (service->operations) json_object_set_new(status, "operation", operation_status(service->operations));
    if (service->last_result) json_object_set_new(status, "last", last_status(service));
    return status;
}
