#include "shell/snapshot.h"

#include "shell/service.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The lists of a state while it is being put into words. */
struct snapshot {
    struct rpctl_state state;
    struct rpctl_state_generation generations[RPCTL_STATE_GENERATIONS_MAX];
    struct rpctl_state_instance *instances; /* of all generations, one behind the other */
};

static void fill_instance(struct rpctl_state_instance *ret_instance, const struct rpctl_instance *instance)
{
    *ret_instance = (struct rpctl_state_instance){.number = instance->number,
                                                  .state = instance->state,
                                                  .collected = instance->collected,
                                                  .restarts = instance->restarts,
                                                  .failures = instance->backoff.failures,
                                                  .since_ms = instance->since_ms};
    if (instance->process.pidfd >= 0)
        ret_instance->process =
            (struct rpctl_state_process){instance->process.pid, instance->process.start_time};
}

static void fill_generation(struct rpctl_state_generation *ret_generation,
                            const struct rpctl_generation *generation, struct rpctl_state_instance *instances)
{
    int64_t since_ms, deadline_ms;

    rpctl_leaving_times(generation->leaving, &since_ms, &deadline_ms);
    for (unsigned i = 0; i < generation->instance_count; i++)
        fill_instance(&instances[i], &generation->instances[i]);
    *ret_generation = (struct rpctl_state_generation){
        .number = generation->number,
        .state = generation->state,
        .binary = generation->release.binary,
        .args = (const char *const *)generation->release.args,
        .env = (const char *const *)generation->release.env,
        .policy = generation->policy,
        .health = generation->health,
        .unfit = generation->unfit,
        .since_ms = generation->since_ms,
        .first_start_time = generation->first_start_time,
        .drain = generation->drain.state,
        .drain_deadline_ms = deadline_ms,
        .finished = generation->finished,
        .cut = generation->cut,
        .instances = instances,
        .instance_count = generation->instance_count,
    };
}

static size_t count_instances(const struct rpctl_service *service)
{
    size_t count = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        count += generation->instance_count;
    return count;
}

static void fill_generations(struct snapshot *snapshot, const struct rpctl_service *service)
{
    struct rpctl_state *state = &snapshot->state;
    struct rpctl_state_instance *instances = snapshot->instances;

    for (const struct rpctl_generation *generation = service->generations;
         generation && state->generation_count < RPCTL_STATE_GENERATIONS_MAX; generation = generation->next) {
        fill_generation(&snapshot->generations[state->generation_count++], generation, instances);
        instances += generation->instance_count;
    }
    state->generations = snapshot->generations;
}

static void fill_whole(struct snapshot *snapshot, const struct rpctl_service *service)
{
    snapshot->state = (struct rpctl_state){
        .boot_id = service->boot_id,
        .service = service->config->name,
        .supervisor = {getpid(), service->start_time},
        .since_s = service->since_s,
        .policy = service->policy,
        .last_number = service->last_number,
        .serving = rpctl_service_serving_number(service),
        .candidate = service->candidate ? service->candidate->number : 0,
        .rollout = service->rollout.state,
        .operation = service->operation ? service->operation->kind : "",
        .crash = service->crash,
    };
    fill_generations(snapshot, service);
}

static int encode(struct snapshot *snapshot, struct rpctl_service *service, char **ret_text,
                  size_t *ret_length, struct rp_error *error)
{
    struct rpctl_layout *layout = &service->layout;
    int result;

    uv_mutex_lock(&layout->lock);
    snapshot->state.groups = layout->groups;
    snapshot->state.group_count = layout->count;
    result = rpctl_state_encode(&snapshot->state, ret_text, ret_length, error);
    uv_mutex_unlock(&layout->lock);
    return result;
}

int rpctl_snapshot_encode(struct rpctl_service *service, char **ret_text, size_t *ret_length,
                          struct rp_error *error)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    int result = rp_error_set(error, -ENOMEM, "no memory to write the state down");

    if (snapshot) snapshot->instances = calloc(count_instances(service) + 1, sizeof *snapshot->instances);
    if (snapshot && snapshot->instances) {
        fill_whole(snapshot, service);
        result = encode(snapshot, service, ret_text, ret_length, error);
    }
    if (snapshot) free(snapshot->instances);
    free(snapshot);
    return result;
}
