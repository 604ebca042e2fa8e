/* What a process tells its supervisor, as the supervisor's socket receives it. */
#ifndef TEST_SERVER_NOTIFICATION_H
#define TEST_SERVER_NOTIFICATION_H

#include <criterion/criterion.h>
#include <rp/listener.h>
#include <string.h>
#include <sys/socket.h>

#define NOTIFICATION_BYTES 2048

/* One datagram, or "" when there is none; says how many descriptors came with it. */
static inline size_t notification_receive(int fd, char text[NOTIFICATION_BYTES], int fds[RP_LISTENERS_MAX])
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * RP_LISTENERS_MAX)];
    } control;
    struct iovec part = {text, NOTIFICATION_BYTES - 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t bytes = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    text[bytes < 0 ? 0 : bytes] = '\0';
    if (bytes < 0) return 0;
    cr_assert_eq(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC), 0);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL) return 0;
    cr_assert_eq(header->cmsg_type, SCM_RIGHTS);
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    return count;
}

#endif
