#include "shell/output.h"

#include "linux/accept.h"
#include "shell/connection.h"
#include "shell/worker.h"

#include <errno.h>
#include <rp/response.h>
#include <stdlib.h>
#include <string.h>

/* A write and its bytes. */
struct queued_write {
    uv_write_t request;
    size_t length;
    char bytes[];
};

static size_t total_of(const uv_buf_t *buffers, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) total += buffers[i].len;
    return total;
}

/* Copies all but the first `skip` bytes. */
static void gather(char *out, const uv_buf_t *buffers, unsigned count, size_t skip)
{
    for (unsigned i = 0; i < count; i++) {
        size_t skipped = skip < buffers[i].len ? skip : buffers[i].len;
        size_t length = buffers[i].len - skipped;
        if (length > 0) memcpy(out, buffers[i].base + skipped, length);
        out += length;
        skip -= skipped;
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct rp_connection *connection = request->data;
    struct queued_write *write = RP_LIST_ENTRY(request, struct queued_write, request);
    connection->queued_bytes -= write->length;
    free(write);
    if (connection->closing) return;
    connection->progress = true;
    if (status < 0)
        rp_connection_close(connection);
    else
        rp_connection_continue(connection);
}

static int broken(struct rp_connection *connection, int result)
{
    rp_connection_close(connection);
    return result;
}

static int queue_rest(struct rp_connection *connection, const uv_buf_t *buffers, unsigned count, size_t skip,
                      size_t length)
{
    if (rp_connection_attach(connection) < 0) return -ECANCELED;
    struct queued_write *write = malloc(sizeof *write + length);
    if (!write) return broken(connection, -ENOMEM);
    gather(write->bytes, buffers, count, skip);
    write->length = length;
    write->request.data = connection;
    uv_buf_t buffer = {.base = write->bytes, .len = length};
    int result = uv_write(&write->request, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written);
    if (result < 0) {
        free(write);
        return broken(connection, -ECANCELED);
    }
    connection->queued_bytes += length;
    return 0;
}

/* Bytes written, or a negative errno. */
static ssize_t try_write(struct rp_connection *connection, const uv_buf_t *buffers, unsigned count)
{
    if (!connection->attached && count == 1)
        return rp_socket_give(connection->fd, buffers[0].base, buffers[0].len);
    int result = rp_connection_attach(connection);
    return result < 0 ? result : uv_try_write((uv_stream_t *)&connection->tcp, buffers, count);
}

static int write_now(struct rp_connection *connection, const uv_buf_t *buffers, unsigned count)
{
    size_t total = total_of(buffers, count);
    size_t written = 0;
    connection->written_bytes += total;
    if (connection->queued_bytes == 0) {
        ssize_t result = try_write(connection, buffers, count);
        if (result < 0 && result != UV_EAGAIN) return broken(connection, -ECANCELED);
        if (result > 0) written = (size_t)result;
    }
    if (written == total) return 0;
    return queue_rest(connection, buffers, count, written, total - written);
}

void rp_output_flush(struct rp_connection *connection)
{
    struct rp_worker *worker = connection->worker;
    if (worker->corked != connection || worker->cork_bytes == 0) return;
    uv_buf_t buffer = {.base = worker->cork, .len = worker->cork_bytes};
    worker->cork_bytes = 0;
    if (!connection->closing) write_now(connection, &buffer, 1);
}

int rp_output_write(struct rp_connection *connection, const uv_buf_t *buffers, unsigned count)
{
    struct rp_worker *worker = connection->worker;
    size_t total = total_of(buffers, count);
    if (connection->closing) return -ECANCELED;
    if (total == 0) return 0;
    if (worker->corked == connection) {
        if (total > RP_WORKER_CORK_BYTES - worker->cork_bytes) rp_output_flush(connection);
        if (connection->closing) return -ECANCELED;
        if (total < RP_WORKER_CORK_BYTES) {
            gather(worker->cork + worker->cork_bytes, buffers, count, 0);
            worker->cork_bytes += total;
            return 0;
        }
    }
    return write_now(connection, buffers, count);
}

void rp_output_cork(struct rp_connection *connection)
{
    if (!connection->worker->corked) connection->worker->corked = connection;
}

void rp_output_uncork(struct rp_connection *connection)
{
    if (connection->worker->corked != connection) return;
    rp_output_flush(connection);
    connection->worker->corked = NULL;
}
