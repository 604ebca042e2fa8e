#include "shell/reexec.h"

#include "linux/memory_file.h"
#include "linux/reexec.h"
#include "linux/spawn.h"
#include "pure/child_environment.h"
#include "pure/exit_code.h"
#include "pure/handoff.h"
#include "pure/version.h"
#include "shell/handoff.h"
#include "shell/service.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ANSWER_BYTES_MAX  65536
#define CHECK_FD          "3" /* the first that rpctl_spawn hands on */
#define WHAT_IT_SAID_COLS 160

enum reexec_state {
    ASKING,
    RESTING,
    FREEZING, /* signals are blocked */
};

struct rpctl_reexec {
    struct rpctl_service *service;
    struct rpctl_operation *operation;
    enum reexec_state state;
    struct rpctl_file_identity file;
    struct rpctl_process asked;
    int answer_fd;
    uv_timer_t timer;
    uv_check_t check; /* behind each look at the descriptors */
    uv_idle_t nudge;  /* so that there is one */
    unsigned open_handles;
    sigset_t signals;
};

/* --- its end -------------------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct rpctl_reexec *reexec = handle->data;

    if (--reexec->open_handles == 0) free(reexec);
}

static void end(struct rpctl_reexec *reexec)
{
    if (reexec->state == FREEZING) rpctl_signals_restore(&reexec->signals);
    if (reexec->state != ASKING) rpctl_control_server_pause(reexec->service->control, false);
    if (reexec->asked.pidfd >= 0) rpctl_process_signal(&reexec->asked, SIGKILL);
    rpctl_process_close(&reexec->asked);
    if (reexec->answer_fd >= 0) close(reexec->answer_fd);
    reexec->service->reexec = NULL;
    uv_close((uv_handle_t *)&reexec->timer, on_handle_closed);
    uv_close((uv_handle_t *)&reexec->check, on_handle_closed);
    uv_close((uv_handle_t *)&reexec->nudge, on_handle_closed);
}

void rpctl_reexec_cancel(struct rpctl_service *service)
{
    if (service->reexec) end(service->reexec);
}

static void fail(struct rpctl_reexec *reexec, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct rpctl_reexec *reexec, const char *format, ...)
{
    struct rpctl_operation *operation = reexec->operation;
    struct rpctl_service *service = reexec->service;
    char reason[RPCTL_OPERATION_DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    end(reexec);
    rpctl_service_log(service, "reexec=failed reason=\"%s\"", reason);
    rpctl_operation_fail(operation, "%s", reason);
    rpctl_operation_finish(operation, RPCTL_EXIT_FAILED);
}

/* --- resume: the point of no return --------------------------------------------------------------------- */

static int execute(struct rpctl_service *service, struct rp_error *error)
{
    struct rpctl_handoff_parcel parcel = {0};
    int fd = -1;
    int status = rpctl_handoff_pack(service, &parcel, error);

    if (status == 0) status = rpctl_memory_file_new("rpctl-handoff", parcel.text, parcel.length, &fd, error);
    if (status == 0) {
        parcel.fds[parcel.fd_count++] = fd;
        status = rpctl_reexec(service->config->program, fd, parcel.fds, parcel.fd_count, error);
    }
    if (fd >= 0) close(fd);
    rpctl_handoff_parcel_done(&parcel);
    return status;
}

static void replace(struct rpctl_reexec *reexec)
{
    const char *program = reexec->service->config->program;
    struct rpctl_file_identity now;
    struct rp_error error;
    int status = rpctl_file_identify(program, &now, &error);

    if (status == 0 && !rpctl_file_is_same(&now, &reexec->file))
        status = rp_error_set(&error, -ESTALE, "%s was replaced meanwhile; try again", program);
    if (status == 0) status = execute(reexec->service, &error);
    fail(reexec, "%s", error.message);
}

/* --- rest ----------------------------------------------------------------------------------------------- */

static bool are_operations_at_rest(const struct rpctl_reexec *reexec)
{
    for (const struct rpctl_operation *operation = reexec->service->operations; operation;
         operation = operation->next)
        if (operation->ended || (operation != reexec->operation && !operation->draining)) return false;
    return true;
}

static bool is_at_rest(const struct rpctl_reexec *reexec)
{
    const struct rpctl_service *service = reexec->service;

    return rpctl_jobs_idle(&service->jobs) && rpctl_keeper_is_settled(&service->keeper) &&
           !service->census.count && service->rounds == 0 && are_operations_at_rest(reexec);
}

static void on_nudge(uv_idle_t *nudge)
{
    (void)nudge;
}

static void freeze(struct rpctl_reexec *reexec)
{
    rpctl_signals_block(&reexec->signals);
    reexec->state = FREEZING;
    uv_idle_start(&reexec->nudge, on_nudge);
}

static void thaw(struct rpctl_reexec *reexec)
{
    rpctl_signals_restore(&reexec->signals);
    reexec->state = RESTING;
    uv_idle_stop(&reexec->nudge);
}

/* Behind a turn in which no signal was caught any more, all that were caught before have been told. */
static void on_turn(uv_check_t *check)
{
    struct rpctl_reexec *reexec = check->data;
    bool rests = is_at_rest(reexec);

    if (reexec->state == FREEZING && rests)
        replace(reexec);
    else if (reexec->state == FREEZING)
        thaw(reexec);
    else if (rests)
        freeze(reexec);
    else
        uv_idle_stop(&reexec->nudge);
}

static void on_rest_timer(uv_timer_t *timer)
{
    fail(timer->data, "the supervisor has not come to rest within %d s; try again",
         RPCTL_REEXEC_REST_MS / 1000);
}

static void rest(struct rpctl_reexec *reexec)
{
    reexec->state = RESTING;
    rpctl_control_server_pause(reexec->service->control, true);
    rpctl_operation_begin(reexec->operation, "resume", 0);
    uv_timer_start(&reexec->timer, on_rest_timer, RPCTL_REEXEC_REST_MS, 0);
    uv_check_start(&reexec->check, on_turn);
    uv_idle_start(&reexec->nudge, on_nudge);
}

/* --- ask ------------------------------------------------------------------------------------------------ */

static void on_answer_timer(uv_timer_t *timer)
{
    struct rpctl_reexec *reexec = timer->data;

    fail(reexec, "%s has not said within %d s that it can go on with the service",
         reexec->service->config->program, RPCTL_REEXEC_ANSWER_MS / 1000);
}

static int spawn(struct rpctl_reexec *reexec, int handoff_fd, struct rp_error *error)
{
    const char *program = reexec->service->config->program;
    char variable[] = RPCTL_RESUME_CHECK_VARIABLE "=" CHECK_FD;
    char *contract[] = {variable, NULL};
    char *arguments[] = {(char *)(uintptr_t)program, NULL};
    char **environment = rpctl_child_environment(environ, NULL, contract);
    struct rpctl_spawn_request request = {.binary = program,
                                          .argv = arguments,
                                          .envp = environment,
                                          .cwd_fd = -1,
                                          .umask = reexec->service->umask,
                                          .log_fd = reexec->answer_fd,
                                          .listen_fds = &handoff_fd,
                                          .listen_fd_count = 1};
    int status = rp_error_set(error, -ENOMEM, "no memory to run %s", program);

    if (environment) status = rpctl_spawn(&request, &reexec->asked, error);
    free(environment);
    return status;
}

static int ask(struct rpctl_reexec *reexec, struct rp_error *error)
{
    struct rpctl_handoff_parcel parcel = {0};
    int fd = -1;
    int status = rpctl_file_identify(reexec->service->config->program, &reexec->file, error);

    if (status == 0) status = rpctl_handoff_pack(reexec->service, &parcel, error);
    if (status == 0) status = rpctl_memory_file_new("rpctl-check", parcel.text, parcel.length, &fd, error);
    if (status == 0) status = rpctl_memory_file_new("rpctl-answer", "", 0, &reexec->answer_fd, error);
    if (status == 0) status = spawn(reexec, fd, error);
    if (fd >= 0) close(fd);
    rpctl_handoff_parcel_done(&parcel);
    return status;
}

/* The first line of what it printed. */
static char *read_answer(const struct rpctl_reexec *reexec)
{
    char *text = NULL;
    size_t length;

    if (rpctl_memory_file_read(reexec->answer_fd, ANSWER_BYTES_MAX, &text, &length, NULL) < 0) return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* The version in its answer; NULL when that is none. */
static const char *version_in(const char *answer)
{
    static const char before[] = RPCTL_RESUME_ANSWER " ";

    return answer && strncmp(answer, before, sizeof before - 1) == 0 ? answer + sizeof before - 1 : NULL;
}

static void refuse(struct rpctl_reexec *reexec, int status, const char *answer)
{
    char how[RPCTL_PROCESS_STATUS_BYTES];

    rpctl_process_describe_status(status, how);
    fail(reexec, "%s cannot go on with the service: asked, it ended with %s%s%.*s",
         reexec->service->config->program, how, answer && *answer ? " and said: " : "", WHAT_IT_SAID_COLS,
         answer ? answer : "");
}

void rpctl_reexec_on_child_ended(struct rpctl_service *service, const struct rpctl_process_end *ended)
{
    struct rpctl_reexec *reexec = service->reexec;
    const char *version;
    char *answer;

    if (!reexec || reexec->asked.pidfd < 0 || reexec->asked.pid != ended->pid) return;
    rpctl_process_close(&reexec->asked);
    uv_timer_stop(&reexec->timer);
    answer = read_answer(reexec);
    version = version_in(answer);
    if (ended->status == 0 && version) {
        rpctl_operation_end(reexec->operation, json_pack("{ss,ss}", "old", rpctl_version, "new", version),
                            "rpctl %s can go on", version);
        rest(reexec);
    } else {
        refuse(reexec, ended->status, answer);
    }
    free(answer);
}

/* --- the beginning -------------------------------------------------------------------------------------- */

static bool is_busy(struct rpctl_service *service, char *text, size_t bytes)
{
    text[0] = '\0';
    if (service->state != RPCTL_SERVICE_RUNNING)
        snprintf(text, bytes, "the service is stopping");
    else if (service->reexec)
        snprintf(text, bytes, "the supervisor is being replaced already");
    else if (service->operation)
        rpctl_operation_describe(service->operation, text, bytes);
    else if (service->takeover)
        snprintf(text, bytes, "the service is being taken over from a former supervisor");
    else if (service->failed)
        snprintf(text, bytes, "generation %u has failed; upgrade to a release that works first",
                 service->failed->number);
    else if (!service->serving)
        snprintf(text, bytes, "the service is being started");
    return text[0] != '\0';
}

static struct rpctl_operation *make_operation(struct rpctl_service *service,
                                              struct rpctl_control_client *client)
{
    struct rpctl_operation *operation = rpctl_operation_new(service, "reexec", &service->policy);

    if (!operation) return NULL;
    operation->from = rpctl_service_serving_number(service);
    snprintf(operation->release, sizeof operation->release, "rpctl");
    if (!client) return operation;
    operation->by_uid = (long)rpctl_control_client_uid(client);
    operation->by_pid = (long)rpctl_control_client_pid(client);
    rpctl_operation_follow(operation, client);
    return operation;
}

static struct rpctl_reexec *make(struct rpctl_service *service, struct rpctl_operation *operation)
{
    struct rpctl_reexec *reexec = calloc(1, sizeof *reexec);

    if (!reexec) return NULL;
    reexec->service = service;
    reexec->operation = operation;
    reexec->asked.pidfd = reexec->answer_fd = -1;
    uv_timer_init(&service->loop, &reexec->timer);
    uv_check_init(&service->loop, &reexec->check);
    uv_idle_init(&service->loop, &reexec->nudge);
    reexec->timer.data = reexec->check.data = reexec->nudge.data = reexec;
    reexec->open_handles = 3;
    service->reexec = reexec;
    return reexec;
}

static void begin(struct rpctl_service *service, struct rpctl_operation *operation)
{
    struct rpctl_reexec *reexec = make(service, operation);
    struct rp_error error;

    if (!reexec) {
        rpctl_operation_fail(operation, "no memory to replace the supervisor");
        rpctl_operation_finish(operation, RPCTL_EXIT_FAILED);
        return;
    }
    if (!service->config->program) {
        fail(reexec, "the path of rpctl is not known (/proc/self/exe could not be read)");
        return;
    }
    rpctl_service_log(service, "reexec=%s", service->config->program);
    rpctl_operation_announce(operation);
    rpctl_operation_begin(operation, "ask", RPCTL_REEXEC_ANSWER_MS);
    if (ask(reexec, &error) < 0)
        fail(reexec, "%s", error.message);
    else
        uv_timer_start(&reexec->timer, on_answer_timer, RPCTL_REEXEC_ANSWER_MS, 0);
}

void rpctl_reexec_begin(struct rpctl_service *service, struct rpctl_control_client *client)
{
    char text[RPCTL_OPERATION_DETAIL_BYTES];
    struct rpctl_operation *operation;
    bool busy = is_busy(service, text, sizeof text);

    if (busy && !client) rpctl_service_log(service, "reexec=refused reason=\"%s\"", text);
    if (busy && client) rpctl_control_client_reject(client, RPCTL_EXIT_BUSY, text);
    if (busy) return;
    operation = make_operation(service, client);
    if (operation)
        begin(service, operation);
    else if (client)
        rpctl_control_client_reject(client, RPCTL_EXIT_FAILED, "no memory for another operation");
}
