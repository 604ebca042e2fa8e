#include "shell/control_server.h"
#include "fixture.h"
#include "pure/exit_code.h"
#include "pure/request.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 128

static uv_loop_t loop;
static struct rpctl_control_server *server;
static struct sockaddr_un address;
static struct rp_error error;

/* What the handlers have seen. */
static struct rpctl_control_client *clients[CLIENTS]; /* NULL when gone */
static int requests, gone, server_closed;
static char last_line[RPCTL_REQUEST_BYTES_MAX + 1];
static size_t last_length;
static void (*answer)(struct rpctl_control_client *client);

static void on_request(struct rpctl_control_client *client, const char *line, size_t length, void *data)
{
    cr_assert_eq(data, &requests);
    cr_assert_eq(line[length], '\0');
    memcpy(last_line, line, length + 1);
    last_length = length;
    clients[requests++] = client;
    if (answer) answer(client);
}

static void on_client_closed(struct rpctl_control_client *client, void *data)
{
    cr_assert_eq(data, &requests);
    for (int i = 0; i < requests; i++)
        if (clients[i] == client) {
            clients[i] = NULL;
            gone++;
            rpctl_control_client_send(client, "{}"); /* allowed, and without effect */
            return;
        }
    cr_assert_fail("told twice, or of an unknown client");
}

static void on_server_closed(void *data)
{
    cr_assert_eq(data, &server);
    cr_assert_eq(gone, requests, "the server is gone before its clients");
    server_closed++;
}

static const struct rpctl_control_handlers handlers = {on_request, on_client_closed};

static int listen_abstract(int type)
{
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rpctl-control-test-%d", getpid());
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void set_up(void)
{
    int fd = listen_abstract(SOCK_STREAM);
    cr_assert_eq(listen(fd, CLIENTS), 0);
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(rpctl_control_server_new(&loop, fd, "web", &handlers, &requests, &server, &error), 0, "%s",
                 error.message);
}

TestSuite(control_server, .init = set_up, .timeout = 60);

static void close_server(void)
{
    rpctl_control_server_close(server, on_server_closed, &server);
    rpctl_control_server_close(server, NULL, NULL);
    cr_assert_eq(server_closed, 0, "called back before close has returned");
}

static void expect_end(void)
{
    close_server();
    expect_loop_empty(&loop);
    cr_assert_eq(server_closed, 1);
    cr_assert_eq(gone, requests);
}

/* --- a client --- */

static int connect_client(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    uv_poll_stop(poll);
}

static void on_poll_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

/* Waits until something happens on the loop, or on the client's descriptor unless it is -1. */
static void turn(int fd, int events)
{
    uv_poll_t client;
    bool closed = fd < 0;
    if (fd >= 0) {
        uv_poll_init(&loop, &client, fd);
        client.data = &closed;
        uv_poll_start(&client, events, on_poll);
    }
    uv_run(&loop, UV_RUN_ONCE);
    if (fd >= 0) uv_close((uv_handle_t *)&client, on_poll_closed);
    while (!closed) uv_run(&loop, UV_RUN_NOWAIT);
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else {
            cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
            turn(fd, UV_WRITABLE);
        }
    }
}

static void send_text(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* Reads to the end of the connection, and closes it; returns the length. */
static size_t read_to_end(int fd, char *text, size_t size)
{
    size_t used = 0;
    for (;;) {
        ssize_t length = recv(fd, text + used, size - 1 - used, 0);
        if (length == 0) break;
        if (length > 0)
            used += (size_t)length;
        else {
            cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
            turn(fd, UV_READABLE);
        }
    }
    text[used] = '\0';
    close(fd);
    return used;
}

static const char *read_all(int fd)
{
    static char text[65536];
    read_to_end(fd, text, sizeof text);
    return text;
}

static void wait_for_requests(int wanted)
{
    while (requests < wanted) turn(-1, 0);
}

static void wait_for_gone(int wanted)
{
    while (gone < wanted) turn(-1, 0);
}

static void expect_result(const char *line, int exit_code, const char *reason)
{
    json_t *event = json_loads(line, 0, NULL);
    cr_assert_not_null(event, "no JSON: %s", line);
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line: %s", line);
    cr_assert_str_eq(json_string_value(json_object_get(event, "event")), "result");
    cr_assert_str_eq(json_string_value(json_object_get(event, "service")), "web");
    cr_assert_eq(json_integer_value(json_object_get(event, "exit")), exit_code);
    cr_assert_str_eq(json_string_value(json_object_get(event, "outcome")), rpctl_exit_outcome(exit_code));
    cr_assert_str_eq(json_string_value(json_object_get(event, "reason")), reason);
    json_decref(event);
}

/* --- the ordinary exchange --- */

static void answer_two_lines(struct rpctl_control_client *client)
{
    int gone_before = gone;
    rpctl_control_client_send(client, "{\"n\":1}");
    rpctl_control_client_send(client, "{\"n\":2}");
    rpctl_control_client_finish(client);
    rpctl_control_client_finish(client);
    rpctl_control_client_send(client, "{\"n\":3}");
    cr_assert_eq(gone, gone_before, "called back from within a call");
}

Test(control_server, request_and_answer)
{
    int fd = connect_client();
    answer = answer_two_lines;
    send_text(fd, "{\"v\":1}\n");
    cr_assert_str_eq(read_all(fd), "{\"n\":1}\n{\"n\":2}\n");
    cr_assert_eq(requests, 1);
    cr_assert_str_eq(last_line, "{\"v\":1}");
    wait_for_gone(1);
    expect_end();
}

Test(control_server, request_byte_by_byte)
{
    int fd = connect_client();
    answer = answer_two_lines;
    for (const char *byte = "{\"v\":1}\n"; *byte; byte++) {
        cr_assert_eq(requests, 0);
        send_all(fd, byte, 1);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    cr_assert_str_eq(read_all(fd), "{\"n\":1}\n{\"n\":2}\n");
    cr_assert_str_eq(last_line, "{\"v\":1}");
    expect_end();
}

Test(control_server, empty_lines_and_nuls_are_handed_over)
{
    int first = connect_client(), second = connect_client();
    send_text(first, "\n");
    wait_for_requests(1);
    cr_assert_eq(last_length, 0);
    send_all(second, "a\0b\n", 4);
    wait_for_requests(2);
    cr_assert_eq(last_length, 3);
    cr_assert_eq(memcmp(last_line, "a\0b", 4), 0);
    expect_end();
    close(first);
    close(second);
}

Test(control_server, what_follows_the_request_is_ignored)
{
    int fd = connect_client();
    send_text(fd, "one\ntwo\nthree");
    wait_for_requests(1);
    send_text(fd, "four\n");
    uv_run(&loop, UV_RUN_NOWAIT);
    rpctl_control_client_send(clients[0], "x");
    rpctl_control_client_finish(clients[0]);
    cr_assert_str_eq(read_all(fd), "x\n");
    cr_assert_eq(requests, 1);
    cr_assert_str_eq(last_line, "one");
    expect_end();
}

Test(control_server, longest_request)
{
    int fd = connect_client();
    char *line = malloc(RPCTL_REQUEST_BYTES_MAX + 1);
    memset(line, 'x', RPCTL_REQUEST_BYTES_MAX);
    line[RPCTL_REQUEST_BYTES_MAX] = '\n';
    send_all(fd, line, RPCTL_REQUEST_BYTES_MAX + 1);
    free(line);
    wait_for_requests(1);
    cr_assert_eq(last_length, RPCTL_REQUEST_BYTES_MAX);
    close(fd);
    wait_for_gone(1);
    expect_end();
}

Test(control_server, peers_are_known)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    wait_for_requests(1);
    cr_assert_eq(rpctl_control_client_pid(clients[0]), getpid());
    cr_assert_eq(rpctl_control_client_uid(clients[0]), geteuid());
    close(fd);
    wait_for_gone(1);
    expect_end();
}

Test(control_server, many_clients)
{
    int fds[RPCTL_CONTROL_CLIENTS_MAX];
    answer = answer_two_lines;
    for (int i = 0; i < RPCTL_CONTROL_CLIENTS_MAX; i++) fds[i] = connect_client();
    for (int i = 0; i < RPCTL_CONTROL_CLIENTS_MAX; i++) send_text(fds[i], "x\n");
    while (gone < RPCTL_CONTROL_CLIENTS_MAX) turn(-1, 0);
    for (int i = 0; i < RPCTL_CONTROL_CLIENTS_MAX; i++)
        cr_assert_str_eq(read_all(fds[i]), "{\"n\":1}\n{\"n\":2}\n");
    expect_end();
}

/* The limit, so that no more descriptors can be had than there are; `spare` of them can. */
static struct rlimit limit_descriptors(unsigned spare)
{
    struct rlimit before, limit;
    int next = dup(STDIN_FILENO);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)next + spare;
    close(next);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

Test(control_server, no_descriptor_for_a_client)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    struct rlimit before = limit_descriptors(0);
    for (int i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_result(read_all(fd), RPCTL_EXIT_BUG,
                  "the supervisor has no descriptor for another client; raise its limit (prlimit --nofile)");
    cr_assert_eq(requests, 0);
    expect_end();
}

/* Not even a spare one: the loop goes on all the same, and the client is served when there is one again. */
Test(control_server, no_descriptor_left)
{
    answer = answer_two_lines;
    int fd = connect_client();
    send_text(fd, "x\n");
    struct rlimit before, none = {0};
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(requests, 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    wait_for_gone(1);
    cr_assert_str_eq(read_all(fd), "{\"n\":1}\n{\"n\":2}\n");
    expect_end();
}

/* --- bad input --- */

static void reject_it(struct rpctl_control_client *client)
{
    rpctl_control_client_reject(client, RPCTL_EXIT_BUSY, "an upgrade \"x\"\n is \xff under way");
}

Test(control_server, rejected_by_the_caller)
{
    int fd = connect_client();
    answer = reject_it;
    send_text(fd, "x\n");
    expect_result(read_all(fd), RPCTL_EXIT_BUSY, "an upgrade \"x\"? is ? under way");
    expect_end();
}

Test(control_server, too_long_a_request)
{
    int fd = connect_client();
    size_t length = 4 * RPCTL_REQUEST_BYTES_MAX;
    char *line = malloc(length);
    memset(line, 'x', length);
    /* The whole of it can be written: our end goes on reading. */
    send_all(fd, line, length);
    free(line);
    expect_result(read_all(fd), RPCTL_EXIT_USAGE, "the request line is longer than 256 KiB");
    cr_assert_eq(requests, 0);
    expect_end();
}

Test(control_server, too_long_by_one)
{
    int fd = connect_client();
    char *line = malloc(RPCTL_REQUEST_BYTES_MAX + 2);
    memset(line, 'x', RPCTL_REQUEST_BYTES_MAX + 1);
    line[RPCTL_REQUEST_BYTES_MAX + 1] = '\n';
    send_all(fd, line, RPCTL_REQUEST_BYTES_MAX + 2);
    free(line);
    expect_result(read_all(fd), RPCTL_EXIT_USAGE, "the request line is longer than 256 KiB");
    expect_end();
}

Test(control_server, request_without_an_end)
{
    int fd = connect_client();
    send_text(fd, "{\"v\":1}");
    shutdown(fd, SHUT_WR);
    expect_result(read_all(fd), RPCTL_EXIT_USAGE, "the request line has no end (no newline)");
    cr_assert_eq(requests, 0);
    expect_end();
}

Test(control_server, no_request_at_all)
{
    int first = connect_client(), second = connect_client(), third = connect_client();
    shutdown(first, SHUT_WR);
    cr_assert_str_eq(read_all(first), "");
    send_text(second, "{\"half");
    close(second);
    close(third);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(requests, 0);
    expect_end();
}

Test(control_server, request_that_takes_too_long)
{
    int fd = connect_client();
    uint64_t begin = uv_hrtime();
    send_text(fd, "{\"half");
    expect_result(read_all(fd), RPCTL_EXIT_USAGE, "no whole request line came within 10 s");
    cr_assert_geq(uv_hrtime() - begin, 9900 * 1000000ull);
    expect_end();
}

static void connect_all(int fds[RPCTL_CONTROL_CLIENTS_MAX])
{
    for (int i = 0; i < RPCTL_CONTROL_CLIENTS_MAX; i++) {
        fds[i] = connect_client();
        send_text(fds[i], "x\n");
    }
}

static void close_all(const int fds[RPCTL_CONTROL_CLIENTS_MAX])
{
    for (int i = 0; i < RPCTL_CONTROL_CLIENTS_MAX; i++) close(fds[i]);
}

Test(control_server, too_many_clients)
{
    int fds[RPCTL_CONTROL_CLIENTS_MAX];
    connect_all(fds);
    wait_for_requests(RPCTL_CONTROL_CLIENTS_MAX);
    int rejected = connect_client();
    send_text(rejected, "x\n"); /* its request is on its way already */
    expect_result(read_all(rejected), RPCTL_EXIT_BUSY, "100 clients are connected already");
    close(fds[0]);
    wait_for_gone(1);
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT); /* the rejected one counts until our end has seen that it is gone */
    fds[0] = connect_client();
    send_text(fds[0], "x\n");
    wait_for_requests(RPCTL_CONTROL_CLIENTS_MAX + 1);
    close_all(fds);
    wait_for_gone(RPCTL_CONTROL_CLIENTS_MAX + 1);
    expect_end();
}

Test(control_server, far_too_many_clients)
{
    int served[RPCTL_CONTROL_CLIENTS_MAX], rejected[RPCTL_CONTROL_CLIENTS_MAX];
    connect_all(served);
    wait_for_requests(RPCTL_CONTROL_CLIENTS_MAX);
    connect_all(rejected);
    int one_more = connect_client();
    cr_assert_str_eq(read_all(one_more), "");
    close_all(rejected);
    close_all(served);
    wait_for_gone(RPCTL_CONTROL_CLIENTS_MAX);
    expect_end();
}

Test(control_server, another_user_is_refused)
{
    char reason[128];
    if (geteuid() != 0) cr_skip_test("needs two users");
    cr_assert_eq(seteuid(65533), 0);
    int fd = connect_client();
    cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(seteuid(65534), 0);
    snprintf(reason, sizeof reason, "this service belongs to user 65534, not to user 65533");
    send_text(fd, "x\n");
    expect_result(read_all(fd), RPCTL_EXIT_REFUSED, reason);
    cr_assert_eq(requests, 0);
    cr_assert_eq(seteuid(0), 0);
    prctl(PR_SET_DUMPABLE, 1); /* for the leak checker; changing the user has cleared it */
    expect_end();
}

Test(control_server, root_may_always)
{
    if (geteuid() != 0) cr_skip_test("needs two users");
    int fd = connect_client();
    cr_assert_eq(seteuid(65534), 0);
    send_text(fd, "x\n");
    wait_for_requests(1);
    cr_assert_eq(rpctl_control_client_uid(clients[0]), 0);
    cr_assert_eq(seteuid(0), 0);
    prctl(PR_SET_DUMPABLE, 1);
    close(fd);
    wait_for_gone(1);
    expect_end();
}

/* --- clients that go, or do not read --- */

Test(control_server, a_client_that_goes_is_told_once)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    wait_for_requests(1);
    close(fd);
    wait_for_gone(1);
    expect_end();
}

Test(control_server, a_client_that_goes_before_it_was_read)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    close(fd);
    wait_for_requests(1);
    wait_for_gone(1);
    expect_end();
}

Test(control_server, a_half_closed_client_gets_its_events)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    shutdown(fd, SHUT_WR);
    wait_for_requests(1);
    for (int i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(gone, 0);
    rpctl_control_client_send(clients[0], "late");
    rpctl_control_client_finish(clients[0]);
    cr_assert_str_eq(read_all(fd), "late\n");
    wait_for_gone(1);
    expect_end();
}

Test(control_server, writing_to_a_client_that_has_gone)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    shutdown(fd, SHUT_WR);
    wait_for_requests(1);
    for (int i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
    close(fd); /* EPIPE for us; SIGPIPE would kill the test */
    rpctl_control_client_send(clients[0], "late");
    cr_assert_eq(gone, 0, "called back from within a call");
    wait_for_gone(1);
    expect_end();
}

static char block[65536];

static void fill_queue(struct rpctl_control_client *client, size_t count)
{
    memset(block, 'x', sizeof block - 1);
    for (size_t i = 0; i < count; i++) rpctl_control_client_send(client, block);
}

Test(control_server, a_client_that_reads_late_gets_everything)
{
    static char text[1 << 20];
    int fd = connect_client();
    send_text(fd, "x\n");
    wait_for_requests(1);
    fill_queue(clients[0], 10);
    rpctl_control_client_send(clients[0], "last");
    rpctl_control_client_finish(clients[0]);
    cr_assert_eq(read_to_end(fd, text, sizeof text), 10 * sizeof block + 5);
    for (int i = 0; i < 10; i++) cr_assert_eq(text[(size_t)(i + 1) * sizeof block - 1], '\n');
    cr_assert_str_eq(text + 10 * sizeof block, "last\n");
    wait_for_gone(1);
    expect_end();
}

Test(control_server, a_client_that_does_not_read_is_cut)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    wait_for_requests(1);
    struct rpctl_control_client *client = clients[0];
    fill_queue(client, RPCTL_CONTROL_QUEUE_MAX / sizeof block + 100);
    cr_assert_eq(gone, 0, "called back from within a call");
    wait_for_gone(1);
    expect_end();
    close(fd);
}

Test(control_server, a_finished_client_that_does_not_read_is_cut_at_the_deadline)
{
    int fd = connect_client();
    send_text(fd, "x\n");
    wait_for_requests(1);
    fill_queue(clients[0], 10);
    rpctl_control_client_finish(clients[0]);
    uint64_t begin = uv_hrtime();
    wait_for_gone(1);
    cr_assert_geq(uv_hrtime() - begin, 4900 * 1000000ull);
    expect_end();
    close(fd);
}

/* --- the end of the server --- */

Test(control_server, closing_cuts_those_that_wait_and_lets_the_finished_have_their_lines)
{
    static char text[1 << 20];
    int waiting = connect_client(), finished = connect_client(), silent = connect_client();
    send_text(waiting, "x\n");
    wait_for_requests(1);
    send_text(finished, "x\n");
    wait_for_requests(2);
    fill_queue(clients[1], 10);
    rpctl_control_client_finish(clients[1]);
    close_server();
    cr_assert_str_eq(read_all(waiting), "");
    cr_assert_str_eq(read_all(silent), "");
    cr_assert_eq(server_closed, 0);
    cr_assert_eq(read_to_end(finished, text, sizeof text), 10 * sizeof block);
    expect_loop_empty(&loop);
    cr_assert_eq(server_closed, 1);
    cr_assert_eq(gone, 2);
}

static void close_from_within(struct rpctl_control_client *client)
{
    rpctl_control_client_send(client, "bye");
    rpctl_control_client_finish(client);
    close_server();
}

Test(control_server, closed_from_a_request)
{
    int fd = connect_client();
    answer = close_from_within;
    send_text(fd, "x\n");
    cr_assert_str_eq(read_all(fd), "bye\n");
    expect_loop_empty(&loop);
    cr_assert_eq(server_closed, 1);
}

Test(control_server, closed_unused)
{
    expect_end();
}

Test(control_server_new, refuses_what_is_no_listening_unix_stream_socket)
{
    struct rpctl_control_server *made = NULL;
    cr_assert_eq(uv_loop_init(&loop), 0);
    int fds = count_open_fds();
    cr_assert_eq(rpctl_control_server_new(&loop, open("/dev/null", O_RDONLY | O_CLOEXEC), "web", &handlers,
                                          NULL, &made, &error),
                 -ENOTSOCK);
    cr_assert_not_null(strstr(error.message, "cannot serve the control socket"));
    cr_assert_eq(
        rpctl_control_server_new(&loop, listen_abstract(SOCK_STREAM), "web", &handlers, NULL, &made, &error),
        -EINVAL, "it does not listen");
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(listen(tcp, 1), 0);
    cr_assert_eq(rpctl_control_server_new(&loop, tcp, "web", &handlers, NULL, &made, &error), -EINVAL);
    cr_assert_null(made);
    cr_assert_eq(count_open_fds(), fds, "the descriptor is taken over on errors too");
    expect_loop_empty(&loop);
}
