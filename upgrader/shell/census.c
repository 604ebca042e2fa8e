#include "linux/connection_count.h"
#include "shell/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct rpctl_census_count {
    uv_work_t request;
    struct rpctl_service *service;
    uint64_t begun_ms;
    int status;
    struct rp_error error;
    size_t address_count, pid_count;
    unsigned long *connections; /* behind the pids; of each process */
    struct rp_address *addresses;
    pid_t pids[];
};

static size_t count_addresses(const struct rpctl_service *service)
{
    size_t count = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        count += generation->address_count;
    return count;
}

static void take_addresses(struct rpctl_census_count *count, const struct rpctl_generation *generation)
{
    for (size_t i = 0; i < generation->address_count; i++) {
        size_t known = 0;

        while (known < count->address_count &&
               !rp_address_equal(&count->addresses[known], &generation->addresses[i]))
            known++;
        if (known == count->address_count)
            count->addresses[count->address_count++] = generation->addresses[i];
    }
}

static void take_pids(struct rpctl_census_count *count, const struct rpctl_generation *generation)
{
    for (unsigned i = 0; i < generation->instance_count; i++) {
        const struct rpctl_process *process = &generation->instances[i].process;

        if (process->pidfd >= 0) count->pids[count->pid_count++] = process->pid;
    }
}

static void free_count(struct rpctl_census_count *count)
{
    if (!count) return;
    free(count->addresses);
    free(count->connections);
    free(count);
}

/* NULL when memory is short. */
static struct rpctl_census_count *new_count(struct rpctl_service *service)
{
    unsigned running = rpctl_service_running(service);
    struct rpctl_census_count *count = calloc(1, sizeof *count + running * sizeof count->pids[0]);

    if (!count) return NULL;
    count->service = service;
    count->request.data = count;
    count->begun_ms = uv_now(&service->loop);
    count->addresses = calloc(count_addresses(service) + 1, sizeof *count->addresses);
    count->connections = calloc(running + 1, sizeof *count->connections);
    if (!count->addresses || !count->connections) {
        free_count(count);
        return NULL;
    }
    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        take_addresses(count, generation);
        take_pids(count, generation);
    }
    return count;
}

static void count_work(uv_work_t *request)
{
    struct rpctl_census_count *count = request->data;

    count->status = rpctl_connection_count_each(count->addresses, count->address_count, count->pids,
                                                count->pid_count, count->connections, &count->error);
}

static void forget_figures(struct rpctl_service *service)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        for (unsigned i = 0; i < generation->instance_count; i++) generation->instances[i].counted_pid = 0;
}

static void note_figures(struct rpctl_service *service, const struct rpctl_census_count *count)
{
    for (size_t i = 0; i < count->pid_count; i++) {
        struct rpctl_instance *instance = rpctl_service_find_instance(service, count->pids[i]);

        if (!instance) continue; /* it has ended meanwhile */
        instance->counted_pid = count->pids[i];
        instance->connections = count->connections[i];
    }
}

/* A status without the figures is better than none. */
static void answer(struct rpctl_service *service)
{
    struct rpctl_census *census = &service->census;

    for (size_t i = 0; i < census->answered_count; i++) rpctl_service_send_status(service, census->asking[i]);
    census->asking_count -= census->answered_count;
    memmove(census->asking, census->asking + census->answered_count,
            census->asking_count * sizeof *census->asking);
    census->answered_count = 0;
    rpctl_service_watch_counted(service);
}

static void begin(struct rpctl_service *service);

static void count_done(uv_work_t *request, int status)
{
    struct rpctl_census_count *count = request->data;
    struct rpctl_service *service = count->service;
    struct rpctl_census *census = &service->census;

    assert(status == 0); /* counts are never cancelled */
    census->count = NULL;
    if (service->state == RPCTL_SERVICE_CLOSING) { /* everybody has got an answer */
        free_count(count);
        return;
    }
    census->ended_ms = uv_now(&service->loop);
    census->took_ms = census->ended_ms - count->begun_ms;
    forget_figures(service);
    if (count->status == 0)
        note_figures(service, count);
    else if (!census->failed)
        rpctl_service_log(service, "count=failed reason=\"%s\"", count->error.message);
    census->failed = count->status < 0;
    free_count(count);
    answer(service);
    if (census->asking_count > 0) begin(service);
}

static void begin(struct rpctl_service *service)
{
    struct rpctl_census *census = &service->census;

    census->count = new_count(service);
    census->answered_count = census->asking_count;
    if (census->count) {
        int status = uv_queue_work(&service->loop, &census->count->request, count_work, count_done);

        assert(status == 0); /* it fails for a missing callback only */
        return;
    }
    forget_figures(service);
    answer(service);
}

void rpctl_service_census_ask(struct rpctl_service *service, struct rpctl_control_client *client)
{
    struct rpctl_census *census = &service->census;

    assert(census->asking_count < RPCTL_CONTROL_CLIENTS_MAX); /* the server takes no more clients */
    census->asking[census->asking_count++] = client;
    if (!census->count) begin(service);
}

bool rpctl_service_census_is_complete(const struct rpctl_service *service)
{
    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        for (unsigned i = 0; i < generation->instance_count; i++)
            if (!rpctl_instance_is_counted(&generation->instances[i])) return false;
    return true;
}

void rpctl_service_census_refresh(struct rpctl_service *service)
{
    if (!service->census.count) begin(service);
}

void rpctl_service_census_forget(struct rpctl_service *service, const struct rpctl_control_client *client)
{
    struct rpctl_census *census = &service->census;

    for (size_t i = 0; i < census->asking_count; i++) {
        if (census->asking[i] != client) continue;
        census->asking_count--;
        if (i < census->answered_count) census->answered_count--;
        memmove(census->asking + i, census->asking + i + 1,
                (census->asking_count - i) * sizeof *census->asking);
        return;
    }
}

void rpctl_service_census_end(struct rpctl_service *service)
{
    service->census.answered_count = service->census.asking_count;
    answer(service);
}
