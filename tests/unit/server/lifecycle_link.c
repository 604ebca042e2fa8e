/* What a supervisor that is new is told, and what of it a process keeps open. */
#include "server/leaks.h"
#include "server/supervisor.h"

#include <fcntl.h>
#include <rp/lifecycle.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct rp_lifecycle *lifecycle;
static struct rp_listeners listeners;
static size_t descriptors_before;
static bool dispatching;
static unsigned waits; /* in rp_lifecycle_dispatch, which must not */

/* Stands before libc's for the whole program: it is what waiting for room, or for a receiver, is made of. */
int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll");

int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (dispatching) waits++;
    return (int)syscall(SYS_poll, fds, count, timeout_ms);
}

static void dispatch(void)
{
    dispatching = true;
    rp_lifecycle_dispatch(lifecycle);
    dispatching = false;
}

static void set_up(void)
{
    supervisor_prepare();
    descriptors_before = count_descriptors();
}

static void tear_down(void)
{
    cr_assert_eq(waits, 0);
    rp_listeners_close(&listeners);
    rp_lifecycle_free(lifecycle);
    supervisor_die();
    cr_assert_eq(count_descriptors(), descriptors_before);
    expect_no_leak();
}

TestSuite(lifecycle_link, .init = set_up, .fini = supervisor_forget);

static void must_new(void)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_lifecycle_new(&lifecycle, &error), 0, "%s", error.message);
}

static int listen_here(struct rp_listeners *ret_listeners, unsigned per_address, struct rp_error *error)
{
    struct rp_address address;
    cr_assert_eq(rp_address_parse(&address, "127.0.0.1:0", NULL), 0);
    return rp_lifecycle_listen(lifecycle, ret_listeners, &address, 1, per_address, 16, error);
}

static void must_listen(void)
{
    struct rp_error error = {0};
    cr_assert_eq(listen_here(&listeners, 3, &error), 0, "%s", error.message);
}

static void must_be_ready(void)
{
    struct rp_error error = {0};
    cr_assert_eq(rp_lifecycle_ready(lifecycle, "http:/healthz", &error), 0, "%s", error.message);
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
    return cookie;
}

/* The next datagram, once the process has been given every turn that it asks for. */
static size_t any_datagram(char text[NOTIFICATION_BYTES], int fds[RP_LISTENERS_MAX])
{
    while (!readable(supervisor.notify_fd, 0)) {
        cr_assert(readable(rp_lifecycle_fd(lifecycle), PATIENCE_MS), "it has nothing more to tell");
        dispatch();
    }
    return notification_receive(supervisor.notify_fd, text, fds);
}

/* The word before all else is passed over: it is no part of what a link repeats. */
static size_t next_datagram(char text[NOTIFICATION_BYTES], int fds[RP_LISTENERS_MAX])
{
    size_t count;
    do count = any_datagram(text, fds);
    while (strcmp(text, "X_RP_STARTING=1\n") == 0);
    return count;
}

static void expect_text(const char *wanted)
{
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    cr_assert_eq(next_datagram(text, fds), 0);
    cr_assert_str_eq(text, wanted);
}

static void expect_listeners(void)
{
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    cr_assert_eq(next_datagram(text, fds), listeners.count);
    cr_assert_str_eq(text, "FDSTORE=1\n");
    for (size_t i = 0; i < listeners.count; i++) {
        cr_assert_eq(cookie_of(fds[i]), cookie_of(listeners.items[i].fd), "listener %zu", i);
        close(fds[i]);
    }
}

/* It is linked, and has nothing to tell or to do. */
static void expect_silence(void)
{
    cr_assert(supervisor_has_link());
    cr_assert_not(readable(supervisor.notify_fd, 0));
    cr_assert_not(readable(rp_lifecycle_fd(lifecycle), 0));
}

static void be_killed_and_start_again(void)
{
    supervisor_die();
    supervisor_start(4);
}

static void follow_until_linked(void)
{
    while (!supervisor_has_link()) {
        cr_assert(readable(rp_lifecycle_fd(lifecycle), PATIENCE_MS));
        dispatch();
    }
}

Test(lifecycle_link, a_new_supervisor_is_told_everything)
{
    supervisor_start(4);
    must_new();
    must_listen();
    expect_listeners();
    must_be_ready();
    expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
    expect_silence();
    for (int i = 0; i < 3; i++) {
        be_killed_and_start_again();
        expect_listeners();
        expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
        expect_silence();
    }
    tear_down();
}

Test(lifecycle_link, only_what_is_true_is_told)
{
    supervisor_start(4);
    must_new();
    be_killed_and_start_again();
    follow_until_linked();
    expect_silence();
    must_listen();
    expect_listeners();
    be_killed_and_start_again();
    expect_listeners();
    expect_silence();
    cr_assert_eq(rp_lifecycle_ready(lifecycle, NULL, NULL), 0);
    expect_text("READY=1\n");
    expect_silence();
    tear_down();
}

/* What was told before there was a link may have been told to nobody who remembers it. */
Test(lifecycle_link, the_first_link_comes_late)
{
    supervisor.notify_fd = supervisor_bind(supervisor.notify_path, SOCK_DGRAM);
    must_new();
    must_listen();
    expect_listeners();
    supervisor.link_fd = supervisor_bind(supervisor.link_path, SOCK_SEQPACKET);
    cr_assert_eq(listen(supervisor.link_fd, 4), 0);
    expect_listeners();
    expect_silence();
    tear_down();
}

Test(lifecycle_link, stopping_without_listeners)
{
    supervisor_start(4);
    must_new();
    must_listen();
    must_be_ready();
    size_t open = count_descriptors();
    rp_listeners_close(&listeners);
    rp_lifecycle_stopping(lifecycle);
    cr_assert_eq(count_descriptors(), open - 2 * 3, "three listeners, three duplicates");
    be_killed_and_start_again();
    expect_text("STOPPING=1\n");
    expect_silence();
    tear_down();
}

Test(lifecycle_link, nothing_is_told_while_listeners_are_being_closed)
{
    supervisor_start(4);
    must_new();
    must_listen();
    must_be_ready();
    size_t open = count_descriptors();
    rp_lifecycle_draining(lifecycle);
    rp_lifecycle_draining(lifecycle);
    cr_assert_eq(count_descriptors(), open - 3);
    be_killed_and_start_again();
    follow_until_linked();
    expect_silence();
    rp_listeners_close(&listeners);
    rp_lifecycle_stopping(lifecycle);
    expect_text("STOPPING=1\n");
    expect_silence();
    tear_down();
}

/* The link comes first, the other socket later; each thing is told once. */
Test(lifecycle_link, what_does_not_arrive_is_told_at_the_next_turn)
{
    supervisor_start(4);
    must_new();
    must_listen();
    must_be_ready();
    supervisor_die();
    unlink(supervisor.notify_path);
    supervisor.link_fd = supervisor_bind(supervisor.link_path, SOCK_SEQPACKET);
    cr_assert_eq(listen(supervisor.link_fd, 4), 0);
    follow_until_linked();
    supervisor.notify_fd = supervisor_bind(supervisor.notify_path, SOCK_DGRAM);
    expect_listeners();
    expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
    expect_silence();
    tear_down();
}

static unsigned fill_with_status(void)
{
    unsigned count = 0;
    struct pollfd room = {.fd = supervisor.notify_fd, .events = POLLIN};
    for (int i = 0; i < 5000; i++) rp_lifecycle_status(lifecycle, "%d", i);
    cr_assert_eq(poll(&room, 1, 0), 1);
    for (char text[64]; recv(supervisor.notify_fd, text, sizeof text, MSG_DONTWAIT) > 0;) count++;
    for (int i = 0; i < 5000; i++) rp_lifecycle_status(lifecycle, "%d", i);
    return count;
}

Test(lifecycle_link, a_supervisor_that_does_not_read_is_told_when_it_does)
{
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    supervisor_start(4);
    must_new();
    must_listen();
    must_be_ready();
    be_killed_and_start_again();
    unsigned fit = fill_with_status();
    follow_until_linked();
    for (unsigned i = 0; i < fit; i++) {
        cr_assert_eq(notification_receive(supervisor.notify_fd, text, fds), 0);
        cr_assert_eq(strncmp(text, "STATUS=", 7), 0, "%s", text);
    }
    cr_assert_not(readable(supervisor.notify_fd, 0));
    expect_listeners();
    expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
    fit = fill_with_status();
    rp_listeners_close(&listeners);
    rp_lifecycle_stopping(lifecycle);
    for (unsigned i = 0; i < fit; i++) notification_receive(supervisor.notify_fd, text, fds);
    expect_text("STOPPING=1\n");
    expect_silence();
    tear_down();
}

/* A process that the old one left behind may have its socket still. */
Test(lifecycle_link, the_old_socket_outlives_its_supervisor)
{
    supervisor_start(4);
    must_new();
    must_listen();
    expect_listeners();
    int old = supervisor.notify_fd;
    close(supervisor.link_fd);
    supervisor_start(4);
    expect_listeners();
    cr_assert_not(readable(old, 0));
    close(old);
    tear_down();
}

Test(lifecycle_link, without_the_variable_nothing_is_opened)
{
    supervisor_start(4);
    unsetenv("RP_SOCKET");
    size_t before = count_descriptors();
    must_new();
    must_listen();
    cr_assert_eq(rp_lifecycle_fd(lifecycle), -1);
    cr_assert_eq(count_descriptors(), before + 1 + 3, "the socket for notifications, three listeners");
    dispatch();
    expect_listeners();
    cr_assert_not(supervisor_has_link());
    tear_down();
}

Test(lifecycle_link, only_rpctl_is_sent_listeners)
{
    supervisor_start(4);
    unsetenv("RP_SERVICE");
    size_t before = count_descriptors();
    must_new();
    must_listen();
    cr_assert_eq(count_descriptors(), before + 1 + 3 + 3, "a link of three descriptors, no duplicates");
    must_be_ready();
    expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
    be_killed_and_start_again();
    expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
    expect_silence();
    tear_down();
}

Test(lifecycle_link, the_listeners_of_several_calls)
{
    struct rp_listeners first, more;
    struct rp_error error = {0};
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    supervisor_start(4);
    must_new();
    cr_assert_eq(listen_here(&first, 2, NULL), 0);
    cr_assert_eq(next_datagram(text, fds), 2);
    for (size_t i = 0; i < 2; i++) close(fds[i]);
    size_t before = count_descriptors();
    cr_assert_eq(listen_here(&more, RP_LISTENERS_MAX - 1, &error), -E2BIG);
    cr_assert(strstr(error.message, "251 listeners are too many") != NULL, "%s", error.message);
    cr_assert_eq(count_descriptors(), before);
    must_listen();
    expect_listeners();
    be_killed_and_start_again();
    cr_assert_eq(next_datagram(text, fds), 5);
    for (size_t i = 0; i < 5; i++) {
        int own = i < 2 ? first.items[i].fd : listeners.items[i - 2].fd;
        cr_assert_eq(cookie_of(fds[i]), cookie_of(own), "listener %zu", i);
        close(fds[i]);
    }
    rp_listeners_close(&first);
    tear_down();
}

/* This one waits its 5 s out. */
Test(lifecycle_link, listeners_that_do_not_arrive_are_not_kept)
{
    must_new();
    size_t before = count_descriptors();
    cr_assert_eq(listen_here(&listeners, 3, NULL), -ENOENT);
    cr_assert_eq(count_descriptors(), before);
    supervisor_start(4);
    follow_until_linked();
    expect_silence();
    tear_down();
}

static const char *run_out_of_descriptors(void *argument)
{
    struct rp_lifecycle *mine;
    struct rp_listeners here;
    struct rp_address address;
    struct rp_error error = {0};
    (void)argument;
    CHECK(close_range(3, ~0U, 0) == 0); /* so that the numbers that are free are one row */
    CHECK(rp_address_parse(&address, "127.0.0.1:0", NULL) == 0);
    CHECK(rp_lifecycle_new(&mine, &error) == 0);
    size_t before = count_descriptors();
    /* Room for the three listeners and for two of their duplicates. */
    int next = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(next);
    struct rlimit limit = {.rlim_cur = (rlim_t)next + 5, .rlim_max = (rlim_t)next + 5};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(rp_lifecycle_listen(mine, &here, &address, 1, 3, 16, &error) == -EMFILE);
    CHECK(strstr(error.message, "duplicate of a listener") != NULL);
    CHECK(count_descriptors() == before);
    rp_lifecycle_free(mine);
    return NULL;
}

Test(lifecycle_link, no_descriptor_for_a_duplicate)
{
    supervisor_start(4);
    run_in_child(run_out_of_descriptors, NULL);
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    cr_assert_eq(notification_receive(supervisor.notify_fd, text, fds), 0);
    cr_assert_str_eq(text, "X_RP_STARTING=1\n");
    cr_assert_not(readable(supervisor.notify_fd, 0), "no more was told");
    tear_down();
}
