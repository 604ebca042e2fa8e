#include "linux/unix_socket.h"
#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static int dir_fd = -1;
static int fd = -1;
static struct rp_error error;

/* The sockets stand in a folder whose path is far longer than a socket's address. */
static void setup(void)
{
    strcpy(root, "/tmp/rpctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 8; i++) {
        static const char name[] = "a-folder-name-of-thirty-letters";
        cr_assert_eq(mkdirat(dir_fd, name, 0700), 0);
        int next = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(dir_fd);
        dir_fd = next;
    }
}

static void teardown(void)
{
    char command[128];
    close(dir_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0) abort();
}

TestSuite(unix_socket, .init = setup, .fini = teardown);

Test(unix_socket, stream)
{
    int client;
    struct ucred peer;
    char byte;
    umask(0);
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "control", SOCK_STREAM, &fd, &error), 0, "%s", error.message);
    struct stat status;
    cr_assert_eq(fstatat(dir_fd, "control", &status, 0), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    cr_assert_eq(accept(fd, NULL, NULL), -1);
    cr_assert_eq(errno, EAGAIN);
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, "control", &client, &error), 0, "%s", error.message);
    cr_assert(fcntl(client, F_GETFD) & FD_CLOEXEC);
    int server = accept(fd, NULL, NULL);
    cr_assert_geq(server, 0);
    cr_assert_eq(rpctl_unix_socket_peer(server, &peer, &error), 0);
    cr_assert_eq(peer.pid, getpid());
    cr_assert_eq(peer.uid, geteuid());
    cr_assert_eq(rpctl_unix_socket_peer(client, &peer, &error), 0);
    cr_assert_eq(peer.pid, getpid());
    cr_assert_eq(write(client, "x", 1), 1);
    cr_assert_eq(read(server, &byte, 1), 1);
    close(server);
    close(client);
    close(fd);
}

Test(unix_socket, datagrams_come_with_their_sender)
{
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "notify", SOCK_DGRAM, &fd, &error), 0, "%s", error.message);
    int on = 0;
    socklen_t length = sizeof on;
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, &length), 0);
    cr_assert_eq(on, 1);
    close(fd);
}

Test(unix_socket, a_stale_one_is_replaced)
{
    int client;
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "control", SOCK_STREAM, &fd, &error), 0);
    close(fd);
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, "control", &client, &error), -ECONNREFUSED);
    cr_assert(strstr(error.message, "control"));
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "control", SOCK_STREAM, &fd, &error), 0);
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, "control", &client, &error), 0);
    close(client);
    close(fd);
}

Test(unix_socket, what_is_no_socket_stays)
{
    close(openat(dir_fd, "control", O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "control", SOCK_STREAM, &fd, &error), -EEXIST);
    cr_assert(strstr(error.message, "no socket"), "%s", error.message);
    cr_assert_eq(faccessat(dir_fd, "control", F_OK, 0), 0);
    int client;
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, "control", &client, &error), -ECONNREFUSED);
}

Test(unix_socket, errors_leave_nothing_open)
{
    int before = count_open_fds();
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, "none", &fd, &error), -ENOENT);
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, name, SOCK_STREAM, &fd, &error), -ENAMETOOLONG);
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, name, &fd, &error), -ENAMETOOLONG);
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "x/y", SOCK_STREAM, &fd, &error), -ENOENT);
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "x", 77, &fd, &error), -EINVAL);
    struct ucred peer;
    cr_assert_eq(rpctl_unix_socket_peer(dir_fd, &peer, &error), -ENOTSOCK);
    cr_assert_eq(count_open_fds(), before);
}

Test(unix_socket, other_users_may_not_connect)
{
    if (geteuid() != 0) cr_skip_test("needs root");
    int client;
    cr_assert_eq(rpctl_unix_socket_bind(dir_fd, "control", SOCK_STREAM, &fd, &error), 0);
    cr_assert_eq(fchmod(dir_fd, 0755), 0); /* so that the socket's own mode decides */
    cr_assert_eq(seteuid(12345), 0);
    cr_assert_eq(rpctl_unix_socket_connect(dir_fd, "control", &client, &error), -EACCES);
    cr_assert_eq(seteuid(0), 0);
    close(fd);
}
