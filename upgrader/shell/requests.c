#include "linux/unix_socket.h"
#include "pure/exit_code.h"
#include "pure/handoff.h"
#include "pure/json_memory.h"
#include "pure/policy_settings.h"
#include "pure/request.h"
#include "shell/reexec.h"
#include "shell/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void send_text(struct rpctl_control_client *client, const char *line)
{
    rpctl_control_client_send(client, line);
    rpctl_control_client_finish(client);
}

/* What was made, or is written here, without enough memory is no answer. */
static void send_json(struct rpctl_control_client *client, const json_t *event)
{
    char *line = event ? json_dumps(event, JSON_COMPACT) : NULL;

    if (line && !rpctl_json_memory_was_short())
        send_text(client, line);
    else
        rpctl_control_client_reject(client, RPCTL_EXIT_BUG, "the supervisor has no memory for the answer");
    free(line);
}

void rpctl_service_send_status(struct rpctl_service *service, struct rpctl_control_client *client)
{
    json_t *status;

    /* libuv runs signal handlers after all others of the same turn, so a process may be dead of which nobody
     * has told us yet. */
    rpctl_service_reap(service);
    rpctl_json_memory_watch();
    status = rpctl_service_status(service);
    send_json(client, status);
    if (status) json_decref(status);
}

static void answer_last_result(struct rpctl_service *service, struct rpctl_control_client *client)
{
    rpctl_json_memory_watch();
    send_json(client, service->last_result);
}

static void answer_follow(struct rpctl_service *service, struct rpctl_control_client *client)
{
    if (service->first_release_waits)
        rpctl_service_begin_first(service, client);
    else if (service->operations)
        rpctl_operation_follow(service->operations, client);
    else if (service->plain_result[0])
        send_text(client, service->plain_result);
    else if (service->last_result)
        answer_last_result(service, client);
    else if (service->state != RPCTL_SERVICE_RUNNING)
        rpctl_control_client_reject(client, RPCTL_EXIT_FAILED, "the service was stopped");
    else
        rpctl_control_client_reject(client, RPCTL_EXIT_DONE, "nothing has happened yet");
}

static void answer_abort(struct rpctl_service *service, struct rpctl_control_client *client)
{
    struct rpctl_operation *operation = service->operation;
    bool drains = service->operations && !service->reexec;
    char text[128];

    if (!operation) {
        rpctl_control_client_reject(
            client, RPCTL_EXIT_FAILED,
            service->takeover ? "a takeover cannot be aborted; see: rpctl status"
            : drains          ? "too late to abort: the new generation serves, the old one is draining"
                              : "nothing to abort: no operation is under way");
        return;
    }
    if (rpctl_rollout_is_undoing(&service->rollout)) {
        rpctl_control_client_reject(client, RPCTL_EXIT_DONE, "it is being undone already");
        return;
    }
    if (!rpctl_rollout_shell_can_abort(service)) {
        snprintf(text, sizeof text,
                 "cannot abort: generation %u has died, and generation %u serves; the %s goes on",
                 operation->from, operation->to, operation->kind);
        rpctl_control_client_reject(client, RPCTL_EXIT_FAILED, text);
        return;
    }
    operation->aborted = true;
    snprintf(text, sizeof text, "the %s to generation %u is being aborted", operation->kind, operation->to);
    rpctl_control_client_reject(client, RPCTL_EXIT_DONE, text);
    rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_ABORT, "aborted");
}

static struct rpctl_operation *operation_for(struct rpctl_service *service,
                                             struct rpctl_control_client *client, const char *kind,
                                             const struct rpctl_policy *policy)
{
    struct rpctl_operation *operation = rpctl_operation_new(service, kind, policy);

    if (!operation) {
        rpctl_control_client_reject(client, RPCTL_EXIT_FAILED,
                                    "no memory for another operation; the service is as before");
        return NULL;
    }
    operation->by_uid = (long)rpctl_control_client_uid(client);
    operation->by_pid = (long)rpctl_control_client_pid(client);
    rpctl_operation_follow(operation, client);
    return operation;
}

static void answer_stop(struct rpctl_service *service, struct rpctl_control_client *client)
{
    struct rpctl_operation *operation = operation_for(service, client, "stop", &service->policy);

    if (operation) rpctl_service_stop(service, operation);
}

/* What the request leaves out is as the service has it. Shares the strings of both. */
static struct rpctl_release requested_release(const struct rpctl_generation *current,
                                              const struct rpctl_request *request)
{
    struct rpctl_release release = current->release;

    if (request->binary) release.binary = (char *)(uintptr_t)request->binary;
    if (request->args) release.args = (char **)(uintptr_t)request->args;
    if (request->env) release.env = (char **)(uintptr_t)request->env;
    return release;
}

static void answer_upgrade(struct rpctl_service *service, struct rpctl_control_client *client,
                           const struct rpctl_request *request, const char *kind)
{
    const struct rpctl_generation *current = service->serving ? service->serving : service->failed;
    struct rpctl_policy policy = service->policy;
    struct rpctl_operation *operation;
    struct rpctl_release release;
    struct rp_error error;

    if (rpctl_policy_settings_apply(&policy, request->policy, &error) < 0) {
        rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, error.message);
        return;
    }
    if (service->state != RPCTL_SERVICE_RUNNING) {
        rpctl_control_client_reject(client, RPCTL_EXIT_BUSY,
                                    "the service is stopping; start it again when it has stopped");
        return;
    }
    operation = operation_for(service, client, kind, &policy);
    if (!operation) return;
    if (!current) {
        rpctl_service_begin(service, operation, NULL); /* a first start is under way: refused as busy */
        return;
    }
    release = requested_release(current, request);
    rpctl_service_begin(service, operation, &release);
}

static void dispatch(struct rpctl_service *service, struct rpctl_control_client *client,
                     const struct rpctl_request *request)
{
    switch (request->command) {
    case RPCTL_REQUEST_STATUS: rpctl_service_census_ask(service, client); return;
    case RPCTL_REQUEST_WATCH: rpctl_service_watch_add(service, client); return;
    case RPCTL_REQUEST_FOLLOW: answer_follow(service, client); return;
    case RPCTL_REQUEST_ABORT: answer_abort(service, client); return;
    case RPCTL_REQUEST_REEXEC: rpctl_reexec_begin(service, client); return;
    case RPCTL_REQUEST_STOP: answer_stop(service, client); return;
    case RPCTL_REQUEST_UPGRADE: answer_upgrade(service, client, request, "upgrade"); return;
    case RPCTL_REQUEST_RESTART: answer_upgrade(service, client, request, "restart"); return;
    case RPCTL_REQUEST_COMMAND_COUNT: break;
    }
    rpctl_control_client_reject(client, RPCTL_EXIT_BUG, "a command without an answer");
}

static void on_request(struct rpctl_control_client *client, const char *line, size_t length, void *data)
{
    struct rpctl_service *service = data;
    struct rpctl_request request;
    struct rp_error error;

    int status = rpctl_request_decode(&request, line, length, &error);

    if (status < 0) {
        rpctl_control_client_reject(client, status == -ENOMEM ? RPCTL_EXIT_BUG : RPCTL_EXIT_USAGE,
                                    error.message);
        return;
    }
    dispatch(service, client, &request);
    rpctl_request_done(&request);
}

static void on_client_closed(struct rpctl_control_client *client, void *data)
{
    struct rpctl_service *service = data;

    for (struct rpctl_operation *operation = service->operations; operation; operation = operation->next)
        rpctl_operation_forget(operation, client);
    rpctl_service_census_forget(service, client);
    rpctl_service_watch_forget(service, client);
}

int rpctl_service_control_start(struct rpctl_service *service, struct rp_error *error)
{
    static const struct rpctl_control_handlers handlers = {on_request, on_client_closed};
    const struct rpctl_handoff *handoff = service->config->handoff;
    int fd = handoff ? handoff->control_fd : -1;
    int status = 0;

    if (!handoff)
        status = rpctl_unix_socket_bind(rpctl_service_dir_fd(service->config->dir), RPCTL_SERVICE_DIR_CONTROL,
                                        SOCK_STREAM, &fd, error);

    if (status < 0) return status;
    return rpctl_control_server_new(&service->loop, fd, service->config->name, &handlers, service,
                                    &service->control, error);
}
