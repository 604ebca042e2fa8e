#include "shell/server.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEALTH_PATH "/healthz"

/* ---- the drain ---- */

static void post_all(struct rp_server *server, enum rp_worker_message message)
{
    for (unsigned i = 0; i < server->worker_count; i++) rp_worker_post(&server->workers[i], message);
}

static void begin_drain(struct rp_server *server, const char *cause)
{
    server->draining = true;
    server->drain_began_ms = uv_now(&server->loop);
    rp_service_log(&server->service, "event=draining cause=%s deadline_ms=%u idle_grace_ms=%u", cause,
                   server->service.drain.deadline_ms, server->service.drain.grace_ms);
    if (server->service.hooks.drain) server->service.hooks.drain(server->service.hooks_user);
    rp_lifecycle_draining(server->lifecycle);
    post_all(server, RP_WORKER_DRAIN);
}

/* Only a second one ends the process: the first may come when rp_server_stop has begun the drain already. */
static void on_signal(uv_signal_t *watcher, int number)
{
    struct rp_server *server = watcher->data;
    if (server->signalled) {
        rp_service_log(&server->service, "event=killed cause=second_signal");
        _exit(128 + number);
    }
    server->signalled = true;
    if (!server->draining) begin_drain(server, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void take_stop_requests(struct rp_server *server)
{
    unsigned requests = atomic_load(&server->stop_requests);
    if (requests == server->stops_seen) return;
    server->stops_seen = requests;
    bool again = server->draining || requests > 1;
    if (!server->draining) begin_drain(server, "stop");
    if (again) post_all(server, RP_WORKER_CUT);
}

static void join_workers(struct rp_server *server, unsigned count)
{
    for (unsigned i = 0; i < count; i++) rp_worker_join(&server->workers[i]);
    for (unsigned i = 0; i < count; i++) rp_worker_done(&server->workers[i]);
}

static void report_drained(struct rp_server *server)
{
    unsigned long drained = 0, cut = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        drained += server->workers[i].drained;
        cut += server->workers[i].cut;
    }
    uv_update_time(&server->loop);
    rp_service_log(&server->service, "event=drained finished=%lu cut=%lu ms=%llu", drained - cut, cut,
                   (unsigned long long)(uv_now(&server->loop) - server->drain_began_ms));
    rp_lifecycle_drained(server->lifecycle, drained - cut, cut);
}

/* Closing a watcher restores the default action, and a late signal would then turn a clean end into a kill.
 */
static void close_watchers(struct rp_server *server)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (!rp_server_identity(server)->supervised) sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    uv_close((uv_handle_t *)&server->sigterm, NULL);
    uv_close((uv_handle_t *)&server->sigint, NULL);
    if (server->link_watched) uv_close((uv_handle_t *)&server->link, NULL);
}

void rp_server_on_wake(uv_async_t *wake)
{
    struct rp_server *server = wake->data;
    if (!server->workers) return;
    take_stop_requests(server);
    /* The last first: what a worker reports between two looks is seen at the next wake-up. */
    bool done = atomic_load(&server->board.done) == server->worker_count;
    bool finished = atomic_load(&server->board.finished) == server->worker_count;
    bool stopped = atomic_load(&server->board.stopped) == server->worker_count;
    if (!server->stopping_told && stopped) {
        server->stopping_told = true;
        rp_service_log(&server->service, "event=listeners_closed");
        rp_lifecycle_stopping(server->lifecycle);
    }
    if (!server->drained_told && finished) {
        server->drained_told = true;
        report_drained(server);
    }
    if (done) uv_unref((uv_handle_t *)&server->wake);
}

/* ---- the start ---- */

static void answer_health(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_text(request, 200, "ok\n");
}

static int add_health_route(struct rp_server *server, struct rp_error *error)
{
    int result = rp_server_route(server, "GET", HEALTH_PATH, answer_health, NULL, error);
    return result == -EEXIST ? 0 : result;
}

static void abandon_from(struct rp_server *server, unsigned first, unsigned count)
{
    for (unsigned i = first; i < count; i++) rp_worker_abandon(&server->workers[i]);
}

static int make_workers(struct rp_server *server, struct rp_error *error)
{
    server->workers = calloc(server->worker_count, sizeof *server->workers);
    if (!server->workers)
        return rp_error_set(error, -ENOMEM, "no memory for %u workers", server->worker_count);
    server->service.workers = server->workers;
    server->service.worker_count = server->worker_count;
    for (unsigned i = 0; i < server->worker_count; i++) {
        int result = rp_worker_init(&server->workers[i], i, &server->service, &server->board, error);
        if (result == 0) continue;
        abandon_from(server, 0, i);
        return result;
    }
    return 0;
}

static void log_listeners(struct rp_server *server, const struct rp_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count;) {
        size_t next = i + 1;
        char text[RP_ADDRESS_TEXT_BYTES];
        while (next < listeners->count &&
               rp_address_equal(&listeners->items[next].address, &listeners->items[i].address))
            next++;
        rp_address_format(&listeners->items[i].address, text);
        rp_service_log(&server->service, "event=listening address=%s listeners=%zu", text, next - i);
        i = next;
    }
}

/* Each worker gets its listeners in turn; every descriptor is given away, also on an error. */
static int hand_out(struct rp_server *server, struct rp_listeners *listeners, struct rp_error *error)
{
    int result = 0;
    for (size_t i = 0; i < listeners->count && result == 0; i++) {
        result = rp_worker_listen(&server->workers[i % server->worker_count], listeners->items[i].fd, error);
        listeners->items[i].fd = -1;
    }
    rp_listeners_close(listeners);
    return result;
}

static int listen_all(struct rp_server *server, struct rp_error *error)
{
    struct rp_listeners listeners;
    unsigned per_address = server->worker_count;
    unsigned most = RP_LISTENERS_MAX / (unsigned)server->address_count;
    if (per_address < RP_LISTENERS_PER_ADDRESS_MIN) per_address = RP_LISTENERS_PER_ADDRESS_MIN;
    if (per_address > most) per_address = most;
    int result = rp_lifecycle_listen(server->lifecycle, &listeners, server->addresses, server->address_count,
                                     per_address, server->backlog, error);
    if (result < 0) return result;
    log_listeners(server, &listeners);
    return hand_out(server, &listeners, error);
}

static void end_workers(struct rp_server *server, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        rp_worker_post(&server->workers[i], RP_WORKER_DRAIN);
        rp_worker_post(&server->workers[i], RP_WORKER_CUT);
    }
    join_workers(server, count);
}

/* On an error those that run are stopped again. */
static int start_threads(struct rp_server *server, struct rp_error *error)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        int result = rp_worker_start(&server->workers[i], error);
        if (result == 0) continue;
        end_workers(server, i);
        abandon_from(server, i, server->worker_count);
        return result;
    }
    return 0;
}

/* A program's hook may have said why, or nothing. */
static int hook_failed(const char *hook, int result, const struct rp_error *said, struct rp_error *error)
{
    return rp_error_set(error, result, "the program's %s hook failed: %s", hook,
                        said->message[0] ? said->message : strerror(-result));
}

/* Until every worker_start has returned. Signals are heard meanwhile. */
static int await_workers(struct rp_server *server, struct rp_error *error)
{
    while (atomic_load(&server->board.started) < server->worker_count) uv_run(&server->loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < server->worker_count; i++) {
        const struct rp_worker *worker = &server->workers[i];
        int result = worker->start_result;
        if (result >= 0) continue;
        struct rp_error said = worker->start_error;
        end_workers(server, server->worker_count);
        return hook_failed("worker_start", result, &said, error);
    }
    return 0;
}

static int start_workers(struct rp_server *server, struct rp_error *error)
{
    int result = make_workers(server, error);
    if (result < 0) return result;
    result = listen_all(server, error);
    if (result < 0) {
        abandon_from(server, 0, server->worker_count);
        return result;
    }
    result = start_threads(server, error);
    return result < 0 ? result : await_workers(server, error);
}

/* They do not keep the loop alive: the workers do, through `wake`. */
static int watch_signals(struct rp_server *server, struct rp_error *error)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&server->loop, &server->sigterm);
    uv_signal_init(&server->loop, &server->sigint);
    server->sigterm.data = server->sigint.data = server;
    uv_unref((uv_handle_t *)&server->sigterm);
    uv_unref((uv_handle_t *)&server->sigint);
    int result = uv_signal_start(&server->sigterm, on_signal, SIGTERM);
    if (result == 0 && !rp_server_identity(server)->supervised)
        result = uv_signal_start(&server->sigint, on_signal, SIGINT);
    if (result < 0) return rp_error_set(error, result, "cannot watch signals: %s", uv_strerror(result));
    return 0;
}

static void on_link(uv_poll_t *poll, int status, int events)
{
    struct rp_server *server = poll->data;
    (void)status;
    (void)events;
    rp_lifecycle_dispatch(server->lifecycle);
}

static int watch_link(struct rp_server *server, struct rp_error *error)
{
    int fd = rp_lifecycle_fd(server->lifecycle);
    if (fd < 0) return 0;
    int result = uv_poll_init(&server->loop, &server->link, fd);
    if (result == 0) {
        server->link_watched = true;
        server->link.data = server;
        uv_unref((uv_handle_t *)&server->link);
        result = uv_poll_start(&server->link, UV_READABLE, on_link);
    }
    if (result < 0)
        return rp_error_set(error, result, "cannot watch the link to the supervisor: %s",
                            uv_strerror(result));
    return 0;
}

/* If readiness cannot be told, nobody will send traffic: stop. */
static int tell_ready(struct rp_server *server, struct rp_error *error)
{
    int result = rp_lifecycle_ready(server->lifecycle, "http:" HEALTH_PATH, error);
    if (result == 0)
        rp_service_log(&server->service, "event=ready workers=%u", server->worker_count);
    else {
        begin_drain(server, "not_ready");
        post_all(server, RP_WORKER_CUT);
    }
    return result;
}

/* Serves until every worker is done. One that was told to stop while its workers started is never ready. */
static int serve(struct rp_server *server, struct rp_error *error)
{
    int result = server->draining ? 0 : tell_ready(server, error);
    uv_async_send(&server->wake); /* rp_server_stop may have been called before there were workers */
    uv_run(&server->loop, UV_RUN_DEFAULT);
    join_workers(server, server->worker_count);
    return result;
}

/* The pool is there before the first worker, and as long as the last. */
static int run_with_pool(struct rp_server *server, struct rp_error *error)
{
    int result = rp_pool_start(&server->pool, server->pool_threads, error);
    if (result < 0) return result;
    result = start_workers(server, error);
    if (result < 0) rp_lifecycle_draining(server->lifecycle); /* nobody serves the listeners */
    if (result == 0) result = serve(server, error);
    rp_pool_stop(&server->pool);
    return result;
}

static int run_between_hooks(struct rp_server *server, struct rp_error *error)
{
    const struct rp_server_hooks *hooks = &server->service.hooks;
    void *user = server->service.hooks_user;
    struct rp_error said = {0};
    int result = hooks->start ? hooks->start(user, &said) : 0;
    if (result < 0) return hook_failed("start", result, &said, error);
    result = run_with_pool(server, error);
    if (hooks->exit) hooks->exit(user);
    return result;
}

int rp_server_run(struct rp_server *server, struct rp_error *error)
{
    assert(!server->workers);
    int result = add_health_route(server, error);
    if (result < 0) return result;
    result = watch_signals(server, error);
    if (result == 0) result = watch_link(server, error);
    if (result == 0) result = run_between_hooks(server, error);
    close_watchers(server);
    return result;
}
