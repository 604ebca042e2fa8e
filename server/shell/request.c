#include "pure/percent.h"
#include "pure/route_pattern.h"
#include "pure/target.h"
#include "shell/connection.h"
#include "shell/exchange.h"
#include "shell/request_timer.h"
#include "shell/worker.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const char *rp_request_method(const struct rp_request *request)
{
    return rp_http_method_text(request->method);
}

const char *rp_request_path(const struct rp_request *request)
{
    return request->path;
}

const char *rp_request_query(const struct rp_request *request)
{
    return request->query;
}

const char *rp_request_header(const struct rp_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) return request->headers[i].value;
    }
    return NULL;
}

bool rp_request_header_at(const struct rp_request *request, size_t index, const char **ret_name,
                          const char **ret_value)
{
    if (index >= request->header_count) return false;
    *ret_name = request->headers[index].name;
    *ret_value = request->headers[index].value;
    return true;
}

const char *rp_request_parameter(const struct rp_request *request, const char *name, size_t *ret_length)
{
    return rp_route_pattern_value(request->route->path, request->path, strlen(request->path), name,
                                  ret_length);
}

int rp_request_parameter_value(const struct rp_request *request, const char *name, char *value, size_t size)
{
    size_t length;
    const char *text = rp_request_parameter(request, name, &length);
    return text ? rp_percent_decode(text, length, false, value, size) : -ENOENT;
}

const char *rp_request_query_parameter(const struct rp_request *request, const char *name, size_t *ret_length)
{
    return rp_query_find(request->query, name, ret_length);
}

int rp_request_query_value(const struct rp_request *request, const char *name, char *value, size_t size)
{
    return rp_query_value(request->query, name, value, size);
}

const void *rp_request_body(const struct rp_request *request, size_t *ret_length)
{
    *ret_length = request->body.length;
    return request->body.length > 0 ? request->body.bytes : "";
}

void rp_request_peer(const struct rp_request *request, struct rp_address *ret_peer)
{
    const struct sockaddr_in6 *peer = &request->connection->peer;
    *ret_peer = (struct rp_address){.length = sizeof(struct sockaddr_in6)};
    if (peer->sin6_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr)) {
        memcpy(&ret_peer->storage, peer, sizeof *peer);
        return;
    }
    struct sockaddr_in ipv4;
    memcpy(&ipv4, peer, sizeof ipv4);
    if (peer->sin6_family == AF_INET6) {
        ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = peer->sin6_port};
        memcpy(&ipv4.sin_addr, peer->sin6_addr.s6_addr + 12, sizeof ipv4.sin_addr);
    }
    ret_peer->length = sizeof ipv4;
    memcpy(&ret_peer->storage, &ipv4, sizeof ipv4);
}

void *rp_request_worker_state(const struct rp_request *request)
{
    return request->connection->worker->state;
}

void rp_request_watch(struct rp_request *request, const struct rp_request_events *events, void *state)
{
    request->events = events;
    request->state = state;
}

int rp_request_after(struct rp_request *request, uint32_t delay_ms,
                     void (*callback)(struct rp_request *request, void *state), void *state)
{
    if (delay_ms > RP_REQUEST_TIMER_MS_MAX) return -EINVAL;
    if (request->over) return -ECANCELED;
    if (!request->timer) {
        int result = rp_request_timer_new(&request->timer, &request->connection->worker->loop, request);
        if (result < 0) return result;
    }
    rp_request_timer_start(request->timer, delay_ms, callback, state);
    return 0;
}

void rp_request_pause_body(struct rp_request *request)
{
    request->body_paused = true;
    rp_connection_wake(request->connection);
}

void rp_request_resume_body(struct rp_request *request)
{
    request->body_paused = false;
    rp_connection_wake(request->connection);
}
