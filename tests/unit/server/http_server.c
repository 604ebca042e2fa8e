/* The server as a program uses it: rp_server_run on a thread, and a blocking client on loopback. */
#include <rp/server.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "leaks.h"

#define PATIENCE_MS 60000

/* ---- a running server ---- */

static struct {
    struct rp_server *server;
    pthread_t thread;
    struct rp_error error;
    int result;
    int log[2]; /* a pipe, so that a test can wait for a line */
    atomic_int ended_complete;
    atomic_int ended_incomplete;
} running;

static void log_line(const char *line, void *user)
{
    (void)user;
    dprintf(running.log[1], "%s\n", line);
}

static void await_log(const char *word, char *line, size_t size)
{
    size_t used = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = running.log[0], .events = POLLIN};
        cr_assert_eq(poll(&poll_fd, 1, PATIENCE_MS), 1, "no \"%s\" in the log", word);
        char c;
        cr_assert_eq(read(running.log[0], &c, 1), 1);
        if (c != '\n') {
            if (used + 1 < size) line[used++] = c;
            continue;
        }
        line[used] = '\0';
        if (strstr(line, word)) return;
        used = 0;
    }
}

static void *run(void *argument)
{
    (void)argument;
    running.result = rp_server_run(running.server, &running.error);
    return NULL;
}

static struct rp_server_config config_one_worker(void)
{
    static struct rp_address address;
    struct rp_server_config config;
    rp_server_config_init(&config);
    cr_assert_eq(rp_address_parse(&address, "127.0.0.1:0", NULL), 0);
    config.addresses = &address;
    config.address_count = 1;
    config.workers = 1;
    config.idle_grace_ms = 0;
    config.log = log_line;
    return config;
}

static void make(const struct rp_server_config *config)
{
    cr_assert_eq(pipe(running.log), 0);
    cr_assert_eq(rp_server_new(&running.server, config, &running.error), 0, "%s", running.error.message);
}

static void route(const char *methods, const char *path, rp_handler *handler)
{
    cr_assert_eq(rp_server_route(running.server, methods, path, handler, NULL, NULL), 0);
}

static void route_streaming(const char *path, uint64_t max_body_bytes, rp_handler *handler)
{
    cr_assert_eq(rp_server_route_streaming(running.server, "POST", path, max_body_bytes, handler, NULL, NULL),
                 0);
}

/* Returns the port. */
static uint16_t start(void)
{
    char line[256];
    struct rp_address address;
    cr_assert_eq(pthread_create(&running.thread, NULL, run, NULL), 0);
    await_log("event=listening", line, sizeof line);
    char *text = strstr(line, "address=") + strlen("address=");
    text[strcspn(text, " ")] = '\0';
    cr_assert_eq(rp_address_parse(&address, text, NULL), 0);
    await_log("event=ready", line, sizeof line);
    return rp_address_port(&address);
}

/* When the server's thread has been joined. */
static void finish_ended(void)
{
    cr_assert_eq(running.result, 0, "%s", running.error.message);
    rp_server_free(running.server);
    close(running.log[0]);
    close(running.log[1]);
    expect_no_leak();
}

static void finish(void)
{
    rp_server_stop(running.server);
    pthread_join(running.thread, NULL);
    finish_ended();
}

/* ---- a client ---- */

static int dial(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    size_t length = strlen(text);
    cr_assert_eq(send(fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void say_request(int fd, const char *method, const char *path, const char *headers, const char *body)
{
    char text[8192];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n%s\r\n%s", method, path,
             strlen(body), headers, body);
    say(fd, text);
}

/* All there is until the end of the stream or, when `until` is given, until that text has come. */
static void hear(int fd, char *text, size_t size, const char *until)
{
    size_t used = 0;
    text[0] = '\0';
    while (used + 1 < size && !(until && strstr(text, until))) {
        ssize_t got = recv(fd, text + used, size - 1 - used, 0);
        cr_assert_geq(got, 0, "errno %d after \"%s\"", errno, text);
        if (got == 0) {
            cr_assert_null(until, "ended before \"%s\": \"%s\"", until, text);
            return;
        }
        used += (size_t)got;
        text[used] = '\0';
    }
}

static void expect_text(const char *text, const char *word)
{
    cr_assert_not_null(strstr(text, word), "no \"%s\" in \"%s\"", word, text);
}

/* One request on a connection of its own; everything that is answered. */
static void ask(uint16_t port, const char *method, const char *path, const char *body, char *text,
                size_t size)
{
    int fd = dial(port);
    say_request(fd, method, path, "Connection: close\r\n", body);
    hear(fd, text, size, NULL);
    close(fd);
}

/* ---- handlers ---- */

static void on_ended(struct rp_request *request, bool complete, void *state)
{
    (void)request;
    (void)state;
    atomic_fetch_add(complete ? &running.ended_complete : &running.ended_incomplete, 1);
}

static void echo(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.ended = on_ended};
    size_t length;
    const void *body = rp_request_body(request, &length);
    (void)user;
    rp_request_watch(request, &events, NULL);
    rp_response_send(request, 200, "text/plain", body, length);
}

Test(http_server, buffered_body)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.limits.body_bytes = 10;
    make(&config);
    route("POST", "/echo", echo);
    uint16_t port = start();
    ask(port, "POST", "/echo", "0123456789", text, sizeof text);
    expect_text(text, "200 OK");
    expect_text(text, "\r\n\r\n0123456789");
    ask(port, "POST", "/echo", "", text, sizeof text);
    expect_text(text, "Content-Length: 0\r\n");
    ask(port, "POST", "/echo", "0123456789a", text, sizeof text);
    expect_text(text, "413 ");
    expect_text(text, "Connection: close");
    int fd = dial(port);
    say(fd,
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nabcde\r\n");
    hear(fd, text, sizeof text, NULL);
    expect_text(text, "413 ");
    close(fd);
    finish();
    cr_assert_eq(running.ended_complete, 2);
    cr_assert_eq(running.ended_incomplete, 0);
}

/* ---- what a handler sees of the request ---- */

static void tell_parameters(struct rp_request *request, void *user)
{
    char id[16] = "", rest[16] = "", query[16] = "";
    size_t id_length = 0, query_length = 99;
    const char *text = rp_request_parameter(request, "id", &id_length);
    const char *raw = rp_request_query_parameter(request, "q", &query_length);
    int result = rp_request_parameter_value(request, "id", id, sizeof id);
    (void)user;
    rp_request_parameter_value(request, "rest", rest, sizeof rest);
    rp_request_query_value(request, "q", query, sizeof query);
    cr_assert_null(rp_request_parameter(request, "none", &id_length));
    cr_assert_eq(rp_request_parameter_value(request, "none", id, sizeof id), -ENOENT);
    rp_response_text(request, 200, "%.*s %d %s|%s|%.*s %s", (int)id_length, text, result, id, rest,
                     raw ? (int)query_length : 0, raw ? raw : "", query);
}

static void tell_cookies(struct rp_request *request, void *user)
{
    const char *name, *value = "";
    char text[64] = "";
    (void)user;
    for (size_t i = 0; rp_request_header_at(request, i, &name, &value); i++) {
        if (strcmp(name, "Cookie") == 0) strcat(strcat(text, value), ";");
    }
    cr_assert_not(rp_request_header_at(request, SIZE_MAX, &name, &value));
    cr_assert_str_eq(rp_request_header(request, "COOKIE"), "a");
    rp_response_text(request, 200, "%s", text);
}

Test(http_server, parameters_and_headers)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/users/{id}", tell_parameters);
    route("GET", "/users/{id}/{rest...}", tell_parameters);
    route("PUT", "/users/me", echo);
    route("GET", "/cookies", tell_cookies);
    uint16_t port = start();
    ask(port, "GET", "/users/a%2Fb?q=%41+1", "", text, sizeof text);
    expect_text(text, "\r\n\r\na%2Fb 0 a/b||%41+1 A 1");
    ask(port, "GET", "/users/%zz/x/%2e./y", "", text, sizeof text);
    expect_text(text, "\r\n\r\n%zz -22 ");
    expect_text(text, "|x/../y|");
    ask(port, "GET", "http://host/users/7/?q", "", text, sizeof text);
    expect_text(text, "\r\n\r\n7 0 7||");
    ask(port, "DELETE", "/users/me", "", text, sizeof text);
    expect_text(text, "405 ");
    expect_text(text, "Allow: GET, HEAD, PUT\r\n");
    ask(port, "GET", "/users/", "", text, sizeof text);
    expect_text(text, "404 ");
    int fd = dial(port);
    say_request(fd, "GET", "/cookies", "Connection: close\r\nCookie: a\r\nX: y\r\nCookie:  b \r\n", "");
    hear(fd, text, sizeof text, NULL);
    expect_text(text, "\r\n\r\na;b;");
    close(fd);
    finish();
}

static void misuse(struct rp_request *request, void *user)
{
    (void)user;
    cr_assert_eq(rp_response_write(request, "x", 1), -EINVAL);
    rp_response_end(request);
    cr_assert_eq(rp_response_header(request, "X-A", "b\r\nc: d"), -EINVAL);
    cr_assert_eq(rp_response_header(request, "Content-Length", "5"), -EINVAL);
    cr_assert_eq(rp_response_header(request, "X-A", "b"), 0);
    cr_assert_eq(rp_response_begin(request, 199, NULL, 3), -EINVAL);
    cr_assert_eq(rp_response_begin(request, 600, NULL, 3), -EINVAL);
    cr_assert_eq(rp_response_begin(request, 200, "a\nb", 3), -EINVAL);
    cr_assert_eq(rp_request_after(request, RP_REQUEST_TIMER_MS_MAX + 1, NULL, NULL), -EINVAL);
    cr_assert_eq(rp_response_begin(request, 200, NULL, 3), 0);
    cr_assert_eq(rp_response_begin(request, 200, NULL, 3), -EALREADY);
    cr_assert_eq(rp_response_send(request, 200, NULL, "", 0), -EALREADY);
    cr_assert_eq(rp_response_text(request, 200, "x"), -EALREADY);
    cr_assert_eq(rp_response_header(request, "X-B", "c"), -EALREADY);
    cr_assert_eq(rp_response_write(request, "abcd", 4), -EOVERFLOW);
    cr_assert_eq(rp_response_write(request, "ab", 2), RP_WRITE_MORE);
    cr_assert_eq(rp_response_write(request, "", 0), RP_WRITE_MORE);
    cr_assert_eq(rp_response_write(request, "c", 1), RP_WRITE_MORE);
    rp_response_end(request);
    cr_assert_eq(rp_response_write(request, "d", 1), -EINVAL);
    rp_response_end(request);
}

Test(http_server, misuse_is_refused_and_does_no_harm)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    cr_assert_eq(rp_server_header(running.server, "X-Common", "yes", NULL), 0);
    cr_assert_eq(rp_server_header(running.server, "Date", "today", &running.error), -EINVAL);
    route("GET", "/", misuse);
    uint16_t port = start();
    ask(port, "GET", "/", "", text, sizeof text);
    expect_text(text, "X-Common: yes\r\nX-A: b\r\n\r\nabc");
    ask(port, "GET", "/none", "", text, sizeof text);
    expect_text(text, "X-Common: yes\r\n");
    finish();
}

static void truncate_it(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_begin(request, 200, NULL, 10);
    rp_response_write(request, "abc", 3);
    rp_response_end(request);
}

static void abort_chunked(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.ended = on_ended};
    (void)user;
    rp_request_watch(request, &events, NULL);
    rp_response_begin(request, 200, NULL, RP_LENGTH_UNKNOWN);
    rp_response_write(request, "abc", 3);
    rp_response_abort(request);
    cr_assert_eq(rp_response_write(request, "d", 1), -EINVAL);
    rp_response_abort(request);
}

static void abort_at_once(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_abort(request);
}

static void flood(struct rp_request *request, void *user)
{
    static char piece[1 << 20];
    (void)user;
    rp_response_begin(request, 200, NULL, RP_LENGTH_UNKNOWN);
    int result = 0;
    for (unsigned i = 0; i < 64 && result >= 0; i++) result = rp_response_write(request, piece, sizeof piece);
    cr_assert_eq(result, -ENOBUFS, "%d", result);
    rp_response_end(request);
}

Test(http_server, response_shorter_or_larger_than_it_may_be)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/short", truncate_it);
    route("GET", "/flood", flood);
    route("GET", "/chunked", abort_chunked);
    route("GET", "/nothing", abort_at_once);
    uint16_t port = start();
    ask(port, "GET", "/short", "", text, sizeof text);
    expect_text(text, "Content-Length: 10\r\n");
    expect_text(text, "\r\n\r\nabc");
    ask(port, "GET", "/chunked", "", text, sizeof text);
    expect_text(text, "\r\n\r\n3\r\nabc\r\n");
    cr_assert_null(strstr(text, "0\r\n\r\n"));
    ask(port, "GET", "/nothing", "", text, sizeof text);
    cr_assert_str_empty(text);
    int fd = dial(port);
    say_request(fd, "GET", "/flood", "", "");
    hear(fd, text, sizeof text, "Transfer-Encoding: chunked");
    ask(port, "GET", "/healthz", "", text, sizeof text); /* one worker: the flood is over now */
    expect_text(text, "\r\n\r\nok");
    close(fd);
    finish();
    cr_assert_eq(running.ended_incomplete, 1);
}

static void begin_only(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_begin(request, 200, NULL, RP_LENGTH_UNKNOWN);
    rp_response_write(request, "abc", 3);
}

static void whole(struct rp_request *request, void *user)
{
    begin_only(request, user);
    rp_response_end(request);
}

/* Answers to HTTP/1.0 whose length is not known: how the stream ends is all that the client goes by. */
static int ask_1_0(uint16_t port, const char *path)
{
    char text[256];
    int fd = dial(port);
    snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", path);
    say(fd, text);
    return fd;
}

static void expect_end(int fd, ssize_t end, int code)
{
    char text[4096];
    ssize_t got;
    while ((got = recv(fd, text, sizeof text, 0)) > 0) continue;
    cr_assert_eq(got, end);
    if (got < 0) cr_assert_eq(errno, code, "errno %d", errno);
    close(fd);
}

Test(http_server, what_only_the_end_delimits_does_not_look_whole_when_it_is_not)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/whole", whole);
    route("GET", "/aborted", abort_chunked);
    route("GET", "/cut", begin_only);
    uint16_t port = start();
    expect_end(ask_1_0(port, "/whole"), 0, 0);
    expect_end(ask_1_0(port, "/aborted"), -1, ECONNRESET);
    int fd = ask_1_0(port, "/cut");
    hear(fd, text, sizeof text, "abc");
    rp_server_stop(running.server);
    rp_server_stop(running.server);
    await_log("event=drained", text, sizeof text);
    expect_text(text, "cut=1");
    expect_end(fd, -1, ECONNRESET);
    finish();
}

static void second_callback(struct rp_request *request, void *state)
{
    rp_response_text(request, 200, "%s", (const char *)state);
}

static void first_callback(struct rp_request *request, void *state)
{
    (void)state;
    rp_response_text(request, 500, "replaced timers must not fire");
}

static void handle_later(struct rp_request *request, void *user)
{
    static char answer[] = "later";
    (void)user;
    cr_assert_eq(rp_request_after(request, 1, first_callback, NULL), 0);
    cr_assert_eq(rp_request_after(request, 30, second_callback, answer), 0);
}

static void never(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.ended = on_ended};
    (void)user;
    rp_request_watch(request, &events, NULL);
    rp_request_after(request, 60000, first_callback, NULL);
}

Test(http_server, answers_later_or_never)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.drain_timeout_ms = 100;
    make(&config);
    route("GET", "/later", handle_later);
    route("GET", "/never", never);
    uint16_t port = start();
    ask(port, "GET", "/later", "", text, sizeof text);
    expect_text(text, "\r\n\r\nlater");
    int fd = dial(port);
    say_request(fd, "GET", "/never", "", "");
    int other = dial(port);
    say_request(other, "GET", "/later", "", "");
    hear(other, text, sizeof text,
         "later"); /* so /never has been called by now: same worker, earlier bytes */
    rp_server_stop(running.server);
    await_log("event=drained", text, sizeof text);
    expect_text(text, "cut=1");
    close(fd);
    close(other);
    finish();
    cr_assert_eq(running.ended_incomplete, 1);
}

/* ---- streamed bodies ---- */

static char collected[64];

static void resume(struct rp_request *request, void *state)
{
    (void)state;
    strcat(collected, "|");
    rp_request_resume_body(request);
}

static void on_body(struct rp_request *request, const void *bytes, size_t length, void *state)
{
    (void)state;
    strncat(collected, bytes, length);
    rp_request_pause_body(request);
    rp_request_after(request, 5, resume, NULL);
}

static void on_body_end(struct rp_request *request, void *state)
{
    (void)state;
    rp_response_text(request, 200, "%s.", collected);
}

static void pausing(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {
        .body = on_body, .body_end = on_body_end, .ended = on_ended};
    (void)user;
    collected[0] = '\0';
    rp_request_watch(request, &events, NULL);
}

Test(http_server, paused_body_comes_piece_by_piece_and_whole)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route_streaming("/pause", 10, pausing);
    uint16_t port = start();
    int fd = dial(port);
    say(fd, "POST /pause HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
            "chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n"
            "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    shutdown(fd, SHUT_WR); /* the end of the stream overtakes nothing that is paused */
    hear(fd, text, sizeof text, NULL);
    expect_text(text, "\r\n\r\nab|cd|e|.");
    expect_text(text, "\r\n\r\nok\n");
    close(fd);
    ask(port, "POST", "/pause", "0123456789a", text, sizeof text);
    expect_text(text, "413 ");
    finish();
    cr_assert_eq(running.ended_complete, 1);
}

static void early(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_text(request, 200, "early\n");
}

Test(http_server, answer_before_the_body)
{
    char text[4096];
    static char body[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route_streaming("/early", RP_BODY_BYTES_UNLIMITED, early);
    uint16_t port = start();
    memset(body, 'x', sizeof body - 1);
    int fd = dial(port);
    say_request(fd, "POST", "/early", "", body);
    hear(fd, text, sizeof text, "early");
    say_request(fd, "GET", "/healthz", "", "");
    hear(fd, text, sizeof text, "ok\n");
    close(fd);
    finish();
}

/* ---- what the protocol says about answers ---- */

static void no_content(struct rp_request *request, void *user)
{
    rp_response_send(request, (unsigned)(size_t)user, "text/plain", "body", 4);
}

static void reset_content(struct rp_request *request, void *user)
{
    (void)user;
    cr_assert_eq(rp_response_send(request, 205, NULL, "body", 4), -EINVAL);
    cr_assert_eq(rp_response_begin(request, 205, NULL, RP_LENGTH_UNKNOWN), -EINVAL);
    rp_response_send(request, 205, NULL, "", 0);
}

static void route_status(const char *path, size_t status)
{
    cr_assert_eq(rp_server_route(running.server, "GET", path, no_content, (void *)status, NULL), 0);
}

Test(http_server, statuses_without_a_body)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route_status("/204", 204);
    route_status("/304", 304);
    route("GET", "/205", reset_content);
    uint16_t port = start();
    for (int status = 204; status <= 304; status += 100) {
        char path[16];
        snprintf(path, sizeof path, "/%d", status);
        ask(port, "GET", path, "", text, sizeof text);
        cr_assert_null(strstr(text, "Content-Length"), "%s", text);
        cr_assert_null(strstr(text, "Transfer-Encoding"), "%s", text);
        cr_assert_null(strstr(text, "body"), "%s", text);
    }
    ask(port, "GET", "/205", "", text, sizeof text);
    expect_text(text, "Content-Length: 0\r\n");
    finish();
}

static void tell_host(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_text(request, 200, "host=%s path=%s query=%s", rp_request_header(request, "Host"),
                     rp_request_path(request), rp_request_query(request));
}

Test(http_server, absolute_target_goes_before_host)
{
    static const char *const targets[][2] = {
        {"http://a.example:80/x?y=1", "host=a.example:80 path=/x query=y=1"},
        {"http://a.example/x", "host=a.example path=/x query="},
        {"http://a?y", "host=a path=/ query=y"},
        {"http://a", "host=a path=/ query="},
        {"/x", "host=h path=/x query="},
    };
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/x", tell_host);
    route("GET", "/", tell_host);
    uint16_t port = start();
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        ask(port, "GET", targets[i][0], "", text, sizeof text);
        expect_text(text, targets[i][1]);
    }
    finish();
}

/* ---- limits and times ---- */

Test(http_server, timeouts)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.limits.head_timeout_ms = 150;
    config.limits.body_timeout_ms = 150;
    make(&config);
    route("POST", "/echo", echo);
    uint16_t port = start();
    int head = dial(port);
    int body = dial(port);
    int good = dial(port);
    say(head, "GET / HTTP/1.1\r\nHo");
    say(body, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
    hear(head, text, sizeof text, NULL);
    expect_text(text, "408 Request Timeout");
    hear(body, text, sizeof text, NULL);
    expect_text(text, "408 Request Timeout");
    say_request(good, "POST", "/echo", "", "still here");
    hear(good, text, sizeof text, "still here");
    close(head);
    close(body);
    close(good);
    finish();
}

static void resume_late(struct rp_request *request, void *state)
{
    (void)state;
    rp_request_resume_body(request);
}

/* From a timer, when nothing else happens on the connection. */
static void pause_now(struct rp_request *request, void *state)
{
    (void)state;
    rp_request_pause_body(request);
    rp_request_after(request, 300, resume_late, NULL);
}

static void pausing_later(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.body_end = on_body_end};
    (void)user;
    collected[0] = '\0';
    rp_request_watch(request, &events, NULL);
    rp_request_after(request, 20, pause_now, NULL);
}

Test(http_server, no_time_runs_out_for_a_body_that_is_paused)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.limits.body_timeout_ms = 100;
    make(&config);
    route_streaming("/pause", 10, pausing_later);
    uint16_t port = start();
    int fd = dial(port);
    say(fd, "POST /pause HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&answered, 1, 200), 0, "answered while it was paused");
    say(fd, "b");
    hear(fd, text, sizeof text, "\r\n\r\n.");
    expect_text(text, "200 OK");
    close(fd);
    finish();
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sends a byte from time to time until the server has closed, and tells how long that took. */
static int64_t send_until_closed(int fd)
{
    struct pollfd gone = {.fd = fd, .events = POLLERR};
    int64_t began_ms = now_ms();
    while (!(gone.revents & POLLERR)) {
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
        cr_assert_geq(poll(&gone, 1, 20), 0);
        cr_assert_lt(now_ms() - began_ms, PATIENCE_MS);
    }
    return now_ms() - began_ms;
}

Test(http_server, lingering_has_an_end)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.limits.linger_timeout_ms = 200;
    config.limits.linger_max_ms = 600;
    make(&config);
    uint16_t port = start();
    int silent = dial(port);
    int sender = dial(port);
    say(silent, "x\r\n");
    say(sender, "x\r\n");
    hear(silent, text, sizeof text, NULL);
    hear(sender, text, sizeof text, NULL);
    expect_text(text, "400 ");
    cr_assert_geq(send_until_closed(sender), 550);
    rp_server_stop(running.server);
    await_log("event=drained", text, sizeof text);
    close(silent);
    close(sender);
    finish();
}

static void big(struct rp_request *request, void *user)
{
    static const struct rp_request_events events = {.ended = on_ended};
    static char body[32 << 20];
    (void)user;
    rp_request_watch(request, &events, NULL);
    rp_response_send(request, 200, NULL, body, sizeof body);
}

Test(http_server, client_that_takes_nothing_is_closed)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.limits.write_timeout_ms = 200;
    make(&config);
    route("GET", "/big", big);
    uint16_t port = start();
    int fd = dial(port);
    say_request(fd, "GET", "/big", "", "");
    hear(fd, text, sizeof text, "200 OK");
    rp_server_stop(running.server);
    await_log("event=drained", text, sizeof text);
    expect_text(text, "cut=0");
    close(fd);
    finish();
}

/* Which of three is refused is open: workers and their listeners need not take them in the order of dialling.
 */
Test(http_server, connection_limit)
{
    char text[4096];
    struct pollfd clients[3];
    struct rp_server_config config = config_one_worker();
    config.limits.connections = 2;
    config.workers = 2;
    make(&config);
    uint16_t port = start();
    for (int i = 0; i < 3; i++) clients[i] = (struct pollfd){.fd = dial(port), .events = POLLIN};
    cr_assert_eq(poll(clients, 3, PATIENCE_MS), 1);
    for (int i = 0; i < 3; i++) {
        bool refused = clients[i].revents != 0;
        if (!refused) say_request(clients[i].fd, "GET", "/healthz", "", "");
        hear(clients[i].fd, text, sizeof text, refused ? NULL : "ok\n");
        if (refused) expect_text(text, "503 ");
    }
    for (int i = 0; i < 3; i++) close(clients[i].fd);
    finish();
}

/* ---- starting and stopping ---- */

Test(http_server, stopped_before_it_runs)
{
    struct rp_server_config config = config_one_worker();
    config.workers = 3;
    make(&config);
    rp_server_stop(running.server);
    cr_assert_eq(rp_server_run(running.server, &running.error), 0, "%s", running.error.message);
    rp_server_free(running.server);
    expect_no_leak();
}

Test(http_server, second_stop_cuts)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/never", never);
    uint16_t port = start();
    int fd = dial(port);
    say_request(fd, "GET", "/never", "", "");
    say_request(fd, "GET", "/never", "", "");
    rp_server_stop(running.server);
    await_log("event=listeners_closed", text, sizeof text);
    rp_server_stop(running.server);
    await_log("event=drained", text, sizeof text);
    expect_text(text, "finished=0 cut=1");
    close(fd);
    finish();
}

static unsigned thread_count(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/task");
    cr_assert_not_null(directory);
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

Test(http_server, first_signal_after_a_stop_cuts_nothing)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/later", handle_later);
    uint16_t port = start();
    int fd = dial(port);
    say_request(fd, "GET", "/later", "", "");
    rp_server_stop(running.server);
    await_log("event=draining", text, sizeof text);
    cr_assert_eq(kill(getpid(), SIGTERM), 0);
    hear(fd, text, sizeof text, "later");
    close(fd);
    pthread_join(running.thread, NULL);
    finish_ended();
}

/* The system does not announce it. */
static void await_thread_count(unsigned count)
{
    for (unsigned waited_ms = 0; thread_count() != count; waited_ms++) {
        cr_assert_lt(waited_ms, PATIENCE_MS, "%u threads, not %u", thread_count(), count);
        poll(NULL, 0, 1);
    }
}

Test(http_server, second_stop_when_a_worker_has_ended)
{
    char text[4096];
    struct rp_server_config config = config_one_worker();
    config.workers = 2;
    make(&config);
    route("GET", "/never", never);
    uint16_t port = start();
    unsigned threads = thread_count();
    int fd = dial(port);
    say_request(fd, "GET", "/never", "", "");
    rp_server_stop(running.server);
    await_thread_count(threads - 1);
    rp_server_stop(running.server);
    await_log("event=drained", text, sizeof text);
    expect_text(text, "finished=0 cut=1");
    close(fd);
    finish();
}

Test(http_server, never_run)
{
    struct rp_server_config config = config_one_worker();
    make(&config);
    route("GET", "/", echo);
    rp_server_stop(running.server);
    rp_server_free(running.server);
    rp_server_free(NULL);
    expect_no_leak();
}

Test(http_server, port_in_use)
{
    struct rp_server_config config = config_one_worker();
    struct rp_address taken;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(stranger, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(stranger, 1), 0);
    cr_assert_eq(rp_address_of_socket(&taken, stranger, NULL), 0);
    config.addresses = &taken;
    config.workers = 3;
    make(&config);
    cr_assert_eq(rp_server_run(running.server, &running.error), -EADDRINUSE);
    cr_assert_neq(running.error.message[0], '\0');
    rp_server_free(running.server);
    close(stranger);
    expect_no_leak();
}

static void refused(struct rp_server_config config, const char *word)
{
    struct rp_server *server = NULL;
    struct rp_error error;
    cr_assert_eq(rp_server_new(&server, &config, &error), -EINVAL);
    cr_assert_null(server);
    expect_text(error.message, word);
}

Test(http_server, bad_configurations)
{
    struct rp_server_config config = config_one_worker();
    config.address_count = 0;
    refused(config, "addresses");
    config = config_one_worker();
    config.listen = "127.0.0.1:0";
    refused(config, "not both");
    config.address_count = 0;
    config.listen = "";
    refused(config, "1 to 64 addresses");
    config.listen = "127.0.0.1:0 localhost:1";
    refused(config, "localhost");
    config = config_one_worker();
    config.pool_threads = RP_POOL_THREADS_MAX + 1;
    refused(config, "threads");
    config = config_one_worker();
    config.limits.jobs_per_worker = 0;
    refused(config, "jobs_per_worker");
    config = config_one_worker();
    config.workers = RP_WORKERS_MAX + 1;
    refused(config, "workers");
    config = config_one_worker();
    config.limits.head_bytes = RP_HEAD_BYTES_MAX + 1;
    refused(config, "head_bytes");
    config = config_one_worker();
    config.limits.target_bytes = 0;
    refused(config, "target_bytes");
    config = config_one_worker();
    config.limits.idle_timeout_ms = 0;
    refused(config, "idle_timeout_ms");
    config = config_one_worker();
    config.limits.linger_timeout_ms = RP_MS_MAX + 1;
    refused(config, "linger_timeout_ms");
}

Test(http_server, malformed_environment)
{
    struct rp_server_config config = config_one_worker();
    setenv("RP_SERVICE", "default", 1);
    setenv("RP_GENERATION", "many", 1);
    refused(config, "RP_GENERATION");
}
