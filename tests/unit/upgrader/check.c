#include "shell/check.h"
#include "fake_server.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;
static struct fake_server server;
static struct rpctl_check_result result;
static int callbacks;
static bool started; /* rpctl_check_start has returned */

static void set_up(void)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
}

TestSuite(check, .init = set_up, .timeout = 30);

static void on_checked(const struct rpctl_check_result *given, void *data)
{
    cr_assert(started, "called back before start has returned");
    cr_assert_eq(data, &server);
    callbacks++;
    result = *given;
    if (server.listener.data) fake_server_stop(&server);
}

static struct rpctl_check *start(struct rpctl_check_request request)
{
    struct rpctl_check *check;
    callbacks = 0;
    started = false;
    cr_assert_eq(rpctl_check_start(&loop, &request, on_checked, &server, &check), 0);
    cr_assert_eq(callbacks, 0);
    started = true;
    return check;
}

static void expect_result(bool good, int error, const char *text)
{
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_eq(result.error, error, "%d: %s", result.error, result.text);
    cr_assert_eq(result.good, good);
    cr_assert_str_eq(result.text, text);
    cr_assert_gt(result.latency_ns, 0);
}

static struct rpctl_check_request get(const char *path)
{
    return (struct rpctl_check_request){.target = server.address,
                                        .bound_fd = -1,
                                        .kind = RPCTL_HEALTH_HTTP,
                                        .path = path,
                                        .timeout_ms = 20000};
}

/* GET /healthz from a server that answers thus. */
static void start_against(const char *answer, enum fake_end end)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", answer));
    server.end = end;
    start(get("/healthz"));
}

/* --- good answers --- */

#define OK_LENGTH "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

Test(check, good_answer)
{
    start_against(OK_LENGTH, FAKE_CLOSES);
    expect_result(true, 0, "GET /healthz 200");
    cr_assert_eq(result.status, 200);
}

Test(check, the_request)
{
    char expected[256];
    start_against(OK_LENGTH, FAKE_CLOSES);
    expect_result(true, 0, "GET /healthz 200");
    snprintf(expected, sizeof expected,
             "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: rpctl/" RPCTL_VERSION
             "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
             rp_address_port(&server.address));
    cr_assert_str_eq(server.request, expected);
}

Test(check, a_server_that_does_not_close)
{
    start_against(OK_LENGTH, FAKE_KEEPS_OPEN);
    expect_result(true, 0, "GET /healthz 200");
}

Test(check, byte_by_byte)
{
    server.piece_bytes = 1;
    start_against("HTTP/1.1 204 No Content\r\n\r\n", FAKE_KEEPS_OPEN);
    expect_result(true, 0, "GET /healthz 204");
}

Test(check, chunked)
{
    server.piece_bytes = 7;
    start_against("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n",
                  FAKE_KEEPS_OPEN);
    expect_result(true, 0, "GET /healthz 200");
}

Test(check, a_body_that_ends_with_the_connection)
{
    start_against("HTTP/1.0 200 OK\r\n\r\nhello", FAKE_CLOSES);
    expect_result(true, 0, "GET /healthz 200");
}

static void expect_large_body(const char *framing)
{
    size_t body_bytes = 4 * RPCTL_CHECK_ANSWER_MAX;
    char *answer = malloc(body_bytes + 128);
    int head = sprintf(answer, "HTTP/1.1 200 OK\r\n%s\r\n", framing);
    memset(answer + head, 'x', body_bytes);
    answer[(size_t)head + body_bytes] = '\0';
    start_against(answer, FAKE_CLOSES);
    cr_assert_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    free(answer);
    expect_result(true, 0, "GET /healthz 200");
}

Test(check, a_large_answer_is_judged_by_its_beginning)
{
    expect_large_body("Content-Length: 262144\r\n");
}

Test(check, an_endless_answer_is_judged_by_its_beginning)
{
    expect_large_body("");
}

/* --- bad ones --- */

Test(check, bad_status)
{
    start_against("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", FAKE_CLOSES);
    expect_result(false, 0, "GET /healthz 503");
    cr_assert_eq(result.status, 503);
}

Test(check, a_redirect_is_not_good)
{
    start_against("HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", FAKE_CLOSES);
    expect_result(false, 0, "GET /healthz 301");
}

Test(check, garbage)
{
    start_against("SSH-2.0-OpenSSH_9.2\r\n", FAKE_KEEPS_OPEN);
    expect_result(false, -EPROTO, "garbage: no HTTP/1 status line: \"SSH-2.0-OpenSSH_9.2\"");
    cr_assert_eq(result.status, 0);
}

Test(check, closed_without_an_answer)
{
    start_against("", FAKE_CLOSES);
    expect_result(false, -ENODATA, "closed without an answer");
}

Test(check, closed_before_the_request_was_read)
{
    start_against(OK_LENGTH, FAKE_CLOSES_EARLY);
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_not(result.good);
    cr_assert(result.error == -ENODATA || result.error == -ECONNRESET, "%d", result.error);
}

Test(check, closed_inside_the_header)
{
    start_against("HTTP/1.1 200 OK\r\nContent-", FAKE_CLOSES);
    expect_result(false, -ENODATA, "GET /healthz: the answer was cut off after 25 bytes");
    cr_assert_eq(result.status, 0);
}

Test(check, body_is_short)
{
    start_against("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", FAKE_CLOSES);
    expect_result(false, -ENODATA, "GET /healthz: the answer was cut off after 41 bytes");
}

Test(check, chunked_body_is_short)
{
    start_against("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n", FAKE_CLOSES);
    expect_result(false, -ENODATA, "GET /healthz: the answer was cut off after 55 bytes");
}

Test(check, reset)
{
    start_against("", FAKE_RESETS);
    expect_result(false, -ECONNRESET, "connection reset");
}

Test(check, endless_interim_answers)
{
    static char answer[RPCTL_CHECK_ANSWER_MAX + 8192];
    while (strlen(answer) < RPCTL_CHECK_ANSWER_MAX + 4096)
        strcat(answer,
               "HTTP/1.1 100 Continue\r\nX: 01234567890123456789012345678901234567890123456789\r\n\r\n");
    start_against(answer, FAKE_KEEPS_OPEN);
    expect_loop_empty(&loop);
    cr_assert_eq(result.error, -ENODATA);
    cr_assert_eq(callbacks, 1);
}

Test(check, no_answer_in_time)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", ""));
    server.end = FAKE_KEEPS_OPEN;
    struct rpctl_check_request request = get("/");
    request.timeout_ms = 60;
    start(request);
    expect_result(false, -ETIMEDOUT, "no answer in 60 ms");
    cr_assert_geq(result.latency_ns, 50 * 1000000);
}

Test(check, half_an_answer_in_time)
{
    cr_assert(
        fake_server_start(&server, &loop, "127.0.0.1:0", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"));
    server.end = FAKE_KEEPS_OPEN;
    struct rpctl_check_request request = get("/");
    request.timeout_ms = 60;
    start(request);
    expect_result(false, -ETIMEDOUT, "no answer in 60 ms");
}

/* --- connecting --- */

/* A port that is ours, with nobody listening. */
static int bind_socket(struct rp_address *ret_address, const char *text)
{
    struct rp_error error;
    cr_assert_eq(rp_address_parse(ret_address, text, &error), 0);
    int fd = socket(ret_address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&ret_address->storage, ret_address->length), 0);
    cr_assert_eq(rp_address_of_socket(ret_address, fd, &error), 0);
    return fd;
}

Test(check, refused)
{
    int fd = bind_socket(&server.address, "127.0.0.1:0");
    start(get("/"));
    expect_result(false, -ECONNREFUSED, "connection refused");
    close(fd);
}

Test(check, tcp_is_good_when_it_connects)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", ""));
    struct rpctl_check_request request = get(NULL);
    request.kind = RPCTL_HEALTH_TCP;
    start(request);
    expect_result(true, 0, "connected");
    cr_assert_eq(server.requests, 0);
}

Test(check, tcp_refused)
{
    int fd = bind_socket(&server.address, "127.0.0.1:0");
    struct rpctl_check_request request = get(NULL);
    request.kind = RPCTL_HEALTH_TCP;
    start(request);
    expect_result(false, -ECONNREFUSED, "connection refused");
    close(fd);
}

Test(check, fails_at_once_but_calls_back_later)
{
    struct rp_error error;
    cr_assert_eq(rp_address_parse(&server.address, "127.0.0.1:80", &error), 0);
    ((struct sockaddr_in *)&server.address.storage)->sin_addr.s_addr = htonl(INADDR_BROADCAST);
    start(get("/"));
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_not(result.good);
    cr_assert_lt(result.error, 0);
    cr_assert_str_not_empty(result.text);
}

Test(check, wildcard_is_connected_by_loopback)
{
    cr_assert(fake_server_start(&server, &loop, "0.0.0.0:0", OK_LENGTH));
    cr_assert(rp_address_is_wildcard(&server.address));
    start(get("/"));
    expect_result(true, 0, "GET / 200");
    cr_assert_not_null(strstr(server.request, "Host: 127.0.0.1:"));
}

Test(check, ipv6_wildcard_is_connected_by_loopback)
{
    if (!fake_server_start(&server, &loop, "[::1]:0", OK_LENGTH)) {
        uv_run(&loop, UV_RUN_DEFAULT);
        cr_skip_test("no IPv6 here");
    }
    ((struct sockaddr_in6 *)&server.address.storage)->sin6_addr = in6addr_any;
    cr_assert(rp_address_is_wildcard(&server.address));
    start(get("/"));
    expect_result(true, 0, "GET / 200");
    cr_assert_not_null(strstr(server.request, "Host: [::1]:"));
}

Test(check, bound_socket_keeps_its_port)
{
    struct rp_address source;
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", OK_LENGTH));
    struct rpctl_check_request request = get("/");
    request.bound_fd = bind_socket(&source, "127.0.0.1:0");
    start(request);
    expect_result(true, 0, "GET / 200");
    cr_assert_eq(rp_address_port(&server.peer), rp_address_port(&source));
}

Test(check, bound_socket_that_is_none)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", OK_LENGTH));
    struct rpctl_check_request request = get("/");
    request.bound_fd = 999;
    start(request);
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_eq(result.error, -EBADF);
}

Test(check, bound_socket_is_closed_whatever_comes)
{
    struct rp_address source;
    int closed = bind_socket(&server.address, "127.0.0.1:0");
    struct rpctl_check_request request = get("/");
    start(request); /* libuv opens a spare descriptor for the loop's first stream */
    cr_assert_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    int fds = count_open_fds();
    request.bound_fd = bind_socket(&source, "127.0.0.1:0");
    start(request);
    cr_assert_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(count_open_fds(), fds);
    expect_result(false, -ECONNREFUSED, "connection refused");
    cr_assert_not(result.no_socket);
    close(closed);
}

Test(check, out_of_descriptors)
{
    struct rlimit limit, before;
    struct rp_error error;
    cr_assert_eq(rp_address_parse(&server.address, "127.0.0.1:1", &error), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = 3;
    uv_run(&loop, UV_RUN_NOWAIT);
    setrlimit(RLIMIT_NOFILE, &limit);
    start(get("/"));
    setrlimit(RLIMIT_NOFILE, &before);
    expect_result(false, -EMFILE, "too many open files in rpctl (ulimit -n)");
    cr_assert(result.no_socket);
}

/* --- giving up --- */

Test(check, cancelled_before_it_connects)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", OK_LENGTH));
    struct rpctl_check *check = start(get("/"));
    rpctl_check_cancel(check);
    rpctl_check_cancel(check);
    cr_assert_eq(callbacks, 0);
    expect_result(false, -ECANCELED, "given up");
}

static void cancel_it(void *data)
{
    struct rpctl_check **check = data;
    rpctl_check_cancel(*check);
    cr_assert_eq(callbacks, 0);
}

Test(check, cancelled_while_it_waits)
{
    struct rpctl_check *check;
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", ""));
    server.end = FAKE_KEEPS_OPEN;
    server.on_request = cancel_it;
    server.data = &check;
    check = start(get("/"));
    expect_result(false, -ECANCELED, "given up");
    cr_assert_eq(server.requests, 1);
}

Test(check, without_a_pointer_to_it)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", OK_LENGTH));
    struct rpctl_check_request request = get("/");
    started = true;
    cr_assert_eq(rpctl_check_start(&loop, &request, on_checked, &server, NULL), 0);
    expect_result(true, 0, "GET / 200");
}

Test(check, longest_path)
{
    char path[RPCTL_HEALTH_PATH_MAX];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", OK_LENGTH));
    start(get(path));
    expect_loop_empty(&loop);
    cr_assert(result.good);
    cr_assert_not_null(strstr(server.request, path));
    cr_assert_lt(strlen(result.text), RPCTL_CHECK_TEXT_BYTES);
    cr_assert_not_null(strstr(result.text, " 200"), "%s", result.text);
}

static int open_checks;

static void on_one_of_many(const struct rpctl_check_result *given, void *data)
{
    (void)data;
    cr_assert(given->good, "%s", given->text);
    if (--open_checks == 0) fake_server_stop(&server);
}

Test(check, many_at_once)
{
    cr_assert(fake_server_start(&server, &loop, "127.0.0.1:0", OK_LENGTH));
    struct rpctl_check_request request = get("/");
    for (open_checks = 0; open_checks < 200; open_checks++)
        cr_assert_eq(rpctl_check_start(&loop, &request, on_one_of_many, NULL, NULL), 0);
    expect_loop_empty(&loop);
    cr_assert_eq(server.requests, 200);
}
