#include "commands/report.h"
#include "linux/terminal.h"
#include "pure/exit_code.h"
#include "pure/request.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print(FILE *stream, const struct rpctl_text *text)
{
    fwrite(rpctl_text_string(text), 1, text->length, stream);
    fflush(stream);
}

void rpctl_report_init(struct rpctl_report *report, const struct rpctl_command_line *line)
{
    *report = (struct rpctl_report){
        .json = line->json,
        .view = {.live = rpctl_terminal_is_live(STDOUT_FILENO),
                 .colour = rpctl_terminal_has_colour(STDOUT_FILENO),
                 .quiet = line->quiet},
    };
}

void rpctl_report_clear(struct rpctl_report *report)
{
    struct rpctl_text out = {0};
    rpctl_event_text_clear(&report->view, &out);
    print(stdout, &out);
    rpctl_text_done(&out);
}

static void print_problem(struct rpctl_report *report, const json_t *event)
{
    struct rpctl_text out = {0};
    struct rpctl_event_text view;
    rpctl_report_clear(report);
    view = report->view;
    view.live = rpctl_terminal_is_live(STDERR_FILENO);
    view.colour = rpctl_terminal_has_colour(STDERR_FILENO);
    view.width = rpctl_terminal_width(STDERR_FILENO);
    rpctl_event_text_append(&view, event, &out);
    print(stderr, &out);
    rpctl_text_done(&out);
}

void rpctl_report_event(struct rpctl_report *report, const char *raw, const json_t *event)
{
    struct rpctl_text out = {0};
    report->view.width = rpctl_terminal_width(STDOUT_FILENO);
    if (!report->json && rpctl_event_is_problem(event)) {
        print_problem(report, event);
        return;
    }
    if (report->json)
        rpctl_text_append(&out, "%s\n", raw);
    else
        rpctl_event_text_append(&report->view, event, &out);
    print(stdout, &out);
    rpctl_text_done(&out);
}

/* The reason is cleaned first: it may quote what was typed, and JSON takes only UTF-8. */
static void print_json_failure(const struct rpctl_command_line *line, int exit_code, const char *reason)
{
    struct rpctl_text service = {0};
    struct rpctl_text clean = {0};
    rpctl_text_append_clean(&service, line->name, RPCTL_TEXT_NO_LIMIT);
    rpctl_text_append_clean(&clean, reason, RPCTL_TEXT_NO_LIMIT);
    json_t *event = json_pack("{s:s, s:i, s:s, s:i, s:s, s:s}", "event", "result", "schema", RPCTL_SCHEMA,
                              "service", rpctl_text_string(&service), "exit", exit_code, "outcome",
                              rpctl_exit_outcome(exit_code), "reason", rpctl_text_string(&clean));
    if (event && json_dumpf(event, stdout, JSON_COMPACT) == 0) putchar('\n');
    fflush(stdout);
    json_decref(event);
    rpctl_text_done(&clean);
    rpctl_text_done(&service);
}

int rpctl_report_failure(const struct rpctl_command_line *line, int exit_code, const char *reason)
{
    if (line->json)
        print_json_failure(line, exit_code, reason);
    else
        fprintf(stderr, "rpctl: %s\n", reason);
    return exit_code;
}

void rpctl_report_text(const struct rpctl_text *text)
{
    print(stdout, text);
}
