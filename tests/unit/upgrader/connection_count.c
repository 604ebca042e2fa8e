#include "linux/connection_count.h"
#include "fixture.h"
#include "kernel_group.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server in a process of its own: it accepts when it is told to, and holds what it has accepted. */
struct server {
    pid_t pid;
    int pair; /* one byte in: accept one connection, or 'f': let a child hold all; one byte back when it is
                 done */
};

static struct rp_error error;

static void accept_one(int listener)
{
    struct pollfd polled = {.fd = listener, .events = POLLIN};

    if (poll(&polled, 1, TEST_WAIT_MS) != 1 || accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0) _exit(1);
}

/* The descriptors live on in a grandchild of the test's; our own copies are closed. */
static void hand_all_to_a_child(int pair, int listener)
{
    pid_t parent = getpid();

    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        for (;;) pause();
    }
    for (int fd = 3; fd < 256; fd++)
        if (fd != pair && fd != listener) close(fd);
}

static void serve(int pair, int listener)
{
    char order;

    while (read(pair, &order, 1) == 1) {
        if (order == 'f')
            hand_all_to_a_child(pair, listener);
        else
            accept_one(listener);
        if (write(pair, &order, 1) != 1) _exit(1);
    }
    _exit(0);
}

static struct server start_server(int listener)
{
    int pair[2];
    pid_t pid;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 256; fd++) /* among them the pairs of other servers */
            if (fd != pair[1] && fd != listener) close(fd);
        serve(pair[1], listener);
    }
    close(pair[1]);
    return (struct server){pid, pair[0]};
}

static void tell(const struct server *server, char order)
{
    char answer;

    cr_assert_eq(write(server->pair, &order, 1), 1);
    cr_assert_eq(read(server->pair, &answer, 1), 1);
}

static void end_server(struct server *server)
{
    close(server->pair);
    cr_assert_eq(waitpid(server->pid, NULL, 0), server->pid);
}

static int connect_to(const char *ip, uint16_t port)
{
    struct rp_address address = test_address(ip, port);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    test_connect(fd, ip, port);
    return fd;
}

static unsigned long count(const struct rp_address *addresses, size_t address_count, const pid_t *pids,
                           size_t pid_count)
{
    unsigned long found = 4711;
    int status = rpctl_connection_count(addresses, address_count, pids, pid_count, &found, &error);

    cr_assert_eq(status, 0, "%s", error.message);
    expect_no_leak();
    return found;
}

static unsigned long count_one(struct rp_address address, pid_t pid)
{
    return count(&address, 1, &pid, 1);
}

TestSuite(connection_count, .timeout = 30);

Test(connection_count, of_nobody)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    pid_t self = getpid();

    cr_assert_eq(count(NULL, 0, NULL, 0), 0);
    cr_assert_eq(count(&address, 1, NULL, 0), 0);
    cr_assert_eq(count(NULL, 0, &self, 1), 0);
    cr_assert_eq(count(&address, 1, &self, 1), 0);
    close(listener);
}

Test(connection_count, accepted_ones_count_and_queued_ones_do_not)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server server = start_server(listener);
    int clients[3];

    for (int i = 0; i < 3; i++) clients[i] = connect_to("127.0.0.1", port);
    cr_assert_eq(count_one(address, server.pid), 0);
    tell(&server, 'a');
    cr_assert_eq(count_one(address, server.pid), 1);
    tell(&server, 'a');
    cr_assert_eq(count_one(address, server.pid), 2);
    cr_assert_eq(count_one(address, getpid()), 2, "a descendant's are its ancestor's");
    for (int i = 0; i < 3; i++) test_close_client(clients[i]);
    cr_assert_eq(count_one(address, server.pid), 0, "what is reset is no connection any more");
    end_server(&server);
    close(listener);
}

/* The client's end is an established socket too, but its local address is another one. */
Test(connection_count, the_clients_end_is_not_counted)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server server = start_server(listener);
    int client = connect_to("127.0.0.1", port);

    tell(&server, 'a');
    cr_assert_eq(count_one(address, getpid()), 1);
    test_close_client(client);
    end_server(&server);
    close(listener);
}

Test(connection_count, each_process_has_its_own)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server one = start_server(listener), two = start_server(listener);
    pid_t both[] = {one.pid, two.pid};
    int clients[3];

    for (int i = 0; i < 3; i++) clients[i] = connect_to("127.0.0.1", port);
    tell(&one, 'a');
    tell(&two, 'a');
    tell(&two, 'a');
    cr_assert_eq(count_one(address, one.pid), 1);
    cr_assert_eq(count_one(address, two.pid), 2);
    cr_assert_eq(count(&address, 1, both, 2), 3);
    unsigned long each[2] = {7, 7};
    cr_assert_eq(rpctl_connection_count_each(&address, 1, both, 2, each, &error), 0);
    cr_assert_eq(each[0], 1);
    cr_assert_eq(each[1], 2);
    for (int i = 0; i < 3; i++) test_close_client(clients[i]);
    end_server(&one);
    end_server(&two);
    close(listener);
}

Test(connection_count, what_a_forked_worker_holds_is_its_parents)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server server = start_server(listener);
    int client = connect_to("127.0.0.1", port);

    tell(&server, 'a');
    tell(&server, 'f');
    cr_assert_eq(count_one(address, server.pid), 1);
    test_close_client(client);
    end_server(&server);
    close(listener);
}

/* The address and its wildcard cover the same connection, and two processes hold it. */
Test(connection_count, none_is_counted_twice)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address both[] = {test_address("127.0.0.1", port), test_address("0.0.0.0", port)};
    struct server server = start_server(listener);
    int client = connect_to("127.0.0.1", port);
    pid_t twice[2] = {server.pid, server.pid};
    unsigned long each[2];

    tell(&server, 'a');
    cr_assert_eq(count(both, 2, &server.pid, 1), 1);
    cr_assert_eq(count(both, 2, twice, 2), 1);
    cr_assert_eq(rpctl_connection_count_each(both, 2, twice, 2, each, &error), 0);
    cr_assert_eq(each[0] + each[1], 1);
    test_close_client(client);
    end_server(&server);
    close(listener);
}

Test(connection_count, a_process_that_is_gone_holds_none)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server gone = start_server(listener), alive = start_server(listener);
    pid_t both[] = {gone.pid, alive.pid};
    int clients[2];

    for (int i = 0; i < 2; i++) clients[i] = connect_to("127.0.0.1", port);
    tell(&gone, 'a');
    tell(&alive, 'a');
    end_server(&gone);
    cr_assert_eq(count(&address, 1, both, 2), 1);
    for (int i = 0; i < 2; i++) test_close_client(clients[i]);
    end_server(&alive);
    close(listener);
}

/* A zombie is still there, but has let go of everything. */
Test(connection_count, a_process_that_is_not_reaped_holds_none)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server server = start_server(listener);
    int client = connect_to("127.0.0.1", port);
    siginfo_t info;

    tell(&server, 'a');
    kill(server.pid, SIGKILL);
    cr_assert_eq(waitid(P_PID, (id_t)server.pid, &info, WEXITED | WNOWAIT), 0);
    cr_assert_eq(count_one(address, server.pid), 0);
    close(client);
    end_server(&server);
    close(listener);
}

Test(connection_count, only_the_addresses_asked_for)
{
    uint16_t port = 0, other_port = 0;
    int listener = test_listen("127.0.0.1", &port), other = test_listen("127.0.0.1", &other_port);
    struct rp_address addresses[] = {test_address("127.0.0.1", port), test_address("127.0.0.1", other_port)};
    struct server server = start_server(listener), second = start_server(other);
    pid_t both[] = {server.pid, second.pid};
    int client = connect_to("127.0.0.1", port), another = connect_to("127.0.0.1", other_port);

    tell(&server, 'a');
    tell(&second, 'a');
    cr_assert_eq(count_one(addresses[1], server.pid), 0);
    cr_assert_eq(count(addresses, 1, both, 2), 1);
    cr_assert_eq(count(addresses, 2, both, 2), 2);
    test_close_client(client);
    test_close_client(another);
    end_server(&server);
    end_server(&second);
    close(listener);
    close(other);
}

static void expect_counted(const char *listen_ip, const char *connect_ip)
{
    uint16_t port = 0;
    int listener = test_listen(listen_ip, &port);
    struct rp_address address = test_address(listen_ip, port);
    struct server server = start_server(listener);
    int client = connect_to(connect_ip, port);

    tell(&server, 'a');
    cr_assert_eq(count_one(address, server.pid), 1, "%s over %s", listen_ip, connect_ip);
    test_close_client(client);
    end_server(&server);
    close(listener);
}

Test(connection_count, a_wildcard_has_those_to_every_address)
{
    expect_counted("0.0.0.0", "127.0.0.1");
    expect_counted("0.0.0.0", "127.0.0.2");
}

Test(connection_count, ipv6_and_dual_stack)
{
    expect_counted("::1", "::1");
    expect_counted("::", "::1");
    expect_counted("::", "127.0.0.1");
}

/* More than the first allocation holds. */
Test(connection_count, many)
{
    enum { MANY = 100 };
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    struct server server = start_server(listener);
    int clients[MANY];

    for (int i = 0; i < MANY; i++) {
        clients[i] = connect_to("127.0.0.1", port);
        tell(&server, 'a');
    }
    cr_assert_eq(count_one(address, server.pid), MANY);
    for (int i = 0; i < MANY; i++) test_close_client(clients[i]);
    end_server(&server);
    close(listener);
}

Test(connection_count, leaves_no_descriptor)
{
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port);
    struct rp_address address = test_address("127.0.0.1", port);
    int fds = count_open_fds();

    count_one(address, getpid());
    cr_assert_eq(count_open_fds(), fds);
    close(listener);
}

Test(connection_count, a_process_that_may_not_be_looked_at)
{
    unsigned long found = 4711;
    uint16_t port = 0;
    int listener, client;
    struct rp_address address;
    struct server server;

    if (geteuid() != 0) cr_skip_test("needs two users");
    listener = test_listen("127.0.0.1", &port);
    address = test_address("127.0.0.1", port);
    server = start_server(listener);
    client = connect_to("127.0.0.1", port);
    tell(&server, 'a');
    cr_assert_eq(setresuid(65534, 65534, 0), 0);
    cr_assert_eq(rpctl_connection_count(&address, 1, &server.pid, 1, &found, &error), -EACCES);
    cr_assert_neq(error.message[0], '\0');
    cr_assert_eq(found, 4711, "written only on success");
    cr_assert_eq(setresuid(0, 0, 0), 0);
    prctl(PR_SET_DUMPABLE, 1); /* for the leak checker; changing the user has cleared it */
    test_close_client(client);
    end_server(&server);
    close(listener);
}
