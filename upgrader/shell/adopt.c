#include "shell/adopt.h"

#include "linux/log_file.h"
#include "linux/marked.h"
#include "shell/service.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- their end
 * ----------------------------------------------------------------------------------------------
 */

static void free_watch(uv_handle_t *handle)
{
    free(handle);
}

void rpctl_adopt_unwatch(struct rpctl_instance *instance)
{
    if (!instance->watch) return;
    uv_close((uv_handle_t *)instance->watch, free_watch);
    instance->watch = NULL;
}

static void on_pidfd_readable(uv_poll_t *watch, int status, int events)
{
    struct rpctl_instance *instance = watch->data;
    struct rpctl_service *service = watch->loop->data;

    (void)status;
    (void)events;
    rpctl_adopt_unwatch(instance);
    rpctl_service_on_adopted_ended(service, instance);
}

int rpctl_adopt_watch(struct rpctl_service *service, struct rpctl_instance *instance)
{
    uv_poll_t *watch = malloc(sizeof *watch);
    int status = watch ? uv_poll_init(&service->loop, watch, instance->process.pidfd) : -ENOMEM;

    if (status < 0) {
        free(watch);
        return status;
    }
    watch->data = instance;
    service->loop.data = service;
    instance->watch = watch;
    return uv_poll_start(watch, UV_READABLE, on_pidfd_readable);
}

/* By the loop's clock; wall clocks may have been set meanwhile. */
static uint64_t launched_ms(const struct rpctl_service *service, int64_t since_ms)
{
    uint64_t now_ms = uv_now(&service->loop);
    int64_t lived_ms = rpctl_service_wall_ms() - since_ms;

    if (lived_ms <= 0) return now_ms;
    return (uint64_t)lived_ms < now_ms ? now_ms - (uint64_t)lived_ms : 0;
}

/* The process becomes the instance's; on an error it is closed. */
static int adopt(struct rpctl_service *service, struct rpctl_instance *instance,
                 const struct rpctl_process *process)
{
    int status;

    instance->process = *process;
    instance->state = RPCTL_INSTANCE_READY;
    if (instance->since_ms == 0) instance->since_ms = rpctl_service_wall_ms();
    instance->launched_ms = launched_ms(service, instance->since_ms);
    status = rpctl_adopt_watch(service, instance);
    if (status == 0) return 0;
    rpctl_process_close(&instance->process);
    instance->state = RPCTL_INSTANCE_EXITED;
    return status;
}

/* --- generations
 * ---------------------------------------------------------------------------------------------
 */

static void open_log(struct rpctl_service *service, struct rpctl_generation *generation)
{
    char name[RPCTL_LOG_FILE_NAME_BYTES];

    rpctl_log_file_name(generation->number, name);
    /* Without its log it serves as well. */
    (void)rpctl_log_file_open(rpctl_service_dir_log_fd(service->config->dir), name, &generation->log_fd,
                              NULL);
}

static int add_generation(struct rpctl_service *service, unsigned number, const struct rpctl_release *release,
                          const struct rpctl_policy *policy, struct rpctl_generation **ret_generation)
{
    int status = rpctl_service_add_generation(service, number, release, policy, ret_generation);

    if (status < 0) return status;
    (*ret_generation)->taken_over = true;
    open_log(service, *ret_generation);
    return 0;
}

/* --- by the state
 * --------------------------------------------------------------------------------------------
 */

/* Opened first, compared then: through the pidfd it stays the one that was compared. */
static bool open_recorded(const struct rpctl_state_instance *recorded, struct rpctl_process *ret_process)
{
    if (recorded->process.pid <= 0) return false;
    if (rpctl_process_open(ret_process, recorded->process.pid, NULL) < 0) return false;
    if (ret_process->start_time == recorded->process.start_time && !rpctl_process_is_dead(ret_process))
        return true;
    rpctl_process_close(ret_process);
    return false;
}

static int adopt_recorded_instance(struct rpctl_service *service, struct rpctl_generation *generation,
                                   const struct rpctl_state_instance *recorded, unsigned *count)
{
    struct rpctl_instance *instance;
    struct rpctl_process process;
    int status;

    if (recorded->number > generation->instance_count) return 0;
    instance = &generation->instances[recorded->number - 1];
    instance->restarts = recorded->restarts;
    instance->backoff.failures = recorded->failures;
    instance->since_ms = recorded->since_ms;
    instance->collected = recorded->collected;
    if (recorded->state == RPCTL_INSTANCE_FAILED) instance->state = RPCTL_INSTANCE_FAILED;
    if (!open_recorded(recorded, &process)) return 0;
    status = adopt(service, instance, &process);
    if (status < 0) return status;
    (*count)++;
    if (recorded->state == RPCTL_INSTANCE_STOPPING) instance->state = RPCTL_INSTANCE_STOPPING;
    instance->told = recorded->state == RPCTL_INSTANCE_STOPPING;
    return 0;
}

static bool lives(const struct rpctl_state_generation *recorded)
{
    struct rpctl_process process;

    for (size_t i = 0; i < recorded->instance_count; i++) {
        if (!open_recorded(&recorded->instances[i], &process)) continue;
        rpctl_process_close(&process);
        return true;
    }
    return false;
}

static void restore(struct rpctl_generation *generation, const struct rpctl_state_generation *recorded)
{
    generation->state = recorded->state;
    generation->health = recorded->health;
    snprintf(generation->unfit, sizeof generation->unfit, "%s", recorded->unfit);
    generation->since_ms = recorded->since_ms;
    generation->first_start_time = recorded->first_start_time;
    generation->finished = recorded->finished;
    generation->cut = recorded->cut;
    if (recorded->drain >= RPCTL_DRAIN_DRAINING)
        rpctl_leaving_resume(generation, recorded->drain_deadline_ms);
}

static int adopt_recorded(struct rpctl_service *service, const struct rpctl_state_generation *recorded,
                          unsigned *count)
{
    const struct rpctl_release release = {.binary = (char *)(uintptr_t)recorded->binary,
                                          .args = (char **)(uintptr_t)recorded->args,
                                          .env = (char **)(uintptr_t)recorded->env};
    struct rpctl_generation *generation;
    int status = lives(recorded)
                     ? add_generation(service, recorded->number, &release, &recorded->policy, &generation)
                     : -ESRCH;

    if (status == -ESRCH) return 0;
    if (status < 0) return status;
    restore(generation, recorded);
    for (size_t i = 0; status == 0 && i < recorded->instance_count; i++)
        status = adopt_recorded_instance(service, generation, &recorded->instances[i], count);
    return status;
}

/* --- by their mark
 * --------------------------------------------------------------------------------------------
 */

struct marked_list {
    struct rpctl_marked *items;
    size_t count;
};

static unsigned instances_of(const struct marked_list *list, unsigned generation)
{
    unsigned instances = 1;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].generation == generation && list->items[i].instance > instances)
            instances = list->items[i].instance;
    return instances < RPCTL_INSTANCES_MAX ? instances : RPCTL_INSTANCES_MAX;
}

/* A generation that no state knows: what runs is what is known of it. */
static int add_unknown(struct rpctl_service *service, const struct marked_list *list,
                       const struct rpctl_marked *marked, struct rpctl_generation **ret_generation)
{
    struct rpctl_policy policy = service->policy;
    char *no_env[] = {NULL};
    struct rpctl_release release = {.env = no_env};
    int status = rpctl_marked_command(marked->process.pid, &release.binary, &release.args);

    if (status < 0) return status;
    policy.instances = instances_of(list, marked->generation);
    status = add_generation(service, marked->generation, &release, &policy, ret_generation);
    if (status == 0) {
        (*ret_generation)->since_ms = rpctl_service_wall_ms();
        (*ret_generation)->first_start_time = marked->process.start_time;
    }
    free(release.binary);
    rpctl_marked_free_args(release.args);
    return status;
}

static int adopt_marked(struct rpctl_service *service, const struct marked_list *list,
                        struct rpctl_marked *marked, unsigned *count)
{
    struct rpctl_generation *generation = rpctl_service_find_generation(service, marked->generation);
    struct rpctl_instance *instance;
    int status = generation ? 0 : add_unknown(service, list, marked, &generation);

    if (status < 0) return status == -ESRCH ? 0 : status;
    if (marked->instance > generation->instance_count) return 0; /* no number of ours */
    instance = &generation->instances[marked->instance - 1];
    if (instance->process.pidfd >= 0) return 0; /* known by the state */
    instance->collected = true;                 /* until it sends its listeners */
    status = adopt(service, instance, &marked->process);
    marked->process.pidfd = -1; /* the instance's now, or closed */
    if (status == 0) (*count)++;
    return status;
}

static int adopt_all_marked(struct rpctl_service *service, unsigned *count, struct rp_error *error)
{
    struct marked_list list = {.items = calloc(RPCTL_MARKED_MAX, sizeof *list.items)};
    int status;

    if (!list.items) return rp_error_set(error, -ENOMEM, "no memory to look for the service's processes");
    status = rpctl_marked_find(service->config->name, service->notify_path, list.items, &list.count, error);
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        status = adopt_marked(service, &list, &list.items[i], count);
        if (status < 0)
            rp_error_set(error, status, "cannot take pid %d over: %s", (int)list.items[i].process.pid,
                         strerror(-status));
    }
    for (size_t i = 0; i < list.count; i++) rpctl_process_close(&list.items[i].process);
    free(list.items);
    return status;
}

int rpctl_adopt_all(struct rpctl_service *service, const struct rpctl_state *state, unsigned *ret_count,
                    struct rp_error *error)
{
    int status = 0;

    *ret_count = 0;
    for (size_t i = 0; state && status == 0 && i < state->generation_count; i++) {
        status = adopt_recorded(service, &state->generations[i], ret_count);
        if (status < 0)
            rp_error_set(error, status, "cannot take generation %u over: %s", state->generations[i].number,
                         strerror(-status));
    }
    if (state && state->last_number > service->last_number) service->last_number = state->last_number;
    return status == 0 ? adopt_all_marked(service, ret_count, error) : status;
}
