/* The state that a supervisor leaves for its successor: round trip, and everything that is no state. */
#include "pure/state.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rp_error error;

static const char *const args[] = {"--listen", "127.0.0.1:80", "caf\xe9", NULL}; /* Latin-1: no UTF-8 */
static const char *const env[] = {"A=1", "B=\xff\xfe", NULL};
static const char *const none[] = {NULL};

static const struct rpctl_state_instance instances[] = {
    {.number = 1,
     .process = {4711, 99000},
     .state = RPCTL_INSTANCE_READY,
     .restarts = 3,
     .failures = 2,
     .since_ms = 1700000000123},
    {.number = 2, .state = RPCTL_INSTANCE_EXITED, .collected = true},
};

static struct rpctl_state_generation generations[2];
static struct rpctl_state_listener listeners[3] = {
    {77, 1, 1, 12}, {78, 1, 2, 13}, {UINT64_C(1) << 40, 2, 1, -1}};
static struct rpctl_state_group groups[1];
static struct rpctl_state state;

static void set_up(void)
{
    generations[0] = (struct rpctl_state_generation){.number = 2,
                                                     .state = RPCTL_GENERATION_PROVING,
                                                     .binary = "/srv/\xe9/app",
                                                     .args = args,
                                                     .env = env,
                                                     .policy = rpctl_policy_default,
                                                     .health = {RPCTL_HEALTH_HTTP, "/healthz"},
                                                     .unfit = "a listener is alone",
                                                     .since_ms = 5,
                                                     .first_start_time = 6};
    generations[1] = (struct rpctl_state_generation){.number = 1,
                                                     .state = RPCTL_GENERATION_DRAINING,
                                                     .binary = "/srv/app",
                                                     .args = none,
                                                     .env = none,
                                                     .policy = rpctl_policy_default,
                                                     .unfit = "",
                                                     .drain = RPCTL_DRAIN_DRAINING,
                                                     .drain_deadline_ms = 1700000000999,
                                                     .finished = 7,
                                                     .cut = 8,
                                                     .instances = instances,
                                                     .instance_count = 2};
    generations[1].policy.bake_ms = 12345;
    groups[0] = (struct rpctl_state_group){
        .order_known = true, .device = 2, .listeners = listeners, .listener_count = 3};
    cr_assert_eq(rp_address_parse(&groups[0].address, "[::]:443", NULL), 0);
    state = (struct rpctl_state){.boot_id = "0b5d",
                                 .service = "web",
                                 .supervisor = {321, 88},
                                 .since_s = 1700000000,
                                 .policy = rpctl_policy_default,
                                 .last_number = 9,
                                 .serving = 1,
                                 .candidate = 2,
                                 .rollout = RPCTL_ROLLOUT_PROVING,
                                 .operation = "upgrade",
                                 .crash = {.count = 5,
                                           .generation = 1,
                                           .instance = 2,
                                           .pid = 4710,
                                           .how = "signal 11 (SIGSEGV)",
                                           .at_ms = 1700000000500,
                                           .lived_ms = 40,
                                           .failures = 2,
                                           .given_up = true},
                                 .generations = generations,
                                 .generation_count = 2,
                                 .groups = groups,
                                 .group_count = 1};
}

TestSuite(state, .init = set_up, .timeout = 60);

static char *encode(size_t *length)
{
    char *text;
    cr_assert_eq(rpctl_state_encode(&state, &text, length, &error), 0, "%s", error.message);
    return text;
}

Test(state, round_trip)
{
    size_t length, again_length;
    char *text = encode(&length), *again;
    struct rpctl_state decoded;
    cr_assert_eq(text[length - 1], '\n');
    cr_assert_eq(rpctl_state_decode(&decoded, text, length, &error), 0, "%s", error.message);
    cr_assert_str_eq(decoded.generations[0].binary, "/srv/\xe9/app");
    cr_assert_str_eq(decoded.generations[0].args[2], "caf\xe9");
    cr_assert_null(decoded.generations[0].args[3]);
    cr_assert_str_eq(decoded.generations[0].env[1], "B=\xff\xfe");
    cr_assert_str_eq(decoded.generations[0].health.path, "/healthz");
    cr_assert_eq(decoded.generations[1].policy.bake_ms, 12345);
    cr_assert_eq(decoded.generations[1].instances[0].process.start_time, 99000);
    cr_assert_eq(decoded.generations[1].instances[0].failures, 2);
    cr_assert_eq(decoded.crash.count, 5);
    cr_assert_str_eq(decoded.crash.how, "signal 11 (SIGSEGV)");
    cr_assert(decoded.crash.given_up);
    cr_assert_eq(decoded.generations[1].drain, RPCTL_DRAIN_DRAINING);
    cr_assert_eq(decoded.groups[0].listeners[2].id, UINT64_C(1) << 40);
    cr_assert_eq(decoded.rollout, RPCTL_ROLLOUT_PROVING);
    cr_assert_eq(rpctl_state_find(&decoded, 1)->cut, 8);
    cr_assert_null(rpctl_state_find(&decoded, 3));
    /* Nothing that is not compared above is lost either: it is written the same way again. */
    cr_assert_eq(rpctl_state_encode(&decoded, &again, &again_length, &error), 0);
    cr_assert_str_eq(again, text);
    rpctl_state_done(&decoded);
    rpctl_state_done(&decoded);
    free(again);
    free(text);
    expect_no_leak();
}

/* Torn at every place: never taken for whole. */
Test(state, torn)
{
    size_t length;
    char *text = encode(&length);
    struct rpctl_state decoded = {.last_number = 42};
    for (size_t cut = 0; cut < length - 2; cut++) {
        int result = rpctl_state_decode(&decoded, text, cut, &error);
        cr_assert_eq(result, -EPROTO, "cut at %zu", cut);
    }
    cr_assert_eq(decoded.last_number, 42, "untouched");
    free(text);
    expect_no_leak();
}

/* Every member of every object is needed: without it, or with null in its place, it is no state. */
static unsigned spoil_each(json_t *root, json_t *value)
{
    unsigned spoilt = 0;
    const char *key;
    json_t *member;
    void *next;
    size_t i;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member) spoilt += spoil_each(root, member);
        return spoilt;
    }
    json_object_foreach_safe(value, next, key, member)
    {
        struct rpctl_state decoded;
        json_t *kept = json_incref(member);
        char *name = strdup(key), *text;
        if (strcmp(name, "policy") != 0 && strcmp(name, "hex") != 0) spoilt += spoil_each(root, member);
        if (strcmp(name, "policy") != 0) {
            json_object_set_new(value, name, json_null());
            text = json_dumps(root, 0);
            cr_assert_lt(rpctl_state_decode(&decoded, text, strlen(text), &error), 0, "without %s", name);
            free(text);
            json_object_set(value, name, kept);
            spoilt++;
        }
        json_decref(kept);
        free(name);
    }
    return spoilt;
}

Test(state, every_member_counts)
{
    size_t length;
    char *text = encode(&length);
    json_t *root = json_loads(text, 0, NULL);
    cr_assert_gt(spoil_each(root, root), 40);
    json_decref(root);
    free(text);
}

static int decode_with(const char *from, const char *to)
{
    size_t length;
    char *text = encode(&length), *found = strstr(text, from), changed[16384];
    struct rpctl_state decoded;
    int result;
    cr_assert_not_null(found, "%s", from);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(found - text), text, to, found + strlen(from));
    result = rpctl_state_decode(&decoded, changed, strlen(changed), &error);
    if (result == 0) rpctl_state_done(&decoded);
    free(text);
    return result;
}

Test(state, of_another_version)
{
    cr_assert_eq(decode_with("\"v\":2", "\"v\":3"), -EPROTONOSUPPORT);
    cr_assert_not_null(strstr(error.message, "version 3"), "%s", error.message);
    cr_assert_eq(decode_with("\"v\":2", "\"v\":\"2\""), -EPROTO);
}

Test(state, numbers_that_make_no_sense)
{
    cr_assert_eq(decode_with("\"pid\":4711", "\"pid\":4712"), 0, "the control");
    cr_assert_eq(decode_with("\"pid\":4711", "\"pid\":-1"), -EPROTO);
    cr_assert_eq(decode_with("\"pid\":4711", "\"pid\":4294967297"), -EPROTO);
    cr_assert_eq(decode_with("\"pid\":4711", "\"pid\":1.5"), -EPROTO);
    cr_assert_eq(decode_with("\"last\":9", "\"last\":1"), -EPROTO, "less than a generation's number");
    cr_assert_eq(decode_with("\"serving\":1", "\"serving\":3"), -EPROTO, "no such generation");
    cr_assert_eq(decode_with("\"candidate\":2", "\"candidate\":1"), -EPROTO, "it serves");
    cr_assert_eq(decode_with("\"instance\":1", "\"instance\":0"), -EPROTO);
    cr_assert_eq(decode_with("\"instance\":1", "\"instance\":65"), -EPROTO);
    cr_assert_eq(decode_with("\"generation\":2,\"state\"", "\"generation\":1,\"state\""), -EPROTO, "twice");
    cr_assert_eq(decode_with("\"rollout\":\"PROVING\"", "\"rollout\":\"DANCING\""), -EPROTO);
    cr_assert_eq(decode_with("[::]:443", "nowhere"), -EPROTO);
    cr_assert_eq(decode_with("\"/srv/app\"", "\"srv/app\""), -EPROTO, "a relative path");
    cr_assert_eq(decode_with("\"hex\":\"2f", "\"hex\":\"2g"), -EPROTO);
    cr_assert_eq(decode_with("\"hex\":\"2f", "\"hex\":\"00"), -EPROTO);
    cr_assert_eq(decode_with("\"web\"", "\"we\\u0000b\""), -EPROTO);
    cr_assert_eq(decode_with("\"web\"", "{\"hex\":\"ff\"}"), -EPROTO, "what could not be written again");
    cr_assert_eq(decode_with("\"0b5d\"", "{\"hex\":\"ff\"}"), -EPROTO);
    cr_assert_eq(decode_with("\"upgrade\"", "{\"hex\":\"ff\"}"), -EPROTO);
}

Test(state, foreign_texts)
{
    static const char *const texts[] = {"",          "\n",        "[]",      "{}",       "null",
                                        "\"state\"", "{\"v\":2}", "pid=1\n", "\xff\xff", "{\"v\":2,\"v\":2}"};
    struct rpctl_state decoded;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert_eq(rpctl_state_decode(&decoded, texts[i], strlen(texts[i]), &error), -EPROTO, "%s",
                     texts[i]);
    expect_no_leak();
}
