/* What the kernel tells about listeners, handshakes, connections and queues. */
#include "linux/sock_diag.h"

#include "linux/accept_queue.h"
#include "linux/cpu_visit.h"
#include "linux/half_open.h"
#include "linux/reuseport.h"
#include "linux/socket_owner.h"
#include "linux/tcp_listener.h"
#include "upgrader/kernel_group.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct rpctl_diag_list listeners(const struct rp_address *address)
{
    struct rpctl_diag_list list = {0};
    struct rp_error error = {0};

    cr_assert_eq(rpctl_sock_diag_listeners(address, &list, &error), 0, "%s", error.message);
    return list;
}

static void check_members(const char *ip)
{
    struct rpctl_diag_list list;
    struct rp_address address;
    uint16_t port = 0;
    int fds[5];

    for (size_t i = 0; i < 5; i++) fds[i] = test_listen(ip, &port);
    address = test_address(ip, port);
    list = listeners(&address);
    cr_assert_eq(list.count, 5);
    for (size_t i = 0; i < 5; i++) {
        bool found = false;

        for (size_t k = 0; k < 5; k++) found = found || list.entries[k].inode == test_inode(fds[i]);
        cr_assert(found);
        cr_assert_eq(list.entries[i].uid, geteuid());
        cr_assert_eq(list.entries[i].local.port, port);
        cr_assert_neq(list.entries[i].cookie, 0);
    }
    rpctl_diag_list_free(&list);
    cr_assert_eq(list.count, 0);
    rpctl_diag_list_free(&list);
}

Test(sock_diag, lists_the_members_of_a_group)
{
    check_members("127.0.0.1");
    check_members("0.0.0.0");
    check_members("::1");
    check_members("::");
}

/* One port, five addresses: five groups. */
Test(sock_diag, keeps_the_groups_of_one_port_apart)
{
    static const char *const ips[] = {"127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"};
    uint16_t port = 0;
    int fds[5];

    for (size_t i = 0; i < 5; i++) fds[i] = test_listen(ips[i], &port);
    for (size_t i = 0; i < 5; i++) {
        struct rp_address address = test_address(ips[i], port);
        struct rpctl_diag_list list = listeners(&address);

        cr_assert_eq(list.count, 1, "%s", ips[i]);
        cr_assert_eq(list.entries[0].inode, test_inode(fds[i]));
        rpctl_diag_list_free(&list);
    }
}

Test(sock_diag, tells_dual_stack_from_ipv6_only)
{
    uint16_t port = 0;
    int only = test_listen_with("::", &port, true, true);
    struct rp_address address;
    struct rpctl_diag_list list;

    cr_assert_eq(rp_address_of_socket(&address, only, NULL), 0);
    cr_assert(address.v6only);
    list = listeners(&address);
    cr_assert_eq(list.count, 1);
    rpctl_diag_list_free(&list);
    address.v6only = false;
    list = listeners(&address);
    cr_assert_eq(list.count, 0);
    rpctl_diag_list_free(&list);
}

Test(sock_diag, an_address_without_listeners_is_an_empty_list)
{
    struct rp_address address = test_address("127.0.0.9", 1);
    struct rpctl_diag_list list = listeners(&address);

    cr_assert_eq(list.count, 0);
    rpctl_diag_list_free(&list);
}

/* More sockets than one message of the kernel holds. */
Test(sock_diag, reads_a_list_in_many_parts)
{
    uint16_t port = 0;
    struct rp_address address;
    struct rpctl_diag_list list;

    for (size_t i = 0; i < 700; i++) test_listen("127.0.0.1", &port);
    address = test_address("127.0.0.1", port);
    list = listeners(&address);
    cr_assert_eq(list.count, 700);
    rpctl_diag_list_free(&list);
}

static void check_established(const char *ip, const char *connect_ip)
{
    struct rpctl_diag_list list = {0};
    struct sockaddr_storage source;
    struct rp_address address;
    uint16_t port = 0;
    size_t count;
    int listener = test_listen(ip, &port), clients[3], accepted;

    address = test_address(ip, port);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = test_bind_client(connect_ip, &source);
        test_connect(clients[i], connect_ip, port);
    }
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(accepted, 0);
    cr_assert_eq(rpctl_sock_diag_count_established(&address, &count, NULL), 0);
    cr_assert_eq(count, 3, "%s over %s: %zu", ip, connect_ip, count);
    cr_assert_eq(rpctl_sock_diag_established(&address, &list, NULL), 0);
    cr_assert_eq(list.count, 3);
    for (size_t i = 0; i < 3; i++)
        cr_assert(list.entries[i].inode == 0 || list.entries[i].inode == test_inode(accepted));
    rpctl_diag_list_free(&list);
    for (size_t i = 0; i < 3; i++) test_close_client(clients[i]);
    close(accepted);
    close(listener);
}

Test(sock_diag, counts_connections)
{
    check_established("127.0.0.1", "127.0.0.1");
    check_established("0.0.0.0", "127.0.0.5");
    check_established("::1", "::1");
    check_established("::", "::1");
    check_established("::", "127.0.0.1");
}

/* Only those to the address itself. */
Test(sock_diag, an_exact_address_does_not_count_others)
{
    struct sockaddr_storage source;
    struct rp_address address;
    uint16_t port = 0;
    size_t count;
    int client;

    test_listen("0.0.0.0", &port);
    client = test_bind_client("127.0.0.1", &source);
    test_connect(client, "127.0.0.2", port);
    address = test_address("127.0.0.1", port);
    cr_assert_eq(rpctl_sock_diag_count_established(&address, &count, NULL), 0);
    cr_assert_eq(count, 0);
    address = test_address("127.0.0.2", port);
    cr_assert_eq(rpctl_sock_diag_count_established(&address, &count, NULL), 0);
    cr_assert_eq(count, 1);
    test_close_client(client);
}

static int half_open_client(const char *ip, uint16_t port)
{
    struct rp_address address = test_address(ip, port);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    cr_assert_geq(fd, 0);
    test_set_deaf(fd, true);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address.storage, address.length), -1);
    if (errno == EADDRNOTAVAIL && address.storage.ss_family == AF_INET6) cr_skip_test("no IPv6 here");
    cr_assert_eq(errno, EINPROGRESS);
    return fd;
}

static void finish_handshake(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    int failure = -1;
    socklen_t length = sizeof(failure);

    test_set_deaf(fd, false);
    cr_assert_eq(poll(&polled, 1, TEST_WAIT_MS), 1);
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length), 0);
    cr_assert_eq(failure, 0);
}

static void check_half_open(const char *ip, const char *connect_ip)
{
    struct rpctl_half_open *mark = NULL;
    struct rp_error error = {0};
    struct rp_address address;
    uint16_t port = 0;
    int listener = test_listen(ip, &port), first, second, late;
    size_t left;

    address = test_address(ip, port);
    first = half_open_client(connect_ip, port);
    second = half_open_client(connect_ip, port);
    test_wait_half_open(&address, 2);
    cr_assert_eq(rpctl_half_open_new(&mark, &address, 1, &error), 0, "%s", error.message);
    late = half_open_client(connect_ip, port);
    test_wait_half_open(&address, 3);
    cr_assert_eq(rpctl_half_open_left(mark, &left, &error), 0);
    cr_assert_eq(left, 2, "%s over %s: %zu", ip, connect_ip, left);
    finish_handshake(first);
    test_wait_half_open(&address, 2);
    cr_assert_eq(rpctl_half_open_left(mark, &left, &error), 0);
    cr_assert_eq(left, 1);
    finish_handshake(second);
    test_wait_half_open(&address, 1);
    cr_assert_eq(rpctl_half_open_left(mark, &left, &error), 0);
    cr_assert_eq(left, 0, "the late one is not in the mark");
    rpctl_half_open_free(mark);
    test_close_client(first);
    test_close_client(second);
    close(late);
    close(listener);
}

Test(half_open, follows_what_was_marked_ipv4)
{
    check_half_open("127.0.0.1", "127.0.0.1");
}

Test(half_open, follows_what_was_marked_wildcard)
{
    check_half_open("0.0.0.0", "127.0.0.3");
}

Test(half_open, follows_what_was_marked_ipv6)
{
    check_half_open("::1", "::1");
}

Test(half_open, follows_what_was_marked_dual_stack)
{
    check_half_open("::", "127.0.0.1");
    check_half_open("::", "::1");
}

Test(half_open, marks_several_addresses_or_none)
{
    struct rpctl_half_open *mark = NULL;
    struct rp_address addresses[2];
    uint16_t ports[2] = {0, 0};
    size_t left;
    int client;

    test_listen("127.0.0.1", &ports[0]);
    test_listen("::1", &ports[1]);
    addresses[0] = test_address("127.0.0.1", ports[0]);
    addresses[1] = test_address("::1", ports[1]);
    client = half_open_client("::1", ports[1]);
    test_wait_half_open(&addresses[1], 1);
    cr_assert_eq(rpctl_half_open_new(&mark, addresses, 2, NULL), 0);
    cr_assert_eq(rpctl_half_open_left(mark, &left, NULL), 0);
    cr_assert_eq(left, 1);
    rpctl_half_open_free(mark);
    cr_assert_eq(rpctl_half_open_new(&mark, NULL, 0, NULL), 0);
    cr_assert_eq(rpctl_half_open_left(mark, &left, NULL), 0);
    cr_assert_eq(left, 0);
    rpctl_half_open_free(mark);
    rpctl_half_open_free(NULL);
    close(client);
}

/* The descriptors are used up: an error with a text, and nothing is left open. */
Test(sock_diag, out_of_descriptors)
{
    struct rp_address address = test_address("127.0.0.1", 1);
    struct rpctl_half_open *mark = NULL;
    struct rpctl_diag_list list = {0};
    struct rp_error error = {0};
    struct rlimit limit = {64, 64};
    int filler[64];
    size_t filled = 0;

    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (filled < 64 && (filler[filled] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) filled++;
    cr_assert_eq(errno, EMFILE);
    cr_assert_eq(rpctl_sock_diag_listeners(&address, &list, &error), -EMFILE);
    cr_assert(strstr(error.message, "127.0.0.1:1"), "%s", error.message);
    cr_assert_eq(rpctl_half_open_new(&mark, &address, 1, &error), -EMFILE);
    for (size_t i = 0; i < filled; i++) close(filler[i]);
}

Test(accept_queue, counts_what_waits)
{
    struct rpctl_accept_queue queue;
    struct sockaddr_storage source;
    struct rp_error error = {0};
    uint16_t port = 0;
    int listener = test_listen("127.0.0.1", &port), clients[5];

    cr_assert_eq(rpctl_accept_queue_read(listener, &queue, &error), 0);
    cr_assert_eq(queue.waiting, 0);
    cr_assert_gt(queue.limit, 0);
    for (size_t i = 0; i < 5; i++) {
        clients[i] = test_bind_client("127.0.0.1", &source);
        test_connect(clients[i], "127.0.0.1", port);
    }
    cr_assert_eq(rpctl_accept_queue_read(listener, &queue, &error), 0);
    cr_assert_eq(queue.waiting, 5);
    cr_assert_eq(rpctl_accept_queue_read(clients[0], &queue, &error), -EINVAL);
    cr_assert_eq(rpctl_accept_queue_read(-1, &queue, &error), -EBADF);
    cr_assert_neq(error.message[0], '\0');
    for (size_t i = 0; i < 5; i++) test_close_client(clients[i]);
}

/* Must return at all, leave the affinity as it was, and work with both ways of waiting. */
Test(settle, returns)
{
    cpu_set_t before, after;
    struct rp_error error = {0};

    cr_assert_eq(rpctl_reuseport_settle(&error), 0, "%s", error.message);
    cr_assert_eq(sched_getaffinity(0, sizeof(before), &before), 0);
    cr_assert_eq(rpctl_cpu_visit_all(&error), 0, "%s", error.message);
    cr_assert_eq(sched_getaffinity(0, sizeof(after), &after), 0);
    cr_assert(CPU_EQUAL(&before, &after));
}

static int inspect(int fd, struct rp_error *error)
{
    struct rpctl_tcp_listener listener;

    *error = (struct rp_error){0};
    return rpctl_tcp_listener_inspect(fd, &listener, error);
}

Test(tcp_listener, refuses_what_cannot_be_upgraded)
{
    struct rp_error error;
    uint16_t port = 0, lonely = 0;
    int pipes[2], reuse = test_listen("127.0.0.1", &port),
                  alone = test_listen_with("127.0.0.1", &lonely, false, false);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), multipath;

    cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
    cr_assert_eq(inspect(reuse, &error), 0);
    cr_assert_eq(inspect(alone, &error), -ENOPROTOOPT);
    cr_assert(strstr(error.message, "SO_REUSEPORT"));
    cr_assert_eq(inspect(udp, &error), -EPROTONOSUPPORT);
    cr_assert_eq(inspect(local, &error), -EPROTONOSUPPORT);
    cr_assert_eq(inspect(tcp, &error), -EINVAL);
    cr_assert(strstr(error.message, "not listening"));
    cr_assert_eq(inspect(pipes[0], &error), -ENOTSOCK);
    cr_assert_eq(inspect(-1, &error), -EBADF);
    cr_assert_neq(error.message[0], '\0');
    multipath = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
    if (multipath < 0) return;
    cr_assert_eq(inspect(multipath, &error), -EOPNOTSUPP);
    cr_assert(strstr(error.message, "multipathtcp=0"));
}

Test(socket_owner, finds_another_process)
{
    struct rpctl_socket_owner owner = {0};
    uint16_t port = 0;
    int fd = test_listen("127.0.0.1", &port);
    uint64_t inode = test_inode(fd);
    int hold[2];
    pid_t child;

    cr_assert_eq(pipe2(hold, O_CLOEXEC), 0);
    cr_assert_eq(rpctl_socket_owner_find(inode, &owner), -ENOENT, "the caller itself does not count");
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        char byte;

        close(hold[1]);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    cr_assert_eq(rpctl_socket_owner_find(inode, &owner), 0);
    cr_assert_eq(owner.pid, child);
    cr_assert_gt(strlen(owner.program), 0);
    close(hold[1]);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(rpctl_socket_owner_find(inode, &owner), -ENOENT);
}
