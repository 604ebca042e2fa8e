#include "linux/listener_collect.h"
#include "fixture.h"
#include "kernel_group.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* A process that has opened what its test wants it to have. */
struct server {
    pid_t pid;
    int pair;
};

static struct rp_error error;
static uint16_t port; /* of the server; chosen by the test, so that both know it */

/* A free port: bound but not listening, so nobody else gets it and the server can join. */
static int hold_port(const char *ip)
{
    struct rp_address address = test_address(ip, 0);
    int one = 1, fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    if (bind(fd, (struct sockaddr *)&address.storage, address.length) != 0) cr_skip_test("no %s here", ip);
    cr_assert_eq(rp_address_of_socket(&address, fd, NULL), 0);
    port = rp_address_port(&address);
    return fd;
}

/* One that is free on both; somebody else may have the other's. */
static void hold_port_of_both(int held[2])
{
    int one = 1;
    for (;;) {
        held[0] = hold_port("::1");
        struct rp_address address = test_address("127.0.0.1", port);
        held[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(setsockopt(held[1], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
        if (bind(held[1], (struct sockaddr *)&address.storage, address.length) == 0) return;
        cr_assert_eq(errno, EADDRINUSE);
        close(held[0]);
        close(held[1]);
    }
}

static struct server start_server(void (*set_up)(void))
{
    int pair[2];
    char byte = 'x';
    pid_t pid;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 256; fd++) /* what Criterion and the test have open */
            if (fd != pair[1]) close(fd);
        set_up();
        if (write(pair[1], &byte, 1) != 1) _exit(1);
        while (read(pair[1], &byte, 1) > 0) {
        }
        _exit(0);
    }
    close(pair[1]);
    cr_assert_eq(read(pair[0], &byte, 1), 1);
    return (struct server){pid, pair[0]};
}

static void end_server(struct server *server)
{
    close(server->pair);
    cr_assert_eq(waitpid(server->pid, NULL, 0), server->pid);
}

static void collect(pid_t pid, struct rpctl_collected *collected)
{
    cr_assert_eq(rpctl_listeners_collect(pid, collected, &error), 0, "%s", error.message);
}

TestSuite(listener_collect, .timeout = 30);

static void open_nothing_of_interest(void)
{
    struct rp_address address = test_address("127.0.0.1", 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address.storage, address.length) != 0) _exit(1);
    if (socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 || open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
        _exit(1);
}

Test(listener_collect, none_is_no_error)
{
    struct rpctl_collected collected;
    struct server server = start_server(open_nothing_of_interest);
    int fds = count_open_fds();

    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 0);
    cr_assert_str_eq(collected.unfit, "", "other sockets are nobody's business");
    cr_assert_eq(count_open_fds(), fds);
    rpctl_collected_close(&collected);
    end_server(&server);
    expect_no_leak();
}

static void listen_twice(void)
{
    test_listen("127.0.0.1", &port);
    test_listen("127.0.0.1", &port);
}

Test(listener_collect, every_listener_of_a_group)
{
    struct rpctl_collected collected;
    int held = hold_port("127.0.0.1");
    struct rp_address address = test_address("127.0.0.1", port);
    struct server server = start_server(listen_twice);

    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 2);
    cr_assert_neq(collected.ids[0], collected.ids[1]);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(rp_address_equal(&collected.addresses[i], &address));
        cr_assert_eq(test_inode(collected.fds[i]), collected.ids[i]);
        cr_assert(fcntl(collected.fds[i], F_GETFD) & FD_CLOEXEC);
    }
    cr_assert_lt(test_one_connection("127.0.0.1", port, collected.fds, 2), 2,
                 "the duplicates are the listeners");
    rpctl_collected_close(&collected);
    end_server(&server);
    close(held);
}

static void listen_and_duplicate(void)
{
    int fd = test_listen("127.0.0.1", &port);

    if (fcntl(fd, F_DUPFD_CLOEXEC, 100) < 0 || fcntl(fd, F_DUPFD_CLOEXEC, 101) < 0) _exit(1);
}

Test(listener_collect, each_once)
{
    struct rpctl_collected collected;
    int held = hold_port("127.0.0.1");
    struct server server = start_server(listen_and_duplicate);
    int fds = count_open_fds();

    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 1);
    cr_assert_eq(count_open_fds(), fds + 1);
    rpctl_collected_close(&collected);
    cr_assert_eq(count_open_fds(), fds);
    rpctl_collected_close(&collected);
    cr_assert_eq(collected.count, 0);
    end_server(&server);
    close(held);
}

static void listen_in_workers(void)
{
    pid_t parent = getpid();
    int ready[2];
    char byte;

    test_listen("127.0.0.1", &port); /* both workers inherit it */
    if (pipe2(ready, O_CLOEXEC) != 0) _exit(1);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) _exit(1);
            test_listen("127.0.0.1", &port);
            if (write(ready[1], "x", 1) != 1) _exit(1);
            for (;;) pause();
        }
    }
    for (int i = 0; i < 2; i++)
        if (read(ready[0], &byte, 1) != 1) _exit(1);
}

Test(listener_collect, those_of_forked_workers_too)
{
    struct rpctl_collected collected;
    int held = hold_port("127.0.0.1");
    struct server server = start_server(listen_in_workers);

    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 3);
    rpctl_collected_close(&collected);
    end_server(&server);
    close(held);
}

static void listen_without_reuseport(void)
{
    uint16_t any = 0;

    test_listen_with("127.0.0.1", &any, false, false);
}

Test(listener_collect, one_without_reuseport_is_left_out_and_says_why)
{
    struct rpctl_collected collected;
    struct server server = start_server(listen_without_reuseport);

    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 0);
    cr_assert_not_null(strstr(collected.unfit, "SO_REUSEPORT"), "%s", collected.unfit);
    cr_assert_not(collected.bars, "the kernel has chosen its port: nobody else needs that one");
    end_server(&server);
}

static void listen_with_and_without(void)
{
    listen_without_reuseport();
    test_listen("127.0.0.1", &port);
}

Test(listener_collect, one_that_is_unfit_spoils_no_other)
{
    struct rpctl_collected collected;
    int held = hold_port("127.0.0.1");
    struct server server = start_server(listen_with_and_without);

    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 1);
    cr_assert_neq(collected.unfit[0], '\0');
    rpctl_collected_close(&collected);
    end_server(&server);
    close(held);
}

static void listen_with_mptcp(void)
{
    struct rp_address address = test_address("127.0.0.1", 0);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

    if (fd < 0) return; /* a kernel without it */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&address.storage, address.length) != 0 || listen(fd, 1) != 0)
        _exit(1);
}

Test(listener_collect, an_mptcp_listener_is_unfit)
{
    struct rpctl_collected collected;
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    struct server server;

    if (probe < 0) cr_skip_test("this kernel has no MPTCP");
    close(probe);
    server = start_server(listen_with_mptcp);
    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 0);
    cr_assert_not_null(strstr(collected.unfit, "MPTCP"), "%s", collected.unfit);
    cr_assert(collected.bars, "steering does not reach it, whatever its port");
    cr_assert_neq(rp_address_port(&collected.bar), 0);
    end_server(&server);
}

static void listen_on_both_families(void)
{
    test_listen("127.0.0.1", &port);
    test_listen_with("::1", &port, true, true);
}

Test(listener_collect, two_addresses)
{
    struct rpctl_collected collected;
    struct rp_address v4, v6;
    struct server server;
    int held[2];

    hold_port_of_both(held);
    v4 = test_address("127.0.0.1", port);
    v6 = test_address("::1", port);
    server = start_server(listen_on_both_families);
    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 2);
    cr_assert(rp_address_equal(&collected.addresses[0], &v4) !=
              rp_address_equal(&collected.addresses[1], &v4));
    cr_assert(rp_address_equal(&collected.addresses[0], &v6) !=
              rp_address_equal(&collected.addresses[1], &v6));
    rpctl_collected_close(&collected);
    end_server(&server);
    close(held[0]);
    close(held[1]);
}

static void listen_too_often(void)
{
    for (int i = 0; i <= RP_LISTENERS_MAX; i++) test_listen("127.0.0.1", &port);
}

Test(listener_collect, more_than_there_is_room_for)
{
    struct rpctl_collected collected;
    int held = hold_port("127.0.0.1");
    struct server server = start_server(listen_too_often);
    int fds = count_open_fds();

    cr_assert_eq(rpctl_listeners_collect(server.pid, &collected, &error), -ENOSPC);
    cr_assert_not_null(strstr(error.message, "more than"), "%s", error.message);
    cr_assert_eq(collected.count, 0);
    cr_assert_eq(count_open_fds(), fds, "nothing is left open");
    end_server(&server);
    close(held);
    expect_no_leak();
}

Test(listener_collect, of_a_process_that_is_gone)
{
    struct rpctl_collected collected;
    struct server server = start_server(open_nothing_of_interest);
    int fds = count_open_fds() - 1; /* end_server closes one */

    end_server(&server);
    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 0);
    cr_assert_eq(count_open_fds(), fds);
}

Test(listener_collect, of_a_process_that_is_not_reaped)
{
    struct rpctl_collected collected;
    int held = hold_port("127.0.0.1");
    struct server server = start_server(listen_twice);
    siginfo_t info;

    kill(server.pid, SIGKILL);
    cr_assert_eq(waitid(P_PID, (id_t)server.pid, &info, WEXITED | WNOWAIT), 0);
    collect(server.pid, &collected);
    cr_assert_eq(collected.count, 0);
    end_server(&server);
    close(held);
}

Test(listener_collect, without_the_right_names_the_remedy)
{
    struct rpctl_collected collected;
    struct server server;
    int held;

    if (geteuid() != 0) cr_skip_test("needs two users");
    held = hold_port("127.0.0.1");
    server = start_server(listen_twice);
    cr_assert_eq(setresuid(65534, 65534, 0), 0);
    int status = rpctl_listeners_collect(server.pid, &collected, &error);
    cr_assert_eq(setresuid(0, 0, 0), 0);
    cr_assert(status == -EPERM || status == -EACCES, "%d %s", status, error.message);
    cr_assert_neq(error.message[0], '\0');
    cr_assert_eq(collected.count, 0);
    prctl(PR_SET_DUMPABLE, 1); /* for the leak checker; changing the user has cleared it */
    end_server(&server);
    close(held);
}
