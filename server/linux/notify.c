#include "linux/notify.h"
#include "pure/socket_address.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <rp/listener.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The kernel tells nobody when a socket appears on an address, or when other processes of this user have
 * fewer descriptors in flight; so these two are tried again at this interval. */
#define RETRY_MS 20

int rp_notify_init(struct rp_notify *notify, const char *address, struct rp_error *error)
{
    struct rp_notify fresh = {.fd = -1};
    if (address != NULL) {
        int result = rp_socket_address_parse_notify(&fresh.address, &fresh.address_length, address, error);
        if (result < 0) return result;
        fresh.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fresh.fd < 0)
            return rp_error_set(error, -errno, "cannot open a socket for notifications: %s", strerror(errno));
    }
    *notify = fresh;
    return 0;
}

void rp_notify_done(struct rp_notify *notify)
{
    if (notify->fd >= 0) close(notify->fd);
    notify->fd = -1;
}

void rp_notify_reconnect(struct rp_notify *notify)
{
    notify->connected = false;
}

static bool nobody_there(int result)
{
    return result == -ENOENT || result == -ECONNREFUSED || result == -ENOTCONN || result == -ECONNRESET;
}

static int connect_if_needed(struct rp_notify *notify)
{
    if (notify->connected) return 0;
    if (connect(notify->fd, (const struct sockaddr *)&notify->address, notify->address_length) < 0)
        return -errno;
    notify->connected = true;
    return 0;
}

static int send_message(struct rp_notify *notify, const struct msghdr *message)
{
    int result = connect_if_needed(notify);
    if (result < 0) return result;
    result = sendmsg(notify->fd, message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
    if (nobody_there(result)) notify->connected = false;
    return result;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for_room(const struct rp_notify *notify, int64_t remaining_ms)
{
    struct pollfd room = {.fd = notify->fd, .events = POLLOUT};
    poll(&room, 1, (int)remaining_ms);
}

static void wait_for_retry(int64_t remaining_ms)
{
    poll(NULL, 0, remaining_ms < RETRY_MS ? (int)remaining_ms : RETRY_MS);
}

static int send_until(struct rp_notify *notify, const struct msghdr *message, int64_t deadline_ms)
{
    for (;;) {
        int result = send_message(notify, message);
        bool may_pass = result == -EAGAIN || result == -ETOOMANYREFS || nobody_there(result);
        int64_t remaining_ms = deadline_ms - now_ms();
        if (!may_pass || remaining_ms <= 0) return result;
        if (result == -EAGAIN)
            wait_for_room(notify, remaining_ms);
        else
            wait_for_retry(remaining_ms);
    }
}

int rp_notify_send(struct rp_notify *notify, const char *text, const int *fds, size_t fd_count,
                   unsigned wait_ms)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(int) * RP_LISTENERS_MAX)];
    } control = {0};
    struct iovec part = {.iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    assert(fd_count <= RP_LISTENERS_MAX);
    if (notify->fd < 0) return 0;
    /* iov_base is not const, though sendmsg() only reads. */
    memcpy(&part.iov_base, &text, sizeof text);
    if (fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    if (wait_ms > 0) return send_until(notify, &message, now_ms() + wait_ms);
    int result = send_message(notify, &message);
    /* The first failure may be news of a receiver that is gone; another may stand on the address already. */
    return nobody_there(result) ? send_message(notify, &message) : result;
}
