#include "linux/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define UNREAD_BYTES_MAX (1 << 20)

static const char farewell[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Length: 0\r\n"
                               "Connection: close\r\n"
                               "Retry-After: 1\r\n\r\n";

/* accept(2), "Error handling": errors of the new connection that come in place of it. */
static bool connection_lost(int code)
{
    switch (code) {
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP: return true;
    default: return false;
    }
}

enum rp_accepted rp_accept(int listener_fd, int *ret_fd, struct sockaddr_storage *ret_peer, int *ret_errno)
{
    socklen_t length = sizeof(*ret_peer);
    int fd = accept4(listener_fd, (struct sockaddr *)ret_peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        *ret_fd = fd;
        return RP_ACCEPTED;
    }
    if (errno == EAGAIN) return RP_ACCEPT_EMPTY;
    if (connection_lost(errno)) return RP_ACCEPT_LOST;
    *ret_errno = errno;
    return errno == EMFILE || errno == ENFILE ? RP_ACCEPT_NO_FD : RP_ACCEPT_TROUBLE;
}

int rp_accept_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

enum rp_accepted rp_accept_shed(int listener_fd, int *spare)
{
    struct sockaddr_storage peer;
    int fd;
    int code;
    if (*spare < 0) *spare = rp_accept_spare();
    if (*spare < 0) return RP_ACCEPT_TROUBLE;
    close(*spare);
    enum rp_accepted result = rp_accept(listener_fd, &fd, &peer, &code);
    if (result == RP_ACCEPTED) rp_accept_refuse(fd);
    *spare = rp_accept_spare();
    return result == RP_ACCEPT_NO_FD ? RP_ACCEPT_TROUBLE : result;
}

void rp_accept_refuse(int fd)
{
    /* MSG_TRUNC throws away what has come: closing with bytes unread would be a reset, and the 503 lost. */
    (void)!recv(fd, NULL, UNREAD_BYTES_MAX, MSG_TRUNC | MSG_DONTWAIT);
    (void)!send(fd, farewell, sizeof(farewell) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}

void rp_accept_set_nodelay(int listener_fd)
{
    int on = 1;
    (void)setsockopt(listener_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

size_t rp_socket_take(int fd, void *bytes, size_t size)
{
    ssize_t length = recv(fd, bytes, size, MSG_DONTWAIT);
    return length > 0 ? (size_t)length : 0;
}

ssize_t rp_socket_give(int fd, const void *bytes, size_t size)
{
    ssize_t length = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return length < 0 ? -errno : length;
}

bool rp_socket_readable(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

size_t rp_socket_unread(int fd)
{
    int bytes;
    return ioctl(fd, SIOCINQ, &bytes) == 0 ? (size_t)bytes : 0;
}

void rp_socket_reset_at_close(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

size_t rp_socket_unacknowledged(int fd)
{
    int bytes;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? (size_t)bytes : 0;
}
