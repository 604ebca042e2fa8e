#include "server/child.h"
#include "server/leaks.h"
#include "server/notification.h"

#include <errno.h>
#include <fcntl.h>
#include <rp/lifecycle.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/un.h>

static int receiver = -1;

/* A socket as a supervisor has it, in NOTIFY_SOCKET. */
static void open_receiver(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int length = snprintf(name, sizeof name, "@rp-lifecycle-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(receiver, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void expect_text(const char *wanted)
{
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    cr_assert_eq(notification_receive(receiver, text, fds), 0);
    cr_assert_str_eq(text, wanted);
}

static void expect_silence(void)
{
    char text[NOTIFICATION_BYTES];
    cr_assert_eq(recv(receiver, text, sizeof text, 0), -1);
    cr_assert_eq(errno, EAGAIN);
}

static struct rp_lifecycle *must_new(void)
{
    struct rp_lifecycle *lifecycle;
    struct rp_error error = {0};
    cr_assert_eq(rp_lifecycle_new(&lifecycle, &error), 0, "%s", error.message);
    return lifecycle;
}

static struct rp_address parse(const char *text)
{
    struct rp_address address;
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0, "%s", text);
    return address;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
    return cookie;
}

Test(lifecycle, without_a_supervisor_everything_succeeds)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    unsetenv("NOTIFY_SOCKET");
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_not(rp_lifecycle_identity(lifecycle)->supervised);
    cr_assert_str_empty(rp_lifecycle_identity(lifecycle)->service);
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &listeners, &address, 1, 2, 16, NULL), 0);
    cr_assert_eq(rp_lifecycle_ready(lifecycle, "http:/healthz", NULL), 0);
    rp_lifecycle_status(lifecycle, "%d", 1);
    rp_lifecycle_stopping(lifecycle);
    rp_lifecycle_drained(lifecycle, 1, 2);
    rp_listeners_close(&listeners);
    rp_lifecycle_free(lifecycle);
    rp_lifecycle_free(NULL);
}

Test(lifecycle, identity)
{
    setenv("RP_SERVICE", "web", 1);
    setenv("RP_GENERATION", "7", 1);
    setenv("RP_INSTANCE", "2", 1);
    setenv("RP_LISTEN", "127.0.0.1:80 [::]:81", 1);
    setenv("RP_ALLOW_DROP", "1", 1);
    setenv("RP_DRAIN_TIMEOUT_MS", "5000", 1);
    setenv("RP_IDLE_GRACE_MS", "100", 1);
    struct rp_lifecycle *lifecycle = must_new();
    /* Read once: what comes later changes nothing. */
    setenv("RP_SERVICE", "other", 1);
    const struct rp_identity *identity = rp_lifecycle_identity(lifecycle);
    cr_assert(identity->supervised);
    cr_assert_str_eq(identity->service, "web");
    cr_assert_eq(identity->generation, 7);
    cr_assert_eq(identity->instance, 2);
    cr_assert_eq(identity->expected_count, 2);
    cr_assert_eq(rp_address_port(&identity->expected[1]), 81);
    cr_assert(identity->allow_drop);
    cr_assert_eq(identity->drain_timeout_ms, 5000);
    cr_assert_eq(identity->idle_grace_ms, 100);
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, each_malformed_variable)
{
    static const char *const rows[][2] = {
        {"RP_SERVICE", ""},          {"RP_GENERATION", "one"},       {"RP_INSTANCE", "-1"},
        {"RP_LISTEN", "everywhere"}, {"RP_ALLOW_DROP", "yes"},       {"RP_DRAIN_TIMEOUT_MS", "30s"},
        {"RP_IDLE_GRACE_MS", "2.5"}, {"NOTIFY_SOCKET", "somewhere"}, {"RP_SOCKET", "@somewhere"},
    };
    size_t before = count_descriptors();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rp_lifecycle *lifecycle;
        struct rp_error error = {0};
        setenv(rows[i][0], rows[i][1], 1);
        cr_assert_eq(rp_lifecycle_new(&lifecycle, &error), -EINVAL, "%s", rows[i][0]);
        cr_assert(strstr(error.message, rows[i][0]) != NULL, "%s", error.message);
        cr_assert(strstr(error.message, rows[i][1]) != NULL, "%s", error.message);
        cr_assert_eq(rp_lifecycle_new(&lifecycle, NULL), -EINVAL);
        unsetenv(rows[i][0]);
    }
    cr_assert_eq(count_descriptors(), before);
    expect_no_leak();
}

Test(lifecycle, listeners_are_sent_in_the_order_of_listen)
{
    struct rp_listeners listeners;
    struct rp_address addresses[] = {parse("127.0.0.1:0"), parse("[::1]:0")};
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    open_receiver();
    setenv("RP_SERVICE", "web", 1);
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &listeners, addresses, 2, 3, 16, NULL), 0);
    expect_text("X_RP_STARTING=1\n");
    cr_assert_eq(notification_receive(receiver, text, fds), 6);
    cr_assert_str_eq(text, "FDSTORE=1\n");
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(cookie_of(fds[i]), cookie_of(listeners.items[i].fd), "listener %zu", i);
        int listening = 0;
        socklen_t length = sizeof listening;
        cr_assert_eq(getsockopt(fds[i], SOL_SOCKET, SO_ACCEPTCONN, &listening, &length), 0);
        cr_assert(listening);
        close(fds[i]);
    }
    expect_silence();
    rp_listeners_close(&listeners);
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, the_most_listeners_there_may_be)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    char text[NOTIFICATION_BYTES];
    int fds[RP_LISTENERS_MAX];
    open_receiver();
    setenv("RP_SERVICE", "web", 1);
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &listeners, &address, 1, RP_LISTENERS_MAX, 16, NULL), 0);
    expect_text("X_RP_STARTING=1\n");
    cr_assert_eq(notification_receive(receiver, text, fds), RP_LISTENERS_MAX);
    for (size_t i = 0; i < RP_LISTENERS_MAX; i++) {
        cr_assert_eq(cookie_of(fds[i]), cookie_of(listeners.items[i].fd), "listener %zu", i);
        close(fds[i]);
    }
    rp_listeners_close(&listeners);
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, systemd_gets_no_listeners)
{
    struct rp_listeners listeners;
    struct rp_address address = parse("127.0.0.1:0");
    open_receiver();
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &listeners, &address, 1, 2, 16, NULL), 0);
    expect_silence();
    cr_assert_eq(rp_lifecycle_ready(lifecycle, NULL, NULL), 0);
    expect_text("READY=1\n");
    rp_listeners_close(&listeners);
    rp_lifecycle_free(lifecycle);
}

static void expect_no_listen(const char *wanted_address, const char *words)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    struct rp_address address = parse(wanted_address);
    size_t before = count_descriptors();
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &listeners, &address, 1, 2, 16, &error), -EADDRNOTAVAIL);
    cr_assert(strstr(error.message, words) != NULL, "%s", error.message);
    expect_silence();
    rp_lifecycle_free(lifecycle);
    cr_assert_eq(count_descriptors(), before);
}

Test(lifecycle, another_address_than_the_old_generation_fails_before_listen)
{
    struct rp_listeners old;
    struct rp_address address = parse("0.0.0.0:0");
    char expected[RP_ADDRESS_TEXT_BYTES], narrow[64];
    open_receiver();
    setenv("RP_SERVICE", "web", 1);
    cr_assert_eq(rp_listeners_bind(&old, &address, 1, 2, NULL), 0);
    cr_assert_eq(rp_listeners_listen(&old, 16, NULL), 0);
    rp_address_format(&old.items[0].address, expected);
    setenv("RP_LISTEN", expected, 1);
    snprintf(narrow, sizeof narrow, "127.0.0.1:%u", (unsigned)rp_address_port(&old.items[0].address));
    expect_no_listen(narrow, "would at once take connections");
    expect_no_listen("127.0.0.1:0", "and this one does not");
    setenv("RP_ALLOW_DROP", "1", 1);
    expect_no_listen(narrow, "would at once take connections");
    rp_listeners_close(&old);
}

Test(lifecycle, the_same_address_as_the_old_generation)
{
    struct rp_listeners old, new;
    struct rp_address address = parse("[::]:0");
    char expected[RP_ADDRESS_TEXT_BYTES];
    cr_assert_eq(rp_listeners_bind(&old, &address, 1, 2, NULL), 0);
    cr_assert_eq(rp_listeners_listen(&old, 16, NULL), 0);
    rp_address_format(&old.items[0].address, expected);
    setenv("RP_LISTEN", expected, 1);
    struct rp_lifecycle *lifecycle = must_new();
    struct rp_error error = {0};
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &new, &old.items[0].address, 1, 2, 16, &error), 0, "%s",
                 error.message);
    rp_listeners_close(&old);
    rp_listeners_close(&new);
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, readiness)
{
    static const char *const bad[] = {
        "", "http", "https:/x", "http:healthz", "http:/a b", "http:/a\nREADY=0", "tcp:1", "TCP"};
    char long_path[600];
    open_receiver();
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_eq(rp_lifecycle_ready(lifecycle, "http:/healthz", NULL), 0);
    expect_text("READY=1\nX_RP_HEALTH=http:/healthz\n");
    cr_assert_eq(rp_lifecycle_ready(lifecycle, "tcp", NULL), 0);
    expect_text("READY=1\nX_RP_HEALTH=tcp\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rp_error error = {0};
        cr_assert_eq(rp_lifecycle_ready(lifecycle, bad[i], &error), -EINVAL, "%s", bad[i]);
        cr_assert(strstr(error.message, "bad health check") != NULL);
    }
    memset(long_path, 'p', sizeof long_path);
    memcpy(long_path, "http:/", 6);
    long_path[513] = '\0';
    cr_assert_eq(rp_lifecycle_ready(lifecycle, long_path, NULL), -EINVAL);
    expect_silence();
    long_path[512] = '\0';
    cr_assert_eq(rp_lifecycle_ready(lifecycle, long_path, NULL), 0);
    char text[NOTIFICATION_BYTES];
    cr_assert_eq(recv(receiver, text, sizeof text, 0), 8 + 12 + 512 + 1);
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, what_may_get_lost)
{
    char status[1000], text[2048];
    open_receiver();
    struct rp_lifecycle *lifecycle = must_new();
    rp_lifecycle_status(lifecycle, "%s %d", "serving", 3);
    expect_text("STATUS=serving 3\n");
    rp_lifecycle_status(lifecycle, "%s", "a\nREADY=1\n\tb\x7f");
    expect_text("STATUS=a READY=1  b \n");
    rp_lifecycle_stopping(lifecycle);
    expect_text("STOPPING=1\n");
    rp_lifecycle_drained(lifecycle, 1024, 18446744073709551615ul);
    expect_text("X_RP_FINISHED=1024\nX_RP_CUT=18446744073709551615\n");
    memset(status, 's', sizeof status);
    status[sizeof status - 1] = '\0';
    rp_lifecycle_status(lifecycle, "%s", status);
    cr_assert_eq(recv(receiver, text, sizeof text, 0), 7 + 255 + 1);
    cr_assert_eq(text[7 + 255], '\n');
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, a_supervisor_that_does_not_read_stops_nobody)
{
    open_receiver();
    struct rp_lifecycle *lifecycle = must_new();
    for (int i = 0; i < 5000; i++) rp_lifecycle_status(lifecycle, "%d", i);
    rp_lifecycle_stopping(lifecycle);
    rp_lifecycle_drained(lifecycle, 1, 2);
    expect_text("STATUS=0\n");
    rp_lifecycle_free(lifecycle);
}

/* These two wait their 5 s out. */
Test(lifecycle, readiness_that_does_not_arrive_is_an_error)
{
    struct rp_error error = {0};
    open_receiver();
    struct rp_lifecycle *lifecycle = must_new();
    for (int i = 0; i < 5000; i++) rp_lifecycle_status(lifecycle, "%d", i);
    cr_assert_eq(rp_lifecycle_ready(lifecycle, NULL, &error), -EAGAIN);
    cr_assert(strstr(error.message, "cannot send readiness to the supervisor") != NULL, "%s", error.message);
    cr_assert(strstr(error.message, "it does not read") != NULL, "%s", error.message);
    rp_lifecycle_free(lifecycle);
}

Test(lifecycle, listeners_that_do_not_arrive_are_an_error)
{
    struct rp_listeners listeners;
    struct rp_error error = {0};
    struct rp_address address = parse("127.0.0.1:0");
    setenv("NOTIFY_SOCKET", "@rp-lifecycle-nobody-is-here", 1);
    setenv("RP_SERVICE", "web", 1);
    size_t before = count_descriptors();
    struct rp_lifecycle *lifecycle = must_new();
    cr_assert_eq(rp_lifecycle_listen(lifecycle, &listeners, &address, 1, 2, 16, &error), -ECONNREFUSED);
    cr_assert(strstr(error.message, "cannot send news of the start to the supervisor") != NULL, "%s",
              error.message);
    rp_lifecycle_free(lifecycle);
    cr_assert_eq(count_descriptors(), before);
    expect_no_leak();
}
