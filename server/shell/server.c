#include "shell/server.h"

#include "pure/header_block.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configuration ---- */

void rp_server_config_init(struct rp_server_config *config)
{
    *config = (struct rp_server_config){
        .workers = RP_WORKERS_AUTO,
        .backlog = RP_BACKLOG_DEFAULT,
        .pool_threads = RP_POOL_THREADS_DEFAULT,
        .drain_timeout_ms = RP_MS_UNSET,
        .idle_grace_ms = RP_MS_UNSET,
        .limits =
            {
                .head_bytes = RP_HEAD_BYTES_DEFAULT,
                .target_bytes = RP_TARGET_BYTES_DEFAULT,
                .body_bytes = RP_BODY_BYTES_DEFAULT,
                .idle_timeout_ms = RP_IDLE_TIMEOUT_MS_DEFAULT,
                .head_timeout_ms = RP_HEAD_TIMEOUT_MS_DEFAULT,
                .body_timeout_ms = RP_BODY_TIMEOUT_MS_DEFAULT,
                .write_timeout_ms = RP_WRITE_TIMEOUT_MS_DEFAULT,
                .linger_timeout_ms = RP_LINGER_TIMEOUT_MS_DEFAULT,
                .linger_max_ms = RP_LINGER_MAX_MS_DEFAULT,
                .connections = RP_CONNECTIONS_DEFAULT,
                .connections_per_address = RP_ADDRESS_CONNECTIONS_DEFAULT,
                .jobs_per_worker = RP_WORKER_JOBS_DEFAULT,
            },
    };
}

static int check_times(const struct rp_server_config *config, struct rp_error *error)
{
    const struct rp_server_limits *limits = &config->limits;
    const struct {
        const char *name;
        uint32_t ms;
    } times[] = {
        {"idle_timeout_ms", limits->idle_timeout_ms},     {"head_timeout_ms", limits->head_timeout_ms},
        {"body_timeout_ms", limits->body_timeout_ms},     {"write_timeout_ms", limits->write_timeout_ms},
        {"linger_timeout_ms", limits->linger_timeout_ms}, {"linger_max_ms", limits->linger_max_ms},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i].ms == 0 || times[i].ms > RP_MS_MAX)
            return rp_error_set(error, -EINVAL, "%s is %u; it must be 1 to %u", times[i].name, times[i].ms,
                                RP_MS_MAX);
    }
    return 0;
}

static int check_config(const struct rp_server_config *config, struct rp_error *error)
{
    const struct rp_server_limits *limits = &config->limits;
    if (config->workers > RP_WORKERS_MAX)
        return rp_error_set(error, -EINVAL, "%u workers are too many; at most %u", config->workers,
                            RP_WORKERS_MAX);
    if (config->pool_threads > RP_POOL_THREADS_MAX)
        return rp_error_set(error, -EINVAL, "%u threads for blocking work are too many; at most %u",
                            config->pool_threads, RP_POOL_THREADS_MAX);
    if (limits->head_bytes == 0 || limits->head_bytes > RP_HEAD_BYTES_MAX)
        return rp_error_set(error, -EINVAL, "head_bytes must be 1 to %u", RP_HEAD_BYTES_MAX);
    if (limits->target_bytes == 0 || limits->connections == 0 || limits->jobs_per_worker == 0)
        return rp_error_set(error, -EINVAL, "target_bytes, connections and jobs_per_worker must not be 0");
    return check_times(config, error);
}

/* ---- making one ---- */

static int copy_addresses(struct rp_server *server, const struct rp_server_config *config,
                          struct rp_error *error)
{
    struct rp_address parsed[RP_ADDRESS_LIST_MAX];
    const struct rp_address *addresses = config->addresses;
    size_t count = config->address_count;
    if (config->listen && count > 0)
        return rp_error_set(error, -EINVAL, "give a server `addresses` or `listen`, not both");
    if (config->listen) {
        int result = rp_address_parse_list(parsed, RP_ADDRESS_LIST_MAX, &count, config->listen, error);
        if (result < 0) return result;
        addresses = parsed;
    }
    if (count == 0 || count > RP_ADDRESS_LIST_MAX)
        return rp_error_set(error, -EINVAL, "a server needs 1 to %d addresses", RP_ADDRESS_LIST_MAX);
    server->addresses = malloc(count * sizeof *addresses);
    if (!server->addresses) return rp_error_set(error, -ENOMEM, "no memory for the addresses");
    memcpy(server->addresses, addresses, count * sizeof *addresses);
    server->address_count = count;
    return 0;
}

static int copy_config(struct rp_server *server, const struct rp_server_config *config,
                       struct rp_error *error)
{
    const struct rp_identity *identity = rp_lifecycle_identity(server->lifecycle);
    server->service.limits = config->limits;
    server->service.http = (struct rp_http_limits){.head_bytes = config->limits.head_bytes,
                                                   .target_bytes = config->limits.target_bytes};
    server->service.drain = rp_drain_policy(config->drain_timeout_ms, config->idle_grace_ms,
                                            identity->drain_timeout_ms, identity->idle_grace_ms);
    server->service.log = config->log;
    server->service.log_user = config->log_user;
    server->service.pool = &server->pool;
    server->pool_threads = config->pool_threads;
    server->backlog = config->backlog;
    server->worker_count = config->workers;
    if (server->worker_count == RP_WORKERS_AUTO) {
        unsigned cpus = uv_available_parallelism();
        server->worker_count = cpus < RP_WORKERS_AUTO_MAX ? cpus : RP_WORKERS_AUTO_MAX;
    }
    return copy_addresses(server, config, error);
}

static int init_admission(struct rp_server *server, struct rp_error *error)
{
    const struct rp_server_limits *limits = &server->service.limits;
    int result = rp_admission_init(&server->admission, limits->connections, limits->connections_per_address);
    if (result < 0) return rp_error_set(error, result, "cannot count connections: %s", uv_strerror(result));
    server->service.admission = &server->admission;
    return 0;
}

static int init_loop(struct rp_server *server, struct rp_error *error)
{
    int result = uv_loop_init(&server->loop);
    if (result < 0)
        return rp_error_set(error, result, "cannot make the server's loop: %s", uv_strerror(result));
    result = uv_async_init(&server->loop, &server->wake, rp_server_on_wake);
    if (result < 0) {
        uv_loop_close(&server->loop);
        return rp_error_set(error, result, "cannot make the server's wake-up: %s", uv_strerror(result));
    }
    server->wake.data = server;
    server->board.wake = &server->wake;
    server->loop_open = true;
    return 0;
}

int rp_server_new(struct rp_server **ret_server, const struct rp_server_config *config,
                  struct rp_error *error)
{
    int result = check_config(config, error);
    if (result < 0) return result;
    struct rp_server *server = calloc(1, sizeof *server);
    if (!server) return rp_error_set(error, -ENOMEM, "no memory for the server");
    result = rp_lifecycle_new(&server->lifecycle, error);
    if (result == 0) result = copy_config(server, config, error);
    if (result == 0) result = init_admission(server, error);
    if (result == 0) result = init_loop(server, error);
    if (result < 0) {
        rp_server_free(server);
        return result;
    }
    *ret_server = server;
    return 0;
}

void rp_server_free(struct rp_server *server)
{
    if (!server) return;
    if (server->loop_open) {
        uv_close((uv_handle_t *)&server->wake, NULL);
        uv_run(&server->loop, UV_RUN_DEFAULT);
        int result = uv_loop_close(&server->loop);
        assert(result == 0);
    }
    rp_admission_done(&server->admission);
    rp_routes_free(&server->service.routes);
    rp_buffer_free(&server->service.headers);
    rp_lifecycle_free(server->lifecycle);
    free(server->workers);
    free(server->addresses);
    free(server);
}

const struct rp_identity *rp_server_identity(const struct rp_server *server)
{
    return rp_lifecycle_identity(server->lifecycle);
}

int rp_server_route(struct rp_server *server, const char *methods, const char *path, rp_handler *handler,
                    void *user, struct rp_error *error)
{
    const struct rp_route route = {
        .body_bytes_max = server->service.limits.body_bytes, .handler = handler, .user = user};
    return rp_routes_add(&server->service.routes, methods, path, &route, error);
}

int rp_server_route_streaming(struct rp_server *server, const char *methods, const char *path,
                              uint64_t max_body_bytes, rp_handler *handler, void *user,
                              struct rp_error *error)
{
    const struct rp_route route = {
        .streaming = true, .body_bytes_max = max_body_bytes, .handler = handler, .user = user};
    return rp_routes_add(&server->service.routes, methods, path, &route, error);
}

void rp_server_set_hooks(struct rp_server *server, const struct rp_server_hooks *hooks, void *user)
{
    server->service.hooks = *hooks;
    server->service.hooks_user = user;
}

int rp_server_header(struct rp_server *server, const char *name, const char *value, struct rp_error *error)
{
    int result = rp_header_block_add(&server->service.headers, name, value, RP_SERVICE_HEADER_BYTES);
    if (result < 0) return rp_error_set(error, result, "header \"%s\": %s", name, strerror(-result));
    return 0;
}

void rp_server_stop(struct rp_server *server)
{
    atomic_fetch_add(&server->stop_requests, 1);
    uv_async_send(&server->wake);
}
