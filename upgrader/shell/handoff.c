#include "shell/handoff.h"

#include "pure/handoff.h"
#include "pure/policy_settings.h"
#include "pure/version.h"
#include "shell/service.h"
#include "shell/snapshot.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The lists of a handoff while it is being made. */
struct draft {
    struct rpctl_handoff handoff;
    struct rpctl_handoff_generation *generations;
    struct rpctl_handoff_instance *instances;
    struct rpctl_handoff_operation *operations;
    struct rpctl_handoff_client *clients;
    struct rpctl_handoff_log *logs;
    size_t counts[3]; /* there are so many generations, instances, operations */
};

enum { GENERATIONS, INSTANCES, OPERATIONS };

/* --- generations ---------------------------------------------------------------------------------------- */

static void fill_instance(struct draft *draft, const struct rpctl_instance *instance)
{
    draft->instances[draft->handoff.instance_count++] = (struct rpctl_handoff_instance){
        .generation = instance->generation->number,
        .number = instance->number,
        .pid = instance->process.pid,
        .pidfd = instance->process.pidfd,
        .is_child = !instance->watch,
        .exit_status = instance->exit_status,
        .exit_unknown = instance->exit_unknown,
        .notifies = instance->notifies,
        .handed_over = instance->handed_over,
        .said_ready = instance->said_ready,
        .found = instance->found,
        .told = instance->told,
        .killed = instance->killed,
        .unfit = instance->unfit,
        .status = instance->status,
        .next_try_ms = instance->relaunch ? instance->next_try_ms : 0,
        .launched_ms = instance->launched_ms,
        .ended = instance->ended,
        .clear_ns = instance->clear_ns,
    };
}

static void fill_generation(struct draft *draft, const struct rpctl_generation *generation)
{
    int64_t since_ms, deadline_ms;

    rpctl_leaving_times(generation->leaving, &since_ms, &deadline_ms);
    draft->generations[draft->handoff.generation_count++] = (struct rpctl_handoff_generation){
        .number = generation->number,
        .log_fd = generation->log_fd,
        .taken_over = generation->taken_over,
        .leaving_since_ms = since_ms,
        .quiesce_left = generation->quiesce_left,
        .had_to_be_killed = generation->had_to_be_killed,
        .crash = generation->crash,
    };
    for (unsigned i = 0; i < generation->instance_count; i++) fill_instance(draft, &generation->instances[i]);
}

/* --- operations ----------------------------------------------------------------------------------------- */

static unsigned leaving_of(const struct rpctl_service *service, const struct rpctl_operation *operation)
{
    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (rpctl_leaving_operation(generation->leaving) == operation) return generation->number;
    return 0;
}

static void fill_witness(struct rpctl_handoff_operation *ret, const struct rpctl_operation *operation)
{
    const struct rpctl_witness_figures *figures;

    ret->first_failure = "";
    ret->witnessed = operation->witness != NULL;
    if (!ret->witnessed) return;
    figures = rpctl_witness_figures(operation->witness);
    ret->requests = figures->requests;
    ret->failed = figures->failed;
    ret->slowest_ns = figures->slowest_ns;
    ret->first_failure = figures->first_failure;
}

static void fill_operation(struct draft *draft, const struct rpctl_operation *operation, json_t *policy)
{
    struct rpctl_handoff_operation *filled = &draft->operations[draft->handoff.operation_count++];

    *filled = (struct rpctl_handoff_operation){
        .kind = operation->kind,
        .from = operation->from,
        .to = operation->to,
        .release = operation->release,
        .policy = policy,
        .since_s = operation->since_s,
        .begun_ns = operation->begun_ns,
        .by_uid = operation->by_uid,
        .by_pid = operation->by_pid,
        .events = operation->events,
        .phase = operation->phase ? operation->phase : "",
        .phase_begun_ns = operation->phase_begun_ns,
        .phase_total_ms = operation->phase_total_ms,
        .leaving = leaving_of(operation->service, operation),
        .draining = operation->draining,
    };
    fill_witness(filled, operation);
}

static int fill_operations(struct draft *draft, const struct rpctl_service *service)
{
    for (const struct rpctl_operation *operation = service->operations; operation;
         operation = operation->next) {
        json_t *policy = rpctl_policy_settings_of(&operation->policy);

        if (!policy) return -ENOMEM;
        fill_operation(draft, operation, policy);
    }
    return 0;
}

/* --- clients -------------------------------------------------------------------------------------------- */

static bool watches(const struct rpctl_service *service, const struct rpctl_control_client *client)
{
    for (size_t i = 0; i < service->watch.count; i++)
        if (service->watch.watchers[i].client == client) return true;
    return false;
}

/* Index of the operation that it follows, or -1. */
static int followed(const struct rpctl_service *service, const struct rpctl_control_client *client)
{
    int index = 0;

    for (const struct rpctl_operation *operation = service->operations; operation;
         operation = operation->next, index++)
        for (size_t i = 0; i < operation->follower_count; i++)
            if (operation->followers[i] == client) return index;
    return -1;
}

/* False: there is nothing that it could wait for. */
static bool find_role(const struct rpctl_service *service, const struct rpctl_control_client *client,
                      const struct rpctl_control_client_past *past, struct rpctl_handoff_client *filled)
{
    int operation = followed(service, client);

    if (operation >= 0) filled->operation = (unsigned)operation;
    if (past->finishes)
        filled->role = RPCTL_HANDOFF_FINISHES;
    else if (past->asks)
        filled->role = RPCTL_HANDOFF_ASKS;
    else if (operation >= 0)
        filled->role = RPCTL_HANDOFF_FOLLOWS;
    else if (watches(service, client))
        filled->role = RPCTL_HANDOFF_WATCHES;
    else
        return false;
    return true;
}

static int fill_client(struct draft *draft, const struct rpctl_service *service,
                       struct rpctl_control_client *client)
{
    struct rpctl_control_client_past past;
    struct rpctl_handoff_client filled = {0};
    int status = rpctl_control_client_describe(client, &past);

    if (status == -EINVAL) return 0; /* what it sends is no request: it is cut */
    if (status < 0) return status;
    filled.fd = past.fd;
    filled.input = past.input;
    filled.output = past.output;
    if (find_role(service, client, &past, &filled))
        draft->clients[draft->handoff.client_count++] = filled;
    else
        free((void *)(uintptr_t)past.output);
    return 0;
}

static int fill_clients(struct draft *draft, const struct rpctl_service *service)
{
    struct rpctl_control_client *clients[RPCTL_HANDOFF_CLIENTS_MAX];
    size_t count = rpctl_control_server_clients(service->control, clients, RPCTL_HANDOFF_CLIENTS_MAX);
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++) status = fill_client(draft, service, clients[i]);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static void fill_config(struct rpctl_handoff *handoff, const struct rpctl_supervisor_config *config)
{
    handoff->version = rpctl_version;
    handoff->program = config->program;
    handoff->name = config->name;
    handoff->dir = rpctl_service_dir_path(config->dir);
    handoff->dir_fd = rpctl_service_dir_fd(config->dir);
    handoff->log_dir_fd = rpctl_service_dir_log_fd(config->dir);
    handoff->lock_fd = rpctl_service_dir_lock_fd(config->dir);
    handoff->foreground = config->foreground;
    handoff->json = config->json;
    handoff->quiet = config->quiet;
    handoff->binary = config->binary;
    handoff->args = (const char *const *)config->args;
    handoff->env = (const char *const *)config->env;
}

static void fill_service(struct draft *draft, const struct rpctl_service *service)
{
    struct rpctl_handoff *handoff = &draft->handoff;

    fill_config(handoff, service->config);
    handoff->notify_fd = service->notify_fd;
    handoff->instances_fd = rpctl_links_fd(service->links);
    handoff->control_fd = rpctl_control_server_fd(service->control);
    handoff->steered = service->steered_generation;
    handoff->last_result = service->last_result;
    handoff->plain_result = service->plain_result;
    handoff->last_result_s = service->last_result_s;
}

static void fill_logs(struct draft *draft, struct rpctl_service *service)
{
    struct rpctl_handoff *handoff = &draft->handoff;

    handoff->log_count = rpctl_service_show_logs(service, draft->logs, RPCTL_HANDOFF_LOGS_MAX);
}

static int fill(struct draft *draft, struct rpctl_service *service)
{
    const struct rpctl_generation *generation;

    fill_service(draft, service);
    for (generation = service->generations; generation; generation = generation->next)
        fill_generation(draft, generation);
    fill_logs(draft, service);
    if (fill_clients(draft, service) < 0) return -ENOMEM;
    return fill_operations(draft, service);
}

/* --- its memory ----------------------------------------------------------------------------------------- */

static void count_all(struct draft *draft, const struct rpctl_service *service)
{
    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        draft->counts[GENERATIONS]++;
        draft->counts[INSTANCES] += generation->instance_count;
    }
    for (const struct rpctl_operation *operation = service->operations; operation;
         operation = operation->next)
        draft->counts[OPERATIONS]++;
}

static bool allocate(struct draft *draft, const struct rpctl_service *service)
{
    struct rpctl_handoff *handoff = &draft->handoff;

    count_all(draft, service);
    draft->generations = calloc(draft->counts[GENERATIONS] + 1, sizeof *draft->generations);
    draft->instances = calloc(draft->counts[INSTANCES] + 1, sizeof *draft->instances);
    draft->operations = calloc(draft->counts[OPERATIONS] + 1, sizeof *draft->operations);
    draft->clients = calloc(RPCTL_HANDOFF_CLIENTS_MAX, sizeof *draft->clients);
    draft->logs = calloc(RPCTL_HANDOFF_LOGS_MAX, sizeof *draft->logs);
    handoff->generations = draft->generations;
    handoff->instances = draft->instances;
    handoff->operations = draft->operations;
    handoff->clients = draft->clients;
    handoff->logs = draft->logs;
    return draft->generations && draft->instances && draft->operations && draft->clients && draft->logs;
}

static void draft_done(struct draft *draft)
{
    for (size_t i = 0; i < draft->handoff.operation_count; i++) json_decref(draft->operations[i].policy);
    for (size_t i = 0; i < draft->handoff.client_count; i++)
        free((void *)(uintptr_t)draft->clients[i].output);
    free(draft->generations);
    free(draft->instances);
    free(draft->operations);
    free(draft->clients);
    free(draft->logs);
}

/* What could not be read would be found out when there is no way back. So it is read here, and what was read
 * says which descriptors go with it. */
static int read_again(struct rpctl_handoff_parcel *parcel, struct rp_error *error)
{
    struct rpctl_handoff handoff;
    int status = rpctl_handoff_decode(&handoff, parcel->text, parcel->length, error);

    if (status < 0) return status;
    parcel->fds = rpctl_handoff_fds(&handoff, &parcel->fd_count);
    rpctl_handoff_done(&handoff);
    return parcel->fds ? 0 : rp_error_set(error, -ENOMEM, "no memory to hand the service over");
}

static int encode(struct draft *draft, struct rpctl_service *service, struct rpctl_handoff_parcel *parcel,
                  struct rp_error *error)
{
    char *state = NULL;
    size_t length = 0;
    int status = rpctl_snapshot_encode(service, &state, &length, error);

    if (status == 0)
        status = rpctl_handoff_encode(&draft->handoff, state, length, &parcel->text, &parcel->length, error);
    free(state);
    return status == 0 ? read_again(parcel, error) : status;
}

/* While a job runs, what the last one has left must do: good enough to be asked with. */
static bool bring_up_to_date(struct rpctl_service *service)
{
    if (!rpctl_jobs_idle(&service->jobs)) return true;
    rpctl_layout_update(&service->layout, service->groups);
    return service->layout.count == rpctl_groups_count(service->groups);
}

int rpctl_handoff_pack(struct rpctl_service *service, struct rpctl_handoff_parcel *ret_parcel,
                       struct rp_error *error)
{
    struct rpctl_handoff_parcel parcel = {0};
    struct draft draft = {0};
    int status = rp_error_set(error, -ENOMEM, "no memory to hand the service over");

    if (bring_up_to_date(service) && allocate(&draft, service) && fill(&draft, service) == 0)
        status = encode(&draft, service, &parcel, error);
    draft_done(&draft);
    if (status == 0)
        *ret_parcel = parcel;
    else
        rpctl_handoff_parcel_done(&parcel);
    return status;
}

void rpctl_handoff_parcel_done(struct rpctl_handoff_parcel *parcel)
{
    free(parcel->text);
    free(parcel->fds);
    *parcel = (struct rpctl_handoff_parcel){0};
}
