#include "pure/request.h"
#include "pure/environment.h"
#include "pure/json_memory.h"
#include "pure/policy_settings.h"
#include "pure/quote.h"
#include "pure/utf8.h"
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum member { MEMBER_BINARY = 1, MEMBER_ARGS = 2, MEMBER_ENV = 4, MEMBER_POLICY = 8 };

static const struct {
    const char *name;
    unsigned members; /* beside "v" and "command" */
} commands[RPCTL_REQUEST_COMMAND_COUNT] = {
    [RPCTL_REQUEST_STATUS] = {"status", 0},
    [RPCTL_REQUEST_WATCH] = {"watch", 0},
    [RPCTL_REQUEST_UPGRADE] = {"upgrade", MEMBER_BINARY | MEMBER_ARGS | MEMBER_ENV | MEMBER_POLICY},
    [RPCTL_REQUEST_RESTART] = {"restart", MEMBER_POLICY},
    [RPCTL_REQUEST_FOLLOW] = {"follow", 0},
    [RPCTL_REQUEST_ABORT] = {"abort", 0},
    [RPCTL_REQUEST_STOP] = {"stop", 0},
    [RPCTL_REQUEST_REEXEC] = {"reexec", 0},
};

const char *rpctl_request_command_name(enum rpctl_request_command command)
{
    assert(command < RPCTL_REQUEST_COMMAND_COUNT);
    return commands[command].name;
}

static int out_of_memory(struct rp_error *error)
{
    return rp_error_set(error, -ENOMEM, "out of memory");
}

/* ---- encode ---- */

static int put_text(json_t *object, const char *key, const char *text, struct rp_error *error)
{
    if (!rpctl_utf8_is_valid(text))
        return rp_error_set(error, -EINVAL,
                            "%s %s is not UTF-8, which a request must be; rename or leave it out", key,
                            rpctl_quote(text).text);
    return json_object_set_new(object, key, json_string(text)) < 0 ? out_of_memory(error) : 0;
}

static int put_texts(json_t *object, const char *key, const char *const *texts, struct rp_error *error)
{
    json_t *array = json_array();
    if (json_object_set_new(object, key, array) < 0) return out_of_memory(error);
    for (; *texts; texts++) {
        if (!rpctl_utf8_is_valid(*texts))
            return rp_error_set(error, -EINVAL, "%s: %s is not UTF-8, which a request must be", key,
                                rpctl_quote(*texts).text);
        if (json_array_append_new(array, json_string(*texts)) < 0) return out_of_memory(error);
    }
    return 0;
}

static int put_members(json_t *object, const struct rpctl_request *request, struct rp_error *error)
{
    int result = 0;
    if (json_object_set_new(object, "v", json_integer(RPCTL_PROTOCOL_VERSION)) < 0)
        return out_of_memory(error);
    result = put_text(object, "command", rpctl_request_command_name(request->command), error);
    if (result == 0 && request->binary) result = put_text(object, "binary", request->binary, error);
    if (result == 0 && request->args) result = put_texts(object, "args", request->args, error);
    if (result == 0 && request->env) result = put_texts(object, "env", request->env, error);
    if (result == 0 && request->policy && json_object_set(object, "policy", request->policy) < 0)
        result = out_of_memory(error);
    return result;
}

static int dump_line(const json_t *object, char **ret_line, size_t *ret_length, struct rp_error *error)
{
    size_t length = json_dumpb(object, NULL, 0, JSON_COMPACT);
    if (length == 0) return out_of_memory(error);
    if (length > RPCTL_REQUEST_BYTES_MAX)
        return rp_error_set(error, -E2BIG, "the arguments take %zu bytes, more than the %d of a request",
                            length, RPCTL_REQUEST_BYTES_MAX);
    char *line = malloc(length + 2);
    if (!line) return out_of_memory(error);
    if (json_dumpb(object, line, length, JSON_COMPACT) != length) {
        free(line);
        return out_of_memory(error);
    }
    memcpy(line + length, "\n", 2);
    *ret_line = line;
    *ret_length = length + 1;
    return 0;
}

int rpctl_request_encode(const struct rpctl_request *request, char **ret_line, size_t *ret_length,
                         struct rp_error *error)
{
    json_t *object = json_object();
    if (!object) return out_of_memory(error);
    int result = put_members(object, request, error);
    if (result == 0) result = dump_line(object, ret_line, ret_length, error);
    json_decref(object);
    return result;
}

/* ---- decode ---- */

static int check_version(const json_t *object, struct rp_error *error)
{
    const json_t *version = json_object_get(object, "v");
    if (json_is_integer(version) && json_integer_value(version) == RPCTL_PROTOCOL_VERSION) return 0;
    return rp_error_set(
        error, -EINVAL,
        "the request is not of protocol version %d, the one this supervisor speaks; use the rpctl "
        "that started it",
        RPCTL_PROTOCOL_VERSION);
}

static int find_command(enum rpctl_request_command *ret_command, const json_t *object, struct rp_error *error)
{
    const char *name = json_string_value(json_object_get(object, "command"));
    if (!name) return rp_error_set(error, -EINVAL, "the request has no command");
    for (int i = 0; i < RPCTL_REQUEST_COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        *ret_command = (enum rpctl_request_command)i;
        return 0;
    }
    return rp_error_set(error, -EINVAL, "unknown command %s in the request", rpctl_quote(name).text);
}

static unsigned member_of_key(const char *key)
{
    static const struct {
        const char *key;
        unsigned member;
    } members[] = {
        {"binary", MEMBER_BINARY}, {"args", MEMBER_ARGS}, {"env", MEMBER_ENV}, {"policy", MEMBER_POLICY}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(members[i].key, key) == 0) return members[i].member;
    return 0;
}

/* A member that this side does not know may change what the other side means, so it is not passed over. */
static int check_members(json_t *object, enum rpctl_request_command command, struct rp_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "v") == 0 || strcmp(key, "command") == 0) continue;
        if (member_of_key(key) & commands[command].members) continue;
        return rp_error_set(error, -EINVAL, "unknown member %s in a request to %s", rpctl_quote(key).text,
                            commands[command].name);
    }
    return 0;
}

static int take_binary(struct rpctl_request *request, const json_t *object, struct rp_error *error)
{
    request->binary = json_string_value(json_object_get(object, "binary"));
    if (request->command != RPCTL_REQUEST_UPGRADE || (request->binary && request->binary[0] == '/')) return 0;
    return rp_error_set(error, -EINVAL, "the binary of a request must be an absolute path");
}

/* The array's texts stay the document's; the list of pointers is the caller's to free. */
static int take_texts(const char *const **ret_texts, const json_t *object, const char *key,
                      struct rp_error *error)
{
    const json_t *array = json_object_get(object, key);
    if (!array) return 0;
    if (!json_is_array(array)) return rp_error_set(error, -EINVAL, "%s in the request is not an array", key);
    size_t count = json_array_size(array);
    const char **texts = calloc(count + 1, sizeof *texts);
    if (!texts) return out_of_memory(error);
    for (size_t i = 0; i < count; i++) {
        texts[i] = json_string_value(json_array_get(array, i));
        if (texts[i]) continue;
        free(texts);
        return rp_error_set(error, -EINVAL, "%s[%zu] in the request is not a string", key, i);
    }
    *ret_texts = texts;
    return 0;
}

static int take_env(struct rpctl_request *request, const json_t *object, struct rp_error *error)
{
    int result = take_texts(&request->env, object, "env", error);
    for (size_t i = 0; result == 0 && request->env && request->env[i]; i++)
        result = i < RPCTL_ENVIRONMENT_MAX
                     ? rpctl_environment_check(request->env[i], error)
                     : rp_error_set(error, -EINVAL, "more than %d env entries", RPCTL_ENVIRONMENT_MAX);
    return result;
}

static int take_policy(struct rpctl_request *request, const json_t *object, struct rp_error *error)
{
    struct rpctl_policy unused = rpctl_policy_default;
    request->policy = json_object_get(object, "policy");
    return rpctl_policy_settings_apply(&unused, request->policy, error);
}

static int take_members(struct rpctl_request *request, json_t *object, struct rp_error *error)
{
    int result = check_version(object, error);
    if (result == 0) result = find_command(&request->command, object, error);
    if (result == 0) result = check_members(object, request->command, error);
    if (result == 0) result = take_binary(request, object, error);
    if (result == 0) result = take_texts(&request->args, object, "args", error);
    if (result == 0) result = take_env(request, object, error);
    if (result == 0) result = take_policy(request, object, error);
    return result;
}

int rpctl_request_decode(struct rpctl_request *ret_request, const char *line, size_t length,
                         struct rp_error *error)
{
    if (length > RPCTL_REQUEST_BYTES_MAX)
        return rp_error_set(error, -EINVAL, "the request is longer than %d bytes", RPCTL_REQUEST_BYTES_MAX);
    rpctl_json_memory_watch();
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        if (rpctl_json_memory_was_short()) return out_of_memory(error);
        return rp_error_set(error, -EINVAL, "the request is not one JSON object");
    }
    struct rpctl_request request = {.document = object};
    int result = take_members(&request, object, error);
    if (result < 0)
        rpctl_request_done(&request);
    else
        *ret_request = request;
    return result;
}

/* Through an integer, because the list was made here but is const for everybody else. */
static void free_list(const char *const *list)
{
    free((void *)(uintptr_t)list);
}

void rpctl_request_done(struct rpctl_request *request)
{
    if (request->document) { /* an encoded request borrows everything */
        free_list(request->args);
        free_list(request->env);
        json_decref(request->document);
    }
    *request = (struct rpctl_request){0};
}
