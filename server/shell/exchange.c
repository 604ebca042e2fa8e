#include "shell/exchange.h"

#include "pure/http_date.h"
#include "pure/target.h"
#include "shell/connection.h"
#include "shell/output.h"
#include "shell/request_timer.h"
#include "shell/worker.h"

#include <errno.h>
#include <rp/response.h>
#include <string.h>
#include <strings.h>

/* ---- making a request ---- */

/* The strings of a request are pieces of its copy of the head, with the byte behind each made a zero: that
 * byte is a blank, a ':', a '?' or a CR and serves no purpose any more. */
static const char *terminate(char *copy, struct rp_slice slice)
{
    copy[slice.offset + slice.length] = '\0';
    return copy + slice.offset;
}

static void set_headers(struct rp_request *request, char *copy, const struct rp_http_head *head)
{
    request->header_count = head->field_count;
    for (size_t i = 0; i < head->field_count; i++) {
        request->headers[i].name = terminate(copy, head->fields[i].name);
        /* http-parser reports no place for an empty value. */
        bool empty = head->fields[i].value.length == 0;
        request->headers[i].value = empty ? "" : terminate(copy, head->fields[i].value);
    }
}

/* The authority of an absolute target counts, whatever Host says (RFC 9112, 3.2.2). It moves over the '/'
 * before it, so that there is room for the zero behind it. */
static void replace_host(struct rp_request *request, char *authority, size_t length)
{
    memmove(authority - 1, authority, length);
    authority[length - 1] = '\0';
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, "host") == 0) request->headers[i].value = authority - 1;
    }
}

static void set_target(struct rp_request *request, char *copy, const struct rp_http_head *head)
{
    struct rp_target target;
    terminate(copy, head->target);
    rp_target_split(&target, copy + head->target.offset, head->target.length);
    char *mark = strchr(copy + head->target.offset, '?');
    if (mark) *mark = '\0';
    request->path = target.path;
    request->query = target.query;
    if (target.absolute) replace_host(request, copy + (target.authority - copy), target.authority_length);
}

static struct rp_request *request_new(struct rp_connection *connection, const struct rp_http_event *event,
                                      const struct rp_http_head *head)
{
    size_t headers_bytes = head->field_count * sizeof(struct rp_header);
    size_t bytes = sizeof(struct rp_request) + headers_bytes + event->length;
    struct rp_request *request = rp_request_pool_take(&connection->worker->requests, bytes);
    if (!request) return NULL;
    *request = (struct rp_request){
        .block_bytes = request->block_bytes,
        .own_headers = request->own_headers,
        .connection = connection,
        .method = head->method,
        .minor = head->minor,
        .keep_alive = head->keep_alive,
        .head_only = rp_http_method_is_head(head->method),
        .length = head->chunked ? UINT64_MAX : head->content_length,
        .expects_continue = head->expect_continue && (head->chunked || head->content_length > 0),
        .headers = (struct rp_header *)(request + 1),
    };
    char *copy = (char *)request->headers + headers_bytes;
    memcpy(copy, event->bytes, event->length);
    set_headers(request, copy, head);
    set_target(request, copy, head);
    return request;
}

/* ---- answers of the server itself ---- */

static void answer_error(struct rp_request *request, unsigned status, const char *reason)
{
    rp_response_text(request, status, "%u %s%s%s\n", status, rp_http_status_text(status), reason ? ": " : "",
                     reason ? reason : "");
}

static void answer_no_route(struct rp_request *request, uint64_t allowed)
{
    char text[RP_ALLOW_BYTES_MAX];
    rp_routes_allow_text(allowed, text);
    if (allowed) rp_response_header(request, "Allow", text);
    answer_error(request, allowed ? 405 : 404, NULL);
}

/* "OPTIONS *" asks about the server and not about a resource (RFC 9110, 9.3.7). */
static void answer_options(struct rp_request *request)
{
    char text[RP_ALLOW_BYTES_MAX];
    rp_routes_allow_text(rp_routes_methods(&request->connection->worker->service->routes), text);
    rp_response_header(request, "Allow", text);
    rp_response_send(request, 200, NULL, "", 0);
}

static void answer_too_large(struct rp_request *request)
{
    if (request->begun) {
        rp_connection_close(request->connection);
        return;
    }
    request->close = true;
    answer_error(request, 413, NULL);
}

/* There is no head to make a request of: what is known is only that the connection ends. */
void rp_exchange_refuse(struct rp_connection *connection, const struct rp_http_event *event)
{
    struct rp_worker *worker = connection->worker;
    struct rp_request *request = connection->request;
    if (request) {
        request->close = true;
        if (!request->begun)
            answer_error(request, event->status, event->reason);
        else if (!request->done)
            rp_connection_close(connection);
        return;
    }
    struct rp_http_event nobody = {.bytes = "/ ", .length = 2};
    worker->head =
        (struct rp_http_head){.minor = 1, .keep_alive = true, .target = {.offset = 0, .length = 1}};
    request = request_new(connection, &nobody, &worker->head);
    if (!request) {
        rp_connection_close(connection);
        return;
    }
    connection->request = request;
    request->close = true;
    request->body_ended = true;
    request->head_only = event->to_head;
    answer_error(request, event->status, event->reason);
}

void rp_exchange_timeout(struct rp_connection *connection)
{
    struct rp_http_event event = {.kind = RP_HTTP_BAD, .status = 408};
    rp_exchange_refuse(connection, &event);
}

/* ---- a request's way ---- */

static void send_continue(struct rp_request *request)
{
    struct rp_connection *connection = request->connection;
    static char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!request->expects_continue || request->begun || request->body_ended) return;
    request->expects_continue = false;
    uv_buf_t buffer = {.base = interim, .len = sizeof interim - 1};
    /* A client that did not wait does not need it. */
    if (connection->ahead_bytes == 0) rp_output_write(connection, &buffer, 1);
}

void rp_exchange_begin(struct rp_connection *connection, const struct rp_http_event *event,
                       const struct rp_http_head *head)
{
    struct rp_request *request = request_new(connection, event, head);
    uint64_t allowed = 0;
    if (!request) {
        rp_connection_close(connection);
        return;
    }
    connection->request = request;
    const struct rp_routes *routes = &connection->worker->service->routes;
    const struct rp_route *route =
        rp_routes_find(routes, request->method, request->path, strlen(request->path), &allowed);
    request->route = route;
    if (request->path[0] == '*')
        answer_options(request);
    else if (!route)
        answer_no_route(request, allowed);
    else if (!head->chunked && head->content_length > route->body_bytes_max)
        answer_too_large(request);
    else if (route->streaming)
        route->handler(request, route->user);
    send_continue(request);
}

static void discard(struct rp_request *request, size_t length)
{
    request->discarded += length;
    if (request->discarded > RP_DISCARD_BYTES_MAX) request->close = true;
}

void rp_exchange_body(struct rp_connection *connection, const char *bytes, size_t length)
{
    struct rp_request *request = connection->request;
    const struct rp_route *route = request->route;
    request->body_bytes += length;
    request->expects_continue = false;
    if (request->done) {
        discard(request, length);
    } else if (request->body_bytes > route->body_bytes_max) {
        answer_too_large(request);
    } else if (!route->streaming) {
        if (rp_buffer_append(&request->body, bytes, length) < 0) rp_connection_close(connection);
    } else if (request->events && request->events->body) {
        request->events->body(request, bytes, length, request->state);
    }
}

void rp_exchange_body_end(struct rp_connection *connection)
{
    struct rp_request *request = connection->request;
    const struct rp_route *route = request->route;
    request->body_ended = true;
    if (request->done) return;
    if (!route->streaming)
        route->handler(request, route->user);
    else if (request->events && request->events->body_end)
        request->events->body_end(request, request->state);
}

void rp_exchange_writable(struct rp_request *request)
{
    request->turn_bytes = 0;
    if (!request->wants_writable || request->done) return;
    request->wants_writable = false;
    if (request->events && request->events->writable) request->events->writable(request, request->state);
}

/* ---- what the connection asks ---- */

bool rp_exchange_answered(const struct rp_request *request)
{
    return request->done;
}

bool rp_exchange_over(const struct rp_request *request)
{
    return request->done && (request->body_ended || request->close);
}

bool rp_exchange_aborted(const struct rp_request *request)
{
    return request->aborted;
}

bool rp_exchange_closes(const struct rp_request *request)
{
    return request->close;
}

bool rp_exchange_is_last(const struct rp_request *request)
{
    return !request->keep_alive && request->body_ended;
}

bool rp_exchange_paused(const struct rp_request *request)
{
    return request->body_paused && !request->done && !request->body_ended;
}

bool rp_exchange_wants_input(const struct rp_request *request)
{
    return !request->body_ended && !rp_exchange_paused(request);
}

void rp_exchange_finish(struct rp_connection *connection, bool complete)
{
    struct rp_request *request = connection->request;
    if (complete) request->complete = true;
    if (request->work) return;
    connection->request = NULL;
    complete = request->complete && !request->aborted;
    request->over = true;
    if (request->timer) rp_request_timer_close(request->timer);
    if (request->events && request->events->ended) request->events->ended(request, complete, request->state);
    rp_buffer_free(&request->body);
    rp_request_pool_give(&connection->worker->requests, request);
}
