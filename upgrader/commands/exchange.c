#include "commands/exchange.h"
#include "commands/client.h"
#include "linux/process.h"
#include "linux/unix_socket.h"
#include "pure/exit_code.h"
#include "pure/json_get.h"
#include "pure/service_name.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

#define END_TIMEOUT_MS 5000 /* for a supervisor that has sent its last result */

/* " -n NAME", or nothing for the default service: for commands in messages. */
static void name_option(char *text, size_t bytes, const struct rpctl_command_line *line)
{
    bool is_default = strcmp(line->name, RPCTL_SERVICE_NAME_DEFAULT) == 0;
    snprintf(text, bytes, "%s%s", is_default ? "" : " -n ", is_default ? "" : line->name);
}

static int interrupted(const struct rpctl_command_line *line, int signal_number)
{
    char option[RPCTL_SERVICE_NAME_MAX + 8];
    char message[RP_ERROR_MESSAGE_BYTES];
    name_option(option, sizeof option, line);
    if (line->command == RPCTL_COMMAND_STOP || line->command == RPCTL_COMMAND_ABORT ||
        line->command == RPCTL_COMMAND_REEXEC)
        snprintf(message, sizeof message, "the %s goes on; look: rpctl%s status",
                 rpctl_command_name(line->command), option);
    else
        snprintf(message, sizeof message, "the %s goes on; stop it with: rpctl%s abort; look: rpctl%s status",
                 rpctl_command_name(line->command), option, option);
    return rpctl_report_failure(line, RPCTL_EXIT_SIGNAL + signal_number, message);
}

static int supervisor_gone(const struct rpctl_command_line *line)
{
    char option[RPCTL_SERVICE_NAME_MAX + 8];
    char message[RP_ERROR_MESSAGE_BYTES];
    name_option(option, sizeof option, line);
    snprintf(
        message, sizeof message,
        "the supervisor went away before the outcome was known; look: rpctl%s status, and supervisor.log in "
        "the service's log directory",
        option);
    return rpctl_report_failure(line, RPCTL_EXIT_BUG, message);
}

/* Prints one event. True when it was the result, whose exit code is then in *ret_code. */
static bool print_event(struct rpctl_report *report, struct rpctl_client_event *event, int *ret_code)
{
    bool is_result = strcmp(rpctl_json_text(event->event, "event"), "result") == 0;
    rpctl_report_event(report, event->raw, event->event);
    if (is_result) *ret_code = rpctl_client_result_code(event->event);
    json_decref(event->event);
    return is_result;
}

static int print_until_result(struct rpctl_client *client, const struct rpctl_command_line *line)
{
    struct rp_error error;
    struct rpctl_report report;
    rpctl_report_init(&report, line);
    for (;;) {
        struct rpctl_client_event event;
        int signal_number = 0;
        int code;
        int result = rpctl_client_next(client, RPCTL_CLIENT_NO_DEADLINE, &event, &signal_number, &error);
        if (result == 1 && print_event(&report, &event, &code)) return code;
        if (result == 1) continue;
        rpctl_report_clear(&report);
        if (result == 0) return supervisor_gone(line);
        if (result == -EINTR) return interrupted(line, signal_number);
        return rpctl_report_failure(line, RPCTL_EXIT_BUG, error.message);
    }
}

/* A pidfd stands for the supervisor, whatever becomes of its pid. */
static struct rpctl_process supervisor_of(const struct rpctl_client *client)
{
    struct rpctl_process supervisor = {.pidfd = -1};
    struct ucred peer;
    if (rpctl_unix_socket_peer(client->fd, &peer, NULL) == 0) rpctl_process_open(&supervisor, peer.pid, NULL);
    return supervisor;
}

static void wait_for_end(struct rpctl_process *supervisor)
{
    struct pollfd polled = {.fd = supervisor->pidfd, .events = POLLIN};
    if (supervisor->pidfd >= 0) poll(&polled, 1, END_TIMEOUT_MS);
    rpctl_process_close(supervisor);
}

static int exchange(const struct rpctl_command_line *line, const struct rpctl_request *request,
                    bool to_the_end)
{
    struct rp_error error;
    struct rpctl_client client;
    struct rpctl_process supervisor = {.pidfd = -1};
    int code = rpctl_client_open(&client, line, request, &error);
    if (code != 0) return rpctl_report_failure(line, code, error.message);
    if (to_the_end) supervisor = supervisor_of(&client);
    code = print_until_result(&client, line);
    rpctl_client_close(&client);
    if (code == RPCTL_EXIT_DONE || code == RPCTL_EXIT_NOT_SPOTLESS) wait_for_end(&supervisor);
    rpctl_process_close(&supervisor);
    return code;
}

int rpctl_exchange(const struct rpctl_command_line *line, const struct rpctl_request *request)
{
    return exchange(line, request, false);
}

int rpctl_exchange_to_the_end(const struct rpctl_command_line *line, const struct rpctl_request *request)
{
    return exchange(line, request, true);
}
