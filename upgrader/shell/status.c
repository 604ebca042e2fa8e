#include "pure/policy_settings.h"
#include "pure/timestamp.h"
#include "shell/service.h"

#include <string.h>
#include <unistd.h>

static json_t *time_text(int64_t wall_s)
{
    char text[RPCTL_TIMESTAMP_BYTES];

    rpctl_timestamp_format(wall_s, text);
    return json_string(text);
}

static json_t *instance_status(const struct rpctl_instance *instance)
{
    json_t *status =
        json_pack("{sI,sI,ss,so,sI}", "instance", (json_int_t)instance->number, "pid",
                  (json_int_t)instance->process.pid, "state", rpctl_instance_state_name(instance->state),
                  "since", time_text(instance->since_ms / 1000), "restarts", (json_int_t)instance->restarts);

    if (status && instance->status[0]) json_object_set_new(status, "status", json_string(instance->status));
    return status;
}

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

static json_t *generation_status(const struct rpctl_generation *generation)
{
    json_t *instances = json_array();

    for (unsigned i = 0; i < generation->instance_count; i++)
        json_array_append_new(instances, instance_status(&generation->instances[i]));
    return json_pack("{sI,ss,ss,sI,sI,so,so,so}", "generation", (json_int_t)generation->number, "state",
                     rpctl_generation_state_name(generation->state), "release",
                     rpctl_release_name(&generation->release), "share",
                     (json_int_t)(generation->state == RPCTL_GENERATION_SERVING ? 100 : 0), "listeners",
                     (json_int_t)generation->listener_count, "addresses", addresses_status(generation),
                     "since", time_text(generation->since_ms / 1000), "instances", instances);
}

static json_t *generations_status(const struct rpctl_service *service)
{
    json_t *generations = json_array();
    const struct rpctl_generation *generation;

    for (generation = service->generations; generation; generation = generation->next)
        json_array_append_new(generations, generation_status(generation));
    return generations;
}

static json_t *operation_status(const struct rpctl_operation *operation)
{
    return json_pack("{ss,sI,sI,ss,so,ss}", "operation", operation->kind, "from", (json_int_t)operation->from,
                     "to", (json_int_t)operation->to, "release", operation->release, "since",
                     time_text(operation->since_s), "phase", operation->phase ? operation->phase : "");
}

static json_t *args_status(const struct rpctl_release *release)
{
    json_t *args = json_array();

    for (size_t i = 0; release->args[i]; i++) json_array_append_new(args, json_string(release->args[i]));
    return args;
}

json_t *rpctl_service_status(struct rpctl_service *service)
{
    json_t *status = json_pack(
        "{ss,ss,so,s{sI,ss,so},so}", "event", "status", "service", service->config->name, "generations",
        generations_status(service), "supervisor", "pid", (json_int_t)getpid(), "version", RPCTL_VERSION,
        "since", time_text(service->since_s), "policy", rpctl_policy_settings_of(&service->policy));

    if (!status) return NULL;
    if (service->serving) {
        json_object_set_new(status, "release", json_string(service->serving->release.binary));
        json_object_set_new(status, "args", args_status(&service->serving->release));
    }
    if (service->operations) json_object_set_new(status, "operation", operation_status(service->operations));
    return status;
}
