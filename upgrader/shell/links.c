#include "shell/links.h"

#include "linux/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
    struct rpctl_links *links;
    struct link *next;
    uv_poll_t poll;
    int fd;
};

struct rpctl_links {
    uv_poll_t poll;
    int fd;
    bool closing;
    struct link *first;
    unsigned count; /* connections whose handle is not closed yet */
    bool listening; /* … and the same of the listening socket */
};

static void free_when_closed(struct rpctl_links *links)
{
    if (links->closing && !links->listening && links->count == 0) free(links);
}

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct rpctl_links *links = link->links;

    close(link->fd);
    free(link);
    links->count--;
    free_when_closed(links);
}

static void close_link(struct link *link)
{
    struct link **at = &link->links->first;

    while (*at != link) at = &(*at)->next;
    *at = link->next;
    uv_close((uv_handle_t *)&link->poll, on_link_closed);
}

/* Nothing is expected; what comes is thrown away, and the end is what matters. */
static void on_link_readable(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    char bytes[256];
    ssize_t length;

    (void)events;
    do length = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    if (status < 0 || length == 0 || (length < 0 && errno != EAGAIN)) close_link(link);
}

static bool is_ours(int fd)
{
    struct ucred peer;

    return rpctl_unix_socket_peer(fd, &peer, NULL) == 0 && peer.uid == geteuid();
}

static int add_link(struct rpctl_links *links, int fd)
{
    struct link *link;
    int status;

    if (links->count >= RPCTL_LINKS_MAX || !is_ours(fd)) return -EPERM;
    link = calloc(1, sizeof *link);
    if (!link) return -ENOMEM;
    link->links = links;
    link->fd = fd;
    status = uv_poll_init(links->poll.loop, &link->poll, fd);
    if (status < 0) {
        free(link);
        return status;
    }
    link->poll.data = link;
    link->next = links->first;
    links->first = link;
    links->count++;
    uv_poll_start(&link->poll, UV_READABLE, on_link_readable);
    return 0;
}

/* One that is refused tries again, so nothing is lost but time. */
static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct rpctl_links *links = poll->data;
    int fd;

    (void)status;
    (void)events;
    for (;;) {
        fd = accept4(links->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && errno == EINTR) continue;
        if (fd < 0) return;
        if (add_link(links, fd) < 0) close(fd);
    }
}

int rpctl_links_new(uv_loop_t *loop, int fd, struct rpctl_links **ret_links, struct rp_error *error)
{
    struct rpctl_links *links = calloc(1, sizeof *links);
    int status = links ? uv_poll_init(loop, &links->poll, fd) : -ENOMEM;

    if (status < 0) {
        close(fd);
        free(links);
        return rp_error_set(error, status, "cannot serve the instances' socket: %s", uv_strerror(status));
    }
    links->fd = fd;
    links->listening = true;
    links->poll.data = links;
    uv_poll_start(&links->poll, UV_READABLE, on_connection);
    *ret_links = links;
    return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct rpctl_links *links = handle->data;

    close(links->fd);
    links->listening = false;
    free_when_closed(links);
}

void rpctl_links_close(struct rpctl_links *links)
{
    if (!links || links->closing) return;
    links->closing = true;
    uv_close((uv_handle_t *)&links->poll, on_listener_closed);
    while (links->first) close_link(links->first);
}

int rpctl_links_fd(const struct rpctl_links *links)
{
    return links->fd;
}
