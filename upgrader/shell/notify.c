#include "linux/notify_receive.h"
#include "linux/unix_socket.h"
#include "pure/handoff.h"
#include "pure/notification.h"
#include "shell/service.h"
#include "shell/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A datagram is read whole, with descriptors: too large for the stack of a callback in a loop. */
struct received {
    struct rpctl_notify_message message;
    struct rpctl_notification notification;
};

static void on_added(struct rpctl_service *service, struct rpctl_generation *generation, int status,
                     const struct rp_error *error)
{
    if (status == 0) return;
    rpctl_service_log(service, "gen=%u listener=refused reason=\"%s\"", generation->number, error->message);
    if (generation == service->candidate)
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_CHECK_FAILED, "%s", error->message);
}

static void take_listeners(struct rpctl_service *service, struct rpctl_instance *instance,
                           struct rpctl_notify_message *message)
{
    instance->handed_over = true;
    instance->collected = false;
    rpctl_collected_free(instance->seen);
    instance->seen = NULL;
    if (rpctl_shadow_meet(service, instance, message->fds, message->fd_count)) return;
    rpctl_steering_add(service, instance, message->fds, message->fd_count, on_added);
    message->fd_count = 0; /* the job's now */
    if (!instance->said_ready || instance->state != RPCTL_INSTANCE_STARTING) return;
    instance->state = RPCTL_INSTANCE_READY; /* it said so before */
    rpctl_service_post(service, RPCTL_ROLLOUT_ON_INSTANCE_READY);
}

static void on_ready(struct rpctl_service *service, struct rpctl_instance *instance, const char *health)
{
    struct rpctl_generation *generation = instance->generation;
    struct rpctl_policy declared = generation->policy;

    /* A release says how it is proven; that it need not be is for the operator alone to say. */
    if (health[0] && rpctl_policy_set(&declared, "health", health, NULL) == 0 &&
        declared.health.kind != RPCTL_HEALTH_NONE)
        generation->health = declared.health;
    if (instance->state != RPCTL_INSTANCE_STARTING) return; /* it says it again, to a successor */
    rpctl_service_log(service, "gen=%u instance=%u ready=%d", generation->number, instance->number,
                      (int)instance->process.pid);
    if (generation == service->candidate && !instance->handed_over) {
        instance->said_ready = true; /* the next look at it goes on from here: shell/collect.c */
        return;
    }
    instance->state = RPCTL_INSTANCE_READY;
    rpctl_keeper_changed(&service->keeper);
    if (generation == service->candidate)
        rpctl_service_post(service, RPCTL_ROLLOUT_ON_INSTANCE_READY);
    else
        rpctl_service_attend(service);
}

/* Of its own accord, or told by somebody else, a former supervisor perhaps: it will not accept for much
 * longer, and a signal would end it at once. */
static void on_stopping(struct rpctl_service *service, struct rpctl_instance *instance)
{
    instance->told = true;
    instance->state = RPCTL_INSTANCE_STOPPING;
    instance->said_stopping = true;
    if (instance->generation == service->serving) rpctl_service_attend(service);
    rpctl_leaving_on_stopping(instance->generation);
}

static void apply(struct rpctl_service *service, struct rpctl_instance *instance, struct received *received)
{
    const struct rpctl_notification *notification = &received->notification;

    instance->notifies = true;
    if (notification->fdstore && received->message.fd_count > 0)
        take_listeners(service, instance, &received->message);
    if (notification->status[0])
        snprintf(instance->status, sizeof instance->status, "%s", notification->status);
    if (notification->has_drained) {
        instance->generation->finished += notification->finished;
        instance->generation->cut += notification->cut;
    }
    if (notification->stopping) on_stopping(service, instance);
    if (notification->ready) on_ready(service, instance, notification->health);
}

static void handle(struct rpctl_service *service, struct received *received)
{
    struct rpctl_instance *instance = rpctl_service_find_instance(service, received->message.pid);

    if (instance && received->message.uid == geteuid()) {
        rpctl_notification_parse(&received->notification, received->message.bytes, received->message.length);
        apply(service, instance, received);
    }
    /* What is left: a barrier's descriptor, or those of a stranger. */
    rpctl_notify_message_close_fds(&received->message);
}

/* The listeners of a release that nobody has are a reason not to go on; of those that serve we have
 * duplicates already. */
static void on_lost(struct rpctl_service *service, pid_t pid, const struct rp_error *error)
{
    const struct rpctl_instance *instance = rpctl_service_find_instance(service, pid);

    rpctl_service_log(service, "notification=lost reason=\"%s\"", error->message);
    if (error->code == -EMFILE && instance && instance->generation == service->candidate)
        rpctl_service_post_because(service, RPCTL_ROLLOUT_ON_CHECK_FAILED, "%s", error->message);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct rpctl_service *service = poll->data;
    static struct received received; /* the loop's thread alone comes here */
    struct rp_error error;

    (void)status;
    (void)events;
    for (;;) {
        int result = rpctl_notify_receive(service->notify_fd, &received.message, &error);

        if (result == -EMSGSIZE || result == -EMFILE || result == -EPROTO) {
            on_lost(service, received.message.pid, &error);
            continue;
        }
        if (result < 0) return;
        handle(service, &received);
    }
}

void rpctl_service_notify_drain(struct rpctl_service *service)
{
    on_readable(&service->notify_poll, 0, UV_READABLE);
}

int rpctl_service_notify_start(struct rpctl_service *service, struct rp_error *error)
{
    struct rpctl_service_dir *dir = service->config->dir;
    const struct rpctl_handoff *handoff = service->config->handoff;
    int status = rpctl_service_dir_notify_path(dir, service->notify_path, error);

    if (handoff) service->notify_fd = handoff->notify_fd;
    if (status == 0 && !handoff)
        status = rpctl_unix_socket_bind(rpctl_service_dir_fd(dir), RPCTL_SERVICE_DIR_NOTIFY, SOCK_DGRAM,
                                        &service->notify_fd, error);
    if (status < 0) return status;
    uv_poll_init(&service->loop, &service->notify_poll, service->notify_fd);
    service->notify_poll.data = service;
    uv_poll_start(&service->notify_poll, UV_READABLE, on_readable);
    return 0;
}
