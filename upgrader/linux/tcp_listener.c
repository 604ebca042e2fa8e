#include "linux/tcp_listener.h"

#include "linux/listener_hide.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static int read_option(int fd, int option, int *ret_value)
{
    socklen_t length = sizeof(*ret_value);

    return getsockopt(fd, SOL_SOCKET, option, ret_value, &length) == 0 ? 0 : -errno;
}

static const char *name_of(int fd, char text[RP_ADDRESS_TEXT_BYTES])
{
    struct rp_address address;

    if (rp_address_of_socket(&address, fd, NULL) < 0) return "(no address)";
    rp_address_format(&address, text);
    return text;
}

static int check_protocol(int fd, struct rp_error *error)
{
    int domain = 0, type = 0, protocol = 0;
    char text[RP_ADDRESS_TEXT_BYTES];
    int result = read_option(fd, SO_DOMAIN, &domain);

    if (result == 0) result = read_option(fd, SO_TYPE, &type);
    if (result == 0) result = read_option(fd, SO_PROTOCOL, &protocol);
    if (result == -ENOTSOCK) return rp_error_set(error, result, "not a socket");
    if (result < 0) return rp_error_set(error, result, "cannot look at a socket: %s", strerror(-result));
    if (protocol == IPPROTO_MPTCP)
        return rp_error_set(error, -EOPNOTSUPP,
                            "the listener on %s is MPTCP and cannot be steered: make the server use plain "
                            "TCP (Go: GODEBUG=multipathtcp=0)",
                            name_of(fd, text));
    if ((domain != AF_INET && domain != AF_INET6) || type != SOCK_STREAM || protocol != IPPROTO_TCP)
        return rp_error_set(error, -EPROTONOSUPPORT, "not a TCP socket: only TCP listeners can be upgraded");
    return 0;
}

static int check_listening(int fd, struct rp_error *error)
{
    bool listening = false;
    int reuseport = 0;
    char text[RP_ADDRESS_TEXT_BYTES];
    int result = rpctl_tcp_listener_is_listening(fd, &listening, error);

    if (result < 0) return result;
    if (!listening)
        return rp_error_set(error, -EINVAL,
                            "the socket is not listening: call listen() before handing it over");
    result = read_option(fd, SO_REUSEPORT, &reuseport);
    if (result < 0) return rp_error_set(error, result, "cannot read SO_REUSEPORT: %s", strerror(-result));
    if (!reuseport)
        return rp_error_set(
            error, -ENOPROTOOPT,
            "the listener on %s has no SO_REUSEPORT, so no second version can listen beside it: set it "
            "before bind()",
            name_of(fd, text));
    return 0;
}

/* Since Linux 5.1; where it is missing the socket is taken as bound to no interface. */
static int read_device(int fd, unsigned *ret_device, bool *ret_hidden)
{
    int bound = 0;
    int result = read_option(fd, SO_BINDTOIFINDEX, &bound);

    *ret_device = rpctl_listener_device((unsigned)bound, ret_hidden);
    return result == -ENOPROTOOPT ? 0 : result;
}

int rpctl_tcp_listener_is_listening(int fd, bool *ret_listening, struct rp_error *error)
{
    int listening = 0;
    int result = read_option(fd, SO_ACCEPTCONN, &listening);

    if (result < 0)
        return rp_error_set(error, result, "cannot tell whether a socket listens: %s", strerror(-result));
    *ret_listening = listening != 0;
    return 0;
}

int rpctl_tcp_listener_inspect(int fd, struct rpctl_tcp_listener *ret_listener, struct rp_error *error)
{
    struct rpctl_tcp_listener listener = {0};
    struct stat status;
    int result = check_protocol(fd, error);

    if (result == 0) result = check_listening(fd, error);
    if (result == 0) result = rp_address_of_socket(&listener.address, fd, error);
    if (result < 0) return result;
    if (fstat(fd, &status) != 0)
        return rp_error_set(error, -errno, "cannot read the inode of a listener: %s", strerror(errno));
    result = read_device(fd, &listener.device, &listener.hidden);
    if (result < 0) return rp_error_set(error, result, "cannot read SO_BINDTOIFINDEX: %s", strerror(-result));
    listener.id = status.st_ino;
    listener.user = status.st_uid;
    *ret_listener = listener;
    return 0;
}
