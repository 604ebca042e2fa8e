#include "shell/connection.h"

#include "linux/accept.h"
#include "shell/admission.h"
#include "shell/balance.h"
#include "shell/exchange.h"
#include "shell/output.h"
#include "shell/request_work.h"
#include "shell/worker.h"

#include <assert.h>
#include <errno.h>
#include <rp/response.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uv_stream_t *stream_of(struct rp_connection *connection)
{
    return (uv_stream_t *)&connection->tcp;
}

/* ---- the end ---- */

static void free_closed(struct rp_connection *connection)
{
    if (connection->request) rp_exchange_finish(connection, false);
    if (!connection->request) free(connection);
}

void rp_connection_work_over(struct rp_connection *connection)
{
    if (connection->closed)
        free_closed(connection);
    else
        rp_connection_wake(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct rp_connection *connection = handle->data;
    struct rp_worker *worker = connection->worker;
    connection->closed = true;
    rp_buffer_free(&connection->held);
    if (connection->request && connection->request->work) rp_request_work_cancel(connection->request);
    free_closed(connection);
    rp_worker_connection_closed(worker);
}

/* It is no longer counted. */
static void leave(struct rp_worker *worker, const struct sockaddr *peer)
{
    rp_admission_leave(worker->service->admission, peer);
    rp_balance_uncount(worker);
}

void rp_connection_close(struct rp_connection *connection)
{
    if (connection->closing) return;
    connection->closing = true;
    rp_deadlines_remove(&connection->deadline);
    rp_list_remove(&connection->resume);
    /* Before its client can see the end, and come again. */
    leave(connection->worker, (const struct sockaddr *)&connection->peer);
    if (connection->delimits) rp_socket_reset_at_close(connection->fd);
    if (!connection->attached) close(connection->fd);
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

int rp_connection_attach(struct rp_connection *connection)
{
    if (connection->attached) return 0;
    int result = uv_tcp_open(&connection->tcp, connection->fd);
    if (result < 0)
        rp_connection_close(connection);
    else
        connection->attached = true;
    return result;
}

static void settle(struct rp_connection *connection);

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct rp_connection *connection = shutdown->data;
    free(shutdown);
    if (connection->closing) return;
    connection->shut = true;
    connection->progress = true;
    if (status == 0) connection->delimits = false;
    connection->linger_until_ms =
        rp_worker_now_ms(connection->worker) + connection->worker->service->limits.linger_max_ms;
    if (status < 0 || connection->ended)
        rp_connection_close(connection);
    else
        settle(connection);
}

/* Not part of the connection: most of the time it would only make an idle one larger. */
static int start_shutdown(struct rp_connection *connection)
{
    uv_shutdown_t *shutdown = malloc(sizeof *shutdown);
    if (!shutdown) return -ENOMEM;
    shutdown->data = connection;
    int result = uv_shutdown(shutdown, stream_of(connection), on_shutdown);
    if (result < 0) free(shutdown);
    return result;
}

void rp_connection_half_close(struct rp_connection *connection)
{
    if (connection->closing || connection->lingering) return;
    rp_output_flush(connection);
    if (connection->closing || rp_connection_attach(connection) < 0) return;
    connection->lingering = true;
    rp_buffer_free(&connection->held);
    connection->ahead_bytes = 0;
    if (start_shutdown(connection) < 0) rp_connection_close(connection);
}

/* Behind its last response. Who has said that nothing follows, and sent nothing, cannot be reset by what we
 * have not read: then there is no FIN to wait for. */
static void end_output(struct rp_connection *connection, bool nothing_follows)
{
    rp_output_flush(connection);
    if (nothing_follows && connection->ahead_bytes == 0 && connection->queued_bytes == 0) {
        connection->delimits = false;
        rp_connection_close(connection);
    } else {
        rp_connection_half_close(connection);
    }
}

/* ---- parsing ---- */

/* The request is over when its response is complete and its body is read, or is given up. */
static void reap(struct rp_connection *connection)
{
    struct rp_request *request = connection->request;
    if (!request || !rp_exchange_over(request)) return;
    bool close = rp_exchange_closes(request);
    bool nothing_follows = rp_exchange_is_last(request);
    bool misleading = connection->delimits && rp_exchange_aborted(request);
    rp_exchange_finish(connection, true);
    /* Work that is still under way is called off when the connection closes: that is left to the client. */
    if (misleading)
        rp_connection_close(connection);
    else if (close)
        end_output(connection, nothing_follows && !connection->request);
}

static bool wants_input(const struct rp_connection *connection)
{
    if (connection->closing || connection->lingering) return false;
    if (connection->queued_bytes >= RP_WRITE_HIGH_WATER_BYTES) return false;
    return !connection->request || rp_exchange_wants_input(connection->request);
}

static void take_event(struct rp_connection *connection, const struct rp_http_event *event)
{
    switch (event->kind) {
    case RP_HTTP_HEAD: rp_exchange_begin(connection, event, &connection->worker->head); break;
    case RP_HTTP_BODY: rp_exchange_body(connection, event->bytes, event->length); break;
    case RP_HTTP_END: rp_exchange_body_end(connection); break;
    default: rp_exchange_refuse(connection, event); break;
    }
}

static void count_used(struct rp_connection *connection, size_t used)
{
    uint32_t owed = connection->owed_bytes;
    connection->owed_bytes = used < owed ? owed - (uint32_t)used : 0;
}

/* Returns how much of the bytes was used. They stay where they are during the loop: handlers cannot reach it
 * again, for what they cause on this connection waits for a later turn. */
static size_t parse(struct rp_connection *connection, const char *bytes, size_t length)
{
    struct rp_worker *worker = connection->worker;
    size_t used = 0;
    connection->parsing = true;
    connection->ahead_bytes = length;
    for (;;) {
        reap(connection);
        if (!wants_input(connection)) break;
        struct rp_http_event event;
        rp_http_adapter_next(&connection->adapter, &worker->service->http, bytes + used, length - used,
                             &worker->head, &event);
        used += event.consumed;
        connection->ahead_bytes = length - used;
        count_used(connection, event.consumed);
        if (event.kind == RP_HTTP_MORE) break;
        connection->progress = true;
        take_event(connection, &event);
    }
    connection->parsing = false;
    return used;
}

/* A client that always sends the next request before it has the answer to the last would go on until it is
 * cut: so what it sends in the drain, after it has got an answer there, is not served. */
bool rp_connection_goes_on(struct rp_connection *connection)
{
    if (!connection->worker->draining) return !connection->ended || connection->ahead_bytes > 0;
    if (!connection->leaving) {
        connection->leaving = true;
        connection->owed_bytes = (uint32_t)(connection->ahead_bytes + rp_socket_unread(connection->fd));
    }
    return connection->owed_bytes > 0;
}

/* ---- phases ---- */

static void update_reading(struct rp_connection *connection, uv_alloc_cb alloc, uv_read_cb read)
{
    const struct rp_request *request = connection->request;
    size_t held_max = connection->worker->service->http.head_bytes;
    bool full = connection->queued_bytes >= RP_WRITE_HIGH_WATER_BYTES ||
                (request && (connection->held.length >= held_max || rp_exchange_paused(request)));
    bool read_on = !connection->ended && (connection->lingering || !full);
    if (read_on == connection->reading || rp_connection_attach(connection) < 0) return;
    connection->reading = read_on;
    if (!read_on)
        uv_read_stop(stream_of(connection));
    else if (uv_read_start(stream_of(connection), alloc, read) < 0)
        rp_connection_close(connection);
}

/* What the client's kernel has acknowledged. libuv's queue alone does not tell: the socket holds megabytes,
 * and asks for more only when a third of them is gone, which may take a slow client longer than the deadline.
 */
static uint64_t taken_bytes(const struct rp_connection *connection)
{
    size_t queued = uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp);
    return connection->written_bytes - queued - rp_socket_unacknowledged(connection->fd);
}

static enum rp_phase phase_of(const struct rp_connection *connection)
{
    const struct rp_request *request = connection->request;
    struct rp_phase_facts facts = {
        .queued = connection->queued_bytes > 0,
        .lingering = connection->lingering,
        .request = request != NULL,
        .body = request && rp_exchange_wants_input(request),
        .head = rp_http_adapter_in_head(&connection->adapter),
    };
    return rp_phase_of(&facts);
}

static void place(struct rp_connection *connection)
{
    struct rp_worker *worker = connection->worker;
    enum rp_phase phase = phase_of(connection);
    bool listed = !rp_list_empty(&connection->deadline.node);
    if (listed && phase == connection->phase && !connection->progress) return;
    connection->phase = phase;
    connection->progress = false;
    if (phase == RP_PHASE_WRITE) connection->taken_bytes = taken_bytes(connection);
    rp_deadlines_place(&worker->deadlines, &connection->deadline, phase, rp_worker_now_ms(worker));
    rp_worker_arm(worker);
}

/* The client has sent its FIN, and the parser wants more. */
static void end_input(struct rp_connection *connection)
{
    if (connection->request && !rp_exchange_answered(connection->request)) {
        rp_connection_close(connection);
    } else {
        if (connection->request) rp_exchange_finish(connection, true);
        rp_connection_half_close(connection);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct rp_connection *connection = handle->data;
    (void)suggested;
    *buffer = (uv_buf_t){.base = connection->worker->input, .len = RP_WORKER_INPUT_BYTES};
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

/* After anything that may have changed a fact: reading, phase and deadline follow. */
static void settle(struct rp_connection *connection)
{
    if (!connection->closing && connection->ended && wants_input(connection)) end_input(connection);
    if (!connection->closing) update_reading(connection, on_alloc, on_read);
    if (!connection->closing) place(connection);
}

/* ---- input ---- */

static void keep_rest(struct rp_connection *connection, const char *bytes, size_t length)
{
    if (connection->closing || connection->lingering) return;
    if (rp_buffer_append(&connection->held, bytes, length) < 0) rp_connection_close(connection);
}

static void take_input(struct rp_connection *connection, const char *bytes, size_t length)
{
    rp_output_cork(connection);
    if (connection->held.length == 0) {
        size_t used = parse(connection, bytes, length);
        keep_rest(connection, bytes + used, length - used);
    } else {
        keep_rest(connection, bytes, length);
        size_t used = parse(connection, connection->held.bytes, connection->held.length);
        if (!connection->lingering) rp_buffer_consume(&connection->held, used);
    }
    rp_output_uncork(connection);
    settle(connection);
}

static void take_end(struct rp_connection *connection, ssize_t reason)
{
    connection->ended = true;
    connection->reading = false;
    if (reason != UV_EOF || connection->shut)
        rp_connection_close(connection);
    else
        rp_connection_continue(connection);
}

/* Thrown away, but the client is alive. */
static void take_late_input(struct rp_connection *connection)
{
    const struct rp_worker *worker = connection->worker;
    if (!connection->shut) return; /* our response is not out: whether that is taken is what counts */
    if (worker->draining || connection->late || rp_worker_now_ms(worker) >= connection->linger_until_ms)
        return;
    connection->progress = true;
    settle(connection);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct rp_connection *connection = stream->data;
    if (connection->closing || length == 0) return;
    if (length < 0)
        take_end(connection, length);
    else if (connection->lingering)
        take_late_input(connection);
    else
        take_input(connection, buffer->base, (size_t)length);
}

void rp_connection_continue(struct rp_connection *connection)
{
    if (connection->closing) return;
    rp_output_cork(connection);
    if (connection->request && connection->queued_bytes < RP_WRITE_HIGH_WATER_BYTES / 2)
        rp_exchange_writable(connection->request);
    rp_output_uncork(connection);
    if (!connection->closing) take_input(connection, "", 0);
}

void rp_connection_wake(struct rp_connection *connection)
{
    if (!connection->closing && !connection->parsing) rp_worker_resume(connection->worker, connection);
}

/* ---- deadlines ---- */

static void expire_write(struct rp_connection *connection)
{
    if (taken_bytes(connection) == connection->taken_bytes)
        rp_connection_close(connection);
    else
        settle(connection);
}

/* A request that reached the socket while the loop was busy is not crossed by our close. */
static void expire_close(struct rp_connection *connection)
{
    if (connection->phase == RP_PHASE_IDLE && rp_socket_readable(connection->fd))
        settle(connection);
    else
        rp_connection_close(connection);
}

void rp_connection_expired(struct rp_connection *connection)
{
    assert(!connection->closing);
    if (phase_of(connection) != connection->phase) {
        settle(connection); /* a handler has changed something in this turn, as when it pauses a body */
        return;
    }
    switch (rp_phase_expiry(connection->phase)) {
    case RP_EXPIRY_CLOSE: expire_close(connection); break;
    case RP_EXPIRY_STALLED: expire_write(connection); break;
    case RP_EXPIRY_TIMEOUT:
        connection->late = true;
        rp_exchange_timeout(connection);
        rp_connection_wake(connection);
        settle(connection);
        break;
    case RP_EXPIRY_NOTHING: settle(connection); break;
    }
}

/* A client that has its whole answer is owed no more, though work may go on behind it. */
bool rp_connection_owes(const struct rp_connection *connection)
{
    if (connection->phase != RP_PHASE_HANDLER || connection->held.length > 0)
        return rp_phase_busy(connection->phase);
    return !rp_exchange_over(connection->request);
}

/* ---- the beginning ---- */

/* The request is often there when the connection is accepted. Answered at once, a connection for one request
 * is never libuv's, nor in the poll set. */
static void take_first_input(struct rp_connection *connection)
{
    struct rp_worker *worker = connection->worker;
    size_t length = rp_socket_take(connection->fd, worker->input, RP_WORKER_INPUT_BYTES);
    if (length > 0)
        take_input(connection, worker->input, length);
    else
        settle(connection);
}

int rp_connection_open(struct rp_worker *worker, int fd, const struct sockaddr_storage *peer)
{
    struct rp_connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        leave(worker, (const struct sockaddr *)peer);
        close(fd);
        return -ENOMEM;
    }
    connection->worker = worker;
    connection->fd = fd;
    rp_deadline_init(&connection->deadline);
    rp_list_init(&connection->resume);
    rp_http_adapter_init(&connection->adapter);
    memcpy(&connection->peer, peer, sizeof connection->peer);
    uv_tcp_init(&worker->loop, &connection->tcp);
    connection->tcp.data = connection;
    worker->connections++;
    /* In a drain the accept queues are emptied first, without a handler in between: the listeners are to
     * close. */
    if (worker->draining)
        settle(connection);
    else
        take_first_input(connection);
    return 0;
}
