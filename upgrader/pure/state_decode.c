#include "pure/policy_settings.h"
#include "pure/state.h"
#include "pure/state_bytes.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- single values: each says what is wrong with which member ------------------------------------------- */

static int bad(const char *key, struct rp_error *error)
{
    return rp_error_set(error, -EPROTO, "its member \"%s\" is missing or makes no sense", key);
}

static int no_memory(struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "no memory to read the state");
}

static int take_number(const json_t *object, const char *key, int64_t max, int64_t *ret_number,
                       struct rp_error *error)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number > max) return bad(key, error);
    *ret_number = number;
    return 0;
}

static int take_unsigned(const json_t *object, const char *key, unsigned *ret_number, struct rp_error *error)
{
    int64_t number = 0;
    int result = take_number(object, key, INT_MAX, &number, error);

    if (result == 0) *ret_number = (unsigned)number;
    return result;
}

static int take_count(const json_t *object, const char *key, unsigned long *ret_number,
                      struct rp_error *error)
{
    int64_t number = 0;
    int result = take_number(object, key, INT64_MAX, &number, error);

    if (result == 0) *ret_number = (unsigned long)number;
    return result;
}

static int take_u64(const json_t *object, const char *key, uint64_t *ret_number, struct rp_error *error)
{
    int64_t number = 0;
    int result = take_number(object, key, INT64_MAX, &number, error);

    if (result == 0) *ret_number = (uint64_t)number;
    return result;
}

static int take_flag(const json_t *object, const char *key, bool *ret_flag, struct rp_error *error)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_boolean(value)) return bad(key, error);
    *ret_flag = json_is_true(value);
    return 0;
}

static int take_text(const json_t *object, const char *key, const char **ret_text, struct rp_error *error)
{
    const char *text = rpctl_state_bytes_decode(json_object_get(object, key));

    if (!text) return bad(key, error);
    *ret_text = text;
    return 0;
}

/* A text of our own: always UTF-8, so never written as bytes, and not to be read as such. */
static int take_word(const json_t *object, const char *key, const char **ret_word, struct rp_error *error)
{
    return json_is_string(json_object_get(object, key)) ? take_text(object, key, ret_word, error)
                                                        : bad(key, error);
}

static int take_texts(const json_t *object, const char *key, const char *const **ret_texts,
                      struct rp_error *error)
{
    const json_t *array = json_object_get(object, key);
    size_t count = json_array_size(array);
    const char **texts;

    if (!json_is_array(array) || count > RPCTL_STATE_TEXTS_MAX) return bad(key, error);
    texts = calloc(count + 1, sizeof *texts);
    if (!texts) return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        texts[i] = rpctl_state_bytes_decode(json_array_get(array, i));
        if (texts[i]) continue;
        free(texts);
        return bad(key, error);
    }
    *ret_texts = texts;
    return 0;
}

static int take_policy(const json_t *object, struct rpctl_policy *ret_policy, struct rp_error *error)
{
    json_t *settings = json_object_get(object, "policy");
    struct rpctl_policy policy = rpctl_policy_default;

    if (!json_is_object(settings) || rpctl_policy_settings_apply(&policy, settings, NULL) < 0)
        return bad("policy", error);
    *ret_policy = policy;
    return 0;
}

static int take_health(const json_t *object, struct rpctl_health *ret_health, struct rp_error *error)
{
    const char *text = json_string_value(json_object_get(object, "health"));
    struct rpctl_policy policy = rpctl_policy_default;

    if (!text || rpctl_policy_set(&policy, "health", text, NULL) < 0) return bad("health", error);
    *ret_health = policy.health;
    return 0;
}

static int take_process(const json_t *object, const char *key, struct rpctl_state_process *ret_process,
                        struct rp_error *error)
{
    const json_t *process = json_object_get(object, key);
    int64_t pid = 0;
    int result = take_number(process, "pid", INT_MAX, &pid, error);

    if (result == 0) result = take_u64(process, "start", &ret_process->start_time, error);
    if (result == 0) ret_process->pid = (pid_t)pid;
    return result;
}

static int take_rollout(const json_t *object, enum rpctl_rollout_state *ret_state, struct rp_error *error)
{
    const char *name = json_string_value(json_object_get(object, "rollout"));

    for (int i = 0; name && i < RPCTL_ROLLOUT_STATE_COUNT; i++) {
        if (strcmp(rpctl_rollout_state_name((enum rpctl_rollout_state)i), name) != 0) continue;
        *ret_state = (enum rpctl_rollout_state)i;
        return 0;
    }
    return bad("rollout", error);
}

static int take_drain(const json_t *object, enum rpctl_drain_state *ret_state, struct rp_error *error)
{
    const char *name = json_string_value(json_object_get(object, "drain"));

    for (int i = 0; name && i < RPCTL_DRAIN_STATE_COUNT; i++) {
        if (strcmp(rpctl_drain_state_name((enum rpctl_drain_state)i), name) != 0) continue;
        *ret_state = (enum rpctl_drain_state)i;
        return 0;
    }
    return bad("drain", error);
}

/* --- lists ---------------------------------------------------------------------------------------------- */

/* The array under `key`, of at most `max` items, and room for as many of `bytes` each; freed by
 * rpctl_state_done. NULL with 0 for an empty one. */
static int make_list(const json_t *object, const char *key, size_t max, size_t bytes, void **ret_list,
                     size_t *ret_count, struct rp_error *error)
{
    const json_t *array = json_object_get(object, key);
    size_t count = json_array_size(array);

    if (!json_is_array(array) || count > max) return bad(key, error);
    *ret_list = count > 0 ? calloc(count, bytes) : NULL;
    if (count > 0 && !*ret_list) return no_memory(error);
    *ret_count = count;
    return 0;
}

static int take_instance(const json_t *item, struct rpctl_state_instance *instance, struct rp_error *error)
{
    const char *state = json_string_value(json_object_get(item, "state"));
    int result = take_unsigned(item, "instance", &instance->number, error);

    if (result == 0 && (instance->number < 1 || instance->number > RPCTL_INSTANCES_MAX))
        result = bad("instance", error);
    if (result == 0) result = take_process(item, "process", &instance->process, error);
    if (result == 0 && rpctl_instance_state_parse(&instance->state, state) < 0) result = bad("state", error);
    if (result == 0) result = take_flag(item, "collected", &instance->collected, error);
    if (result == 0) result = take_unsigned(item, "restarts", &instance->restarts, error);
    if (result == 0) result = take_unsigned(item, "failures", &instance->failures, error);
    if (result == 0) result = take_number(item, "since_ms", INT64_MAX, &instance->since_ms, error);
    return result;
}

static int take_instances(const json_t *item, struct rpctl_state_generation *generation,
                          struct rp_error *error)
{
    struct rpctl_state_instance *instances = NULL;
    const json_t *array = json_object_get(item, "instances");
    void *list = NULL;
    int result = make_list(item, "instances", RPCTL_INSTANCES_MAX, sizeof *instances, &list,
                           &generation->instance_count, error);

    generation->instances = instances = list;
    for (size_t i = 0; result == 0 && i < generation->instance_count; i++)
        result = take_instance(json_array_get(array, i), &instances[i], error);
    return result;
}

static int take_release(const json_t *item, struct rpctl_state_generation *generation, struct rp_error *error)
{
    int result = take_text(item, "binary", &generation->binary, error);

    if (result == 0 && generation->binary[0] != '/') result = bad("binary", error);
    if (result == 0) result = take_texts(item, "args", &generation->args, error);
    if (result == 0) result = take_texts(item, "env", &generation->env, error);
    if (result == 0) result = take_policy(item, &generation->policy, error);
    if (result == 0) result = take_health(item, &generation->health, error);
    if (result == 0) result = take_text(item, "unfit", &generation->unfit, error);
    return result;
}

static int take_generation(const json_t *item, struct rpctl_state_generation *generation,
                           struct rp_error *error)
{
    const char *state = json_string_value(json_object_get(item, "state"));
    int result = take_unsigned(item, "generation", &generation->number, error);

    if (result == 0 && generation->number == 0) result = bad("generation", error);
    if (result == 0 && rpctl_generation_state_parse(&generation->state, state) < 0)
        result = bad("state", error);
    if (result == 0) result = take_release(item, generation, error);
    if (result == 0) result = take_number(item, "since_ms", INT64_MAX, &generation->since_ms, error);
    if (result == 0) result = take_u64(item, "first_start", &generation->first_start_time, error);
    if (result == 0) result = take_drain(item, &generation->drain, error);
    if (result == 0)
        result = take_number(item, "drain_deadline_ms", INT64_MAX, &generation->drain_deadline_ms, error);
    if (result == 0) result = take_count(item, "finished", &generation->finished, error);
    if (result == 0) result = take_count(item, "cut", &generation->cut, error);
    if (result == 0) result = take_instances(item, generation, error);
    return result;
}

static int take_generations(struct rpctl_state *state, struct rp_error *error)
{
    struct rpctl_state_generation *generations = NULL;
    const json_t *array = json_object_get(state->document, "generations");
    void *list = NULL;
    int result = make_list(state->document, "generations", RPCTL_STATE_GENERATIONS_MAX, sizeof *generations,
                           &list, &state->generation_count, error);

    state->generations = generations = list;
    for (size_t i = 0; result == 0 && i < state->generation_count; i++)
        result = take_generation(json_array_get(array, i), &generations[i], error);
    return result;
}

static int take_listener(const json_t *item, struct rpctl_state_listener *listener, struct rp_error *error)
{
    const json_t *fd = json_object_get(item, "fd");
    int result = take_u64(item, "id", &listener->id, error);

    if (result == 0) result = take_unsigned(item, "generation", &listener->generation, error);
    if (result == 0) result = take_unsigned(item, "instance", &listener->instance, error);
    if (result == 0 &&
        (!json_is_integer(fd) || json_integer_value(fd) < -1 || json_integer_value(fd) > INT_MAX))
        result = bad("fd", error);
    if (result == 0) listener->fd = (int)json_integer_value(fd);
    return result;
}

static int take_group(const json_t *item, struct rpctl_state_group *group, struct rp_error *error)
{
    const char *address = json_string_value(json_object_get(item, "address"));
    const json_t *array = json_object_get(item, "listeners");
    struct rpctl_state_listener *listeners = NULL;
    void *list = NULL;
    int result = make_list(item, "listeners", RPCTL_GROUP_MAX, sizeof *listeners, &list,
                           &group->listener_count, error);

    group->listeners = listeners = list;
    if (result == 0 && (!address || rp_address_parse(&group->address, address, NULL) < 0))
        result = bad("address", error);
    if (result == 0) result = take_unsigned(item, "device", &group->device, error);
    if (result == 0) result = take_flag(item, "order_known", &group->order_known, error);
    for (size_t i = 0; result == 0 && i < group->listener_count; i++)
        result = take_listener(json_array_get(array, i), &listeners[i], error);
    return result;
}

static int take_crash(struct rpctl_state *state, struct rp_error *error)
{
    const json_t *item = json_object_get(state->document, "crash");
    struct rpctl_state_crash *crash = &state->crash;
    int64_t pid = 0;
    int result = take_count(item, "count", &crash->count, error);

    if (result == 0) result = take_unsigned(item, "generation", &crash->generation, error);
    if (result == 0) result = take_unsigned(item, "instance", &crash->instance, error);
    if (result == 0) result = take_number(item, "pid", INT_MAX, &pid, error);
    if (result == 0) result = take_word(item, "how", &crash->how, error);
    if (result == 0) result = take_number(item, "at_ms", INT64_MAX, &crash->at_ms, error);
    if (result == 0) result = take_u64(item, "lived_ms", &crash->lived_ms, error);
    if (result == 0) result = take_unsigned(item, "failures", &crash->failures, error);
    if (result == 0) result = take_flag(item, "given_up", &crash->given_up, error);
    crash->pid = (pid_t)pid;
    return result;
}

static int take_groups(struct rpctl_state *state, struct rp_error *error)
{
    struct rpctl_state_group *groups = NULL;
    const json_t *array = json_object_get(state->document, "groups");
    void *list = NULL;
    int result = make_list(state->document, "groups", RPCTL_STATE_GROUPS_MAX, sizeof *groups, &list,
                           &state->group_count, error);

    state->groups = groups = list;
    for (size_t i = 0; result == 0 && i < state->group_count; i++)
        result = take_group(json_array_get(array, i), &groups[i], error);
    return result;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static int check_version(const json_t *document, struct rp_error *error)
{
    const json_t *version = json_object_get(document, "v");

    if (!json_is_integer(version)) return bad("v", error);
    if (json_integer_value(version) == RPCTL_STATE_VERSION) return 0;
    return rp_error_set(error, -EPROTONOSUPPORT,
                        "it is of version %" JSON_INTEGER_FORMAT ", and this rpctl reads version %d",
                        json_integer_value(version), RPCTL_STATE_VERSION);
}

/* Numbers that name each other must fit together, so that nobody has to ask again. */
static int check_numbers(const struct rpctl_state *state, struct rp_error *error)
{
    for (size_t i = 0; i < state->generation_count; i++) {
        if (state->generations[i].number > state->last_number) return bad("last", error);
        if (i > 0 && state->generations[i].number >= state->generations[i - 1].number)
            return bad("generations", error);
    }
    if (state->serving && !rpctl_state_find(state, state->serving)) return bad("serving", error);
    if (state->candidate && !rpctl_state_find(state, state->candidate)) return bad("candidate", error);
    if (state->candidate && state->candidate == state->serving) return bad("candidate", error);
    return 0;
}

static int take_all(struct rpctl_state *state, struct rp_error *error)
{
    const json_t *document = state->document;
    int result = check_version(document, error);

    if (result == 0) result = take_word(document, "boot", &state->boot_id, error);
    if (result == 0) result = take_word(document, "service", &state->service, error);
    if (result == 0) result = take_process(document, "supervisor", &state->supervisor, error);
    if (result == 0) result = take_number(document, "since_s", INT64_MAX, &state->since_s, error);
    if (result == 0) result = take_policy(document, &state->policy, error);
    if (result == 0) result = take_unsigned(document, "last", &state->last_number, error);
    if (result == 0) result = take_unsigned(document, "serving", &state->serving, error);
    if (result == 0) result = take_unsigned(document, "candidate", &state->candidate, error);
    if (result == 0) result = take_rollout(document, &state->rollout, error);
    if (result == 0) result = take_word(document, "operation", &state->operation, error);
    if (result == 0) result = take_crash(state, error);
    if (result == 0) result = take_generations(state, error);
    if (result == 0) result = take_groups(state, error);
    return result == 0 ? check_numbers(state, error) : result;
}

int rpctl_state_decode(struct rpctl_state *ret_state, const char *text, size_t length, struct rp_error *error)
{
    struct rpctl_state state = {0};
    int result;

    if (length > RPCTL_STATE_BYTES_MAX)
        return rp_error_set(error, -EPROTO, "it is too long (%zu bytes)", length);
    state.document = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(state.document)) {
        json_decref(state.document);
        return rp_error_set(error, -EPROTO, "it is no JSON object, or only a part of one");
    }
    result = take_all(&state, error);
    if (result < 0)
        rpctl_state_done(&state);
    else
        *ret_state = state;
    return result;
}

/* Through an integer: made here, const for everybody else. */
static void free_list(const void *list)
{
    free((void *)(uintptr_t)list);
}

void rpctl_state_done(struct rpctl_state *state)
{
    if (!state->document) return;
    for (size_t i = 0; i < state->generation_count; i++) {
        free_list(state->generations[i].args);
        free_list(state->generations[i].env);
        free_list(state->generations[i].instances);
    }
    for (size_t i = 0; i < state->group_count; i++) free_list(state->groups[i].listeners);
    free_list(state->generations);
    free_list(state->groups);
    json_decref(state->document);
    *state = (struct rpctl_state){0};
}

const struct rpctl_state_generation *rpctl_state_find(const struct rpctl_state *state, unsigned number)
{
    for (size_t i = 0; i < state->generation_count; i++)
        if (state->generations[i].number == number) return &state->generations[i];
    return NULL;
}
