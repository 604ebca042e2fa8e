/* The n-th system call of a kind fails, for n = 1, 2, …: an error each time, and no descriptor is left. */
#include "server/child.h"
#include "server/leaks.h"

#include <errno.h>
#include <fcntl.h>
#include <rp/listener.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>

enum call {
    CALL_SOCKET,
    CALL_SETSOCKOPT,
    CALL_BIND,
    CALL_LISTEN,
    CALL_GETSOCKNAME,
    CALL_GETSOCKOPT,
    CALL_COUNT
};

static struct {
    enum call call;
    unsigned countdown; /* 0: nothing fails */
    int code;
} fault;

static bool fails(enum call call)
{
    if (fault.countdown == 0 || fault.call != call || --fault.countdown > 0) return false;
    errno = fault.code;
    return true;
}

/* These stand before libc's for the whole program. */
int fake_socket(int domain, int type, int protocol) __asm__("socket");
int fake_setsockopt(int fd, int level, int option, const void *value, socklen_t length) __asm__("setsockopt");
int fake_bind(int fd, const struct sockaddr *address, socklen_t length) __asm__("bind");
int fake_listen(int fd, int backlog) __asm__("listen");
int fake_getsockname(int fd, struct sockaddr *address, socklen_t *length) __asm__("getsockname");
int fake_getsockopt(int fd, int level, int option, void *value, socklen_t *length) __asm__("getsockopt");

int fake_socket(int domain, int type, int protocol)
{
    return fails(CALL_SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int fake_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    return fails(CALL_SETSOCKOPT) ? -1 : (int)syscall(SYS_setsockopt, fd, level, option, value, length);
}

int fake_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return fails(CALL_BIND) ? -1 : (int)syscall(SYS_bind, fd, address, length);
}

int fake_listen(int fd, int backlog)
{
    return fails(CALL_LISTEN) ? -1 : (int)syscall(SYS_listen, fd, backlog);
}

int fake_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    return fails(CALL_GETSOCKNAME) ? -1 : (int)syscall(SYS_getsockname, fd, address, length);
}

int fake_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    return fails(CALL_GETSOCKOPT) ? -1 : (int)syscall(SYS_getsockopt, fd, level, option, value, length);
}

static int open_listeners(struct rp_error *error)
{
    struct rp_address addresses[3];
    struct rp_listeners listeners;
    size_t count;
    int result = rp_address_parse_list(addresses, 3, &count, "127.0.0.1:0 [::]:0 [::1]:0", error);
    if (result == 0) result = rp_listeners_bind(&listeners, addresses, count, 2, error);
    if (result < 0) return result;
    result = rp_listeners_listen(&listeners, 16, error);
    rp_listeners_close(&listeners);
    return result;
}

/* How often the call could fail before all went well. */
static unsigned fail_each(enum call call, int code)
{
    for (unsigned n = 1;; n++) {
        struct rp_error error = {0};
        size_t before = count_descriptors();
        fault.call = call;
        fault.countdown = n;
        fault.code = code;
        int result = open_listeners(&error);
        bool failed = fault.countdown == 0;
        fault.countdown = 0;
        cr_assert_eq(count_descriptors(), before, "call %d, time %u", (int)call, n);
        if (!failed) {
            cr_assert_eq(result, 0, "%s", error.message);
            return n - 1;
        }
        cr_assert_eq(result, -code, "call %d, time %u: %s", (int)call, n, error.message);
        cr_assert_neq(error.message[0], '\0');
    }
}

Test(listener_faults, every_call_fails_once)
{
    cr_assert_eq(fail_each(CALL_SOCKET, ENFILE), 6);
    cr_assert_eq(fail_each(CALL_SETSOCKOPT, ENOPROTOOPT), 6 * 2 + 4);
    cr_assert_eq(fail_each(CALL_BIND, ENOBUFS), 6);
    cr_assert_eq(fail_each(CALL_LISTEN, EADDRINUSE), 6);
    cr_assert_eq(fail_each(CALL_GETSOCKNAME, ENOBUFS), 3);
    cr_assert_eq(fail_each(CALL_GETSOCKOPT, ENOBUFS), 1);
    expect_no_leak();
}

Test(listener_faults, a_machine_without_ipv6)
{
    struct rp_address address;
    struct rp_listeners listeners;
    struct rp_error error = {0};
    cr_assert_eq(rp_address_parse(&address, "[::]:8000", NULL), 0);
    fault.call = CALL_SOCKET;
    fault.countdown = 1;
    fault.code = EAFNOSUPPORT;
    cr_assert_eq(rp_listeners_bind(&listeners, &address, 1, 2, &error), -EAFNOSUPPORT);
    cr_assert(strstr(error.message, "IPv6 switched off") != NULL, "%s", error.message);
}

static const char *fail_each_inherited(void *argument)
{
    enum call call = *(enum call *)argument;
    for (unsigned n = 1, failed = 1; failed; n++) {
        struct rp_address address;
        struct rp_listeners listeners;
        char pid[32];
        CHECK(close_range(3, ~0U, 0) == 0);
        CHECK(rp_address_parse(&address, "[::]:0", NULL) == 0);
        CHECK(rp_listeners_bind(&listeners, &address, 1, 2, NULL) == 0);
        CHECK(rp_listeners_listen(&listeners, 16, NULL) == 0);
        address = listeners.items[0].address;
        free(listeners.items);
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "2", 1);
        fault.call = call;
        fault.countdown = n;
        fault.code = ENOBUFS;
        int result = rp_listeners_bind(&listeners, &address, 1, 2, NULL);
        failed = fault.countdown == 0;
        fault.countdown = 0;
        CHECK(result == (failed ? -ENOBUFS : 0));
        CHECK((fcntl(3, F_GETFD) < 0) == (failed != 0));
        CHECK((fcntl(4, F_GETFD) < 0) == (failed != 0));
        if (!failed) rp_listeners_close(&listeners);
    }
    return NULL;
}

Test(listener_faults, inherited_listeners)
{
    static enum call calls[] = {CALL_GETSOCKNAME, CALL_GETSOCKOPT};
    for (size_t i = 0; i < 2; i++) run_in_child(fail_each_inherited, &calls[i]);
}
