#include "shell/service.h"

#include "pure/timestamp.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int64_t rpctl_service_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool rpctl_service_has_room(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    return poll(&room, 1, 0) == 1 && (room.revents & POLLOUT);
}

void rpctl_service_log(const struct rpctl_service *service, const char *format, ...)
{
    char text[1024];
    char when[RPCTL_TIMESTAMP_BYTES];
    va_list arguments;

    if (service->config->foreground && isatty(STDERR_FILENO)) return; /* a person reads the events */
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rpctl_timestamp_format(rpctl_service_wall_ms() / 1000, when);
    if (!rpctl_service_has_room(STDERR_FILENO)) return;
    dprintf(STDERR_FILENO, "%s rpctl pid=%d service=%s %s\n", when, (int)getpid(), service->config->name,
            text);
}

unsigned rpctl_service_serving_number(const struct rpctl_service *service)
{
    return service->serving ? service->serving->number : 0;
}

struct rpctl_generation *rpctl_service_find_generation(struct rpctl_service *service, unsigned number)
{
    struct rpctl_generation *generation = service->generations;

    while (generation && generation->number != number) generation = generation->next;
    return generation;
}

struct rpctl_instance *rpctl_service_find_instance(struct rpctl_service *service, pid_t pid)
{
    for (struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next) {
        struct rpctl_instance *instance = rpctl_generation_find(generation, pid);

        if (instance) return instance;
    }
    return NULL;
}

unsigned rpctl_service_running(const struct rpctl_service *service)
{
    unsigned running = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        running += rpctl_generation_running(generation);
    return running;
}

unsigned rpctl_service_draining(const struct rpctl_service *service)
{
    unsigned draining = 0;

    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (rpctl_generation_is_leaving(generation)) draining++;
    return draining;
}

bool rpctl_service_somebody_leaves(const struct rpctl_service *service)
{
    for (const struct rpctl_generation *generation = service->generations; generation;
         generation = generation->next)
        if (rpctl_generation_is_leaving(generation) && !rpctl_drain_is_emptied(generation->drain.state))
            return true;
    return false;
}

/* Newest first. */
static void insert(struct rpctl_service *service, struct rpctl_generation *generation)
{
    struct rpctl_generation **link = &service->generations;

    while (*link && (*link)->number > generation->number) link = &(*link)->next;
    generation->next = *link;
    *link = generation;
    if (generation->number > service->last_number) service->last_number = generation->number;
}

int rpctl_service_add_generation(struct rpctl_service *service, unsigned number,
                                 const struct rpctl_release *release, const struct rpctl_policy *policy,
                                 struct rpctl_generation **ret_generation)
{
    struct rpctl_generation *generation;
    int status = rpctl_generation_new(&generation, number, release, policy);

    if (status < 0) return status;
    status = rpctl_leaving_new(service, generation);
    if (status == 0) status = rpctl_sweep_new(service, generation);
    if (status < 0) {
        if (generation->leaving) rpctl_leaving_let_go(generation->leaving);
        rpctl_generation_free(generation);
        return status;
    }
    insert(service, generation);
    *ret_generation = generation;
    return 0;
}

void rpctl_service_forget_generation(struct rpctl_service *service, struct rpctl_generation *generation)
{
    struct rpctl_generation **link = &service->generations;

    while (*link != generation) link = &(*link)->next;
    *link = generation->next;
    rpctl_keeper_changed(&service->keeper);
    rpctl_service_cancel_relaunch(generation);
    rpctl_leaving_let_go(generation->leaving);
    rpctl_sweep_let_go(generation);
    rpctl_generation_free(generation);
}
