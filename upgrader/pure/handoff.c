#include "pure/handoff.h"

#include "pure/json_memory.h"
#include "pure/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(of, member, type)                                                                              \
    {                                                                                                        \
#member, RPCTL_RECORD_##type, offsetof(struct of, member)                                            \
    }

static const struct rpctl_record_field generation_fields[] = {
    FIELD(rpctl_handoff_generation, number, UNSIGNED),
    FIELD(rpctl_handoff_generation, log_fd, INT),
    FIELD(rpctl_handoff_generation, taken_over, FLAG),
    FIELD(rpctl_handoff_generation, leaving_since_ms, INT64),
    FIELD(rpctl_handoff_generation, quiesce_left, UNSIGNED),
    FIELD(rpctl_handoff_generation, had_to_be_killed, FLAG),
    FIELD(rpctl_handoff_generation, crash, TEXT),
};

static const struct rpctl_record_field instance_fields[] = {
    FIELD(rpctl_handoff_instance, generation, UNSIGNED), FIELD(rpctl_handoff_instance, number, UNSIGNED),
    FIELD(rpctl_handoff_instance, pid, INT64),           FIELD(rpctl_handoff_instance, pidfd, INT),
    FIELD(rpctl_handoff_instance, is_child, FLAG),       FIELD(rpctl_handoff_instance, exit_status, INT),
    FIELD(rpctl_handoff_instance, exit_unknown, FLAG),   FIELD(rpctl_handoff_instance, notifies, FLAG),
    FIELD(rpctl_handoff_instance, handed_over, FLAG),    FIELD(rpctl_handoff_instance, said_ready, FLAG),
    FIELD(rpctl_handoff_instance, found, FLAG),          FIELD(rpctl_handoff_instance, told, FLAG),
    FIELD(rpctl_handoff_instance, killed, FLAG),         FIELD(rpctl_handoff_instance, unfit, TEXT),
    FIELD(rpctl_handoff_instance, status, TEXT),         FIELD(rpctl_handoff_instance, next_try_ms, INT64),
    FIELD(rpctl_handoff_instance, launched_ms, UINT64),  FIELD(rpctl_handoff_instance, clear_ns, UINT64),
    FIELD(rpctl_handoff_instance, ended, UINT64),
};

static const struct rpctl_record_field operation_fields[] = {
    FIELD(rpctl_handoff_operation, kind, TEXT),
    FIELD(rpctl_handoff_operation, from, UNSIGNED),
    FIELD(rpctl_handoff_operation, to, UNSIGNED),
    FIELD(rpctl_handoff_operation, release, TEXT),
    FIELD(rpctl_handoff_operation, policy, JSON),
    FIELD(rpctl_handoff_operation, since_s, INT64),
    FIELD(rpctl_handoff_operation, begun_ns, UINT64),
    FIELD(rpctl_handoff_operation, by_uid, INT64),
    FIELD(rpctl_handoff_operation, by_pid, INT64),
    FIELD(rpctl_handoff_operation, events, JSON),
    FIELD(rpctl_handoff_operation, phase, TEXT),
    FIELD(rpctl_handoff_operation, phase_begun_ns, UINT64),
    FIELD(rpctl_handoff_operation, phase_total_ms, UNSIGNED),
    FIELD(rpctl_handoff_operation, leaving, UNSIGNED),
    FIELD(rpctl_handoff_operation, draining, FLAG),
    FIELD(rpctl_handoff_operation, witnessed, FLAG),
    FIELD(rpctl_handoff_operation, requests, ULONG),
    FIELD(rpctl_handoff_operation, failed, ULONG),
    FIELD(rpctl_handoff_operation, slowest_ns, UINT64),
    FIELD(rpctl_handoff_operation, first_failure, TEXT),
};

static const struct rpctl_record_field client_fields[] = {
    FIELD(rpctl_handoff_client, fd, INT),
    FIELD(rpctl_handoff_client, role, UNSIGNED),
    FIELD(rpctl_handoff_client, operation, UNSIGNED),
    FIELD(rpctl_handoff_client, input, TEXT),
    FIELD(rpctl_handoff_client, output, TEXT),
};

static const struct rpctl_record_field log_fields[] = {
    FIELD(rpctl_handoff_log, generation, UNSIGNED),
    FIELD(rpctl_handoff_log, fd, INT),
    FIELD(rpctl_handoff_log, offset, INT64),
};

static const struct rpctl_record_field whole_fields[] = {
    FIELD(rpctl_handoff, version, TEXT),      FIELD(rpctl_handoff, program, TEXT),
    FIELD(rpctl_handoff, name, TEXT),         FIELD(rpctl_handoff, dir, TEXT),
    FIELD(rpctl_handoff, dir_fd, INT),        FIELD(rpctl_handoff, log_dir_fd, INT),
    FIELD(rpctl_handoff, lock_fd, INT),       FIELD(rpctl_handoff, notify_fd, INT),
    FIELD(rpctl_handoff, instances_fd, INT),  FIELD(rpctl_handoff, control_fd, INT),
    FIELD(rpctl_handoff, foreground, FLAG),   FIELD(rpctl_handoff, json, FLAG),
    FIELD(rpctl_handoff, quiet, FLAG),        FIELD(rpctl_handoff, binary, TEXT),
    FIELD(rpctl_handoff, args, TEXTS),        FIELD(rpctl_handoff, env, TEXTS),
    FIELD(rpctl_handoff, steered, UNSIGNED),  FIELD(rpctl_handoff, last_result, JSON),
    FIELD(rpctl_handoff, plain_result, TEXT), FIELD(rpctl_handoff, last_result_s, INT64),
};

static const struct rpctl_record generation_record =
    RPCTL_RECORD_OF(generation_fields, struct rpctl_handoff_generation);
static const struct rpctl_record instance_record =
    RPCTL_RECORD_OF(instance_fields, struct rpctl_handoff_instance);
static const struct rpctl_record operation_record =
    RPCTL_RECORD_OF(operation_fields, struct rpctl_handoff_operation);
static const struct rpctl_record client_record = RPCTL_RECORD_OF(client_fields, struct rpctl_handoff_client);
static const struct rpctl_record log_record = RPCTL_RECORD_OF(log_fields, struct rpctl_handoff_log);
static const struct rpctl_record whole_record = RPCTL_RECORD_OF(whole_fields, struct rpctl_handoff);

/* The lists of a handoff, for both ways. */
static const struct {
    const char *key;
    const struct rpctl_record *record;
    size_t max;
    size_t list, count; /* offsets */
} lists[] = {
    {"generations", &generation_record, RPCTL_STATE_GENERATIONS_MAX,
     offsetof(struct rpctl_handoff, generations), offsetof(struct rpctl_handoff, generation_count)},
    {"instances", &instance_record, (size_t)RPCTL_STATE_GENERATIONS_MAX *RPCTL_INSTANCES_MAX,
     offsetof(struct rpctl_handoff, instances), offsetof(struct rpctl_handoff, instance_count)},
    {"operations", &operation_record, RPCTL_HANDOFF_OPERATIONS_MAX,
     offsetof(struct rpctl_handoff, operations), offsetof(struct rpctl_handoff, operation_count)},
    {"clients", &client_record, RPCTL_HANDOFF_CLIENTS_MAX, offsetof(struct rpctl_handoff, clients),
     offsetof(struct rpctl_handoff, client_count)},
    {"logs", &log_record, RPCTL_HANDOFF_LOGS_MAX, offsetof(struct rpctl_handoff, logs),
     offsetof(struct rpctl_handoff, log_count)},
};

#define LIST_COUNT (sizeof lists / sizeof *lists)

static void **list_of(struct rpctl_handoff *handoff, size_t i)
{
    return (void **)((char *)handoff + lists[i].list);
}

static size_t *count_of(struct rpctl_handoff *handoff, size_t i)
{
    return (size_t *)((char *)handoff + lists[i].count);
}

/* --- encode --------------------------------------------------------------------------------------------- */

static int no_memory(const char *what, struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "no memory to %s", what);
}

static json_t *encode(const struct rpctl_handoff *handoff)
{
    json_t *document = rpctl_record_encode(&whole_record, handoff);

    json_object_set_new(document, "v", json_integer(RPCTL_HANDOFF_VERSION));
    for (size_t i = 0; i < LIST_COUNT; i++) {
        const void *list = *(void *const *)((const char *)handoff + lists[i].list);
        size_t count = *(const size_t *)((const char *)handoff + lists[i].count);

        json_object_set_new(document, lists[i].key, rpctl_record_encode_list(lists[i].record, list, count));
    }
    return document;
}

/* The line, with the state behind it. */
static char *join(const json_t *document, const char *state, size_t state_length, size_t *ret_length)
{
    size_t length = document ? json_dumpb(document, NULL, 0, JSON_COMPACT) : 0;
    char *text = length > 0 ? malloc(length + 1 + state_length + 1) : NULL;

    if (!text || json_dumpb(document, text, length, JSON_COMPACT) != length) {
        free(text);
        return NULL;
    }
    text[length] = '\n';
    memcpy(text + length + 1, state, state_length);
    text[length + 1 + state_length] = '\0';
    *ret_length = length + 1 + state_length;
    return text;
}

int rpctl_handoff_encode(const struct rpctl_handoff *handoff, const char *state, size_t state_length,
                         char **ret_text, size_t *ret_length, struct rp_error *error)
{
    json_t *document;
    char *text;
    size_t length = 0;

    rpctl_json_memory_watch();
    document = encode(handoff);
    text = join(document, state, state_length, &length);
    json_decref(document);
    if (!text || rpctl_json_memory_was_short()) {
        free(text);
        return no_memory("write the state down", error);
    }
    if (length > RPCTL_HANDOFF_BYTES_MAX) {
        free(text);
        return rp_error_set(error, -E2BIG, "the state takes %zu bytes, more than %u", length,
                            RPCTL_HANDOFF_BYTES_MAX);
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}

/* --- decode --------------------------------------------------------------------------------------------- */

static int check_version(const json_t *document, struct rp_error *error)
{
    const json_t *version = json_object_get(document, "v");
    const char *writer = json_string_value(json_object_get(document, "version"));

    if (!json_is_integer(version)) return rp_error_set(error, -EPROTO, "it has no version");
    if (json_integer_value(version) == RPCTL_HANDOFF_VERSION) return 0;
    return rp_error_set(error, -EPROTONOSUPPORT,
                        "its version is %" JSON_INTEGER_FORMAT " (written by rpctl %.20s), and not %d",
                        json_integer_value(version), writer ? writer : "?", RPCTL_HANDOFF_VERSION);
}

/* A number that points at something must point at something. */
static int check_clients(const struct rpctl_handoff *handoff, struct rp_error *error)
{
    for (size_t i = 0; i < handoff->client_count; i++) {
        const struct rpctl_handoff_client *client = &handoff->clients[i];

        if (client->role < RPCTL_HANDOFF_ROLE_COUNT &&
            (client->role != RPCTL_HANDOFF_FOLLOWS || client->operation < handoff->operation_count))
            continue;
        return rp_error_set(error, -EPROTO, "a client of it has no role that makes sense");
    }
    return 0;
}

static int check_generations(const struct rpctl_handoff *handoff, struct rp_error *error)
{
    const struct rpctl_state *state = &handoff->state;

    for (size_t i = 0; i < state->generation_count; i++) {
        const struct rpctl_state_generation *generation = &state->generations[i];
        bool known = rpctl_handoff_generation(handoff, generation->number) != NULL;

        for (size_t k = 0; known && k < generation->instance_count; k++)
            known = rpctl_handoff_instance(handoff, generation->number, generation->instances[k].number);
        if (!known)
            return rp_error_set(error, -EPROTO, "its generation %u is not told of whole", generation->number);
    }
    if (rpctl_state_find(state, state->serving)) return 0;
    return rp_error_set(error, -EPROTO, "no generation of it serves");
}

static int decode(struct rpctl_handoff *handoff, struct rp_error *error)
{
    int result = check_version(handoff->document, error);

    if (result == 0) result = rpctl_record_decode(&whole_record, handoff->document, handoff, error);
    for (size_t i = 0; result == 0 && i < LIST_COUNT; i++)
        result = rpctl_record_decode_list(lists[i].record, handoff->document, lists[i].key, lists[i].max,
                                          list_of(handoff, i), count_of(handoff, i), error);
    return result == 0 ? check_clients(handoff, error) : result;
}

static int decode_parts(struct rpctl_handoff *handoff, const char *text, size_t length,
                        struct rp_error *error)
{
    const char *end = memchr(text, '\n', length);
    size_t line = end ? (size_t)(end - text) : 0;
    int result;

    if (!end) return rp_error_set(error, -EPROTO, "it is only a part of one");
    rpctl_json_memory_watch();
    handoff->document = json_loadb(text, line, JSON_REJECT_DUPLICATES, NULL);
    if (rpctl_json_memory_was_short()) return no_memory("read it", error);
    if (!json_is_object(handoff->document)) return rp_error_set(error, -EPROTO, "it is no JSON object");
    result = decode(handoff, error);
    if (result == 0) result = rpctl_state_decode(&handoff->state, text + line + 1, length - line - 1, error);
    return result == 0 ? check_generations(handoff, error) : result;
}

int rpctl_handoff_decode(struct rpctl_handoff *ret_handoff, const char *text, size_t length,
                         struct rp_error *error)
{
    struct rpctl_handoff handoff = {0};
    int result = decode_parts(&handoff, text, length, error);

    if (result < 0)
        rpctl_handoff_done(&handoff);
    else
        *ret_handoff = handoff;
    return result;
}

void rpctl_handoff_done(struct rpctl_handoff *handoff)
{
    if (handoff->document) {
        for (size_t i = 0; i < LIST_COUNT; i++)
            rpctl_record_done_list(lists[i].record, *list_of(handoff, i), *count_of(handoff, i));
        rpctl_record_done(&whole_record, handoff);
        json_decref(handoff->document);
    }
    rpctl_state_done(&handoff->state);
    *handoff = (struct rpctl_handoff){0};
}

const struct rpctl_handoff_generation *rpctl_handoff_generation(const struct rpctl_handoff *handoff,
                                                                unsigned number)
{
    for (size_t i = 0; i < handoff->generation_count; i++)
        if (handoff->generations[i].number == number) return &handoff->generations[i];
    return NULL;
}

const struct rpctl_handoff_instance *rpctl_handoff_instance(const struct rpctl_handoff *handoff,
                                                            unsigned generation, unsigned number)
{
    for (size_t i = 0; i < handoff->instance_count; i++)
        if (handoff->instances[i].generation == generation && handoff->instances[i].number == number)
            return &handoff->instances[i];
    return NULL;
}

/* --- descriptors ---------------------------------------------------------------------------------------- */

struct fds {
    int *fds; /* NULL: only counted */
    size_t count;
};

static void put(struct fds *fds, int fd)
{
    if (fd < 0) return;
    if (fds->fds) fds->fds[fds->count] = fd;
    fds->count++;
}

static void put_all(struct fds *fds, const struct rpctl_handoff *handoff)
{
    const int own[] = {handoff->dir_fd,    handoff->log_dir_fd,   handoff->lock_fd,
                       handoff->notify_fd, handoff->instances_fd, handoff->control_fd};

    fds->count = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) put(fds, own[i]);
    for (size_t i = 0; i < handoff->generation_count; i++) put(fds, handoff->generations[i].log_fd);
    for (size_t i = 0; i < handoff->instance_count; i++) put(fds, handoff->instances[i].pidfd);
    for (size_t i = 0; i < handoff->client_count; i++) put(fds, handoff->clients[i].fd);
    for (size_t i = 0; i < handoff->log_count; i++) put(fds, handoff->logs[i].fd);
    for (size_t i = 0; i < handoff->state.group_count; i++)
        for (size_t k = 0; k < handoff->state.groups[i].listener_count; k++)
            put(fds, handoff->state.groups[i].listeners[k].fd);
}

int *rpctl_handoff_fds(const struct rpctl_handoff *handoff, size_t *ret_count)
{
    struct fds fds = {0};

    put_all(&fds, handoff);
    fds.fds = calloc(fds.count + 1, sizeof *fds.fds);
    if (fds.fds) put_all(&fds, handoff);
    *ret_count = fds.count;
    return fds.fds;
}
