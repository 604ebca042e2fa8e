#include "pure/status_text.h"
#include "fixture.h"
#include "pure/timestamp.h"
#include <stdio.h>
#include <string.h>

static struct rpctl_text out;

static const char *status(const char *json, unsigned width)
{
    int64_t now;
    json_error_t where;
    json_t *event = json_loads(json, 0, &where);
    cr_assert_not_null(event, "%s at %d", where.text, where.position);
    rpctl_timestamp_parse(&now, "2030-01-31T12:00:00Z");
    rpctl_text_clear(&out);
    rpctl_status_text_append(&out, event, now, width);
    json_decref(event);
    return rpctl_text_string(&out);
}

static void done(void)
{
    rpctl_text_done(&out);
    expect_no_leak();
}

TestSuite(status_text, .fini = done);

#define SUPERVISOR "\"supervisor\":{\"pid\":4700,\"version\":\"0.1.0\",\"since\":\"2030-01-29T11:00:00Z\"}"
#define SERVING                                                                                              \
    "{\"generation\":2,\"state\":\"serving\",\"release\":\"server-v2\",\"share\":100,\"listeners\":2,"       \
    "\"connections\":1024,\"addresses\":[\"127.0.0.1:8000\",\"[::1]:8000\"],"                                \
    "\"since\":\"2030-01-31T11:55:00Z\",\"instances\":[{\"pid\":4742},{\"pid\":4743,\"restarts\":2}]}"
#define DRAINING(connections, drain)                                                                         \
    "{\"generation\":1,\"state\":\"draining\",\"release\":\"server-v1\",\"share\":0," connections            \
    "\"listeners\":2,\"since\":\"2030-01-31T08:50:00Z\",\"instances\":[{\"pid\":4711,\"state\":\"exited\"}]" \
    ",\"drain\":{\"since\":\"2030-01-31T11:59:55Z\"" drain "}}"
#define OPERATION                                                                                            \
    "\"operation\":{\"operation\":\"upgrade\",\"from\":1,\"to\":2,\"release\":\"server-v2\",\"phase\":"      \
    "\"drain\",\"since\":\"2030-01-31T11:59:55Z\",\"ms\":1500.9,\"total\":30000,\"events\":["                \
    "{\"event\":\"phase\",\"phase\":\"pin\",\"state\":\"end\",\"detail\":\"\",\"ms\":1},"                    \
    "{\"event\":\"phase\",\"phase\":\"launch\",\"state\":\"end\",\"detail\":\"pid 4742\",\"ms\":9},"         \
    "{\"event\":\"warning\",\"text\":\"look here\"}]}"
#define BEGIN "{\"event\":\"status\",\"service\":\"default\",\"release\":\"/srv/server-v2\","
#define STATUS                                                                                               \
    BEGIN "\"state\":\"running\",\"args\":[\"--workers\",\"2\"]," OPERATION ",\"generations\":[" SERVING     \
          "," DRAINING("\"connections\":3,", ",\"deadline\":\"2030-01-31T12:00:25Z\"") "]," SUPERVISOR "}"

Test(status_text, table)
{
    cr_assert_str_eq(status(STATUS, 0),
                     "service     default: /srv/server-v2 --workers 2\n"
                     "listening   127.0.0.1:8000 [::1]:8000\n"
                     "operation   upgrade 1 -> 2: drain, for 5 s\n"
                     "supervisor  pid 4700, version 0.1.0, up 2 d 1 h\n"
                     "\n"
                     "GEN  STATE     SHARE  CONNS  LISTENERS  UP          RELEASE    PIDS\n"
                     "2    serving   100 %  1024   2          5 min       server-v2  4742 4743(2 restarts)\n"
                     "1    draining  0 %    3      2          3 h 10 min  server-v1  -\n"
                     "\n"
                     "draining    generation 1: 3 connections left, for 5 s, killed in 25 s\n"
                     "\n"
                     "upgrade default: generation 1 -> 2  server-v2\n"
                     "  launch    pid 4742                                      9 ms\n"
                     "  warning   look here\n"
                     "  drain     [#-------------------] 1.5 of 30.0 s\n");
}

Test(status_text, draining)
{
    cr_assert(strstr(status("{\"generations\":[" DRAINING("\"connections\":1,", "") "]}", 0),
                     "draining    generation 1: 1 connection left, for 5 s, not told to stop yet\n"));
    cr_assert(
        strstr(status("{\"generations\":[" DRAINING("", ",\"deadline\":\"2030-01-31T11:00:00Z\"") "]}", 0),
               "0 %    -      2          3 h 10 min  server-v1  -\n\n"
               "draining    generation 1: for 5 s, killed in 0 s\n"));
}

#define EXITED(members)                                                                                      \
    "{\"generations\":[{\"generation\":2,\"state\":\"serving\",\"instances\":[{\"instance\":1,\"pid\":7,"    \
    "\"state\":\"exited\",\"ended\":\"signal 9 (SIGKILL)\"" members "}]}]}"

Test(status_text, a_process_that_is_launched_again)
{
    cr_assert(
        strstr(status(EXITED(",\"restarts\":3,\"next_try\":\"2030-01-31T12:00:02Z\""), 0),
               "exited      generation 2, instance 1: signal 9 (SIGKILL), 3 restarts, next try in 2 s\n"));
    cr_assert(strstr(status(EXITED(",\"restarts\":1"), 0), "signal 9 (SIGKILL), 1 restart\n"));
}

#define FAILED(state)                                                                                        \
    "{\"state\":\"running\",\"generations\":[{\"generation\":2,\"state\":\"" state                           \
    "\",\"instances\":[{\"instance\":1,\"pid\":7,\"state\":\"failed\",\"ended\":\"exit status 1\","          \
    "\"restarts\":10}]}]}"
#define REMEDY "; why: rpctl logs; launch again: rpctl restart, or rpctl upgrade BINARY\n"

Test(status_text, a_process_that_was_given_up)
{
    cr_assert(strstr(status(FAILED("serving"), 0),
                     "-(10 restarts)\n\n"
                     "failed      generation 2, instance 1: exit status 1, 10 restarts, given up\n"
                     "            the others serve" REMEDY));
    cr_assert(strstr(status(FAILED("failed"), 0), "given up\n"
                                                  "            nobody serves, clients are refused" REMEDY));
}

#define LAST(members) BEGIN "\"last\":{\"ended\":\"2030-01-31T11:59:00Z\"," members "}}"

Test(status_text, the_last_operation)
{
    cr_assert(strstr(status(LAST("\"exit\":0,\"operation\":\"upgrade\",\"ms\":1070"), 0),
                     "last        upgrade, 1 min ago: upgraded in 1.07 s\n"));
    cr_assert(strstr(
        status(LAST("\"exit\":3,\"operation\":\"upgrade\",\"ms\":1070,\"generation\":1,\"reason\":"
                    "\"sick\""),
               0),
        "last        upgrade, 1 min ago: rolled back after 1.07 s: sick; generation 1 serves all again\n"));
    cr_assert_null(
        strstr(status(BEGIN OPERATION ",\"last\":{\"ended\":\"2030-01-31T11:59:00Z\"}}", 0), "last "));
}

Test(status_text, a_service_that_starts_or_stops)
{
    cr_assert(strstr(status(BEGIN "\"state\":\"stopping\"}", 0),
                     "service     default (stopping): /srv/server-v2\n"));
    cr_assert(
        strstr(status("{\"service\":\"web\",\"state\":\"starting\"}", 0), "service     web (starting): \n"));
    cr_assert(
        strstr(status("{\"operation\":{\"operation\":\"start\",\"since\":\"2030-01-31T11:59:00Z\"}}", 0),
               "operation   start, for 1 min\n"));
}

/* One column stays free. */
Test(status_text, keeps_to_the_width)
{
    static const unsigned widths[] = {1, 20, 40, 80};
    for (size_t i = 0; i < 4; i++) {
        char copy[4096];
        snprintf(copy, sizeof copy, "%s", status(STATUS, widths[i]));
        for (char *rest = copy, *text_line; (text_line = strsep(&rest, "\n"));)
            cr_assert_lt(rpctl_text_columns(text_line), widths[i]);
        snprintf(copy, sizeof copy, "%s", status(EXITED(",\"restarts\":1"), widths[i]));
        for (char *rest = copy, *text_line; (text_line = strsep(&rest, "\n"));)
            cr_assert_lt(rpctl_text_columns(text_line), widths[i]);
    }
}

Test(status_text, survives_gaps)
{
    cr_assert(strstr(status("{}", 80), "GEN"));
    cr_assert(strstr(
        status("{\"operation\":1,\"generations\":[{\"state\":\"serving\",\"since\":\"x\"},1],\"args\":[1]}",
               80),
        "?"));
    status("{\"last\":1,\"operation\":{\"events\":[1,{}],\"phase\":\"x\"},\"generations\":[{\"drain\":{},"
           "\"instances\":[1,{\"state\":\"exited\"}]}]}",
           80);
    cr_assert(strstr(status("{\"generations\":[{\"since\":\"2031-01-01T00:00:00Z\"}]}", 80), "0 s"));
    cr_assert_null(
        strchr(status("{\"service\":\"\\u001b[2J\",\"release\":\"\\u001b\",\"operation\":{"
                      "\"operation\":\"\\u001b\",\"phase\":\"\\u001b\",\"release\":\"\\u001b\"},"
                      "\"generations\":[{\"instances\":[{\"state\":\"exited\",\"ended\":\"\\u001b\"}]}]}",
                      80),
               '\x1b'));
}
