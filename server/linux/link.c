#include "linux/link.h"
#include "pure/socket_address.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int watch(const struct rp_link *link, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void rp_link_ask_tick(struct rp_link *link)
{
    const struct itimerspec once = {.it_value.tv_nsec = RP_LINK_TICK_MS * 1000000L};
    if (link->epoll_fd < 0) return;
    int result = timerfd_settime(link->timer_fd, 0, &once, NULL);
    assert(result == 0);
}

static void lose(struct rp_link *link)
{
    close(link->fd);
    link->fd = -1;
    rp_link_ask_tick(link);
}

/* Whatever stands in the way (nobody listens, its backlog is full, no descriptor is free) may have passed by
 * the next tick. */
static bool make(struct rp_link *link)
{
    link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0) {
        rp_link_ask_tick(link);
        return false;
    }
    if (connect(link->fd, (const struct sockaddr *)&link->address, link->address_length) < 0 ||
        watch(link, link->fd, EPOLLRDHUP) < 0) {
        lose(link);
        return false;
    }
    return true;
}

static int open_watchers(struct rp_link *link)
{
    link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (link->epoll_fd < 0) return -errno;
    link->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (link->timer_fd < 0) return -errno;
    return watch(link, link->timer_fd, EPOLLIN);
}

int rp_link_init(struct rp_link *link, const char *path, struct rp_error *error)
{
    *link = (struct rp_link){.epoll_fd = -1, .timer_fd = -1, .fd = -1};
    if (path == NULL) return 0;
    int result = rp_socket_address_parse_link(&link->address, &link->address_length, path, error);
    if (result < 0) return result;
    result = open_watchers(link);
    if (result < 0) {
        rp_link_done(link);
        return rp_error_set(error, result, "cannot watch the link to the supervisor (RP_SOCKET): %s",
                            strerror(-result));
    }
    (void)make(link);
    return 0;
}

void rp_link_done(struct rp_link *link)
{
    if (link->fd >= 0) close(link->fd);
    if (link->timer_fd >= 0) close(link->timer_fd);
    if (link->epoll_fd >= 0) close(link->epoll_fd);
    link->fd = link->timer_fd = link->epoll_fd = -1;
}

static bool take_tick(const struct rp_link *link)
{
    uint64_t expirations;
    return read(link->timer_fd, &expirations, sizeof expirations) == sizeof expirations;
}

enum rp_link_news rp_link_dispatch(struct rp_link *link)
{
    struct epoll_event events[2];
    bool tick = false;
    if (link->epoll_fd < 0) return RP_LINK_NOTHING;
    int count = epoll_wait(link->epoll_fd, events, 2, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == link->timer_fd)
            tick = take_tick(link);
        else
            lose(link);
    }
    if (!tick) return RP_LINK_NOTHING;
    if (link->fd >= 0) return RP_LINK_TICK;
    return make(link) ? RP_LINK_MADE : RP_LINK_NOTHING;
}
