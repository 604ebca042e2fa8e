#include "pure/event_text.h"
#include "fixture.h"
#include "pure/exit_code.h"
#include <stdio.h>
#include <string.h>

static struct rpctl_text out;

static const char *show(struct rpctl_event_text *view, const char *json)
{
    json_error_t where;
    json_t *event = json_loads(json, 0, &where);
    cr_assert_not_null(event, "%s: %s", json, where.text);
    rpctl_text_clear(&out);
    rpctl_event_text_append(view, event, &out);
    json_decref(event);
    return rpctl_text_string(&out);
}

static void done(void)
{
    rpctl_text_done(&out);
}

TestSuite(event_text, .fini = done);

#define OPERATION                                                                                            \
    "{\"event\":\"operation\",\"service\":\"default\",\"operation\":\"upgrade\",\"from\":1,\"to\":2,"        \
    "\"release\":\"server-v2\"}"

static const char *phase(struct rpctl_event_text *view, const char *name, const char *state,
                         const char *detail, int ms)
{
    char json[1024];
    snprintf(json, sizeof json,
             "{\"event\":\"phase\",\"service\":\"default\",\"phase\":\"%s\",\"state\":\"%s\",\"detail\":\"%"
             "s\",\"ms\":%d}",
             name, state, detail, ms);
    return show(view, json);
}

/* The sample of the manual, to the character. */
Test(event_text, an_upgrade_on_a_pipe)
{
    struct rpctl_event_text view = {0};
    cr_assert_str_eq(show(&view, OPERATION), "upgrade default: generation 1 -> 2  server-v2\n");
    cr_assert_str_eq(phase(&view, "pin", "end", "", 0), "");
    cr_assert_str_eq(phase(&view, "launch", "begin", "", 0), "");
    cr_assert_str_eq(phase(&view, "launch", "end", "pid 4742", 9),
                     "  launch    pid 4742                                      9 ms\n");
    cr_assert_str_eq(phase(&view, "ready", "end", "2 listeners on 127.0.0.1:8000, no traffic", 14),
                     "  ready     2 listeners on 127.0.0.1:8000, no traffic    14 ms\n");
    cr_assert_str_eq(phase(&view, "health", "progress", "1/3", 0), "");
    cr_assert_str_eq(phase(&view, "health", "end", "3/3 GET /healthz 200", 46),
                     "  health    3/3 GET /healthz 200                         46 ms\n");
    cr_assert_str_eq(phase(&view, "shift", "end", "100 % of new connections", 0),
                     "  shift     100 % of new connections                      0 ms\n");
    cr_assert_str_eq(phase(&view, "bake", "end", "1.0 s, healthy", 1000),
                     "  bake      1.0 s, healthy                             1000 ms\n");
    cr_assert_str_eq(phase(&view, "quiesce", "end", "accept queues empty, no half-open", 11),
                     "  quiesce   accept queues empty, no half-open            11 ms\n");
    cr_assert_str_eq(phase(&view, "drain", "end", "1024 handed over, 3 finished, 0 cut", 212),
                     "  drain     1024 handed over, 3 finished, 0 cut         212 ms\n");
    cr_assert_str_eq(phase(&view, "close", "end", "", 1), "");
    cr_assert_str_eq(phase(&view, "detach", "end", "", 1), "");
    cr_assert_str_eq(
        show(&view,
             "{\"event\":\"result\",\"exit\":0,\"outcome\":\"done\",\"operation\":\"upgrade\",\"ms\":1292,"
             "\"generation\":2,\"witness\":{\"requests\":26,\"failed\":0,\"slowest_ms\":1.8}}"),
        "upgraded in 1.29 s; witness: 26 requests, 0 failed, slowest 1.8 ms\n");
    cr_assert_not(view.line_open);
}

Test(event_text, headings)
{
    static const char *const cases[][2] = {
        {"{\"event\":\"operation\",\"service\":\"web\",\"operation\":\"start\",\"from\":0,\"to\":1,"
         "\"release\":\"s\"}",
         "start web: generation 1  s\n"},
        {"{\"event\":\"operation\",\"service\":\"web\",\"operation\":\"stop\",\"from\":3,\"to\":0,"
         "\"release\":\"\"}",
         "stop web: generation 3\n"},
        {"{\"event\":\"operation\",\"service\":\"web\",\"operation\":\"restart\",\"from\":3,\"to\":4,"
         "\"release\":\"s\"}",
         "restart web: generation 3 -> 4  s\n"},
        {"{\"event\":\"operation\"}", " : generation 0\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rpctl_event_text view = {0};
        cr_assert_str_eq(show(&view, cases[i][0]), cases[i][1]);
    }
}

Test(event_text, results)
{
#define R(members) "{\"event\":\"result\",\"service\":\"default\"," members "}"
    static const char *const cases[][2] = {
        {R("\"exit\":0,\"operation\":\"start\",\"ms\":42"), "started in 42 ms\n"},
        {R("\"exit\":0,\"operation\":\"restart\",\"ms\":61000"), "restarted in 1 min 1 s\n"},
        {R("\"exit\":0,\"operation\":\"stop\""), "stopped\n"},
        {R("\"exit\":0,\"operation\":\"abort\""), "the operation is being stopped; look: rpctl status\n"},
        {R("\"exit\":0"), "done\n"},
        {R("\"exit\":1,\"operation\":\"upgrade\",\"ms\":1200,\"reason\":\"it exited with "
           "3\",\"generation\":1,\"log\":[\"a\",\"b\\u001b[1m\"]"),
         "failed after 1.20 s: it exited with 3; generation 1 goes on serving\nlast lines of the new "
         "release:\n    a\n    b?[1m\n"},
        {R("\"exit\":1,\"operation\":\"start\",\"ms\":5,\"reason\":\"x\",\"generation\":0"),
         "failed after 5 ms: x\n"},
        {R("\"exit\":1,\"operation\":\"abort\",\"reason\":\"nothing to abort\""),
         "failed: nothing to abort\n"},
        {R("\"exit\":1"), "failed: no reason given\n"},
        {R("\"exit\":3,\"operation\":\"upgrade\",\"ms\":1500,\"reason\":\"sick\",\"generation\":1,"
           "\"witness\":{\"requests\":9,\"failed\":1,\"slowest_ms\":20}"),
         "rolled back after 1.50 s: sick; generation 1 serves all again; witness: 9 requests, 1 failed, "
         "slowest 20.0 ms\n"},
        {R("\"exit\":7,\"operation\":\"upgrade\",\"ms\":2000,\"cut\":3"),
         "upgraded in 2.00 s, but not spotless: 3 connections cut\n"},
        {R("\"exit\":7,\"operation\":\"upgrade\",\"ms\":2000,\"reason\":\"why\""),
         "upgraded in 2.00 s, but not spotless: why\n"},
        {R("\"exit\":2,\"reason\":\"r\""), "usage error: r\n"},
        {R("\"exit\":4,\"reason\":\"r\""), "busy: r\n"},
        {R("\"exit\":5,\"reason\":\"r\""), "no service: r\n"},
        {R("\"exit\":6,\"reason\":\"r\\nx\""), "refused: r?x\n"},
        {R("\"exit\":70,\"reason\":\"r\""), "internal error: r\n"},
        {R("\"exit\":70"), "internal error: no reason given\n"},
        {R("\"exit\":99,\"reason\":\"r\""), "bug: r\n"},
        {R("\"exit\":99999999999,\"reason\":\"r\""), "bug: r\n"},
        {R("\"exit\":1,\"reason\":\"r\",\"log\":[1,\"\"]"),
         "failed: r\nlast lines of the new release:\n    \n    \n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rpctl_event_text view = {0};
        cr_assert_str_eq(show(&view, cases[i][0]), cases[i][1]);
    }
}

Test(event_text, the_log_bears_the_releases_name)
{
    struct rpctl_event_text view = {.quiet = true};
    cr_assert_str_eq(show(&view, OPERATION), "");
    cr_assert(strstr(show(&view, R("\"exit\":1,\"reason\":\"r\",\"log\":[\"x\"]")),
                     "last lines of server-v2:\n    x\n"));
}

Test(event_text, quiet_shows_problems_only)
{
    struct rpctl_event_text view = {.quiet = true, .live = true, .width = 80};
    cr_assert_str_eq(phase(&view, "health", "begin", "", 0), "");
    cr_assert_str_eq(phase(&view, "health", "fail", "x", 0), "");
    cr_assert_str_eq(show(&view, "{\"event\":\"warning\",\"text\":\"w\"}"), "");
    cr_assert_str_eq(show(&view, R("\"exit\":0,\"operation\":\"start\"")), "");
    cr_assert_str_eq(show(&view, R("\"exit\":4,\"reason\":\"r\"")), "busy: r\n");
    cr_assert_str_eq(show(&view, R("\"exit\":7,\"operation\":\"upgrade\",\"cut\":1")),
                     "upgraded, but not spotless: 1 connections cut\n");
}

Test(event_text, failed_phases_and_warnings)
{
    struct rpctl_event_text view = {0};
    cr_assert_str_eq(phase(&view, "health", "fail", "503 Service Unavailable", 30000),
                     "  health    failed after 30.00 s: 503 Service Unavailable\n");
    cr_assert_str_eq(phase(&view, "pin", "fail", "", 1), "  pin       failed after 1 ms\n");
    cr_assert_str_eq(phase(&view, "undo", "end", "all to generation 1", 3),
                     "  undo      all to generation 1                           3 ms\n");
    cr_assert_str_eq(show(&view, "{\"event\":\"warning\",\"text\":\"disk\\tfull\"}"),
                     "  warning   disk full\n");
    cr_assert_str_eq(show(&view, "{\"event\":\"something\"}"), "");
    cr_assert_str_eq(show(&view, "{}"), "");
}

Test(event_text, a_long_detail_is_whole_on_a_pipe)
{
    struct rpctl_event_text view = {.width = 40};
    const char *line =
        phase(&view, "ready", "end",
              "64 listeners on 127.0.0.1:8000 127.0.0.1:8001 [::1]:8000 [::1]:8001, no traffic", 14);
    cr_assert(strstr(line, "no traffic 14 ms\n"), "%s", line);
    cr_assert(strstr(phase(&view, "a-very-long-phase", "end", "x", 14), "  a-very-long-phase x"));
}

Test(event_text, colour)
{
    struct rpctl_event_text view = {.colour = true};
    cr_assert_str_eq(show(&view, R("\"exit\":0,\"operation\":\"start\"")), "\x1b[32mstarted\x1b[0m\n");
    cr_assert_str_eq(phase(&view, "health", "fail", "x", 1),
                     "\x1b[31m  health    failed after 1 ms: x\x1b[0m\n");
    cr_assert_str_eq(show(&view, "{\"event\":\"warning\",\"text\":\"w\"}"), "\x1b[33m  warning   w\x1b[0m\n");
    cr_assert_str_eq(show(&view, R("\"exit\":4,\"reason\":\"r\"")), "\x1b[31mbusy\x1b[0m: r\n");
}

#define PROGRESS(done, total, detail)                                                                        \
    "{\"event\":\"phase\",\"phase\":\"health\",\"state\":\"progress\",\"done\":" #done ",\"total\":" #total  \
    ",\"detail\":\"" detail "\"}"

Test(event_text, live_line)
{
    struct rpctl_event_text view = {.live = true, .width = 80};
    cr_assert_str_eq(phase(&view, "health", "begin", "", 0), "  health    ");
    cr_assert(view.line_open);
    cr_assert_str_eq(show(&view, PROGRESS(1000, 4000, "")),
                     "\r\x1b[K  health    [#####---------------] 1.0 of 4.0 s");
    cr_assert_str_eq(show(&view, PROGRESS(4, 4, "4/4 good")),
                     "\r\x1b[K  health    [####################] 4/4 good");
    cr_assert_str_eq(show(&view, PROGRESS(9, 4, "")),
                     "\r\x1b[K  health    [####################] 0.0 of 0.0 s");
    cr_assert_str_eq(show(&view, PROGRESS(0, 0, "waiting")), "\r\x1b[K  health    waiting");
    cr_assert_str_eq(phase(&view, "health", "end", "3/3", 5),
                     "\r\x1b[K  health    3/3                                           5 ms\n");
    cr_assert_not(view.line_open);
    rpctl_text_clear(&out);
    rpctl_event_text_clear(&view, &out);
    cr_assert_str_eq(rpctl_text_string(&out), "");
    phase(&view, "pin", "begin", "", 0);
    cr_assert_str_eq(phase(&view, "pin", "end", "", 0), "\r\x1b[K");
    phase(&view, "drain", "begin", "", 0);
    cr_assert_str_eq(show(&view, R("\"exit\":4,\"reason\":\"r\"")), "\r\x1b[Kbusy: r\n");
    phase(&view, "drain", "begin", "", 0);
    rpctl_text_clear(&out);
    rpctl_event_text_clear(&view, &out);
    cr_assert_str_eq(rpctl_text_string(&out), "\r\x1b[K");
}

/* No line of a terminal may be wider than it, whatever comes; the widths are those that break things. */
Test(event_text, nothing_wraps_on_a_terminal)
{
    static const unsigned widths[] = {20, 30, 40, 59, 60, 61, 62, 63, 80, 200};
    static const char *const details[] = {"", "short", "2 listeners on 127.0.0.1:8000, no traffic",
                                          "a detail that is much longer than any terminal has a right to be, "
                                          "and goes on and on and on and on and on and "
                                          "on and on and on and on and on and on and on and on and on and on "
                                          "and on and on and on and on and on and on",
                                          "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4"
                                          "\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad"
                                          "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4"
                                          "\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad"};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        for (size_t j = 0; j < sizeof details / sizeof details[0]; j++) {
            struct rpctl_event_text view = {.live = true, .width = widths[i]};
            char json[1024], text[1024];
            snprintf(json, sizeof json,
                     "{\"event\":\"phase\",\"phase\":\"quiesce\",\"state\":\"progress\",\"done\":1,\"total\":"
                     "2,\"detail\":\"%s\"}",
                     details[j]);
            cr_assert_lt(rpctl_text_columns(show(&view, json)), widths[i], "width %u: %s", widths[i],
                         details[j]);
            view.line_open = false;
            snprintf(text, sizeof text, "%s", phase(&view, "quiesce", "end", details[j], 1234));
            size_t columns = rpctl_text_columns(text) - 1; /* the newline */
            cr_assert_leq(columns, widths[i], "width %u: %s", widths[i], text);
            cr_assert(strstr(text, "1234 ms\n"));
            if (widths[i] >= 62 && j < 3) cr_assert_eq(columns, 62);
        }
    }
}

static size_t widest_line(const char *text)
{
    size_t widest = 0;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *rest = copy, *text_line; (text_line = strsep(&rest, "\n"));)
        if (rpctl_text_columns(text_line) > widest) widest = rpctl_text_columns(text_line);
    return widest;
}

#define FAILURE                                                                                              \
    R("\"exit\":1,\"operation\":\"upgrade\",\"ms\":1010,\"generation\":2,\"reason\":\"not healthy within 1 " \
      "s: "                                                                                                  \
      "127.0.0.1:8000: GET /healthz 500\",\"witness\":{\"requests\":21,\"failed\":0,\"slowest_ms\":2},"      \
      "\"log\":[\"gen=3 pid=4210 event=draining cause=SIGTERM deadline_ms=29000 idle_grace_ms=2000\"]")

/* What failed is told in full, in as many lines as that takes. */
Test(event_text, failures_are_broken_between_words)
{
    static const unsigned widths[] = {20, 40, 80};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct rpctl_event_text view = {.live = true, .width = widths[i]};
        cr_assert_leq(widest_line(show(&view, OPERATION)), widths[i]);
        cr_assert_leq(widest_line(show(&view, FAILURE)), widths[i], "%s", rpctl_text_string(&out));
        cr_assert_leq(widest_line(phase(&view, "health", "fail", "not healthy within 1 s: GET / 500", 9)),
                      widths[i]);
        cr_assert_leq(widest_line(show(&view, "{\"event\":\"warning\",\"text\":\"cannot close the new "
                                              "listeners yet: a reason\"}")),
                      widths[i]);
    }
    struct rpctl_event_text view = {.live = true, .width = 40, .release = "server-v2"};
    cr_assert_str_eq(show(&view, FAILURE), "failed after 1.01 s: not healthy within\n"
                                           "  1 s: 127.0.0.1:8000: GET /healthz 500;\n"
                                           "  generation 2 goes on serving; witness:\n"
                                           "  21 requests, 0 failed, slowest 2.0 ms\n"
                                           "last lines of server-v2:\n"
                                           "    gen=3 pid=4210 event=draining\n"
                                           "      cause=SIGTERM deadline_ms=29000\n"
                                           "      idle_grace_ms=2000\n");
    view = (struct rpctl_event_text){.width = 40};
    cr_assert(strstr(show(&view, FAILURE), "slowest 2.0 ms\nlast lines"), "whole where it is no terminal");
}

Test(event_text, problem)
{
    static const struct {
        const char *json;
        bool problem;
    } cases[] = {{R("\"exit\":0"), false},
                 {R("\"exit\":1"), true},
                 {R("\"exit\":7"), true},
                 {"{\"event\":\"phase\",\"state\":\"fail\",\"exit\":1}", false}};
    for (size_t i = 0; i < 4; i++) {
        json_t *event = json_loads(cases[i].json, 0, NULL);
        cr_assert_eq(rpctl_event_is_problem(event), cases[i].problem);
        json_decref(event);
    }
}

Test(exit_code, outcomes)
{
    static const struct {
        int code;
        const char *outcome;
    } cases[] = {{0, "done"},       {1, "failed"},  {2, "usage"},        {3, "rolled back"}, {4, "busy"},
                 {5, "no service"}, {6, "refused"}, {7, "not spotless"}, {70, "bug"},        {8, "bug"},
                 {-1, "bug"},       {128, "bug"},   {130, "interrupted"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_str_eq(rpctl_exit_outcome(cases[i].code), cases[i].outcome);
}
