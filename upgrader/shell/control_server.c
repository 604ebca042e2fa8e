/* States of a client:
 *
 *   accepted --> RECEIVING --whole line--> SERVING --finish--> FINISHING --queue out--> CLOSING --> freed
 *                    |                       |                   ^   |                     ^
 *                    +-- reject: too long, --+-------------------+   +--- deadline --------+
 *                    |   too late, refused   |                                             |
 *                    +-----------------------+---- gone, cut, server closed ---------------+
 *
 * close_client() is the one arrow to CLOSING. The timer bounds RECEIVING and FINISHING. A client that
 * half-closes after its request (`nc -N`) still gets its events; one that is gone altogether is closed at
 * once, so that it does not count against the limit during a long drain.
 *
 * A client whose request is too long is still writing: closing then would make its write fail before it has
 * read why. So its input is drained until it hangs up, or the deadline of FINISHING. */
#include "shell/control_server.h"
#include "linux/process.h"
#include "pure/exit_code.h"
#include "pure/line_buffer.h"
#include "pure/request.h"
#include "pure/result_line.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES       8192
#define REJECTED_MAX     100 /* beyond the clients: those that are told that there are too many */
#define PAUSE_MS         100 /* in accepting, when there is no descriptor, or no memory for one */
#define ACCEPTS_PER_TURN 16

enum client_state { RECEIVING, SERVING, FINISHING, CLOSING };

/* One write: the request and its bytes. */
struct output {
    uv_write_t request;
    STAILQ_ENTRY(output) link;
    size_t length;
    char bytes[];
};

struct rpctl_control_client {
    struct rpctl_control_server *server;
    LIST_ENTRY(rpctl_control_client) link;
    uv_pipe_t pipe;
    uv_timer_t deadline;
    uv_shutdown_t shutdown;
    unsigned open_handles;
    enum client_state state;
    bool handed_over; /* on_request was called: on_client_closed is owed */
    bool drains;      /* closes only when the peer has hung up */
    bool hung_up;     /* its output is shut down */
    pid_t pid;
    uid_t uid;
    struct rpctl_line_buffer input;
    STAILQ_HEAD(, output) outputs; /* in the order in which they are written */
};

struct rpctl_control_server {
    uv_poll_t listener;
    uv_timer_t pause; /* until there may be a descriptor again */
    int fd;
    int spare_fd; /* given up for a moment, to tell a client that there is none; -1 = there is none */
    bool closing;
    bool paused;
    unsigned open_handles;
    size_t client_count;
    LIST_HEAD(, rpctl_control_client) clients;
    struct rpctl_control_handlers handlers;
    void *data;
    rpctl_control_server_closed_cb *closed;
    void *closed_data;
    char *service;
    char discarded[READ_BYTES];
};

/* --- the end of a server --- */

static void free_server(struct rpctl_control_server *server)
{
    free(server->service);
    free(server);
}

static void free_when_closed(struct rpctl_control_server *server)
{
    if (!server->closing || server->open_handles > 0 || server->client_count > 0) return;
    rpctl_control_server_closed_cb *closed = server->closed;
    void *data = server->closed_data;
    free_server(server);
    if (closed) closed(data);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct rpctl_control_server *server = handle->data;
    server->open_handles--;
    if (handle == (uv_handle_t *)&server->listener) {
        close(server->fd);
        if (server->spare_fd >= 0) close(server->spare_fd);
    }
    free_when_closed(server);
}

/* --- the end of a client --- */

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
    free_when_closed(server);
}

static void close_client(struct rpctl_control_client *client)
{
    if (client->state == CLOSING) return;
    client->state = CLOSING;
    uv_close((uv_handle_t *)&client->pipe, on_client_handle_closed);
    uv_close((uv_handle_t *)&client->deadline, on_client_handle_closed);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

static size_t queued_bytes(const struct rpctl_control_client *client)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&client->pipe);
}

static void close_when_out(struct rpctl_control_client *client)
{
    if (client->state != FINISHING || queued_bytes(client) > 0) return;
    if (client->hung_up) return;
    client->hung_up = client->drains;
    if (!client->drains || uv_shutdown(&client->shutdown, (uv_stream_t *)&client->pipe, on_shutdown) < 0)
        close_client(client);
}

/* --- output --- */

static void on_written(uv_write_t *request, int status)
{
    struct rpctl_control_client *client = request->handle->data;
    struct output *output = request->data;
    STAILQ_REMOVE(&client->outputs, output, output, link);
    free(output);
    if (status < 0)
        close_client(client);
    else
        close_when_out(client);
}

static int write_output(struct rpctl_control_client *client, struct output *output)
{
    uv_buf_t buffer = uv_buf_init(output->bytes, (unsigned)output->length);
    output->request.data = output;
    if (queued_bytes(client) + buffer.len > RPCTL_CONTROL_QUEUE_MAX) return -ENOBUFS;
    return uv_write(&output->request, (uv_stream_t *)&client->pipe, &buffer, 1, on_written);
}

static void queue_bytes(struct rpctl_control_client *client, const char *bytes, size_t length,
                        const char *end)
{
    struct output *output = malloc(sizeof *output + length + strlen(end));
    if (!output) {
        close_client(client);
        return;
    }
    memcpy(output->bytes, bytes, length);
    memcpy(output->bytes + length, end, strlen(end));
    output->length = length + strlen(end);
    STAILQ_INSERT_TAIL(&client->outputs, output, link);
    if (write_output(client, output) == 0) return;
    STAILQ_REMOVE(&client->outputs, output, output, link);
    free(output);
    close_client(client);
}

/* Needs no memory, so that a client hears the end also when there is none. */
static size_t write_at_once(struct rpctl_control_client *client, const char *line, size_t length)
{
    char newline = '\n';
    uv_buf_t buffers[] = {uv_buf_init((char *)(uintptr_t)line, (unsigned)(length - 1)),
                          uv_buf_init(&newline, 1)};
    if (queued_bytes(client) > 0) return 0;
    int written = uv_try_write((uv_stream_t *)&client->pipe, buffers, 2);
    return written > 0 ? (size_t)written : 0;
}

void rpctl_control_client_send(struct rpctl_control_client *client, const char *line)
{
    if (client->state == FINISHING || client->state == CLOSING) return;
    size_t length = strlen(line) + 1;
    size_t written = write_at_once(client, line, length);
    /* What the socket did not take: all of the line, with its newline, but for the first bytes. */
    if (written < length) queue_bytes(client, line + written, length - 1 - written, "\n");
}

static void on_deadline(uv_timer_t *timer)
{
    struct rpctl_control_client *client = timer->data;
    char reason[64];
    if (client->state != RECEIVING) {
        close_client(client);
        return;
    }
    snprintf(reason, sizeof reason, "no whole request line came within %d s",
             RPCTL_CONTROL_REQUEST_TIMEOUT_MS / 1000);
    rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, reason);
}

void rpctl_control_client_finish(struct rpctl_control_client *client)
{
    if (client->state == FINISHING || client->state == CLOSING) return;
    client->state = FINISHING;
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
    if (client->state == RECEIVING && rpctl_line_buffer_reserve(&client->input, READ_BYTES, &room) < 0)
        *buffer = uv_buf_init(NULL, 0); /* libuv says UV_ENOBUFS to on_read */
    else
        *buffer = uv_buf_init(room, READ_BYTES);
}

static void hand_over(struct rpctl_control_client *client, const char *line, size_t length)
{
    struct rpctl_control_server *server = client->server;
    uv_timer_stop(&client->deadline);
    client->state = SERVING;
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
    bool is_receiving = client->state == RECEIVING;
    if (is_peer_gone(client) || client->drains || (is_receiving && !has_begun))
        close_client(client);
    else if (is_receiving)
        rpctl_control_client_reject(client, RPCTL_EXIT_USAGE, "the request line has no end (no newline)");
    else
        uv_read_stop((uv_stream_t *)&client->pipe);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct rpctl_control_client *client = stream->data;
    (void)buffer;
    if (client->state == CLOSING || length == 0) return;
    if (length == UV_EOF)
        on_input_end(client);
    else if (length < 0)
        close_client(client);
    else if (client->state == RECEIVING)
        take_bytes(client, (size_t)length);
}

/* --- accepting --- */

static int identify(struct rpctl_control_client *client, int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    client->pid = peer.pid;
    client->uid = peer.uid;
    return 0;
}

static void reject_at_once(struct rpctl_control_client *client, int exit_code, const char *reason)
{
    client->drains = true;
    rpctl_control_client_reject(client, exit_code, reason);
}

static void greet(struct rpctl_control_client *client, int fd)
{
    char reason[128];
    size_t count = client->server->client_count;
    uid_t own = geteuid();
    if (count > RPCTL_CONTROL_CLIENTS_MAX + REJECTED_MAX)
        close_client(client);
    else if (identify(client, fd) < 0)
        reject_at_once(client, RPCTL_EXIT_BUG, "the supervisor cannot learn who asks; try again");
    else if (client->uid != own && client->uid != 0) {
        snprintf(reason, sizeof reason, "this service belongs to user %u, not to user %u", (unsigned)own,
                 (unsigned)client->uid);
        reject_at_once(client, RPCTL_EXIT_REFUSED, reason);
    } else if (count > RPCTL_CONTROL_CLIENTS_MAX) {
        snprintf(reason, sizeof reason, "%d clients are connected already", RPCTL_CONTROL_CLIENTS_MAX);
        reject_at_once(client, RPCTL_EXIT_BUSY, reason);
    } else
        uv_timer_start(&client->deadline, on_deadline, RPCTL_CONTROL_REQUEST_TIMEOUT_MS, 0);
}

static void init_client(struct rpctl_control_server *server, struct rpctl_control_client *client)
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

/* `fd` is the client's from here on. */
static void add_client(struct rpctl_control_server *server, struct rpctl_control_client *client, int fd)
{
    init_client(server, client);
    int r = uv_pipe_open(&client->pipe, fd);
    if (r < 0) close(fd);
    if (r == 0 && !server->paused) r = uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
    if (r < 0)
        close_client(client);
    else
        greet(client, fd);
}

/* Closes it. */
static void refuse(struct rpctl_control_server *server, int fd, const char *reason)
{
    char line[RPCTL_RESULT_LINE_BYTES];
    struct rpctl_result_line result = {.service = server->service, .exit = RPCTL_EXIT_BUG, .reason = reason};
    rpctl_result_line_format(line, &result);
    size_t length = strlen(line);
    line[length] = '\n';
    (void)send(fd, line, length + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* Closing over bytes that were not read would reset the connection, and the answer with it; unix(7). */
    while (recv(fd, server->discarded, sizeof server->discarded, MSG_DONTWAIT) > 0) {
    }
    close(fd);
}

static void take_client(struct rpctl_control_server *server, int fd)
{
    struct rpctl_control_client *client = calloc(1, sizeof *client);
    if (client)
        add_client(server, client, fd);
    else
        refuse(server, fd, "the supervisor has no memory for another client");
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* False when there is not even the spare one: somebody else was faster. */
static bool refuse_with_the_spare(struct rpctl_control_server *server)
{
    int fd;
    if (server->spare_fd < 0) return false;
    close(server->spare_fd);
    fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        refuse(server, fd,
               "the supervisor has no descriptor for another client; raise its limit (prlimit --nofile)");
    server->spare_fd = open_spare();
    return fd >= 0;
}

static void on_connection(uv_poll_t *listener, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct rpctl_control_server *server = timer->data;
    if (server->spare_fd < 0) server->spare_fd = open_spare();
    uv_poll_start(&server->listener, UV_READABLE, on_connection);
}

/* Not with uv_listen(): where there is no descriptor left, not even the spare one, its loop asks for the same
 * connection for ever (libuv 1.44, uv__server_io). Here the next ones wait in the backlog for a while. */
static void on_connection(uv_poll_t *listener, int status, int events)
{
    struct rpctl_control_server *server = listener->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take_client(server, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return;
        if (refuse_with_the_spare(server)) continue;
        uv_poll_stop(&server->listener);
        uv_timer_start(&server->pause, on_pause_over, PAUSE_MS, 0);
        return;
    }
}

/* --- from one program to the next --- */

void rpctl_control_server_pause(struct rpctl_control_server *server, bool paused)
{
    struct rpctl_control_client *client;
    server->paused = paused;
    LIST_FOREACH(client, &server->clients, link)
    {
        if (client->state != RECEIVING) continue;
        if (paused)
            uv_read_stop((uv_stream_t *)&client->pipe);
        else
            uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
    }
}

static int fd_of(const uv_pipe_t *pipe)
{
    int fd = -1;
    uv_fileno((const uv_handle_t *)pipe, &fd);
    return fd;
}

int rpctl_control_server_fd(const struct rpctl_control_server *server)
{
    return server->fd;
}

size_t rpctl_control_server_clients(const struct rpctl_control_server *server,
                                    struct rpctl_control_client **ret_clients, size_t max)
{
    struct rpctl_control_client *client;
    size_t count = 0;
    LIST_FOREACH(client, &server->clients, link)
    if (count < max && client->state != CLOSING && !client->drains) ret_clients[count++] = client;
    return count;
}

/* What of all that is queued is not written: its last bytes. */
static char *pending_output(const struct rpctl_control_client *client)
{
    const struct output *output;
    size_t length = 0;
    STAILQ_FOREACH(output, &client->outputs, link) length += output->length;
    char *text = malloc(length + 1);
    if (!text) return NULL;
    size_t used = 0;
    STAILQ_FOREACH(output, &client->outputs, link)
    {
        memcpy(text + used, output->bytes, output->length);
        used += output->length;
    }
    assert(queued_bytes(client) <= length);
    memmove(text, text + length - queued_bytes(client), queued_bytes(client));
    text[queued_bytes(client)] = '\0';
    return text;
}

static int pending_input(struct rpctl_control_client *client, const char **ret_input)
{
    struct rpctl_line_buffer *input = &client->input;
    size_t length = input->end - input->start;
    char *room;
    int r = rpctl_line_buffer_reserve(input, 1, &room);
    if (r < 0) return r;
    *room = '\0';
    *ret_input = room - length;
    return strlen(*ret_input) == length ? 0 : -EINVAL;
}

int rpctl_control_client_describe(struct rpctl_control_client *client,
                                  struct rpctl_control_client_past *ret_past)
{
    struct rpctl_control_client_past past = {.fd = fd_of(&client->pipe),
                                             .asks = client->state == RECEIVING,
                                             .finishes = client->state == FINISHING,
                                             .input = ""};
    int r = past.asks ? pending_input(client, &past.input) : 0;
    if (r < 0) return r;
    past.output = pending_output(client);
    if (!past.output) return -ENOMEM;
    *ret_past = past;
    return 0;
}

static int take_input(struct rpctl_control_client *client, const char *input)
{
    size_t length = strlen(input);
    char *room;
    int r = rpctl_line_buffer_reserve(&client->input, length + 1, &room);
    if (r < 0) return r;
    memcpy(room, input, length);
    rpctl_line_buffer_added(&client->input, length);
    return 0;
}

static void take_state(struct rpctl_control_client *client, const struct rpctl_control_client_past *past)
{
    size_t length = strlen(past->output);
    client->handed_over = !past->asks;
    if (past->asks)
        uv_timer_start(&client->deadline, on_deadline, RPCTL_CONTROL_REQUEST_TIMEOUT_MS, 0);
    else
        client->state = SERVING;
    if (length > 0) queue_bytes(client, past->output, length, "");
    if (past->finishes) rpctl_control_client_finish(client);
}

static int take_up(struct rpctl_control_client *client, const struct rpctl_control_client_past *past)
{
    int r = uv_pipe_open(&client->pipe, past->fd);
    if (r < 0) close(past->fd);
    if (r == 0) r = identify(client, past->fd);
    if (r == 0) r = take_input(client, past->input);
    if (r == 0) r = uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
    if (r == 0) take_state(client, past);
    return r;
}

int rpctl_control_server_adopt(struct rpctl_control_server *server,
                               const struct rpctl_control_client_past *past,
                               struct rpctl_control_client **ret_client)
{
    struct rpctl_control_client *client = calloc(1, sizeof *client);
    if (!client) {
        close(past->fd);
        return -ENOMEM;
    }
    init_client(server, client);
    int r = take_up(client, past);
    if (r < 0)
        close_client(client);
    else
        *ret_client = client;
    return r;
}

/* --- the beginning and the end --- */

static int check_socket(int fd)
{
    int domain, listening;
    socklen_t length = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0) return -errno;
    length = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0) return -errno;
    return domain == AF_UNIX && listening ? 0 : -EINVAL;
}

static struct rpctl_control_server *allocate(const char *service,
                                             const struct rpctl_control_handlers *handlers, void *data)
{
    struct rpctl_control_server *server = calloc(1, sizeof *server);
    char *name = strdup(service);
    if (!server || !name) {
        free(server);
        free(name);
        return NULL;
    }
    server->service = name;
    server->handlers = *handlers;
    server->data = data;
    LIST_INIT(&server->clients);
    return server;
}

static int listen_on(struct rpctl_control_server *server, uv_loop_t *loop, int fd)
{
    int r = uv_poll_init(loop, &server->listener, fd); /* makes it non-blocking */
    if (r < 0) {
        close(fd);
        free_server(server);
        return r;
    }
    server->fd = fd;
    server->spare_fd = open_spare();
    uv_timer_init(loop, &server->pause);
    server->listener.data = server->pause.data = server;
    server->open_handles = 2;
    /* As many as are served may come at once. It listens already: this sets the backlog anew. */
    if (listen(fd, RPCTL_CONTROL_CLIENTS_MAX) < 0) r = -errno;
    if (r == 0) r = uv_poll_start(&server->listener, UV_READABLE, on_connection);
    if (r < 0) rpctl_control_server_close(server, NULL, NULL);
    return r;
}

int rpctl_control_server_new(uv_loop_t *loop, int fd, const char *service,
                             const struct rpctl_control_handlers *handlers, void *data,
                             struct rpctl_control_server **ret_server, struct rp_error *error)
{
    struct rpctl_control_server *server = NULL;
    int r = check_socket(fd);
    if (r == 0) {
        server = allocate(service, handlers, data);
        r = server ? 0 : -ENOMEM;
    }
    if (server)
        r = listen_on(server, loop, fd);
    else
        close(fd);
    if (r < 0) return rp_error_set(error, r, "cannot serve the control socket: %s", strerror(-r));
    rpctl_process_ignore_sigpipe();
    *ret_server = server;
    return 0;
}

void rpctl_control_server_close(struct rpctl_control_server *server, rpctl_control_server_closed_cb *callback,
                                void *data)
{
    if (server->closing) return;
    server->closing = true;
    server->closed = callback;
    server->closed_data = data;
    uv_close((uv_handle_t *)&server->listener, on_handle_closed);
    uv_close((uv_handle_t *)&server->pause, on_handle_closed);
    struct rpctl_control_client *client;
    LIST_FOREACH(client, &server->clients, link)
    if (client->state != FINISHING) close_client(client);
}
