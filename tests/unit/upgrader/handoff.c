/* What a supervisor hands to the program in its place: round trip, and everything that is no handoff. */
#include "pure/handoff.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rp_error error;

static const char *const args[] = {"--listen", "caf\xe9", NULL}; /* Latin-1: no UTF-8 */
static const char *const none[] = {NULL};
static const struct rpctl_state_instance state_instances[] = {
    {.number = 1, .process = {4711, 99000}, .state = RPCTL_INSTANCE_READY}, {.number = 2}};
static struct rpctl_state_generation state_generations[] = {{.number = 7,
                                                             .state = RPCTL_GENERATION_SERVING,
                                                             .binary = "/srv/app",
                                                             .args = args,
                                                             .env = none,
                                                             .unfit = "",
                                                             .instances = state_instances,
                                                             .instance_count = 2}};
static const struct rpctl_state_listener listeners[] = {{77, 7, 1, 21}, {78, 7, 2, 22}};
static struct rpctl_state_group groups[] = {
    {.order_known = true, .listeners = listeners, .listener_count = 2}};
static const struct rpctl_handoff_generation generations[] = {
    {.number = 7, .log_fd = 10, .taken_over = true, .leaving_since_ms = 5, .crash = "signal 6"}};
static const struct rpctl_handoff_instance instances[] = {{.generation = 7,
                                                           .number = 1,
                                                           .pid = 4711,
                                                           .pidfd = 11,
                                                           .is_child = true,
                                                           .unfit = "no",
                                                           .status = "\xff"},
                                                          {.generation = 7,
                                                           .number = 2,
                                                           .pidfd = -1,
                                                           .exit_status = 256,
                                                           .unfit = "",
                                                           .status = "",
                                                           .next_try_ms = 1700000000123,
                                                           .launched_ms = 8,
                                                           .clear_ns = UINT64_C(1) << 60,
                                                           .ended = 123456}};
static struct rpctl_handoff_operation operations[] = {{.kind = "reexec",
                                                       .release = "rpctl",
                                                       .by_uid = -1,
                                                       .by_pid = -1,
                                                       .phase = "resume",
                                                       .first_failure = ""},
                                                      {.kind = "upgrade",
                                                       .from = 6,
                                                       .to = 7,
                                                       .release = "app",
                                                       .since_s = 1700000000,
                                                       .begun_ns = 12345,
                                                       .by_uid = 1000,
                                                       .by_pid = 99,
                                                       .phase = "drain",
                                                       .phase_begun_ns = 12346,
                                                       .phase_total_ms = 30000,
                                                       .leaving = 6,
                                                       .draining = true,
                                                       .witnessed = true,
                                                       .requests = 400,
                                                       .failed = 1,
                                                       .slowest_ns = 77,
                                                       .first_failure = "refused"}};
static const struct rpctl_handoff_client clients[] = {
    {.fd = 12, .role = RPCTL_HANDOFF_FOLLOWS, .operation = 1, .input = "", .output = "{\"event\":1}\n"},
    {.fd = 13, .role = RPCTL_HANDOFF_ASKS, .input = "{\"v\":1", .output = ""},
    {.fd = 14, .role = RPCTL_HANDOFF_WATCHES, .input = "", .output = ""}};
static const struct rpctl_handoff_log logs[] = {{7, 15, INT64_C(1) << 40}};
static struct rpctl_state state;
static struct rpctl_handoff handoff;

static void set_up(void)
{
    state_generations[0].policy = rpctl_policy_default;
    state_generations[0].policy.instances = 2;
    cr_assert_eq(rp_address_parse(&groups[0].address, "127.0.0.1:80", NULL), 0);
    state = (struct rpctl_state){.boot_id = "0b5d",
                                 .service = "web",
                                 .supervisor = {321, 88},
                                 .policy = rpctl_policy_default,
                                 .last_number = 9,
                                 .serving = 7,
                                 .operation = "",
                                 .generations = state_generations,
                                 .generation_count = 1,
                                 .groups = groups,
                                 .group_count = 1};
    handoff = (struct rpctl_handoff){.version = "1.2.3",
                                     .program = "/usr/bin/rpctl",
                                     .name = "web",
                                     .dir = "/var/lib/rpctl/web",
                                     .dir_fd = 3,
                                     .log_dir_fd = 4,
                                     .lock_fd = 5,
                                     .notify_fd = 6,
                                     .instances_fd = 7,
                                     .control_fd = 8,
                                     .json = true,
                                     .binary = "/srv/app",
                                     .args = args,
                                     .env = none,
                                     .steered = 7,
                                     .plain_result = "",
                                     .last_result_s = 1700000000,
                                     .generations = generations,
                                     .generation_count = 1,
                                     .instances = instances,
                                     .instance_count = 2,
                                     .operations = operations,
                                     .operation_count = 2,
                                     .clients = clients,
                                     .client_count = 3,
                                     .logs = logs,
                                     .log_count = 1};
}

TestSuite(handoff, .init = set_up, .timeout = 60);

static char *encode_state(size_t *length)
{
    char *text;
    cr_assert_eq(rpctl_state_encode(&state, &text, length, &error), 0, "%s", error.message);
    return text;
}

static char *encode(size_t *length)
{
    size_t state_length;
    char *text, *state_text = encode_state(&state_length);
    cr_assert_eq(rpctl_handoff_encode(&handoff, state_text, state_length, &text, length, &error), 0, "%s",
                 error.message);
    free(state_text);
    return text;
}

/* The memory of the JSON values is none of the test's that looks for leaks. */
static void give_values(void)
{
    handoff.last_result = json_pack("{si}", "exit", 3);
    for (size_t i = 0; i < 2; i++) operations[i].policy = json_object();
    operations[1].events = json_pack("[s]", "an event");
}

static void take_values(void)
{
    json_decref(handoff.last_result);
    json_decref(operations[1].events);
    for (size_t i = 0; i < 2; i++) json_decref(operations[i].policy);
}

static void expect_same(const struct rpctl_handoff *decoded)
{
    cr_assert_str_eq(decoded->version, "1.2.3");
    cr_assert_str_eq(decoded->args[1], "caf\xe9");
    cr_assert_null(decoded->args[2]);
    cr_assert(decoded->json && !decoded->quiet);
    cr_assert_eq(json_integer_value(json_object_get(decoded->last_result, "exit")), 3);
    cr_assert_str_eq(rpctl_handoff_generation(decoded, 7)->crash, "signal 6");
    cr_assert_eq(rpctl_handoff_instance(decoded, 7, 2)->clear_ns, UINT64_C(1) << 60);
    cr_assert_eq(rpctl_handoff_instance(decoded, 7, 2)->pidfd, -1);
    cr_assert_str_eq(rpctl_handoff_instance(decoded, 7, 1)->status, "\xff");
    cr_assert_null(decoded->operations[0].events);
    cr_assert_eq(decoded->operations[0].by_pid, -1);
    cr_assert_eq(decoded->operations[1].requests, 400);
    cr_assert_str_eq(decoded->clients[1].input, "{\"v\":1");
    cr_assert_eq(decoded->logs[0].offset, INT64_C(1) << 40);
    cr_assert_eq(decoded->state.groups[0].listeners[1].fd, 22);
}

Test(handoff, round_trip)
{
    size_t length, again_length, state_length;
    struct rpctl_handoff decoded;
    give_values();
    char *text = encode(&length), *again, *state_text = encode_state(&state_length);
    cr_assert_eq(rpctl_handoff_decode(&decoded, text, length, &error), 0, "%s", error.message);
    expect_same(&decoded);
    /* Nothing that is not compared above is lost either: it is written the same way again. */
    cr_assert_eq(rpctl_handoff_encode(&decoded, state_text, state_length, &again, &again_length, &error), 0);
    cr_assert_str_eq(again, text);
    rpctl_handoff_done(&decoded);
    rpctl_handoff_done(&decoded);
    take_values();
    free(again);
    free(state_text);
    free(text);
    expect_no_leak();
}

Test(handoff, names_every_descriptor)
{
    static const int expected[] = {3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 21, 22};
    size_t length, count;
    char *text = encode(&length);
    struct rpctl_handoff decoded;
    cr_assert_eq(rpctl_handoff_decode(&decoded, text, length, &error), 0, "%s", error.message);
    int *fds = rpctl_handoff_fds(&decoded, &count);
    cr_assert_eq(count, sizeof expected / sizeof *expected);
    cr_assert_eq(memcmp(fds, expected, sizeof expected), 0);
    free(fds);
    rpctl_handoff_done(&decoded);
    free(text);
    expect_no_leak();
}

/* Torn at every place: never taken for whole. */
Test(handoff, torn)
{
    size_t length;
    char *text = encode(&length);
    struct rpctl_handoff decoded = {.steered = 42};
    for (size_t cut = 0; cut < length - 2; cut++) {
        int result = rpctl_handoff_decode(&decoded, text, cut, &error);
        cr_assert_eq(result, -EPROTO, "cut at %zu", cut);
    }
    cr_assert_eq(decoded.steered, 42, "untouched");
    free(text);
    expect_no_leak();
}

/* `root` as the first line, with the state behind it. */
static int decode_as(const json_t *root)
{
    size_t length;
    struct rpctl_handoff decoded;
    char *line = json_dumps(root, JSON_COMPACT), *state_text = encode_state(&length), *whole;
    cr_assert_gt(asprintf(&whole, "%s\n%s", line, state_text), 0);
    int result = rpctl_handoff_decode(&decoded, whole, strlen(whole), &error);
    if (result == 0) rpctl_handoff_done(&decoded);
    free(whole);
    free(state_text);
    free(line);
    return result;
}

static json_t *first_line(void)
{
    size_t length;
    char *text = encode(&length);
    *strchr(text, '\n') = '\0';
    json_t *root = json_loads(text, 0, NULL);
    free(text);
    return root;
}

static bool is_value(const char *key)
{
    return strcmp(key, "policy") == 0 || strcmp(key, "events") == 0 || strcmp(key, "last_result") == 0 ||
           strcmp(key, "hex") == 0;
}

static void spoil(json_t *root, json_t *object, const char *name)
{
    json_t *kept = json_incref(json_object_get(object, name));
    if (!is_value(name)) {
        json_object_set_new(object, name, json_real(1.5));
        cr_assert_lt(decode_as(root), 0, "with another %s", name);
    }
    json_object_del(object, name);
    cr_assert_lt(decode_as(root), 0, "without %s", name);
    json_object_set_new(object, name, kept);
}

/* Every member of every object is needed, of its own type. */
static unsigned spoil_each(json_t *root, json_t *value)
{
    unsigned spoilt = 0;
    const char *key;
    json_t *member,
        *copy = json_is_object(value) ? json_copy(value) : NULL; /* what is put back stands last */
    size_t i;
    json_array_foreach(value, i, member) spoilt += spoil_each(root, member);
    json_object_foreach(copy, key, member)
    {
        if (!is_value(key)) spoilt += spoil_each(root, member);
        spoil(root, value, key);
        spoilt++;
    }
    json_decref(copy);
    return spoilt;
}

Test(handoff, every_member_counts)
{
    json_t *root = first_line();
    cr_assert_eq(decode_as(root), 0, "the control: %s", error.message);
    cr_assert_gt(spoil_each(root, root), 90);
    json_decref(root);
}

static int decode_with(const char *list, const char *key, json_int_t number)
{
    json_t *root = first_line();
    json_t *object = list ? json_array_get(json_object_get(root, list), 0) : root;
    cr_assert(json_is_integer(json_object_get(object, key)), "%s", key);
    json_object_set_new(object, key, json_integer(number));
    int result = decode_as(root);
    json_decref(root);
    return result;
}

Test(handoff, of_another_version)
{
    cr_assert_eq(decode_with(NULL, "v", 3), -EPROTONOSUPPORT);
    cr_assert_not_null(strstr(error.message, "its version is 3 (written by rpctl 1.2.3), and not 2"), "%s",
                       error.message);
}

Test(handoff, a_state_of_another_version)
{
    size_t length;
    struct rpctl_handoff decoded;
    char *text = encode(&length);
    memcpy(strstr(strchr(text, '\n'), "\"v\":2"), "\"v\":3", 5);
    cr_assert_eq(rpctl_handoff_decode(&decoded, text, length, &error), -EPROTONOSUPPORT);
    free(text);
    expect_no_leak();
}

Test(handoff, numbers_that_make_no_sense)
{
    cr_assert_eq(decode_with(NULL, "lock_fd", 50), 0, "the control");
    cr_assert_eq(decode_with(NULL, "lock_fd", -2), -EPROTO);
    cr_assert_eq(decode_with(NULL, "lock_fd", INT64_C(1) << 32), -EPROTO);
    cr_assert_eq(decode_with(NULL, "steered", -1), -EPROTO);
    cr_assert_eq(decode_with(NULL, "steered", INT64_C(1) << 32), -EPROTO);
    cr_assert_eq(decode_with("operations", "begun_ns", -1), -EPROTO);
    cr_assert_eq(decode_with("operations", "requests", -1), -EPROTO);
    cr_assert_eq(decode_with("operations", "by_pid", -2), -EPROTO);
    cr_assert_eq(decode_with("clients", "role", RPCTL_HANDOFF_ROLE_COUNT), -EPROTO);
    cr_assert_eq(decode_with("clients", "operation", 2), -EPROTO, "it follows none");
    cr_assert_eq(decode_with("generations", "number", 8), -EPROTO, "the state has another");
    cr_assert_eq(decode_with("instances", "number", 3), -EPROTO, "the state has another");
}

Test(handoff, nobody_serves)
{
    state.serving = 0;
    json_t *root = first_line();
    cr_assert_eq(decode_as(root), -EPROTO);
    json_decref(root);
}
