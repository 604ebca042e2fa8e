#include "linux/link.h"
#include "linux/notify.h"
#include "linux/occupied.h"
#include "pure/environment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Long enough for a supervisor that is being restarted. */
#define WAIT_MS          5000
#define STATUS_MAX_BYTES 256
#define HEALTH_MAX_BYTES 512
#define STATE_MAX_BYTES  (HEALTH_MAX_BYTES + 64)

enum untold { UNTOLD_NOTHING, UNTOLD_STATE, UNTOLD_LISTENERS_AND_STATE };

struct rp_lifecycle {
    struct rp_environment environment;
    struct rp_notify notify;
    struct rp_link link;
    int kept[RP_LISTENERS_MAX]; /* duplicates of the listeners in the order of listen(), for a new supervisor
                                 */
    size_t kept_count;
    char state[STATE_MAX_BYTES]; /* READY=1… or STOPPING=1; empty while neither is true */
    enum untold untold;          /* to the supervisor there is now */
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
    result = rp_link_init(&lifecycle->link, getenv("RP_SOCKET"), error);
    if (result < 0) {
        rp_notify_done(&lifecycle->notify);
        free(lifecycle);
        return result;
    }
    *ret_lifecycle = lifecycle;
    return 0;
}

/* All but the first `count`. */
static void drop_kept(struct rp_lifecycle *lifecycle, size_t count)
{
    while (lifecycle->kept_count > count) close(lifecycle->kept[--lifecycle->kept_count]);
}

void rp_lifecycle_free(struct rp_lifecycle *lifecycle)
{
    if (lifecycle == NULL) return;
    drop_kept(lifecycle, 0);
    rp_link_done(&lifecycle->link);
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

/* Duplicates, because the program may close its own whenever it likes. */
static int keep(struct rp_lifecycle *lifecycle, const struct rp_listeners *listeners, struct rp_error *error)
{
    if (lifecycle->kept_count + listeners->count > RP_LISTENERS_MAX)
        return rp_error_set(error, -E2BIG, "%zu listeners are too many, %d is the limit; use fewer workers",
                            lifecycle->kept_count + listeners->count, RP_LISTENERS_MAX);
    for (size_t i = 0; i < listeners->count; i++) {
        int fd = fcntl(listeners->items[i].fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return rp_error_set(
                error, -errno, "cannot keep a duplicate of a listener: %s; allow more open files (ulimit -n)",
                strerror(errno));
        lifecycle->kept[lifecycle->kept_count++] = fd;
    }
    return 0;
}

static int store(struct rp_lifecycle *lifecycle, const struct rp_listeners *listeners, struct rp_error *error)
{
    int fds[RP_LISTENERS_MAX];
    size_t kept_before = lifecycle->kept_count;
    assert(listeners->count <= RP_LISTENERS_MAX);
    for (size_t i = 0; i < listeners->count; i++) fds[i] = listeners->items[i].fd;
    int result = lifecycle->link.epoll_fd < 0 ? 0 : keep(lifecycle, listeners, error);
    if (result == 0)
        result = send_surely(lifecycle, "FDSTORE=1\n", fds, listeners->count, "the listeners", error);
    if (result < 0) drop_kept(lifecycle, kept_before);
    return result;
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
    if (result == 0 && identity->supervised) result = rp_occupied_check(&listeners, identity, error);
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
    if (health != NULL && !health_is_good(health))
        return rp_error_set(error, -EINVAL, "bad health check \"%.60s\": write tcp or http:/PATH", health);
    if (health != NULL)
        snprintf(lifecycle->state, STATE_MAX_BYTES, "READY=1\nX_RP_HEALTH=%s\n", health);
    else
        snprintf(lifecycle->state, STATE_MAX_BYTES, "READY=1\n");
    return send_surely(lifecycle, lifecycle->state, NULL, 0, "readiness", error);
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

static bool tell_listeners(struct rp_lifecycle *lifecycle)
{
    if (lifecycle->kept_count == 0) return true;
    return rp_notify_send(&lifecycle->notify, "FDSTORE=1\n", lifecycle->kept, lifecycle->kept_count, 0) == 0;
}

static bool tell_state(struct rp_lifecycle *lifecycle)
{
    if (lifecycle->state[0] == '\0') return true;
    return rp_notify_send(&lifecycle->notify, lifecycle->state, NULL, 0, 0) == 0;
}

/* The listeners first: a process is not ready without any. What does not arrive waits for a tick. */
static void tell(struct rp_lifecycle *lifecycle)
{
    if (lifecycle->untold == UNTOLD_LISTENERS_AND_STATE && tell_listeners(lifecycle))
        lifecycle->untold = UNTOLD_STATE;
    if (lifecycle->untold == UNTOLD_STATE && tell_state(lifecycle)) lifecycle->untold = UNTOLD_NOTHING;
    if (lifecycle->untold != UNTOLD_NOTHING) rp_link_ask_tick(&lifecycle->link);
}

void rp_lifecycle_draining(struct rp_lifecycle *lifecycle)
{
    drop_kept(lifecycle, 0);
    lifecycle->state[0] = '\0';
}

void rp_lifecycle_stopping(struct rp_lifecycle *lifecycle)
{
    rp_lifecycle_draining(lifecycle);
    snprintf(lifecycle->state, STATE_MAX_BYTES, "STOPPING=1\n");
    lifecycle->untold = UNTOLD_STATE;
    tell(lifecycle);
}

void rp_lifecycle_drained(struct rp_lifecycle *lifecycle, unsigned long finished, unsigned long cut)
{
    char text[96];
    snprintf(text, sizeof text, "X_RP_FINISHED=%lu\nX_RP_CUT=%lu\n", finished, cut);
    send_if_possible(lifecycle, text);
}

int rp_lifecycle_fd(const struct rp_lifecycle *lifecycle)
{
    return lifecycle->link.epoll_fd;
}

void rp_lifecycle_dispatch(struct rp_lifecycle *lifecycle)
{
    enum rp_link_news news = rp_link_dispatch(&lifecycle->link);
    if (news == RP_LINK_NOTHING) return;
    if (news == RP_LINK_MADE) {
        lifecycle->untold = UNTOLD_LISTENERS_AND_STATE;
        /* The old supervisor's socket may outlive it, in a process that it has left behind. */
        rp_notify_reconnect(&lifecycle->notify);
    }
    tell(lifecycle);
}
