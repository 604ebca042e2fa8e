/* Real listeners, clients and groups for the tests of the reuseport engine. */
#ifndef TEST_KERNEL_GROUP_H
#define TEST_KERNEL_GROUP_H

#include "linux/sock_diag.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <rp/address.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEST_WAIT_MS 10000

static inline void test_format(char text[64], const char *ip, uint16_t port)
{
    if (strchr(ip, ':'))
        snprintf(text, 64, "[%s]:%u", ip, port);
    else
        snprintf(text, 64, "%s:%u", ip, port);
}

/* Port 0 in *port is replaced by the one that the kernel chose. "::" is dual stack. */
static inline int test_listen_with(const char *ip, uint16_t *port, bool reuseport, bool v6only)
{
    struct rp_address address;
    char text[64];
    int one = 1, only = v6only ? 1 : 0;
    int fd;

    test_format(text, ip, *port);
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0, "%s", text);
    fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) cr_skip_test("no IPv6 here");
    cr_assert_geq(fd, 0);
    if (reuseport) cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    if (address.storage.ss_family == AF_INET6)
        cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)), 0);
    if (bind(fd, (struct sockaddr *)&address.storage, address.length) != 0) {
        if (errno == EADDRNOTAVAIL && address.storage.ss_family == AF_INET6) cr_skip_test("no IPv6 here");
        cr_assert_fail("cannot bind %s: %s", text, strerror(errno));
    }
    cr_assert_eq(listen(fd, 4096), 0, "%s", strerror(errno));
    cr_assert_eq(rp_address_of_socket(&address, fd, NULL), 0);
    *port = rp_address_port(&address);
    return fd;
}

static inline int test_listen(const char *ip, uint16_t *port)
{
    return test_listen_with(ip, port, true, false);
}

static inline uint64_t test_inode(int fd)
{
    struct stat status;

    cr_assert_eq(fstat(fd, &status), 0);
    return status.st_ino;
}

static inline struct rp_address test_address(const char *ip, uint16_t port)
{
    struct rp_address address;
    char text[64];

    test_format(text, ip, port);
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0);
    return address;
}

/* A socket bound to a port of its own on `ip`, not connected yet. */
static inline int test_bind_client(const char *ip, struct sockaddr_storage *ret_source)
{
    struct rp_address address = test_address(ip, 0);
    socklen_t length = sizeof(*ret_source);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    if (bind(fd, (struct sockaddr *)&address.storage, address.length) != 0) {
        if (errno == EADDRNOTAVAIL && address.storage.ss_family == AF_INET6) cr_skip_test("no IPv6 here");
        cr_assert_fail("cannot bind %s: %s", ip, strerror(errno));
    }
    memset(ret_source, 0, sizeof(*ret_source));
    cr_assert_eq(getsockname(fd, (struct sockaddr *)ret_source, &length), 0);
    return fd;
}

/* Closing leaves no TIME_WAIT, so that tests do not run out of ports. */
static inline void test_close_client(int fd)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static inline void test_connect(int fd, const char *ip, uint16_t port)
{
    struct rp_address address = test_address(ip, port);

    if (connect(fd, (struct sockaddr *)&address.storage, address.length) == 0) return;
    if (errno == EADDRNOTAVAIL && address.storage.ss_family == AF_INET6) cr_skip_test("no IPv6 here");
    cr_assert_fail("cannot connect to %s: %s", ip, strerror(errno));
}

/* Makes a client deaf: it drops what arrives with fewer than 255 hops left, that is everything. Its SYN goes
 * out, the answer is dropped, and the server's side stays half-open until the client hears again and the
 * answer is repeated. */
static inline void test_set_deaf(int fd, bool deaf)
{
    int hops = deaf ? 255 : 0, family = 0;
    socklen_t length = sizeof(family);
    int result;

    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length), 0);
    if (family == AF_INET)
        result = setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof(hops));
    else
        result = setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof(hops));
    cr_assert_eq(result, 0, "%s", strerror(errno));
}

/* Waits until so many handshakes are half-open there: on a busy machine a packet may not have arrived yet
 * when the call that sent it has returned, over loopback too. */
static inline void test_wait_half_open(const struct rp_address *address, size_t count)
{
    for (int looks = 0;; looks++) {
        struct rpctl_diag_list list = {0};
        size_t found;

        cr_assert_eq(rpctl_sock_diag_half_open(address, &list, NULL), 0);
        found = list.count;
        rpctl_diag_list_free(&list);
        if (found == count) return;
        cr_assert_lt(looks, TEST_WAIT_MS, "%zu are half-open, not %zu", found, count);
        poll(NULL, 0, 1);
    }
}

/* Which of the listeners has a connection to accept; takes it. */
static inline size_t test_who_accepts(const int *fds, size_t count)
{
    struct pollfd polled[64];

    cr_assert_leq(count, 64);
    for (size_t i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    cr_assert_gt(poll(polled, count, TEST_WAIT_MS), 0, "nobody got the connection");
    for (size_t i = 0; i < count; i++) {
        int fd;

        if (!polled[i].revents) continue;
        fd = accept4(fds[i], NULL, NULL, SOCK_CLOEXEC);
        cr_assert_geq(fd, 0, "%s", strerror(errno));
        close(fd);
        return i;
    }
    cr_assert(false, "poll and accept disagree");
    return count;
}

/* One connection to ip:port; the position of the listener that got it. */
static inline size_t test_one_connection(const char *ip, uint16_t port, const int *fds, size_t count)
{
    struct rp_address address = test_address(ip, port);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t position;

    cr_assert_geq(fd, 0);
    test_connect(fd, ip, port);
    position = test_who_accepts(fds, count);
    test_close_client(fd);
    return position;
}

/* With net.ipv4.tcp_migrate_req the kernel itself saves what a careless close would lose. */
static inline bool test_kernel_migrates(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/tcp_migrate_req", "re");
    int value = '0';

    if (file) {
        value = fgetc(file);
        fclose(file);
    }
    return value == '1';
}

#endif
