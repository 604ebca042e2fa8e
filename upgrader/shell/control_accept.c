#include "shell/control_server_internal.h"

#include "pure/exit_code.h"
#include "pure/result_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REJECTED_MAX     100 /* beyond the clients: those that are told that there are too many */
#define PAUSE_MS         100 /* in accepting, when there is no descriptor, or no memory for one */
#define ACCEPTS_PER_TURN 16

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
        rpctl_control_client_close(client);
    else if (rpctl_control_client_identify(client, fd) < 0)
        reject_at_once(client, RPCTL_EXIT_BUG, "the supervisor cannot learn who asks; try again");
    else if (client->uid != own && client->uid != 0) {
        snprintf(reason, sizeof reason, "this service belongs to user %u, not to user %u", (unsigned)own,
                 (unsigned)client->uid);
        reject_at_once(client, RPCTL_EXIT_REFUSED, reason);
    } else if (count > RPCTL_CONTROL_CLIENTS_MAX) {
        snprintf(reason, sizeof reason, "%d clients are connected already", RPCTL_CONTROL_CLIENTS_MAX);
        reject_at_once(client, RPCTL_EXIT_BUSY, reason);
    } else
        rpctl_control_client_await_request(client);
}

/* `fd` is the client's from here on. */
static void add_client(struct rpctl_control_server *server, struct rpctl_control_client *client, int fd)
{
    rpctl_control_client_init(server, client);
    int r = uv_pipe_open(&client->pipe, fd);
    if (r < 0) close(fd);
    if (r == 0 && !server->paused) r = rpctl_control_client_read(client);
    if (r < 0)
        rpctl_control_client_close(client);
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

int rpctl_control_accept_start(struct rpctl_control_server *server)
{
    server->spare_fd = open_spare();
    /* As many as are served may come at once. It listens already: this sets the backlog anew. */
    if (listen(server->fd, RPCTL_CONTROL_CLIENTS_MAX) < 0) return -errno;
    return uv_poll_start(&server->listener, UV_READABLE, on_connection);
}
