/* States of a client:
 *
 *   accepted --> RECEIVING --whole line--> SERVING --finish--> FINISHING --queue out--> CLOSING --> freed
 *                    |                       |                   ^   |                     ^
 *                    +-- reject: too long, --+-------------------+   +--- deadline --------+
 *                    |   too late, refused   |                                             |
 *                    +-----------------------+---- gone, cut, server closed ---------------+
 *
 * rpctl_control_client_close() is the one arrow to CLOSING. The timer bounds RECEIVING and FINISHING. A
 * client that half-closes after its request (`nc -N`) still gets its events; one that is gone altogether is
 * closed at once, so that it does not count against the limit during a long drain.
 *
 * A client whose request is too long is still writing: closing then would make its write fail before it has
 * read why. So its input is drained until it hangs up, or the deadline of FINISHING. */
#include "shell/control_server_internal.h"

#include "pure/exit_code.h"
#include "pure/request.h"
#include "pure/result_line.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* --- the beginning and the end --- */

void rpctl_control_client_init(struct rpctl_control_server *server, struct rpctl_control_client *client)
{
    uv_loop_t *loop = server->listener.loop;
    int r = uv_pipe_init(loop, &client->pipe, 0);
    assert(r == 0);
    r = uv_timer_init(loop, &client->deadline);
    assert(r == 0);
    client->server = server;
    client->pipe.data = client->deadline.data = client;
    client->open_handles = 2;
    client->input.max_bytes = (size_t)RPCTL_REQUEST_BYTES_MAX;
    STAILQ_INIT(&client->outputs);
    LIST_INSERT_HEAD(&server->clients, client, link);
    server->client_count++;
}

int rpctl_control_client_identify(struct rpctl_control_client *client, int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    client->pid = peer.pid;
    client->uid = peer.uid;
    return 0;
}

static void on_client_handle_closed(uv_handle_t *handle)
{
    struct rpctl_control_client *client = handle->data;
    struct rpctl_control_server *server = client->server;
    if (--client->open_handles > 0) return;
    LIST_REMOVE(client, link);
    if (client->handed_over) server->handlers.on_client_closed(client, server->data);
    rpctl_line_buffer_done(&client->input);
    free(client);
    server->client_count--;
    rpctl_control_server_free_when_closed(server);
}

void rpctl_control_client_close(struct rpctl_control_client *client)
{
    if (client->state == RPCTL_CONTROL_CLOSING) return;
    client->state = RPCTL_CONTROL_CLOSING;
    uv_close((uv_handle_t *)&client->pipe, on_client_handle_closed);
    uv_close((uv_handle_t *)&client->deadline, on_client_handle_closed);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

size_t rpctl_control_client_queued(const struct rpctl_control_client *client)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&client->pipe);
}

static void close_when_out(struct rpctl_control_client *client)
{
    if (client->state != RPCTL_CONTROL_FINISHING || rpctl_control_client_queued(client) > 0) return;
    if (client->hung_up) return;
    client->hung_up = client->drains;
    if (!client->drains || uv_shutdown(&client->shutdown, (uv_stream_t *)&client->pipe, on_shutdown) < 0)
        rpctl_control_client_close(client);
}

/* --- output --- */

static void on_written(uv_write_t *request, int status)
{
    struct rpctl_control_client *client = request->handle->data;
    struct rpctl_control_output *output = request->data;
    STAILQ_REMOVE(&client->outputs, output, rpctl_control_output, link);
    free(output);
    if (status < 0)
        rpctl_control_client_close(client);
    else
        close_when_out(client);
}

static int write_output(struct rpctl_control_client *client, struct rpctl_control_output *output)
{
    uv_buf_t buffer = uv_buf_init(output->bytes, (unsigned)output->length);
    output->request.data = output;
    if (rpctl_control_client_queued(client) + buffer.len > RPCTL_CONTROL_QUEUE_MAX) return -ENOBUFS;
    return uv_write(&output->request, (uv_stream_t *)&client->pipe, &buffer, 1, on_written);
}

void rpctl_control_client_queue(struct rpctl_control_client *client, const char *bytes, size_t length,
                                const char *end)
{
    struct rpctl_control_output *output = malloc(sizeof *output + length + strlen(end));
    if (!output) {
        rpctl_control_client_close(client);
        return;
    }
    memcpy(output->bytes, bytes, length);
    memcpy(output->bytes + length, end, strlen(end));
    output->length = length + strlen(end);
    STAILQ_INSERT_TAIL(&client->outputs, output, link);
    if (write_output(client, output) == 0) return;
    STAILQ_REMOVE(&client->outputs, output, rpctl_control_output, link);
    free(output);
    rpctl_control_client_close(client);
}

/* Needs no memory, so that a client hears the end also when there is none. */
static size_t write_at_once(struct rpctl_control_client *client, const char *line, size_t length)
{
    char newline = '\n';
    uv_buf_t buffers[] = {uv_buf_init((char *)(uintptr_t)line, (unsigned)(length - 1)),
                          uv_buf_init(&newline, 1)};
    if (rpctl_control_client_queued(client) > 0) return 0;
    int written = uv_try_write((uv_stream_t *)&client->pipe, buffers, 2);
    return written > 0 ? (size_t)written : 0;
}

void rpctl_control_client_send(struct rpctl_control_client *client, const char *line)
{
    if (client->state == RPCTL_CONTROL_FINISHING || client->state == RPCTL_CONTROL_CLOSING) return;
    size_t length = strlen(line) + 1;
    size_t written = write_at_once(client, line, length);
    /* What the socket did not take: all of the line, with its newline, but for the first bytes. */
    if (written < length) rpctl_control_client_queue(client, line + written, length - 1 - written, "\n");
}

static void on_deadline(uv_timer_t *timer)
{
    struct rpctl_control_client *client = timer->data;
    char reason[64];
    if (client->state != RPCTL_CONTROL_RECEIVING) {
        rpctl_control_client_close(client);
        return;
    }
    snprintf(reason, sizeof reason, "no whole request line came within %d s",
             RPCTL_CONTROL_REQUEST_TIMEOUT_MS / 1000);
    rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, reason);
}

void rpctl_control_client_await_request(struct rpctl_control_client *client)
{
    uv_timer_start(&client->deadline, on_deadline, RPCTL_CONTROL_REQUEST_TIMEOUT_MS, 0);
}

void rpctl_control_client_finish(struct rpctl_control_client *client)
{
    if (client->state == RPCTL_CONTROL_FINISHING || client->state == RPCTL_CONTROL_CLOSING) return;
    client->state = RPCTL_CONTROL_FINISHING;
    uv_timer_start(&client->deadline, on_deadline, RPCTL_CONTROL_FINISH_TIMEOUT_MS, 0);
    close_when_out(client);
}

void rpctl_control_client_reject(struct rpctl_control_client *client, int exit_code, const char *reason)
{
    char line[RPCTL_RESULT_LINE_BYTES];
    struct rpctl_result_line result = {
        .service = client->server->service, .exit = exit_code, .reason = reason};
    rpctl_result_line_format(line, &result);
    rpctl_control_client_send(client, line);
    rpctl_control_client_finish(client);
}

pid_t rpctl_control_client_pid(const struct rpctl_control_client *client)
{
    return client->pid;
}

uid_t rpctl_control_client_uid(const struct rpctl_control_client *client)
{
    return client->uid;
}

/* --- input --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct rpctl_control_client *client = handle->data;
    char *room = client->server->discarded;
    (void)suggested;
    if (client->state == RPCTL_CONTROL_RECEIVING &&
        rpctl_line_buffer_reserve(&client->input, RPCTL_CONTROL_READ_BYTES, &room) < 0)
        *buffer = uv_buf_init(NULL, 0); /* libuv says UV_ENOBUFS to on_read */
    else
        *buffer = uv_buf_init(room, RPCTL_CONTROL_READ_BYTES);
}

static void hand_over(struct rpctl_control_client *client, const char *line, size_t length)
{
    struct rpctl_control_server *server = client->server;
    uv_timer_stop(&client->deadline);
    client->state = RPCTL_CONTROL_SERVING;
    client->handed_over = true;
    server->handlers.on_request(client, line, length, server->data);
}

static void reject_too_long(struct rpctl_control_client *client)
{
    char reason[64];
    snprintf(reason, sizeof reason, "the request line is longer than %d KiB", RPCTL_REQUEST_BYTES_MAX / 1024);
    client->drains = true;
    rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, reason);
}

static void take_bytes(struct rpctl_control_client *client, size_t length)
{
    char *line;
    size_t line_length;
    rpctl_line_buffer_added(&client->input, length);
    int r = rpctl_line_buffer_next(&client->input, &line, &line_length);
    if (r > 0)
        hand_over(client, line, line_length);
    else if (r < 0)
        reject_too_long(client);
}

/* Unix sockets say HUP only when the peer has closed for good, not when it has shut down its output. */
static bool is_peer_gone(const struct rpctl_control_client *client)
{
    struct pollfd poll_fd = {.fd = -1};
    uv_fileno((const uv_handle_t *)&client->pipe, &poll_fd.fd);
    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR));
}

static void on_input_end(struct rpctl_control_client *client)
{
    bool has_begun = client->input.end > client->input.start;
    bool is_receiving = client->state == RPCTL_CONTROL_RECEIVING;
    if (is_peer_gone(client) || client->drains || (is_receiving && !has_begun))
        rpctl_control_client_close(client);
    else if (is_receiving)
        rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, "the request line has no end (no newline)");
    else
        uv_read_stop((uv_stream_t *)&client->pipe);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct rpctl_control_client *client = stream->data;
    (void)buffer;
    if (client->state == RPCTL_CONTROL_CLOSING || length == 0) return;
    if (length == UV_EOF)
        on_input_end(client);
    else if (length < 0)
        rpctl_control_client_close(client);
    else if (client->state == RPCTL_CONTROL_RECEIVING)
        take_bytes(client, (size_t)length);
}

int rpctl_control_client_read(struct rpctl_control_client *client)
{
    return uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
}
