#include "pure/request.h"
#include "fixture.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct rp_error error;

static int decode(struct rpctl_request *request, const char *line)
{
    error = (struct rp_error){0};
    return rpctl_request_decode(request, line, strlen(line), &error);
}

static void refuse(const char *line, const char *part)
{
    struct rpctl_request request = {.binary = "untouched"};
    cr_assert_eq(decode(&request, line), -EINVAL, "%s was taken", line);
    cr_assert(strstr(error.message, part), "%s: %s", line, error.message);
    cr_assert_str_eq(request.binary, "untouched");
}

Test(request, upgrade_round_trip)
{
    static const char *const args[] = {"--listen", "[::]:8000", "", "gr\xc3\xbc\xc3\x9f \"x\"\n", NULL};
    static const char *const env[] = {"A=1", "B=", NULL};
    json_t *policy = json_pack("{s:s,s:s}", "bake", "2s", "allow-drop", "yes");
    struct rpctl_request asked = {
        .command = RPCTL_REQUEST_UPGRADE, .binary = "/srv/v2", .args = args, .env = env, .policy = policy};
    struct rpctl_request got;
    char *line;
    size_t length;
    cr_assert_eq(rpctl_request_encode(&asked, &line, &length, &error), 0);
    cr_assert_eq(line[length - 1], '\n');
    cr_assert_eq(memchr(line, '\n', length), line + length - 1);
    cr_assert_eq(rpctl_request_decode(&got, line, length - 1, &error), 0, "%s", error.message);
    cr_assert_eq(got.command, RPCTL_REQUEST_UPGRADE);
    cr_assert_str_eq(got.binary, "/srv/v2");
    for (size_t i = 0; i < 5; i++)
        cr_assert(args[i] ? strcmp(got.args[i], args[i]) == 0 : got.args[i] == NULL);
    for (size_t i = 0; i < 3; i++) cr_assert(env[i] ? strcmp(got.env[i], env[i]) == 0 : got.env[i] == NULL);
    cr_assert(json_equal(got.policy, policy));
    free(line);
    rpctl_request_done(&got);
    rpctl_request_done(&got);
    rpctl_request_done(&asked);
    json_decref(policy);
    expect_no_leak();
}

Test(request, every_command_without_members)
{
    for (int i = 0; i < RPCTL_REQUEST_COMMAND_COUNT; i++) {
        struct rpctl_request asked = {.command = (enum rpctl_request_command)i};
        struct rpctl_request got;
        char *line;
        size_t length;
        if (i == RPCTL_REQUEST_UPGRADE) asked.binary = "/x";
        cr_assert_eq(rpctl_request_encode(&asked, &line, &length, &error), 0);
        cr_assert_eq(rpctl_request_decode(&got, line, length - 1, &error), 0);
        cr_assert_eq((int)got.command, i);
        cr_assert_null(got.args);
        cr_assert_null(got.env);
        cr_assert_null(got.policy);
        rpctl_request_done(&got);
        free(line);
    }
    expect_no_leak();
}

Test(request, an_empty_list_of_arguments_is_not_an_absent_one)
{
    struct rpctl_request got;
    cr_assert_eq(decode(&got, "{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":[]}"), 0);
    cr_assert_not_null(got.args);
    cr_assert_null(got.args[0]);
    rpctl_request_done(&got);
}

Test(request, what_json_cannot_carry_is_refused)
{
    static const char *const bad_text[] = {"\xff", NULL};
    struct rpctl_request request = {.command = RPCTL_REQUEST_UPGRADE, .binary = "/x", .args = bad_text};
    char *line;
    size_t length;
    cr_assert_eq(rpctl_request_encode(&request, &line, &length, &error), -EINVAL);
    cr_assert(strstr(error.message, "args: '?' is not UTF-8"), "%s", error.message);
    request.args = NULL;
    request.binary = "/\xc3";
    cr_assert_eq(rpctl_request_encode(&request, &line, &length, &error), -EINVAL);
    expect_no_leak();
}

Test(request, too_long)
{
    char *big = malloc(RPCTL_REQUEST_BYTES_MAX + 1);
    memset(big, 'x', RPCTL_REQUEST_BYTES_MAX);
    big[RPCTL_REQUEST_BYTES_MAX] = '\0';
    const char *const args[] = {big, NULL};
    struct rpctl_request request = {.command = RPCTL_REQUEST_UPGRADE, .binary = "/x", .args = args};
    char *line;
    size_t length;
    cr_assert_eq(rpctl_request_encode(&request, &line, &length, &error), -E2BIG);
    cr_assert_eq(rpctl_request_decode(&request, big, RPCTL_REQUEST_BYTES_MAX + 1, &error), -EINVAL);
    /* the longest that fits */
    big[RPCTL_REQUEST_BYTES_MAX -
        strlen("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":[\"\"]}")] = '\0';
    request = (struct rpctl_request){.command = RPCTL_REQUEST_UPGRADE, .binary = "/x", .args = args};
    cr_assert_eq(rpctl_request_encode(&request, &line, &length, &error), 0, "%s", error.message);
    cr_assert_eq(length, RPCTL_REQUEST_BYTES_MAX + 1);
    struct rpctl_request got;
    cr_assert_eq(rpctl_request_decode(&got, line, length - 1, &error), 0);
    rpctl_request_done(&got);
    free(line);
    free(big);
    expect_no_leak();
}

Test(request, refuses)
{
    refuse("", "JSON");
    refuse("[]", "JSON");
    refuse("1", "JSON");
    refuse("{", "JSON");
    refuse("{} {}", "JSON");
    refuse("{\"v\":1,\"v\":1}", "JSON");
    refuse("{}", "protocol version");
    refuse("{\"v\":2,\"command\":\"stop\"}", "protocol version");
    refuse("{\"v\":\"1\",\"command\":\"stop\"}", "protocol version");
    refuse("{\"v\":1}", "no command");
    refuse("{\"v\":1,\"command\":1}", "no command");
    refuse("{\"v\":1,\"command\":\"dance\"}", "unknown command 'dance'");
    refuse("{\"v\":1,\"command\":\"stop\",\"binary\":\"/x\"}", "unknown member 'binary'");
    refuse("{\"v\":1,\"command\":\"restart\",\"args\":[]}", "unknown member 'args'");
    refuse("{\"v\":1,\"command\":\"status\",\"x\":1}", "unknown member 'x'");
    refuse("{\"v\":1,\"command\":\"upgrade\"}", "absolute path");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"x\"}", "absolute path");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":1}", "absolute path");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":\"y\"}",
           "args in the request is not an array");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":[\"a\",1]}", "args[1]");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":[\"a\"],\"env\":[\"A\"]}",
           "NAME=VALUE");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"env\":[null]}", "env[0]");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"env\":[\"RP_LISTEN=1\"]}",
           "rpctl sets this");
    refuse("{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":[\"a\\u0000b\"]}", "JSON");
    refuse("{\"v\":1,\"command\":\"restart\",\"policy\":[]}", "policy");
    refuse("{\"v\":1,\"command\":\"restart\",\"policy\":{\"bake\":1}}", "bake");
    refuse("{\"v\":1,\"command\":\"restart\",\"policy\":{\"bake\":\"x\"}}", "bake 'x'");
    refuse("{\"v\":1,\"command\":\"restart\",\"policy\":{\"steps\":\"x\"}}", "steps");
    expect_no_leak();
}

/* Every prefix of a good line is refused cleanly, and no byte of it can be damaged into a crash. */
Test(request, survives_damage)
{
    static const char line[] =
        "{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"args\":[\"a\"],\"env\":[\"A=1\"],"
        "\"policy\":{\"bake\":\"1s\"}}";
    struct rpctl_request request;
    for (size_t length = 0; length < sizeof line - 1; length++)
        cr_assert_eq(rpctl_request_decode(&request, line, length, &error), -EINVAL);
    for (size_t at = 0; at < sizeof line - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char damaged[sizeof line];
            memcpy(damaged, line, sizeof line);
            damaged[at] = (char)byte;
            if (rpctl_request_decode(&request, damaged, sizeof line - 1, &error) == 0)
                rpctl_request_done(&request);
        }
    }
    expect_no_leak();
}

Test(request, too_many_env_entries)
{
    char line[8192] = "{\"v\":1,\"command\":\"upgrade\",\"binary\":\"/x\",\"env\":[\"A=1\"";
    for (int i = 0; i < 256; i++) strcat(line, ",\"A=1\"");
    strcat(line, "]}");
    refuse(line, "more than 256");
}
