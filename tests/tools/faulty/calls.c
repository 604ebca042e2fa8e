/* Every entry of libc and libmnl by which the program itself asks the system for something, each with an
 * error that the manual names for it and that can meet a good program. What may not fail, or only in the
 * child between fork and exec, is listed in tests/checks/faults.py, which holds both lists against the
 * program. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool strikes(const char *call, int error)
{
    return rpctl_fault_strikes(RPCTL_FAULT_CALL, call, error);
}

#define CALL_OR(failure, type, name, error, parameters, arguments)                                           \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        return strikes(#name, error) ? failure : __real_##name arguments;                                    \
    }
#define CALL(type, name, error, parameters, arguments) CALL_OR(-1, type, name, error, parameters, arguments)
#define POINTER(type, name, error, parameters, arguments)                                                    \
    CALL_OR(NULL, type, name, error, parameters, arguments)

/* --- files and folders --- */

CALL(int, accept4, EMFILE, (int fd, struct sockaddr *address, socklen_t *length, int flags),
     (fd, address, length, flags))
CALL(int, access, EIO, (const char *path, int mode), (path, mode))
CALL(int, faccessat, EIO, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags))
CALL(int, fsync, EIO, (int fd), (fd))
CALL(int, fallocate, ENOSPC, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length))
CALL(int, fchmod, EIO, (int fd, mode_t mode), (fd, mode))
CALL(int, flock, ENOLCK, (int fd, int operation), (fd, operation))
CALL(int, fstat, EIO, (int fd, struct stat *status), (fd, status))
CALL(int, fstatat, EIO, (int dir, const char *path, struct stat *status, int flags),
     (dir, path, status, flags))
CALL(int, ftruncate, EIO, (int fd, off_t length), (fd, length))
CALL(int, inotify_add_watch, ENOSPC, (int fd, const char *path, uint32_t mask), (fd, path, mask))
CALL(int, inotify_init1, EMFILE, (int flags), (flags))
CALL(off_t, lseek, EIO, (int fd, off_t offset, int whence), (fd, offset, whence))
CALL(int, lstat, EIO, (const char *path, struct stat *status), (path, status))
CALL(int, memfd_create, EMFILE, (const char *name, unsigned flags), (name, flags))
CALL(int, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
CALL(int, mkdirat, ENOSPC, (int dir, const char *path, mode_t mode), (dir, path, mode))
CALL(ssize_t, pread, EIO, (int fd, void *bytes, size_t count, off_t offset), (fd, bytes, count, offset))
CALL(ssize_t, pwrite, ENOSPC, (int fd, const void *bytes, size_t count, off_t offset),
     (fd, bytes, count, offset))
CALL(ssize_t, read, EIO, (int fd, void *bytes, size_t count), (fd, bytes, count))
CALL(ssize_t, readlink, EIO, (const char *path, char *target, size_t bytes), (path, target, bytes))
CALL(ssize_t, readlinkat, EIO, (int dir, const char *path, char *target, size_t bytes),
     (dir, path, target, bytes))
CALL(int, stat, EIO, (const char *path, struct stat *status), (path, status))
CALL(int, symlink, ENOSPC, (const char *target, const char *path), (target, path))
CALL(int, renameat, ENOSPC, (int from, const char *old, int to, const char *new), (from, old, to, new))
CALL(int, unlink, EROFS, (const char *path), (path))
CALL(int, unlinkat, EROFS, (int dir, const char *path, int flags), (dir, path, flags))
CALL(ssize_t, write, ENOSPC, (int fd, const void *bytes, size_t count), (fd, bytes, count))
POINTER(DIR *, fdopendir, ENOMEM, (int fd), (fd))
POINTER(DIR *, opendir, EMFILE, (const char *path), (path))
POINTER(struct dirent *, readdir, EIO, (DIR * directory), (directory))
POINTER(char *, getcwd, ENOENT, (char *path, size_t bytes), (path, bytes))

/* --- sockets --- */

CALL(int, bind, EADDRINUSE, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
CALL(int, connect, ENOBUFS, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
CALL(int, getsockname, ENOBUFS, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
CALL(int, getsockopt, ENOMEM, (int fd, int level, int name, void *value, socklen_t *length),
     (fd, level, name, value, length))
CALL(int, listen, EADDRINUSE, (int fd, int backlog), (fd, backlog))
CALL(ssize_t, recv, ENOMEM, (int fd, void *bytes, size_t count, int flags), (fd, bytes, count, flags))
CALL(ssize_t, send, ENOBUFS, (int fd, const void *bytes, size_t count, int flags), (fd, bytes, count, flags))
CALL(int, setsockopt, ENOMEM, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
CALL(int, shutdown, ENOBUFS, (int fd, int how), (fd, how))
CALL(int, socket, EMFILE, (int family, int type, int protocol), (family, type, protocol))
CALL(int, mnl_socket_bind, ENOMEM, (struct mnl_socket * netlink, unsigned groups, pid_t pid),
     (netlink, groups, pid))
CALL(ssize_t, mnl_socket_recvfrom, ENOBUFS, (const struct mnl_socket *netlink, void *bytes, size_t count),
     (netlink, bytes, count))
CALL(ssize_t, mnl_socket_sendto, ENOBUFS, (const struct mnl_socket *netlink, const void *bytes, size_t count),
     (netlink, bytes, count))
POINTER(struct mnl_socket *, mnl_socket_open2, EMFILE, (int bus, int flags), (bus, flags))

/* --- processes --- */

CALL(int, execv, ENOMEM, (const char *path, char *const *arguments), (path, arguments))
CALL(pid_t, fork, EAGAIN, (void), ())
CALL(pid_t, getsid, ESRCH, (pid_t pid), (pid))
CALL(int, kill, EPERM, (pid_t pid, int number), (pid, number))
CALL(int, pipe2, EMFILE, (int fds[2], int flags), (fds, flags))
CALL(int, poll, ENOMEM, (struct pollfd * polled, nfds_t count, int timeout), (polled, count, timeout))
CALL(int, sched_getaffinity, EPERM, (pid_t pid, size_t bytes, cpu_set_t *set), (pid, bytes, set))
CALL(int, sched_setaffinity, EPERM, (pid_t pid, size_t bytes, const cpu_set_t *set), (pid, bytes, set))
CALL(int, setenv, ENOMEM, (const char *name, const char *value, int replace), (name, value, replace))
CALL(int, signalfd, EMFILE, (int fd, const sigset_t *signals, int flags), (fd, signals, flags))
CALL(pid_t, waitpid, EINTR, (pid_t pid, int *status, int options), (pid, status, options))
CALL(int, waitid, EINTR, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))

/* --- those that take what they need: one more argument, or none --- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __wrap_dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___dprintf_chk(int fd, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;

    va_start(rest, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return strikes("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list rest;

    va_start(rest, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return strikes("openat", ENFILE) ? -1 : __real_openat(dir, path, flags, mode);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list rest;

    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return strikes("fcntl", EMFILE) ? -1 : __real_fcntl(fd, command, argument);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return strikes("ioctl", EIO) ? -1 : __real_ioctl(fd, request, argument);
}

int __wrap_prctl(int option, ...)
{
    unsigned long words[4];
    va_list rest;

    va_start(rest, option);
    for (size_t i = 0; i < 4; i++) words[i] = va_arg(rest, unsigned long);
    va_end(rest);
    return strikes("prctl", EPERM) ? -1 : __real_prctl(option, words[0], words[1], words[2], words[3]);
}

/* Which call it is, and its error. */
static bool strikes_syscall(long number)
{
    switch (number) {
    case SYS_pidfd_open: return strikes("pidfd_open", EMFILE);
    case SYS_pidfd_getfd: return strikes("pidfd_getfd", EMFILE);
    case SYS_pidfd_send_signal: return strikes("pidfd_send_signal", EPERM);
    case SYS_membarrier: return strikes("membarrier", EPERM);
    default: return strikes("syscall", ENOSYS);
    }
}

long __wrap_syscall(long number, ...)
{
    long words[6];
    va_list rest;

    va_start(rest, number);
    for (size_t i = 0; i < 6; i++) words[i] = va_arg(rest, long);
    va_end(rest);
    if (strikes_syscall(number)) return -1;
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

int __wrap_dprintf(int fd, const char *format, ...)
{
    va_list arguments;

    if (strikes("dprintf", ENOSPC)) return -1;
    va_start(arguments, format);
    int length = vdprintf(fd, format, arguments);
    va_end(arguments);
    return length;
}

int __wrap___dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list arguments;

    (void)flag;
    if (strikes("dprintf", ENOSPC)) return -1;
    va_start(arguments, format);
    int length = vdprintf(fd, format, arguments);
    va_end(arguments);
    return length;
}

/* --- those that do their work all the same: the descriptor is closed whatever close() says --- */

int __real_close(int fd);
int __wrap_close(int fd);
int __real_closedir(DIR *directory);
int __wrap_closedir(DIR *directory);
int __real_mnl_socket_close(struct mnl_socket *netlink);
int __wrap_mnl_socket_close(struct mnl_socket *netlink);

static int after_closing(int result, const char *call)
{
    return strikes(call, EIO) ? -1 : result;
}

int __wrap_close(int fd)
{
    return after_closing(__real_close(fd), "close");
}

int __wrap_closedir(DIR *directory)
{
    return after_closing(__real_closedir(directory), "closedir");
}

int __wrap_mnl_socket_close(struct mnl_socket *netlink)
{
    return after_closing(__real_mnl_socket_close(netlink), "mnl_socket_close");
}

/* --- recvmsg(2) fails in a second way: there is a message, but no room for the descriptors in it --- */

ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);

static void close_all(const struct cmsghdr *control)
{
    size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
        __real_close(fd);
    }
}

/* What the kernel does when the limit is reached: credentials come, descriptors do not. */
static void lose_descriptors(struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);

    while (control && control->cmsg_type != SCM_RIGHTS) control = CMSG_NXTHDR(message, control);
    if (!control || !strikes("recvmsg (descriptors)", EMFILE)) return;
    close_all(control);
    control->cmsg_len = CMSG_LEN(0);
    message->msg_flags |= MSG_CTRUNC;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    if (strikes("recvmsg", ENOMEM)) return -1;
    ssize_t length = __real_recvmsg(fd, message, flags);
    if (length >= 0) lose_descriptors(message);
    return length;
}
