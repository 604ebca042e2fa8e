#include "shell/resume.h"

#include "linux/reexec.h"
#include "pure/exit_code.h"
#include "pure/handoff.h"
#include "pure/policy_settings.h"
#include "pure/version.h"
#include "shell/adopt.h"
#include "shell/service.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- generations ---------------------------------------------------------------------------------------- */

static int restore_process(struct rpctl_service *service, struct rpctl_instance *instance,
                           const struct rpctl_state_instance *recorded,
                           const struct rpctl_handoff_instance *handed)
{
    instance->process = (struct rpctl_process){
        .pid = (pid_t)handed->pid, .pidfd = handed->pidfd, .start_time = recorded->process.start_time};
    if (handed->pidfd < 0 || handed->is_child) return 0;
    return rpctl_adopt_watch(service, instance);
}

static int restore_instance(struct rpctl_service *service, struct rpctl_generation *generation,
                            const struct rpctl_state_instance *recorded,
                            const struct rpctl_handoff_instance *handed)
{
    struct rpctl_instance *instance;

    if (recorded->number > generation->instance_count) return -EPROTO;
    instance = &generation->instances[recorded->number - 1];
    instance->state = recorded->state;
    instance->collected = recorded->collected;
    instance->restarts = recorded->restarts;
    instance->since_ms = recorded->since_ms;
    instance->exit_status = handed->exit_status;
    instance->exit_unknown = handed->exit_unknown;
    instance->notifies = handed->notifies;
    instance->handed_over = handed->handed_over;
    instance->said_ready = handed->said_ready;
    instance->found = handed->found;
    instance->told = handed->told;
    instance->killed = handed->killed;
    snprintf(instance->unfit, sizeof instance->unfit, "%s", handed->unfit);
    snprintf(instance->status, sizeof instance->status, "%s", handed->status);
    instance->backoff.failures = recorded->failures;
    instance->launched_ms = handed->launched_ms;
    instance->ended = handed->ended;
    instance->clear_ns = handed->clear_ns;
    return restore_process(service, instance, recorded, handed);
}

static void fill_generation(struct rpctl_generation *generation,
                            const struct rpctl_state_generation *recorded,
                            const struct rpctl_handoff_generation *handed)
{
    generation->state = recorded->state;
    generation->health = recorded->health;
    generation->since_ms = recorded->since_ms;
    generation->first_start_time = recorded->first_start_time;
    generation->finished = recorded->finished;
    generation->cut = recorded->cut;
    generation->taken_over = handed->taken_over;
    generation->log_fd = handed->log_fd;
    generation->quiesce_left = handed->quiesce_left;
    generation->had_to_be_killed = handed->had_to_be_killed;
    snprintf(generation->unfit, sizeof generation->unfit, "%s", recorded->unfit);
    snprintf(generation->crash, sizeof generation->crash, "%s", handed->crash);
}

static int restore_generation(struct rpctl_service *service, const struct rpctl_handoff *handoff,
                              const struct rpctl_state_generation *recorded)
{
    const struct rpctl_release release = {.binary = (char *)(uintptr_t)recorded->binary,
                                          .args = (char **)(uintptr_t)recorded->args,
                                          .env = (char **)(uintptr_t)recorded->env};
    struct rpctl_generation *generation;
    int status =
        rpctl_service_add_generation(service, recorded->number, &release, &recorded->policy, &generation);

    if (status < 0) return status;
    fill_generation(generation, recorded, rpctl_handoff_generation(handoff, recorded->number));
    for (size_t i = 0; status == 0 && i < recorded->instance_count; i++) {
        const struct rpctl_state_instance *instance = &recorded->instances[i];

        status = restore_instance(service, generation, instance,
                                  rpctl_handoff_instance(handoff, recorded->number, instance->number));
    }
    return status;
}

static int restore_generations(struct rpctl_service *service, const struct rpctl_handoff *handoff,
                               struct rp_error *error)
{
    const struct rpctl_state *state = &handoff->state;

    for (size_t i = 0; i < state->generation_count; i++) {
        int status = restore_generation(service, handoff, &state->generations[i]);

        if (status < 0)
            return rp_error_set(error, status, "cannot go on with generation %u: %s",
                                state->generations[i].number, strerror(-status));
    }
    service->serving = rpctl_service_find_generation(service, state->serving);
    service->last_number = state->last_number;
    return 0;
}

/* --- what is steered ------------------------------------------------------------------------------------ */

static void on_resteer(uv_timer_t *timer);

static void on_resteered(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                         const struct rp_error *error)
{
    service->unsteered = status < 0;
    if (!service->unsteered) return;
    rpctl_service_log(service, "gen=%u steering=failed reason=\"%s\"", generation->number, error->message);
    uv_timer_start(&service->resteer_timer, on_resteer, RPCTL_RETRY_MS, 0);
}

static void on_resteer(uv_timer_t *timer)
{
    struct rpctl_service *service = timer->data;

    rpctl_steering_shift(service, service->serving, false, on_resteered);
}

/* The program is in force all the time; this is about knowing it, which a close rests on. */
static void restore_steering(struct rpctl_service *service, const struct rpctl_handoff *handoff)
{
    struct rp_error error;
    int status = rpctl_steering_restore(service, handoff->state.groups, handoff->state.group_count,
                                        handoff->steered, &error);

    if (status < 0) on_resteered(service, service->serving, status, &error);
}

/* --- operations and clients ----------------------------------------------------------------------------- */

static void restore_witness(struct rpctl_service *service, struct rpctl_operation *operation,
                            const struct rpctl_handoff_operation *handed)
{
    struct rpctl_witness_figures figures = {
        .requests = handed->requests, .failed = handed->failed, .slowest_ns = handed->slowest_ns};

    if (!handed->witnessed) return;
    snprintf(figures.first_failure, sizeof figures.first_failure, "%s", handed->first_failure);
    rpctl_service_begin_witness(service, operation);
    if (operation->witness) rpctl_witness_resume(operation->witness, &figures);
}

/* The texts are the handoff's, which lives as long as the service. */
static void fill_operation(struct rpctl_operation *operation, const struct rpctl_handoff_operation *handed)
{
    operation->from = handed->from;
    operation->to = handed->to;
    snprintf(operation->release, sizeof operation->release, "%s", handed->release);
    operation->since_s = handed->since_s;
    operation->begun_ns = handed->begun_ns;
    operation->by_uid = (long)handed->by_uid;
    operation->by_pid = (long)handed->by_pid;
    operation->events = json_incref(handed->events);
    operation->phase = handed->phase[0] ? handed->phase : NULL;
    operation->phase_begun_ns = handed->phase_begun_ns;
    operation->phase_total_ms = handed->phase_total_ms;
    operation->draining = handed->draining;
}

static struct rpctl_operation *restore_operation(struct rpctl_service *service,
                                                 const struct rpctl_handoff_operation *handed)
{
    struct rpctl_policy policy = rpctl_policy_default;
    struct rpctl_operation *operation;

    if (rpctl_policy_settings_apply(&policy, handed->policy, NULL) < 0) return NULL;
    operation = rpctl_operation_new(service, handed->kind, &policy);
    if (!operation) return NULL;
    fill_operation(operation, handed);
    restore_witness(service, operation, handed);
    return operation;
}

/* A new one stands first. */
static int restore_operations(struct rpctl_service *service, const struct rpctl_handoff *handoff,
                              struct rp_error *error)
{
    for (size_t i = handoff->operation_count; i > 0; i--)
        if (!restore_operation(service, &handoff->operations[i - 1]))
            return rp_error_set(error, -ENOMEM, "no memory for the %s that is under way",
                                handoff->operations[i - 1].kind);
    return 0;
}

static struct rpctl_operation *operation_at(const struct rpctl_service *service, size_t index)
{
    struct rpctl_operation *operation = service->operations;

    for (; operation && index > 0; index--) operation = operation->next;
    return operation;
}

/* A client that cannot be served on is closed. */
static void restore_client(struct rpctl_service *service, const struct rpctl_handoff_client *handed)
{
    struct rpctl_control_client *client = NULL;
    const struct rpctl_control_client_past past = {.fd = handed->fd,
                                                   .asks = handed->role == RPCTL_HANDOFF_ASKS,
                                                   .finishes = handed->role == RPCTL_HANDOFF_FINISHES,
                                                   .input = handed->input,
                                                   .output = handed->output};

    if (rpctl_control_server_adopt(service->control, &past, &client) < 0) return;
    if (handed->role == RPCTL_HANDOFF_FOLLOWS)
        rpctl_operation_follow(operation_at(service, handed->operation), client);
    if (handed->role == RPCTL_HANDOFF_WATCHES) rpctl_service_watch_add(service, client);
}

/* --- what goes on --------------------------------------------------------------------------------------- */

static struct rpctl_operation *drain_operation(const struct rpctl_service *service,
                                               const struct rpctl_handoff *handoff, unsigned generation)
{
    for (size_t i = 0; i < handoff->operation_count; i++)
        if (handoff->operations[i].leaving == generation) return operation_at(service, i);
    return NULL;
}

static void go_on_leaving(struct rpctl_service *service, const struct rpctl_handoff *handoff)
{
    const struct rpctl_state *state = &handoff->state;

    for (size_t i = 0; i < state->generation_count; i++) {
        const struct rpctl_state_generation *recorded = &state->generations[i];
        struct rpctl_leaving_past past = {
            .state = recorded->drain,
            .since_ms = rpctl_handoff_generation(handoff, recorded->number)->leaving_since_ms,
            .deadline_ms = recorded->drain_deadline_ms,
            .operation = drain_operation(service, handoff, recorded->number),
        };

        if (recorded->drain != RPCTL_DRAIN_IDLE)
            rpctl_leaving_go_on(rpctl_service_find_generation(service, recorded->number), &past);
    }
}

static void go_on_relaunching(struct rpctl_service *service, const struct rpctl_handoff *handoff)
{
    struct rpctl_generation *serving = service->serving;

    for (unsigned i = 0; i < serving->instance_count; i++) {
        struct rpctl_instance *instance = &serving->instances[i];
        const struct rpctl_handoff_instance *handed =
            rpctl_handoff_instance(handoff, serving->number, instance->number);

        if (handed && handed->next_try_ms > 0)
            rpctl_service_relaunch_at(service, instance, handed->next_try_ms);
    }
    rpctl_service_relaunch_missing(service, serving);
    rpctl_service_attend(service); /* who is there is not handed over: it is looked at */
}

static void finish_reexec(struct rpctl_service *service, const struct rpctl_handoff *handoff)
{
    struct rpctl_operation *operation = service->operations;

    while (operation && strcmp(operation->kind, "reexec") != 0) operation = operation->next;
    if (!operation) return;
    operation->more = json_pack("{ss,ss}", "old", handoff->version, "new", rpctl_version);
    rpctl_operation_end(operation, NULL, "rpctl %s -> %s, pid %d as before", handoff->version, rpctl_version,
                        (int)getpid());
    rpctl_operation_finish(operation, RPCTL_EXIT_DONE);
}

static void restore_whole(struct rpctl_service *service, const struct rpctl_handoff *handoff)
{
    service->since_s = handoff->state.since_s;
    rpctl_relaunch_restore_crash(service, &handoff->state.crash);
    service->last_result = json_incref(handoff->last_result);
    service->last_result_s = handoff->last_result_s;
    snprintf(service->plain_result, sizeof service->plain_result, "%s", handoff->plain_result);
}

int rpctl_resume(struct rpctl_service *service, struct rp_error *error)
{
    const struct rpctl_handoff *handoff = service->config->handoff;
    int status;

    restore_whole(service, handoff);
    status = restore_generations(service, handoff, error);
    if (status < 0) return status;
    restore_steering(service, handoff);
    status = restore_operations(service, handoff, error); /* a witness asks where the service listens */
    if (status < 0) return status;
    for (size_t i = 0; i < handoff->client_count; i++) restore_client(service, &handoff->clients[i]);
    rpctl_service_show_adopt(service, handoff->logs, handoff->log_count);
    rpctl_service_log(service, "resumed old=%s new=%s serving=%u", handoff->version, rpctl_version,
                      service->serving->number);
    go_on_leaving(service, handoff);
    go_on_relaunching(service, handoff);
    finish_reexec(service, handoff);
    rpctl_keeper_changed(&service->keeper);
    rpctl_signals_unblock();
    return 0;
}
