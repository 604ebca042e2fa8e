#include "shell/control_server_internal.h"

#include "linux/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void free_server(struct rpctl_control_server *server)
{
    free(server->service);
    free(server);
}

void rpctl_control_server_free_when_closed(struct rpctl_control_server *server)
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
    rpctl_control_server_free_when_closed(server);
}

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
    uv_timer_init(loop, &server->pause);
    server->listener.data = server->pause.data = server;
    server->open_handles = 2;
    r = rpctl_control_accept_start(server);
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
    if (client->state != RPCTL_CONTROL_FINISHING) rpctl_control_client_close(client);
}

int rpctl_control_server_fd(const struct rpctl_control_server *server)
{
    return server->fd;
}
