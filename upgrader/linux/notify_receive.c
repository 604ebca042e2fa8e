#include "linux/notify_receive.h"
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RPCTL_NOTIFY_FDS_MAX * sizeof(int)))

void rpctl_notify_message_close_fds(struct rpctl_notify_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0) close(message->fds[i]);
    message->fd_count = 0;
}

static void take_credentials(struct rpctl_notify_message *message, const struct cmsghdr *header)
{
    struct ucred credentials;
    memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
    message->pid = credentials.pid;
    message->uid = credentials.uid;
    message->gid = credentials.gid;
}

static void take_fds(struct rpctl_notify_message *message, const struct cmsghdr *header)
{
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(message->fds + message->fd_count, CMSG_DATA(header), count * sizeof(int));
    message->fd_count += count;
}

/* True when there were credentials. The kernel makes at most one message of each kind. */
static bool take_control(struct rpctl_notify_message *message, struct msghdr *header)
{
    bool found = false;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level != SOL_SOCKET) continue;
        if (control->cmsg_type == SCM_RIGHTS) take_fds(message, control);
        if (control->cmsg_type == SCM_CREDENTIALS) {
            take_credentials(message, control);
            found = true;
        }
    }
    return found;
}

static int judge(const struct rpctl_notify_message *message, int flags, bool has_credentials,
                 struct rp_error *error)
{
    if (!has_credentials)
        return rp_error_set(error, -EPROTO, "a notification without credentials was ignored");
    if (flags & MSG_TRUNC)
        return rp_error_set(error, -EMSGSIZE, "a notification of process %d is longer than %d bytes: ignored",
                            (int)message->pid, RPCTL_NOTIFY_BYTES_MAX);
    if (flags & MSG_CTRUNC)
        return rp_error_set(error, -EMFILE,
                            "descriptors sent by process %d were lost: too many open files here (ulimit -n)",
                            (int)message->pid);
    return 0;
}

int rpctl_notify_receive(int fd, struct rpctl_notify_message *ret_message, struct rp_error *error)
{
    alignas(struct cmsghdr) char control[CONTROL_BYTES];
    struct iovec vector = {ret_message->bytes, RPCTL_NOTIFY_BYTES_MAX};
    struct msghdr header = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length;
    do length = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    if (length < 0 && errno == EWOULDBLOCK) return -EAGAIN;
    if (length < 0) return rp_error_set(error, -errno, "cannot read notifications: %s", strerror(errno));
    ret_message->fd_count = 0;
    ret_message->pid = 0;
    ret_message->length = (size_t)length;
    ret_message->bytes[length] = '\0';
    bool has_credentials = take_control(ret_message, &header);
    int r = judge(ret_message, header.msg_flags, has_credentials, error);
    if (r < 0) rpctl_notify_message_close_fds(ret_message);
    return r;
}
