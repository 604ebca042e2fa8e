#include "commands/client.h"
#include "commands/commands.h"
#include "commands/report.h"
#include "commands/supervisor_end.h"
#include "commands/watch.h"
#include "linux/terminal.h"
#include "pure/exit_code.h"
#include "pure/json_get.h"
#include "pure/status_text.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 10000

static void print_status(const struct rpctl_command_line *line, const struct rpctl_client_event *event)
{
    struct rpctl_text out = {0};
    bool live = rpctl_terminal_is_live(STDOUT_FILENO);
    if (line->json)
        rpctl_text_append(&out, "%s\n", event->raw);
    else
        rpctl_status_text_append(&out, event->event, time(NULL),
                                 live ? rpctl_terminal_width(STDOUT_FILENO) : 0);
    rpctl_report_text(&out);
    rpctl_text_done(&out);
}

static int read_status(struct rpctl_client *client, const struct rpctl_command_line *line)
{
    struct rp_error error = {0};
    struct rpctl_client_event event;
    struct rpctl_report report;
    int signal_number = 0;
    int result = rpctl_client_next(client, ANSWER_TIMEOUT_MS, &event, &signal_number, &error);
    if (result == -EINTR) return rpctl_report_failure(line, RPCTL_EXIT_SIGNAL + signal_number, "interrupted");
    if (result < 0) return rpctl_report_failure(line, RPCTL_EXIT_BUG, error.message);
    if (result == 0) return rpctl_report_supervisor_end(client, line);
    int code = 0;
    if (strcmp(rpctl_json_text(event.event, "event"), "status") == 0) {
        print_status(line, &event);
    } else { /* a result: the request was refused */
        rpctl_report_init(&report, line);
        rpctl_report_event(&report, event.raw, event.event);
        code = rpctl_client_result_code(event.event);
    }
    json_decref(event.event);
    return code;
}

int rpctl_command_status(const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_client client;
    if (line->watch) return rpctl_watch_status(line);
    int code =
        rpctl_client_open(&client, line, &(struct rpctl_request){.command = RPCTL_REQUEST_STATUS}, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    code = read_status(&client, line);
    rpctl_client_close(&client);
    return code;
}
