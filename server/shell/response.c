#include "pure/header_block.h"
#include "pure/http_head_scan.h"
#include "pure/response_head.h"
#include "shell/connection.h"
#include "shell/exchange.h"
#include "shell/output.h"
#include "shell/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* uv_buf_t has no const. */
static uv_buf_t buffer_of(const void *bytes, size_t length)
{
    union {
        const void *in;
        char *out;
    } pointer = {.in = bytes};
    return (uv_buf_t){.base = pointer.out, .len = length};
}

int rp_response_header(struct rp_request *request, const char *name, const char *value)
{
    if (request->begun) return -EALREADY;
    return rp_header_block_add(&request->own_headers, name, value, RP_RESPONSE_HEADER_BYTES);
}

static bool content_type_ok(const char *content_type)
{
    size_t length = content_type ? strlen(content_type) : 0;
    return rp_field_run(content_type, length) == length;
}

static bool body_left(const struct rp_request *request)
{
    return !request->body_ended && request->length > request->body_bytes;
}

/* True if what is left of the request's body makes the connection useless for another request. */
static bool body_in_the_way(const struct rp_request *request)
{
    if (!body_left(request)) return false;
    if (request->expects_continue)
        return true; /* it may come or not: nobody can tell where the next begins */
    bool streams = request->route && request->route->streaming;
    return !streams && request->length - request->body_bytes > RP_DISCARD_BYTES_MAX;
}

static bool may_keep_alive(const struct rp_request *request)
{
    struct rp_connection *connection = request->connection;
    if (!request->keep_alive || request->close || body_in_the_way(request)) return false;
    bool last = connection->worker->draining || connection->ended;
    return !last || (!body_left(request) && rp_connection_goes_on(connection));
}

/* Plans the response and writes its head to `out`. Returns its length or a negative errno. */
static int begin(struct rp_request *request, unsigned status, const char *content_type, uint64_t length,
                 char *out, size_t size)
{
    struct rp_worker *worker = request->connection->worker;
    if (request->begun) return -EALREADY;
    if (request->connection->closing) return -ECANCELED;
    if (status < 200 || status > 599 || !content_type_ok(content_type)) return -EINVAL;
    if (status == 205 && length != 0) return -EINVAL;
    struct rp_response_head head = {
        .facts = {.status = status, .length = length, .to_head = request->head_only, .minor = request->minor},
        .date = rp_worker_date(worker),
        .content_type = content_type,
        .common_headers = worker->service->headers.bytes,
        .common_bytes = worker->service->headers.length,
        .own_headers = request->own_headers.bytes,
        .own_bytes = request->own_headers.length,
    };
    head.facts.keep_alive = may_keep_alive(request);
    head.plan = rp_response_plan(&head.facts);
    size_t head_length = rp_response_head_format(&head, out, size);
    if (head_length == 0) return -ENOBUFS;
    request->begun = true;
    request->plan = head.plan;
    request->close = head.plan.close;
    request->left = length;
    if (head.plan.framing == RP_FRAMING_CLOSE && head.plan.body) request->connection->delimits = true;
    return (int)head_length;
}

static void complete(struct rp_request *request)
{
    request->done = true;
    request->left = 0;
    rp_connection_wake(request->connection);
}

int rp_response_send(struct rp_request *request, unsigned status, const char *content_type, const void *body,
                     size_t length)
{
    char head[RP_RESPONSE_HEAD_BYTES_MAX];
    int head_length = begin(request, status, content_type, length, head, sizeof head);
    if (head_length < 0) return head_length;
    uv_buf_t buffers[] = {buffer_of(head, (size_t)head_length), buffer_of(body, length)};
    int result = rp_output_write(request->connection, buffers, request->plan.body ? 2 : 1);
    complete(request);
    return result;
}

int rp_response_text(struct rp_request *request, unsigned status, const char *format, ...)
{
    char text[RP_RESPONSE_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) return -EINVAL;
    if (length >= (int)sizeof text) length = (int)sizeof text - 1;
    return rp_response_send(request, status, "text/plain; charset=utf-8", text, (size_t)length);
}

int rp_response_begin(struct rp_request *request, unsigned status, const char *content_type, uint64_t length)
{
    char head[RP_RESPONSE_HEAD_BYTES_MAX];
    int head_length = begin(request, status, content_type, length, head, sizeof head);
    if (head_length < 0) return head_length;
    uv_buf_t buffer = buffer_of(head, (size_t)head_length);
    int result = rp_output_write(request->connection, &buffer, 1);
    rp_connection_wake(request->connection);
    return result;
}

static int write_chunk(struct rp_request *request, const void *bytes, size_t length)
{
    char prefix[RP_CHUNK_PREFIX_BYTES];
    uv_buf_t buffers[] = {
        buffer_of(prefix, rp_chunk_prefix_format(length, prefix)),
        buffer_of(bytes, length),
        buffer_of("\r\n", 2),
    };
    return rp_output_write(request->connection, buffers, 3);
}

static int write_piece(struct rp_request *request, const void *bytes, size_t length)
{
    if (!request->plan.body || length == 0) return 0;
    if (request->plan.framing == RP_FRAMING_CHUNKED) return write_chunk(request, bytes, length);
    uv_buf_t buffer = buffer_of(bytes, length);
    return rp_output_write(request->connection, &buffer, 1);
}

/* A client that reads as fast as the handler writes would keep the worker from everybody else: so there is an
 * end to what is written in one turn, too. */
static enum rp_write after_write(struct rp_request *request, size_t length)
{
    struct rp_connection *connection = request->connection;
    request->turn_bytes += length;
    bool wait =
        connection->queued_bytes >= RP_WRITE_HIGH_WATER_BYTES || request->turn_bytes >= RP_WRITE_TURN_BYTES;
    request->wants_writable = wait;
    if (wait && connection->queued_bytes < RP_WRITE_HIGH_WATER_BYTES / 2)
        rp_worker_resume(connection->worker, connection);
    else
        rp_connection_wake(connection);
    return wait ? RP_WRITE_WAIT : RP_WRITE_MORE;
}

int rp_response_write(struct rp_request *request, const void *bytes, size_t length)
{
    struct rp_connection *connection = request->connection;
    if (!request->begun || request->done) return -EINVAL;
    if (connection->closing) return -ECANCELED;
    bool counted = request->left != RP_LENGTH_UNKNOWN;
    if (counted && length > request->left) return -EOVERFLOW;
    if (connection->queued_bytes + length > RP_WRITE_QUEUE_BYTES_MAX) return -ENOBUFS;
    if (counted) request->left -= length;
    int result = write_piece(request, bytes, length);
    return result < 0 ? result : (int)after_write(request, length);
}

void rp_response_abort(struct rp_request *request)
{
    if (request->done || request->connection->closing) return;
    request->begun = true;
    request->aborted = true;
    request->close = true;
    complete(request);
}

void rp_response_end(struct rp_request *request)
{
    struct rp_connection *connection = request->connection;
    if (!request->begun || request->done || connection->closing) return;
    if (request->plan.framing == RP_FRAMING_LENGTH && request->plan.body && request->left > 0) {
        rp_response_abort(request);
        return;
    }
    if (request->plan.framing == RP_FRAMING_CHUNKED && request->plan.body) {
        uv_buf_t last = buffer_of("0\r\n\r\n", 5);
        rp_output_write(connection, &last, 1);
    }
    complete(request);
}
