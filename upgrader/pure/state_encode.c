#include "pure/policy_settings.h"
#include "pure/state.h"
#include "pure/state_bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whatever fails here fails for want of memory: each step gives NULL then, and jansson's setters take NULL as
 * a failure, so it is enough to look at the end. */

static json_t *encode_process(const struct rpctl_state_process *process)
{
    return json_pack("{sI,sI}", "pid", (json_int_t)process->pid, "start", (json_int_t)process->start_time);
}

static json_t *encode_instance(const struct rpctl_state_instance *instance)
{
    return json_pack("{sI,so,ss,sb,sI,sI,sI}", "instance", (json_int_t)instance->number, "process",
                     encode_process(&instance->process), "state", rpctl_instance_state_name(instance->state),
                     "collected", instance->collected, "restarts", (json_int_t)instance->restarts, "failures",
                     (json_int_t)instance->failures, "since_ms", (json_int_t)instance->since_ms);
}

static json_t *encode_health(const struct rpctl_health *health)
{
    struct rpctl_policy policy = rpctl_policy_default;
    char text[RPCTL_POLICY_TEXT_BYTES];

    policy.health = *health;
    if (rpctl_policy_format(&policy, "health", text, sizeof text) < 0) return NULL;
    return json_string(text);
}

static json_t *encode_instances(const struct rpctl_state_generation *generation)
{
    json_t *array = json_array();

    for (size_t i = 0; i < generation->instance_count; i++) {
        if (json_array_append_new(array, encode_instance(&generation->instances[i])) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *encode_generation(const struct rpctl_state_generation *generation)
{
    return json_pack("{sI,ss,so,so,so,so,so,so,sI,sI,ss,sI,sI,sI,so}", "generation",
                     (json_int_t)generation->number, "state", rpctl_generation_state_name(generation->state),
                     "binary", rpctl_state_bytes_encode(generation->binary), "args",
                     rpctl_state_bytes_encode_texts(generation->args), "env",
                     rpctl_state_bytes_encode_texts(generation->env), "policy",
                     rpctl_policy_settings_of(&generation->policy), "health",
                     encode_health(&generation->health), "unfit", rpctl_state_bytes_encode(generation->unfit),
                     "since_ms", (json_int_t)generation->since_ms, "first_start",
                     (json_int_t)generation->first_start_time, "drain",
                     rpctl_drain_state_name(generation->drain), "drain_deadline_ms",
                     (json_int_t)generation->drain_deadline_ms, "finished", (json_int_t)generation->finished,
                     "cut", (json_int_t)generation->cut, "instances", encode_instances(generation));
}

static json_t *encode_generations(const struct rpctl_state *state)
{
    json_t *array = json_array();

    for (size_t i = 0; i < state->generation_count; i++) {
        if (json_array_append_new(array, encode_generation(&state->generations[i])) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *encode_listeners(const struct rpctl_state_group *group)
{
    json_t *array = json_array();

    for (size_t i = 0; i < group->listener_count; i++) {
        const struct rpctl_state_listener *listener = &group->listeners[i];
        json_t *item = json_pack("{sI,sI,sI,si}", "id", (json_int_t)listener->id, "generation",
                                 (json_int_t)listener->generation, "instance", (json_int_t)listener->instance,
                                 "fd", listener->fd);

        if (json_array_append_new(array, item) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *encode_groups(const struct rpctl_state *state)
{
    json_t *array = json_array();

    for (size_t i = 0; i < state->group_count; i++) {
        const struct rpctl_state_group *group = &state->groups[i];
        char address[RP_ADDRESS_TEXT_BYTES];

        rp_address_format(&group->address, address);
        if (json_array_append_new(array,
                                  json_pack("{ss,sI,sb,so}", "address", address, "device",
                                            (json_int_t)group->device, "order_known", group->order_known,
                                            "listeners", encode_listeners(group))) == 0)
            continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *encode_crash(const struct rpctl_state_crash *crash)
{
    return json_pack("{sI,sI,sI,sI,ss,sI,sI,sI,sb}", "count", (json_int_t)crash->count, "generation",
                     (json_int_t)crash->generation, "instance", (json_int_t)crash->instance, "pid",
                     (json_int_t)crash->pid, "how", crash->how ? crash->how : "", "at_ms",
                     (json_int_t)crash->at_ms, "lived_ms", (json_int_t)crash->lived_ms, "failures",
                     (json_int_t)crash->failures, "given_up", (int)crash->given_up);
}

static json_t *encode(const struct rpctl_state *state)
{
    return json_pack("{si,ss,ss,so,sI,so,sI,sI,sI,ss,ss,so,so,so}", "v", RPCTL_STATE_VERSION, "boot",
                     state->boot_id, "service", state->service, "supervisor",
                     encode_process(&state->supervisor), "since_s", (json_int_t)state->since_s, "policy",
                     rpctl_policy_settings_of(&state->policy), "last", (json_int_t)state->last_number,
                     "serving", (json_int_t)state->serving, "candidate", (json_int_t)state->candidate,
                     "rollout", rpctl_rollout_state_name(state->rollout), "operation", state->operation,
                     "crash", encode_crash(&state->crash), "generations", encode_generations(state), "groups",
                     encode_groups(state));
}

static int no_memory(struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "no memory to write the state down");
}

int rpctl_state_encode(const struct rpctl_state *state, char **ret_text, size_t *ret_length,
                       struct rp_error *error)
{
    json_t *document = encode(state);
    size_t length = document ? json_dumpb(document, NULL, 0, JSON_COMPACT) : 0;
    char *text = length > 0 ? malloc(length + 2) : NULL;
    bool whole = text && json_dumpb(document, text, length, JSON_COMPACT) == length;

    json_decref(document);
    if (!whole || length >= RPCTL_STATE_BYTES_MAX) {
        free(text);
        return whole ? rp_error_set(error, -E2BIG, "the state takes %zu bytes, more than %u", length,
                                    RPCTL_STATE_BYTES_MAX)
                     : no_memory(error);
    }
    memcpy(text + length, "\n", 2);
    *ret_text = text;
    *ret_length = length + 1;
    return 0;
}
