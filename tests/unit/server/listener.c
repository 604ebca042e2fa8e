#include "server/child.h"
#include "server/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <rp/listener.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define NOBODY 65534

TestSuite(listener, .init = own_network);

static struct rp_address parse(const char *text)
{
    struct rp_address address;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_parse(&address, text, &error), 0, "%s: %s", text, error.message);
    return address;
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, option, &value, &length) < 0 ? -errno : value;
}

static bool is_listening(int fd)
{
    return option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
}

enum plain { PLAIN_BOUND = 0, PLAIN_LISTENS = 1, PLAIN_REUSEADDR = 2, PLAIN_REUSEPORT = 4 };

/* A socket of another program; *address gets its port. -1 and errno on error. */
static int plain_socket(struct rp_address *address, int how)
{
    int on = 1;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (how & PLAIN_REUSEADDR) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (how & PLAIN_REUSEPORT) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address->storage, address->length) < 0 ||
        ((how & PLAIN_LISTENS) && listen(fd, 16) < 0) || rp_address_of_socket(address, fd, NULL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_to(const struct rp_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address->storage, address->length) == 0) return fd;
    int saved = errno;
    close(fd);
    return -saved;
}

static bool can_connect(const char *host, uint16_t port)
{
    struct rp_address address = parse(host);
    rp_address_set_port(&address, port);
    int fd = connect_to(&address);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static void must_bind(struct rp_listeners *listeners, const struct rp_address *addresses, size_t count,
                      unsigned per)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_listeners_bind(listeners, addresses, count, per, &error), 0, "%s", error.message);
}

static void must_listen(struct rp_listeners *listeners)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_listeners_listen(listeners, RP_BACKLOG_DEFAULT, &error), 0, "%s", error.message);
}

/* bind must fail with `code` and this in the message, and leave no descriptor. */
static void expect_refused(const struct rp_address *addresses, size_t count, int code, const char *words)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    size_t before = count_descriptors();
    cr_assert_eq(rp_listeners_bind(&listeners, addresses, count, 2, &error), code, "%d: %s", error.code,
                 error.message);
    cr_assert(strstr(error.message, words) != NULL, "%s", error.message);
    cr_assert_eq(rp_listeners_bind(&listeners, addresses, count, 2, NULL), code);
    cr_assert_eq(count_descriptors(), before);
}

Test(listener, one_per_address_becomes_two)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    size_t before = count_descriptors();
    for (unsigned per_address = 0; per_address <= 3; per_address++) {
        must_bind(&listeners, &address, 1, per_address);
        cr_assert_eq(listeners.count, per_address < 2 ? 2 : per_address);
        rp_listeners_close(&listeners);
        cr_assert_eq(listeners.count, 0);
        rp_listeners_close(&listeners);
    }
    cr_assert_eq(count_descriptors(), before);
}

Test(listener, options_and_real_port)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    must_bind(&listeners, &address, 1, 3);
    uint16_t port = rp_address_port(&listeners.items[0].address);
    cr_assert_gt(port, 0);
    for (size_t i = 0; i < 3; i++) {
        struct rp_address real;
        int fd = listeners.items[i].fd;
        cr_assert_eq(rp_address_of_socket(&real, fd, NULL), 0);
        cr_assert(rp_address_equal(&real, &listeners.items[i].address));
        cr_assert_eq(rp_address_port(&real), port);
        cr_assert_eq(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 1);
        cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
        cr_assert_not(listeners.items[i].inherited);
    }
    rp_listeners_close(&listeners);
}

Test(listener, takes_nothing_before_listen)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    must_bind(&listeners, &address, 1, 2);
    for (size_t i = 0; i < 2; i++) cr_assert_not(is_listening(listeners.items[i].fd));
    cr_assert_eq(connect_to(&listeners.items[0].address), -ECONNREFUSED);
    must_listen(&listeners);
    for (size_t i = 0; i < 2; i++) cr_assert(is_listening(listeners.items[i].fd));
    cr_assert(can_connect("127.0.0.1:0", rp_address_port(&listeners.items[0].address)));
    rp_listeners_close(&listeners);
    cr_assert_eq(listeners.items, NULL);
}

Test(listener, two_generations_share_a_port)
{
    struct rp_listeners old, new;
    struct rp_address address = parse("127.0.0.1:0");
    must_bind(&old, &address, 1, 2);
    must_listen(&old);
    must_bind(&new, &old.items[0].address, 1, 3);
    must_listen(&new);
    cr_assert(rp_address_equal(&old.items[0].address, &new.items[2].address));
    rp_listeners_close(&old);
    cr_assert(can_connect("127.0.0.1:0", rp_address_port(&new.items[0].address)));
    rp_listeners_close(&new);
}

Test(listener, which_families_an_address_takes)
{
    static const struct {
        const char *text;
        bool v4, v6;
    } rows[] = {
        {"0.0.0.0:0", true, false},     {"127.0.0.1:0", true, false}, {"[::]:0", true, true},
        {"[::]:0/v6only", false, true}, {"[::1]:0", false, true},     {"[::ffff:127.0.0.1]:0", true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_listeners listeners;
        struct rp_address address = parse(rows[i].text);
        must_bind(&listeners, &address, 1, 2);
        must_listen(&listeners);
        uint16_t port = rp_address_port(&listeners.items[0].address);
        cr_assert_eq(can_connect("127.0.0.1:0", port), rows[i].v4, "%s", rows[i].text);
        cr_assert_eq(can_connect("[::1]:0", port), rows[i].v6, "%s", rows[i].text);
        rp_listeners_close(&listeners);
    }
}

Test(listener, address_by_address)
{
    struct rp_listeners listeners;
    struct rp_address addresses[] = {parse("[::1]:0"), parse("127.0.0.1:0"), parse("127.0.0.2:0")};
    must_bind(&listeners, addresses, 3, 3);
    cr_assert_eq(listeners.count, 9);
    for (size_t i = 0; i < 9; i++) {
        struct rp_address *first = &listeners.items[i / 3 * 3].address;
        cr_assert(rp_address_equal(&listeners.items[i].address, first));
        rp_address_set_port(&addresses[i / 3], rp_address_port(first));
        cr_assert(rp_address_equal(&addresses[i / 3], first));
    }
    rp_listeners_close(&listeners);
}

Test(listener, both_wildcards_on_one_port)
{
    struct rp_listeners listeners;
    struct rp_address addresses[] = {parse("[::]:0"), parse("0.0.0.0:0")};
    must_bind(&listeners, addresses, 1, 2);
    rp_address_set_port(&addresses[0], rp_address_port(&listeners.items[0].address));
    rp_address_set_port(&addresses[1], rp_address_port(&listeners.items[0].address));
    rp_listeners_close(&listeners);
    must_bind(&listeners, addresses, 2, 2);
    must_listen(&listeners);
    rp_listeners_close(&listeners);
}

Test(listener, bad_requests)
{
    struct rp_address twice[] = {parse("127.0.0.1:8000"), parse("127.0.0.1:8000")};
    struct rp_listeners listeners;
    struct rp_error error = {0};
    expect_refused(twice, 0, -EINVAL, "no address");
    expect_refused(twice, 2, -EINVAL, "127.0.0.1:8000 is given twice");
    cr_assert_eq(rp_listeners_bind(&listeners, twice, 1, 251, &error), -E2BIG);
}

Test(listener, as_many_as_one_message_carries)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    must_bind(&listeners, &address, 1, RP_LISTENERS_MAX);
    must_listen(&listeners);
    cr_assert_eq(listeners.count, RP_LISTENERS_MAX);
    rp_listeners_close(&listeners);
}

Test(listener, held_by_a_listener_without_reuseport)
{
    struct rp_address address = parse("127.0.0.1:0"), wide = parse("0.0.0.0:0");
    char words[64];
    int fd = plain_socket(&address, PLAIN_LISTENS | PLAIN_REUSEADDR);
    cr_assert_geq(fd, 0);
    snprintf(words, sizeof words, "by a socket without SO_REUSEPORT (pid %d)", (int)getpid());
    expect_refused(&address, 1, -EADDRINUSE, words);
    rp_address_set_port(&wide, rp_address_port(&address));
    expect_refused(&wide, 1, -EADDRINUSE, words);
    close(fd);
}

Test(listener, held_by_an_ipv6_listener_without_reuseport)
{
    struct rp_address address = parse("[::]:0"), v4 = parse("127.0.0.1:0");
    int fd = plain_socket(&address, PLAIN_LISTENS);
    cr_assert_geq(fd, 0);
    expect_refused(&address, 1, -EADDRINUSE, "by a socket without SO_REUSEPORT (pid ");
    rp_address_set_port(&v4, rp_address_port(&address));
    expect_refused(&v4, 1, -EADDRINUSE, "by a socket without SO_REUSEPORT (pid ");
    close(fd);
}

Test(listener, held_by_a_socket_that_does_not_listen)
{
    struct rp_address address = parse("127.0.0.1:0");
    int fd = plain_socket(&address, PLAIN_BOUND);
    cr_assert_geq(fd, 0);
    expect_refused(&address, 1, -EADDRINUSE, "by a socket without SO_REUSEPORT or of another user");
    close(fd);
}

/* A server that was never told about address reuse is gone, but its last connection is in TIME_WAIT. */
static void leave_time_wait(struct rp_address *address, int how)
{
    char byte;
    int server = plain_socket(address, how | PLAIN_LISTENS);
    cr_assert_geq(server, 0);
    int client = connect_to(address);
    cr_assert_geq(client, 0);
    int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(accepted, 0);
    close(server);
    shutdown(accepted, SHUT_WR);
    cr_assert_eq(read(client, &byte, 1), 0);
    close(client);
    cr_assert_eq(read(accepted, &byte, 1), 0);
    close(accepted);
}

Test(listener, held_by_the_last_connections_of_an_earlier_program)
{
    struct rp_address address = parse("127.0.0.1:0");
    leave_time_wait(&address, PLAIN_BOUND);
    expect_refused(&address, 1, -EADDRINUSE, "by a connection of another program");
}

Test(listener, connections_left_by_a_usual_server_do_not_block)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    leave_time_wait(&address, PLAIN_REUSEADDR);
    must_bind(&listeners, &address, 1, 2);
    must_listen(&listeners);
    rp_listeners_close(&listeners);
}

/* SO_REUSEADDR lets two bound sockets be; who listens first wins. */
Test(listener, somebody_else_listens_between_bind_and_listen)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    struct rp_address address = parse("127.0.0.1:0");
    int fd = plain_socket(&address, PLAIN_REUSEADDR);
    must_bind(&listeners, &address, 1, 2);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(rp_listeners_listen(&listeners, 16, &error), -EADDRINUSE);
    cr_assert(strstr(error.message, "by a socket without SO_REUSEPORT (pid ") != NULL, "%s", error.message);
    rp_listeners_close(&listeners);
    close(fd);
}

Test(listener, the_second_address_fails)
{
    struct rp_address addresses[] = {parse("127.0.0.1:0"), parse("127.0.0.1:0"), parse("[::1]:0")};
    int fd = plain_socket(&addresses[1], PLAIN_LISTENS);
    char text[RP_ADDRESS_TEXT_BYTES];
    rp_address_format(&addresses[1], text);
    expect_refused(addresses, 3, -EADDRINUSE, text);
    close(fd);
}

Test(listener, an_address_of_another_machine)
{
    struct rp_address v4 = parse("192.0.2.1:0"), v6 = parse("[2001:db8::1]:0"),
                      scope = parse("[fe80::1%2147483647]:0");
    expect_refused(&v4, 1, -EADDRNOTAVAIL, "cannot listen on 192.0.2.1:0: no interface of this machine");
    expect_refused(&v6, 1, -EADDRNOTAVAIL, "no interface of this machine");
    expect_refused(&scope, 1, -ENODEV, "no such interface");
}

static const char *bind_as_nobody(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    /* Without our own copies of the listeners, whose process could be found. */
    CHECK(close_range(3, ~0U, 0) == 0);
    CHECK(setuid(NOBODY) == 0);
    CHECK(rp_listeners_bind(&listeners, argument, 1, 2, &error) == -EADDRINUSE);
    snprintf(child_note, 512, "%s", error.message);
    CHECK(strstr(error.message, "held by user 0;") != NULL);
    CHECK(strstr(error.message, "run as that user") != NULL);
    return NULL;
}

/* Without root no second user can be had; the words are proven in bind_reason.c. */
Test(listener, held_by_another_user)
{
    struct rp_address address = parse("127.0.0.1:0");
    struct rp_listeners listeners;
    must_bind(&listeners, &address, 1, 2);
    must_listen(&listeners);
    address = listeners.items[0].address;
    if (geteuid() == 0) run_in_child(bind_as_nobody, &address);
    rp_listeners_close(&listeners);
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    return syscall(SYS_capset, &header, none) == 0;
}

static const char *bind_port_80(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    (void)argument;
    /* A network of its own, for there the sysctl has its default. */
    int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER;
    if (unshare(flags) < 0) return geteuid() == 0 ? "unshare" : NULL;
    CHECK(drop_capabilities());
    struct rp_address address;
    CHECK(rp_address_parse(&address, "0.0.0.0:80", NULL) == 0);
    size_t before = count_descriptors();
    CHECK(rp_listeners_bind(&listeners, &address, 1, 2, &error) == -EACCES);
    snprintf(child_note, 512, "%s", error.message);
    CHECK(strstr(error.message, "0.0.0.0:80: ports below 1024") != NULL);
    CHECK(strstr(error.message, "net.ipv4.ip_unprivileged_port_start=80") != NULL);
    CHECK(strstr(error.message, "CAP_NET_BIND_SERVICE") != NULL);
    CHECK(count_descriptors() == before);
    return NULL;
}

Test(listener, a_privileged_port)
{
    run_in_child(bind_port_80, NULL);
}

static const char *run_out_of_descriptors(void *argument)
{
    struct rp_listeners listeners;
    int result = -EMFILE;
    unsigned refused = 0;
    struct rlimit limits;
    int next = dup(0);
    CHECK(next >= 0);
    close(next);
    CHECK(getrlimit(RLIMIT_NOFILE, &limits) == 0);
    for (rlim_t limit = (rlim_t)next; result == -EMFILE; limit++, refused++) {
        struct rp_error error = {0};
        limits.rlim_cur = limit;
        CHECK(setrlimit(RLIMIT_NOFILE, &limits) == 0);
        result = rp_listeners_bind(&listeners, argument, 2, 3, &error);
        if (result == 0) break;
        snprintf(child_note, 512, "%s", error.message);
        CHECK(result == -EMFILE);
        CHECK(strstr(error.message, "ulimit -n") != NULL);
        for (int fd = next; fd < next + 16; fd++) CHECK(fcntl(fd, F_GETFD) < 0);
    }
    CHECK(refused == 6);
    CHECK(listeners.count == 6);
    rp_listeners_close(&listeners);
    return NULL;
}

static const char *close_all_and_run_out(void *argument)
{
    /* So that the next descriptors are in a row. */
    CHECK(close_range(3, ~0U, 0) == 0);
    return run_out_of_descriptors(argument);
}

Test(listener, the_nth_socket_fails)
{
    struct rp_address addresses[] = {parse("127.0.0.1:0"), parse("[::1]:0")};
    run_in_child(close_all_and_run_out, addresses);
}
