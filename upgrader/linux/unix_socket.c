#include "linux/unix_socket.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG       64
#define ONLY_THE_USER 0600

static int address_of(struct sockaddr_un *address, int dir_fd, const char *name)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", dir_fd, name);
    return length < 0 || (size_t)length >= sizeof address->sun_path ? -ENAMETOOLONG : 0;
}

static int remove_stale(int dir_fd, const char *name)
{
    struct stat status;
    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode)) return -EEXIST;
    return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

static int prepare(int fd, int type)
{
    /* bind() gives the socket's file the mode that the descriptor has (net/unix/af_unix.c, since 2.6), less
     * the umask: so there is no moment in which others may connect. */
    if (fchmod(fd, ONLY_THE_USER) < 0) return -errno;
    int on = 1;
    if (type == SOCK_DGRAM && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) return -errno;
    return 0;
}

static int open_bound(int fd, int dir_fd, const char *name, int type)
{
    struct sockaddr_un address;
    int result = address_of(&address, dir_fd, name);
    if (result == 0) result = prepare(fd, type);
    if (result == 0) result = remove_stale(dir_fd, name);
    if (result < 0) return result;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return -errno;
    if (type != SOCK_DGRAM && listen(fd, BACKLOG) < 0) return -errno;
    return 0;
}

int rpctl_unix_socket_bind(int dir_fd, const char *name, int type, int *ret_fd, struct rp_error *error)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = fd < 0 ? -errno : open_bound(fd, dir_fd, name, type);
    if (result == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0) close(fd);
    if (result == -EEXIST)
        return rp_error_set(
            error, result, "cannot bind the socket '%s': a file that is no socket is there; remove it", name);
    return rp_error_set(error, result, "cannot bind the socket '%s': %s", name, strerror(-result));
}

int rpctl_unix_socket_connect(int dir_fd, const char *name, int *ret_fd, struct rp_error *error)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -errno : address_of(&address, dir_fd, name);
    if (result == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) result = -errno;
    if (result == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0) close(fd);
    return rp_error_set(error, result, "cannot connect to the socket '%s': %s", name, strerror(-result));
}

int rpctl_unix_socket_peer(int fd, struct ucred *ret_peer, struct rp_error *error)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return rp_error_set(error, -errno, "cannot learn who is at the other end: %s", strerror(errno));
    *ret_peer = peer;
    return 0;
}
