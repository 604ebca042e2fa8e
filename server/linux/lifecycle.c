#include "linux/notify.h"
#include "pure/environment.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long enough for a supervisor that is being restarted. */
#define WAIT_MS          5000
#define STATUS_MAX_BYTES 256
#define HEALTH_MAX_BYTES 512

struct rp_lifecycle {
    struct rp_environment environment;
    struct rp_notify notify;
};

static int read_environment(struct rp_environment *environment, struct rp_error *error)
{
    const struct rp_environment_texts texts = {
        .service = getenv("RP_SERVICE"),
        .generation = getenv("RP_GENERATION"),
        .instance = getenv("RP_INSTANCE"),
        .listen = getenv("RP_LISTEN"),
        .allow_drop = getenv("RP_ALLOW_DROP"),
        .drain_timeout_ms = getenv("RP_DRAIN_TIMEOUT_MS"),
        .idle_grace_ms = getenv("RP_IDLE_GRACE_MS"),
    };
    return rp_environment_parse(environment, &texts, error);
}

int rp_lifecycle_new(struct rp_lifecycle **ret_lifecycle, struct rp_error *error)
{
    struct rp_lifecycle *lifecycle = calloc(1, sizeof *lifecycle);
    if (lifecycle == NULL) return rp_error_set(error, -ENOMEM, "no memory for the lifecycle");
    int result = read_environment(&lifecycle->environment, error);
    if (result == 0) result = rp_notify_init(&lifecycle->notify, getenv("NOTIFY_SOCKET"), error);
    if (result < 0) {
        free(lifecycle);
        return result;
    }
    *ret_lifecycle = lifecycle;
    return 0;
}

void rp_lifecycle_free(struct rp_lifecycle *lifecycle)
{
    if (lifecycle == NULL) return;
    rp_notify_done(&lifecycle->notify);
    free(lifecycle);
}

const struct rp_identity *rp_lifecycle_identity(const struct rp_lifecycle *lifecycle)
{
    return &lifecycle->environment.identity;
}

/* For what must arrive. Nothing is served yet, so waiting harms nobody. */
static int send_surely(struct rp_lifecycle *lifecycle, const char *text, const int *fds, size_t fd_count,
                       const char *what, struct rp_error *error)
{
    int result = rp_notify_send(&lifecycle->notify, text, fds, fd_count, WAIT_MS);
    if (result == 0) return 0;
    return rp_error_set(error, result,
                        "cannot send %s to the supervisor on NOTIFY_SOCKET: %s; see that it runs", what,
                        result == -EAGAIN ? "it does not read" : strerror(-result));
}

/* For what helps but is not needed: serving goes before telling. */
static void send_if_possible(struct rp_lifecycle *lifecycle, const char *text)
{
    (void)rp_notify_send(&lifecycle->notify, text, NULL, 0, 0);
}

/* A supervisor takes a process that says nothing for ready when it has listened long enough. This one speaks,
 * and says so before anybody can see it listen. */
static int announce(struct rp_lifecycle *lifecycle, struct rp_error *error)
{
    return send_surely(lifecycle, "X_RP_STARTING=1\n", NULL, 0, "news of the start", error);
}

static int store(struct rp_lifecycle *lifecycle, const struct rp_listeners *listeners, struct rp_error *error)
{
    int fds[RP_LISTENERS_MAX];
    assert(listeners->count <= RP_LISTENERS_MAX);
    for (size_t i = 0; i < listeners->count; i++) fds[i] = listeners->items[i].fd;
    return send_surely(lifecycle, "FDSTORE=1\n", fds, listeners->count, "the listeners", error);
}

int rp_lifecycle_listen(struct rp_lifecycle *lifecycle, struct rp_listeners *ret_listeners,
                        const struct rp_address *addresses, size_t count, unsigned per_address, int backlog,
                        struct rp_error *error)
{
    const struct rp_identity *identity = rp_lifecycle_identity(lifecycle);
    struct rp_listeners listeners;
    int result = rp_listeners_bind(&listeners, addresses, count, per_address, error);
    if (result < 0) return result;
    result = rp_listeners_check(&listeners, identity->expected, identity->expected_count,
                                identity->allow_drop, error);
    if (result == 0 && identity->supervised) result = announce(lifecycle, error);
    if (result == 0) result = rp_listeners_listen(&listeners, backlog, error);
    /* systemd would keep the listeners after this process has ended, and with them a queue that nobody
     * serves. */
    if (result == 0 && identity->supervised) result = store(lifecycle, &listeners, error);
    if (result < 0) {
        rp_listeners_close(&listeners);
        return result;
    }
    *ret_listeners = listeners;
    return 0;
}

/* It becomes a line of a datagram, so a control character would make a message of its own. */
static bool health_is_good(const char *health)
{
    if (strcmp(health, "tcp") != 0 && strncmp(health, "http:/", 6) != 0) return false;
    for (const char *at = health; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f) return false;
    }
    return strlen(health) <= HEALTH_MAX_BYTES;
}

int rp_lifecycle_ready(struct rp_lifecycle *lifecycle, const char *health, struct rp_error *error)
{
    char text[HEALTH_MAX_BYTES + 64] = "READY=1\n";
    if (health != NULL && !health_is_good(health))
        return rp_error_set(error, -EINVAL, "bad health check \"%.60s\": write tcp or http:/PATH", health);
    if (health != NULL) snprintf(text, sizeof text, "READY=1\nX_RP_HEALTH=%s\n", health);
    return send_surely(lifecycle, text, NULL, 0, "readiness", error);
}

void rp_lifecycle_status(struct rp_lifecycle *lifecycle, const char *format, ...)
{
    char line[STATUS_MAX_BYTES], text[STATUS_MAX_BYTES + 16];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *at = line; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = ' ';
    }
    snprintf(text, sizeof text, "STATUS=%s\n", line);
    send_if_possible(lifecycle, text);
}

void rp_lifecycle_stopping(struct rp_lifecycle *lifecycle)
{
    send_if_possible(lifecycle, "STOPPING=1\n");
}

void rp_lifecycle_drained(struct rp_lifecycle *lifecycle, unsigned long finished, unsigned long cut)
{
    char text[96];
    snprintf(text, sizeof text, "X_RP_FINISHED=%lu\nX_RP_CUT=%lu\n", finished, cut);
    send_if_possible(lifecycle, text);
}
