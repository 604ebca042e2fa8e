#include "shell/takeover_internal.h"

#include "pure/exit_code.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the end --- */

static void free_takeover(uv_handle_t *handle)
{
    struct rpctl_takeover *takeover = handle->data;

    rpctl_state_done(&takeover->state);
    free(takeover);
}

void rpctl_takeover_end(struct rpctl_takeover *takeover)
{
    takeover->service->takeover = NULL;
    rpctl_trial_cancel(takeover->trial);
    uv_close((uv_handle_t *)&takeover->timer, free_takeover);
}

void rpctl_takeover_cancel(struct rpctl_service *service)
{
    if (service->takeover) rpctl_takeover_end(service->takeover);
}

/* The servers go on, only without us. Nothing was changed, unless what was found unhealthy could not be
 * undone. */
void rpctl_takeover_give_up(struct rpctl_takeover *takeover, const char *why)
{
    struct rpctl_service *service = takeover->service;
    struct rpctl_operation *operation = takeover->operation;

    rpctl_service_log(service, "takeover=failed reason=\"%s\"", why);
    rpctl_takeover_end(takeover);
    rpctl_operation_fail(operation, "%s; %s", why,
                         takeover->has_failed_trial ? "new connections stay with the unhealthy generation"
                                                    : "the servers go on as they were");
    service->abandons = true;
    rpctl_operation_finish(operation, RPCTL_EXIT_FAILED);
}

static void finish(struct rpctl_takeover *takeover)
{
    struct rpctl_operation *operation = takeover->operation;
    unsigned long cut = operation->cut;

    rpctl_takeover_end(takeover);
    rpctl_operation_end(operation, NULL, "%s", "");
    if (cut > 0) rpctl_operation_fail(operation, "%lu connections were cut at the drain deadline", cut);
    rpctl_operation_finish(operation, cut > 0 ? RPCTL_EXIT_NOT_SPOTLESS : RPCTL_EXIT_DONE);
}

bool rpctl_takeover_is_undecided(const struct rpctl_service *service)
{
    return service->takeover && !service->takeover->steered;
}

void rpctl_takeover_on_gone(struct rpctl_service *service)
{
    if (service->takeover && service->takeover->steered && rpctl_service_draining(service) == 0)
        finish(service->takeover);
}

/* --- the beginning --- */

static void describe(const struct rpctl_service *service, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (const struct rpctl_generation *generation = service->generations; generation && used < bytes;
         generation = generation->next) {
        unsigned running = rpctl_generation_running(generation);

        used += (size_t)snprintf(text + used, bytes - used, "%s%u process%s of generation %u (%s)",
                                 used ? ", " : "", running, running == 1 ? "" : "es", generation->number,
                                 rpctl_release_name(&generation->release));
    }
}

void rpctl_takeover_run(struct rpctl_service *service, struct rpctl_control_client *follower)
{
    struct rpctl_takeover *takeover = service->takeover;
    char text[RPCTL_OPERATION_DETAIL_BYTES];

    uv_timer_init(&service->loop, &takeover->timer);
    takeover->timer.data = takeover;
    takeover->begun_ms = uv_now(&service->loop);
    takeover->operation = rpctl_operation_new(service, "takeover", &service->policy);
    if (!takeover->operation) {
        rpctl_takeover_end(takeover);
        service->abandons = true;
        service->exit_code = RPCTL_EXIT_BUG;
        rpctl_service_stop(service, NULL);
        return;
    }
    if (follower) rpctl_operation_follow(takeover->operation, follower);
    takeover->operation->to = service->generations->number;
    snprintf(takeover->operation->release, sizeof takeover->operation->release, "%s",
             rpctl_release_name(&service->generations->release));
    rpctl_operation_announce(takeover->operation);
    if (takeover->warning[0]) rpctl_operation_warn(takeover->operation, "%s", takeover->warning);
    rpctl_operation_begin(takeover->operation, "find", 0);
    describe(service, text, sizeof text);
    rpctl_operation_end(takeover->operation, json_pack("{sI}", "processes", (json_int_t)takeover->processes),
                        "%s", text);
    rpctl_takeover_begin_listeners(takeover);
}
