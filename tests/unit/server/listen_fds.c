/* Taking listeners over through LISTEN_FDS, each time in a child, for the descriptors are 3 and up. */
#include "server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <rp/listener.h>
#include <stdlib.h>

#define FIRST_FD 3

static struct rp_address loopback, loopback6;

static int open_listener(struct rp_address *address, bool reuseport)
{
    int on = reuseport;
    int fd = socket(address->storage.ss_family, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address->storage, address->length) < 0 || listen(fd, 16) < 0 ||
        rp_address_of_socket(address, fd, NULL) < 0)
        return -1;
    return fd;
}

static void set_listen_fds(long pid, const char *fds)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", fds, 1);
    setenv("LISTEN_FDNAMES", "a:b", 1);
    setenv("LISTEN_PIDFDID", "1", 1);
}

/* From here on descriptor 3 is the next one. */
static bool clear_descriptors(void)
{
    return close_range(FIRST_FD, ~0U, 0) == 0 && rp_address_parse(&loopback, "127.0.0.1:0", NULL) == 0 &&
           rp_address_parse(&loopback6, "[::1]:0", NULL) == 0;
}

static bool environment_is_clear(void)
{
    return getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL && getenv("LISTEN_FDNAMES") == NULL &&
           getenv("LISTEN_PIDFDID") == NULL;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static const char *take_over(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    (void)argument;
    CHECK(clear_descriptors());
    struct rp_address fresh = loopback;
    CHECK(open_listener(&loopback, true) == 3 && open_listener(&loopback6, true) == 4);
    CHECK(open_listener(&loopback, true) == 5);
    CHECK(open_listener(&loopback, true) == 6);
    set_listen_fds(getpid(), "4");
    struct rp_address addresses[] = {loopback6, fresh, loopback};
    CHECK(rp_listeners_bind(&listeners, addresses, 3, 2, &error) == 0);
    static const int order[] = {4, 7, 8, 3, 5, 6};
    CHECK(listeners.count == 6);
    for (size_t i = 0; i < 6; i++) {
        const struct rp_listener *listener = &listeners.items[i];
        CHECK(listener->fd == order[i]);
        CHECK(listener->inherited == (listener->fd < 7));
        CHECK(fcntl(listener->fd, F_GETFD) == FD_CLOEXEC);
        CHECK(fcntl(listener->fd, F_GETFL) & O_NONBLOCK);
    }
    CHECK(rp_address_equal(&listeners.items[0].address, &loopback6));
    CHECK(rp_address_equal(&listeners.items[5].address, &loopback));
    CHECK(environment_is_clear());
    CHECK(rp_listeners_listen(&listeners, 16, &error) == 0);
    rp_listeners_close(&listeners);
    CHECK(!is_open(3) && !is_open(8));
    return NULL;
}

Test(listen_fds, taken_in_place_of_new_ones)
{
    run_in_child(take_over, NULL);
}

static const char *take_over_from_systemd(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(open_listener(&loopback, false) == 3);
    /* A connection that came before this process; it must be served. */
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(client, (struct sockaddr *)&loopback.storage, loopback.length) == 0);
    set_listen_fds(getpid(), "1");
    CHECK(rp_listeners_bind(&listeners, &loopback, 1, 4, &error) == 0);
    CHECK(listeners.count == 1 && listeners.items[0].inherited);
    CHECK(rp_listeners_listen(&listeners, 16, &error) == 0);
    CHECK(accept(listeners.items[0].fd, NULL, NULL) >= 0);
    CHECK(accept(listeners.items[0].fd, NULL, NULL) < 0 && errno == EAGAIN);
    return NULL;
}

Test(listen_fds, one_socket_of_systemd_is_enough)
{
    run_in_child(take_over_from_systemd, NULL);
}

static const char *meant_for_another(void *argument)
{
    struct rp_listeners listeners;
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(open_listener(&loopback, true) == 3);
    set_listen_fds(getppid(), "1");
    CHECK(rp_listeners_bind(&listeners, &loopback, 1, 2, NULL) == 0);
    CHECK(listeners.count == 2 && listeners.items[0].fd == 4);
    CHECK(getenv("LISTEN_FDS") != NULL);
    rp_listeners_close(&listeners);
    CHECK(is_open(3));
    return NULL;
}

Test(listen_fds, another_process_is_meant)
{
    run_in_child(meant_for_another, NULL);
}

/* A request that must fail with `code` and `words`; descriptors 3 and 4 are closed then. */
static const char *expect_refused(const struct rp_address *address, int code, const char *words)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    CHECK(rp_listeners_bind(&listeners, address, 1, 2, &error) == code);
    snprintf(child_note, 512, "%s", error.message);
    CHECK(strstr(error.message, words) != NULL);
    CHECK(environment_is_clear());
    CHECK(!is_open(3) && !is_open(4));
    return NULL;
}

static const char *nobody_asked(void *argument)
{
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(open_listener(&loopback, true) == 3 && open_listener(&loopback6, true) == 4);
    set_listen_fds(getpid(), "2");
    return expect_refused(&loopback, -EADDRNOTAVAIL, "descriptor 4 from LISTEN_FDS listens on [::1]:");
}

static const char *only_bound(void *argument)
{
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(open_listener(&loopback, true) == 3 && socket(AF_INET, SOCK_STREAM, 0) == 4);
    set_listen_fds(getpid(), "2");
    return expect_refused(&loopback, -EINVAL,
                          "descriptor 4 from LISTEN_FDS is not a listening stream socket");
}

static const char *a_datagram_socket(void *argument)
{
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(socket(AF_INET, SOCK_DGRAM, 0) == 3);
    set_listen_fds(getpid(), "1");
    return expect_refused(&loopback, -EINVAL,
                          "descriptor 3 from LISTEN_FDS is not a listening stream socket");
}

static const char *a_file(void *argument)
{
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(open("/dev/null", O_RDONLY) == 3);
    set_listen_fds(getpid(), "1");
    return expect_refused(&loopback, -ENOTSOCK,
                          "descriptor 3 from LISTEN_FDS: Socket operation on non-socket");
}

static const char *a_unix_listener(void *argument)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(socket(AF_UNIX, SOCK_STREAM, 0) == 3);
    CHECK(bind(3, &address, sizeof address.sa_family) == 0 && listen(3, 1) == 0);
    set_listen_fds(getpid(), "1");
    return expect_refused(&loopback, -EAFNOSUPPORT, "LISTEN_FDS: descriptor 3 is not a TCP socket");
}

Test(listen_fds, what_is_no_listener_of_ours_is_refused)
{
    run_in_child(nobody_asked, NULL);
    run_in_child(only_bound, NULL);
    run_in_child(a_datagram_socket, NULL);
    run_in_child(a_file, NULL);
    run_in_child(a_unix_listener, NULL);
}

static const char *one_too_few(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    (void)argument;
    CHECK(clear_descriptors());
    CHECK(open_listener(&loopback, true) == 3);
    set_listen_fds(getpid(), "2");
    CHECK(rp_listeners_bind(&listeners, &loopback, 1, 2, &error) == -EBADF);
    CHECK(strcmp(error.message, "LISTEN_FDS=2, but descriptor 4 is not open") == 0);
    CHECK(is_open(3));
    return NULL;
}

static const char *malformed(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    (void)argument;
    CHECK(clear_descriptors());
    set_listen_fds(getpid(), "two");
    CHECK(rp_listeners_bind(&listeners, &loopback, 1, 2, &error) == -EINVAL);
    CHECK(strstr(error.message, "bad LISTEN_FDS=\"two\"") != NULL);
    set_listen_fds(getpid(), "1000");
    CHECK(rp_listeners_bind(&listeners, &loopback, 1, 2, &error) == -E2BIG);
    setenv("LISTEN_PID", "me", 1);
    CHECK(rp_listeners_bind(&listeners, &loopback, 1, 2, &error) == -EINVAL);
    CHECK(strstr(error.message, "bad LISTEN_PID=\"me\"") != NULL);
    CHECK(!is_open(3));
    return NULL;
}

static const char *too_many_in_all(void *argument)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    (void)argument;
    CHECK(clear_descriptors());
    struct rp_address addresses[] = {loopback, loopback6};
    for (int fd = 3; fd < 3 + 130; fd++) CHECK(open_listener(&addresses[0], true) == fd);
    set_listen_fds(getpid(), "130");
    CHECK(rp_listeners_bind(&listeners, addresses, 2, RP_LISTENERS_MAX / 2, &error) == -E2BIG);
    CHECK(strstr(error.message, "255 listeners are too many") != NULL);
    for (int fd = 3; fd < 3 + 256; fd++) CHECK(!is_open(fd));
    return NULL;
}

Test(listen_fds, counts_that_cannot_be)
{
    run_in_child(one_too_few, NULL);
    run_in_child(malformed, NULL);
    run_in_child(too_many_in_all, NULL);
}
