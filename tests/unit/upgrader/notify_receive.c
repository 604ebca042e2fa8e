#include "linux/notify_receive.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rpctl_notify_message message;
static struct rp_error error;
static struct sockaddr_un address;
static int receiver = -1;
static int sender = -1;

/* An abstract address: nothing is left in the file system. */
static int bind_receiver(int pass_credentials)
{
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rpctl-notify-test-%d", getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &pass_credentials, sizeof pass_credentials);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int connect_sender(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void set_up(void)
{
    receiver = bind_receiver(1);
    sender = connect_sender();
}

TestSuite(notify_receive, .init = set_up);

/* Sends `count` copies of the descriptor `fd`. */
static void send_fds(int fd, const char *text, size_t length, size_t count)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(RPCTL_NOTIFY_FDS_MAX * sizeof(int))] = {0};
    struct iovec vector = {(char *)(size_t)text, length};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++) memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof fd);
    }
    cr_assert_eq(sendmsg(sender, &header, 0), (ssize_t)length);
}

static int receive(void)
{
    memset(&message, 0xa5, sizeof message);
    error.message[0] = '\0';
    return rpctl_notify_receive(receiver, &message, &error);
}

Test(notify_receive, nothing_there)
{
    cr_assert_eq(receive(), -EAGAIN);
    cr_assert_str_empty(error.message);
}

Test(notify_receive, payload_and_sender)
{
    send_fds(-1, "READY=1\0x", 9, 0);
    cr_assert_eq(receive(), 0, "%s", error.message);
    cr_assert_eq(message.length, 9);
    cr_assert_eq(memcmp(message.bytes, "READY=1\0x", 10), 0);
    cr_assert_eq(message.pid, getpid());
    cr_assert_eq(message.uid, getuid());
    cr_assert_eq(message.gid, getgid());
    cr_assert_eq(message.fd_count, 0);
    cr_assert_eq(receive(), -EAGAIN);
}

Test(notify_receive, the_sender_is_who_sends)
{
    pid_t pid = fork();
    if (pid == 0) _exit(send(sender, "x", 1, 0) == 1 ? 0 : 1);
    waitpid(pid, NULL, 0);
    cr_assert_eq(receive(), 0);
    cr_assert_eq(message.pid, pid);
}

Test(notify_receive, empty_datagram)
{
    send_fds(-1, "", 0, 0);
    cr_assert_eq(receive(), 0);
    cr_assert_eq(message.length, 0);
}

Test(notify_receive, descriptors_are_the_same_files_and_close_on_exec)
{
    struct stat here, there;
    int before = count_open_fds();
    send_fds(sender, "FDSTORE=1", 9, 3);
    cr_assert_eq(receive(), 0);
    cr_assert_eq(message.fd_count, 3);
    cr_assert_eq(count_open_fds(), before + 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(fcntl(message.fds[i], F_GETFD) & FD_CLOEXEC);
        fstat(sender, &here);
        fstat(message.fds[i], &there);
        cr_assert_eq(here.st_ino, there.st_ino);
    }
    close(message.fds[1]);
    message.fds[1] = -1; /* taken out by the caller */
    rpctl_notify_message_close_fds(&message);
    cr_assert_eq(message.fd_count, 0);
    rpctl_notify_message_close_fds(&message);
    cr_assert_eq(count_open_fds(), before);
}

Test(notify_receive, as_many_descriptors_as_there_may_be)
{
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    int before = count_open_fds();
    send_fds(sender, "x", 1, RPCTL_NOTIFY_FDS_MAX);
    cr_assert_eq(receive(), 0, "%s", error.message);
    cr_assert_eq(message.fd_count, RPCTL_NOTIFY_FDS_MAX);
    rpctl_notify_message_close_fds(&message);
    cr_assert_eq(count_open_fds(), before);
}

Test(notify_receive, longest_payload)
{
    char text[RPCTL_NOTIFY_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    send_fds(-1, text, RPCTL_NOTIFY_BYTES_MAX, 0);
    cr_assert_eq(receive(), 0);
    cr_assert_eq(message.length, RPCTL_NOTIFY_BYTES_MAX);
    cr_assert_eq(message.bytes[RPCTL_NOTIFY_BYTES_MAX], '\0');
}

Test(notify_receive, a_payload_that_is_too_long_is_dropped_with_its_descriptors)
{
    char text[RPCTL_NOTIFY_BYTES_MAX + 1];
    int before = count_open_fds();
    memset(text, 'x', sizeof text);
    send_fds(sender, text, sizeof text, 5);
    send_fds(-1, "next", 4, 0);
    cr_assert_eq(receive(), -EMSGSIZE);
    cr_assert_not_null(strstr(error.message, "longer than 8192 bytes"), "%s", error.message);
    cr_assert_eq(message.fd_count, 0);
    cr_assert_eq(count_open_fds(), before);
    cr_assert_eq(receive(), 0);
    cr_assert_eq(message.length, 4);
}

Test(notify_receive, descriptors_that_do_not_fit_are_an_error)
{
    struct rlimit limit, before_limit;
    int before = count_open_fds();
    send_fds(sender, "FDSTORE=1", 9, 10);
    getrlimit(RLIMIT_NOFILE, &before_limit);
    limit = before_limit;
    limit.rlim_cur = (rlim_t)sender + 4; /* room for three */
    setrlimit(RLIMIT_NOFILE, &limit);
    int r = receive();
    setrlimit(RLIMIT_NOFILE, &before_limit);
    cr_assert_eq(r, -EMFILE, "%d", r);
    cr_assert_not_null(strstr(error.message, "ulimit -n"), "%s", error.message);
    cr_assert_eq(message.fd_count, 0);
    cr_assert_eq(count_open_fds(), before, "those that came must be closed");
    cr_assert_eq(receive(), -EAGAIN);
}

Test(notify_receive_plain, without_credentials)
{
    receiver = bind_receiver(0);
    sender = connect_sender();
    int before = count_open_fds();
    send_fds(sender, "READY=1", 7, 2);
    cr_assert_eq(receive(), -EPROTO);
    cr_assert_eq(count_open_fds(), before);
}

Test(notify_receive, not_a_socket)
{
    cr_assert_eq(rpctl_notify_receive(-1, &message, &error), -EBADF);
    cr_assert_not_null(strstr(error.message, "cannot read notifications"));
}
