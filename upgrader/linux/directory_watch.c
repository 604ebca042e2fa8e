#include "linux/directory_watch.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS_BYTES 4096

static int cannot_watch(int code, struct rp_error *error)
{
    return rp_error_set(
        error, code, "cannot watch the log: %s%s", strerror(-code),
        code == -ENOSPC || code == -EMFILE ? "; raise fs.inotify.max_user_watches and _instances" : "");
}

int rpctl_directory_watch_open(int dir_fd, int *ret_fd, struct rp_error *error)
{
    char path[64];
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0) return cannot_watch(-errno, error);
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir_fd);
    if (inotify_add_watch(fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        int code = -errno;
        close(fd);
        return cannot_watch(code, error);
    }
    *ret_fd = fd;
    return 0;
}

int rpctl_directory_watch_wait(int fd, struct rp_error *error)
{
    _Alignas(struct inotify_event) char events[EVENTS_BYTES];
    ssize_t length;
    do length = read(fd, events, sizeof events);
    while (length < 0 && errno == EINTR);
    return length < 0 ? cannot_watch(-errno, error) : 0;
}
