/* What a connection does when the n-th allocation fails, for every n, when libuv does not take its
 * descriptor, and when the socket takes its answer in pieces: nothing is lost but that connection, and its
 * place and its descriptor are free again. A worker's loop is run by the test itself; what fails is asked for
 * through the linker's --wrap (see CMakeLists.txt). */
#include "shell/admission.h"
#include "shell/connection.h"
#include "shell/worker.h"

#include "leaks.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <rp/server.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_BYTES (1u << 20) /* more than a socket takes at once */

static struct {
    struct rp_admission admission;
    struct rp_service service;
    struct rp_worker_board board;
    struct rp_worker worker;
    unsigned begun, ended;
} fixture;

/* ---- what fails ---- */

static struct {
    int calls_left; /* until one fails; -1: none does */
    bool descriptor_refused;
    size_t piece_bytes; /* taken by the socket at once; 0: what it likes */
} faults;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
int __real_uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd);
ssize_t __real_send(int fd, const void *bytes, size_t size, int flags);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
int __wrap_uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);

static bool fails(void)
{
    return faults.calls_left >= 0 && faults.calls_left-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

int __wrap_uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd)
{
    return faults.descriptor_refused ? UV_EINVAL : __real_uv_tcp_open(tcp, fd);
}

/* Only what goes out before the connection is libuv's. */
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
    bool cut = faults.piece_bytes > 0 && size > faults.piece_bytes && flags & MSG_DONTWAIT;
    return __real_send(fd, bytes, cut ? faults.piece_bytes : size, flags);
}

/* ---- a worker and its handlers ---- */

static void on_ended(struct rp_request *request, bool complete, void *state)
{
    (void)request;
    (void)complete;
    (void)state;
    fixture.ended++;
}

static void watch(struct rp_request *request)
{
    static const struct rp_request_events events = {.ended = on_ended};
    fixture.begun++;
    rp_request_watch(request, &events, NULL);
}

static void answer(struct rp_request *request, void *user)
{
    size_t length;
    const void *body = rp_request_body(request, &length);
    (void)user;
    watch(request);
    rp_response_header(request, "X-Own", "value");
    rp_response_send(request, 200, NULL, body, length);
}

static void answer_much(struct rp_request *request, void *user)
{
    static char body[BODY_BYTES];
    (void)user;
    watch(request);
    rp_response_send(request, 200, NULL, body, sizeof body);
}

static void second_half(struct rp_request *request, void *state)
{
    (void)state;
    rp_response_write(request, "second", 6);
    rp_response_end(request);
}

/* The rest comes when the connection is libuv's. */
static void answer_in_halves(struct rp_request *request, void *user)
{
    (void)user;
    watch(request);
    rp_response_begin(request, 200, NULL, RP_LENGTH_UNKNOWN);
    rp_response_write(request, "first", 5);
    if (rp_request_after(request, 1, second_half, NULL) < 0) rp_response_abort(request);
}

static void add(const char *path, rp_handler *handler)
{
    const struct rp_route route = {.handler = handler, .body_bytes_max = 1024};
    cr_assert_eq(rp_routes_add(&fixture.service.routes, "GET,POST,HEAD", path, &route, NULL), 0);
}

/* libuv keeps a descriptor from the first of a loop's streams on. */
static void make_a_stream(void)
{
    uv_tcp_t tcp;
    cr_assert_eq(uv_tcp_init(&fixture.worker.loop, &tcp), 0);
    uv_close((uv_handle_t *)&tcp, NULL);
    uv_run(&fixture.worker.loop, UV_RUN_NOWAIT);
}

static void set_up(void)
{
    struct rp_server_config config;
    faults.calls_left = -1;
    rp_server_config_init(&config);
    fixture.service.limits = config.limits;
    fixture.service.limits.idle_timeout_ms = fixture.service.limits.linger_timeout_ms = 20;
    fixture.service.limits.head_timeout_ms = fixture.service.limits.body_timeout_ms = 20;
    fixture.service.http = (struct rp_http_limits){.head_bytes = 16384, .target_bytes = 8192};
    add("/", answer);
    add("/much", answer_much);
    add("/halves", answer_in_halves);
    cr_assert_eq(rp_admission_init(&fixture.admission, 1, 1), 0);
    fixture.service.admission = &fixture.admission;
    cr_assert_eq(rp_worker_init(&fixture.worker, 0, &fixture.service, &fixture.board, NULL), 0);
    make_a_stream();
}

static void tear_down(void)
{
    rp_worker_abandon(&fixture.worker);
    rp_routes_free(&fixture.service.routes);
    rp_admission_done(&fixture.admission);
    expect_no_leak();
}

TestSuite(connection_faults, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- a client ---- */

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static void connect_pair(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(pair[0], (struct sockaddr *)&address, length), 0);
    pair[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    cr_assert_geq(pair[1], 0);
    close(listener);
}

/* Until the server has ended the connection, which it does by itself: all waits are short. Returns the bytes
 * heard. */
static size_t hear_all(int fd, char *text, size_t size)
{
    static char more[65536];
    size_t heard = 0;
    do {
        uv_run(&fixture.worker.loop, fixture.worker.connections > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        ssize_t got;
        while ((got = recv(fd, more, sizeof more, MSG_DONTWAIT)) > 0) {
            size_t kept = heard + (size_t)got < size ? (size_t)got : heard < size ? size - 1 - heard : 0;
            memcpy(text + (heard < size ? heard : 0), more, kept);
            heard += (size_t)got;
        }
    } while (fixture.worker.connections > 0);
    text[heard < size ? heard : size - 1] = '\0';
    return heard;
}

/* One connection, on which the client says this before the worker sees it. */
static size_t serve(const char *said, char *text, size_t size)
{
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    unsigned before = descriptors();
    int failing = faults.calls_left;
    int pair[2];
    faults.calls_left = -1;
    connect_pair(pair);
    cr_assert_eq(rp_admission_enter(&fixture.admission, (struct sockaddr *)&peer), 0);
    fixture.worker.load = 1;
    cr_assert_eq(send(pair[0], said, strlen(said), 0), (ssize_t)strlen(said));
    faults.calls_left = failing;
    rp_connection_open(&fixture.worker, pair[1], &peer);
    size_t heard = hear_all(pair[0], text, size);
    failing = faults.calls_left;
    faults.calls_left = -1;
    close(pair[0]);
    cr_assert_eq(fixture.admission.connections, 0);
    cr_assert_eq(fixture.worker.load, 0);
    cr_assert_eq(fixture.ended, fixture.begun, "%u requests, %u ends", fixture.begun, fixture.ended);
    cr_assert_eq(descriptors(), before, "a descriptor is left");
    faults.calls_left = failing;
    return heard;
}

#define LAST "Host: h\r\nConnection: close\r\n\r\n"

static const char *const said[] = {
    "",
    "GET / HT",
    "GET / HTTP/1.1\r\n" LAST,
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT",
    "GET /much HTTP/1.1\r\n" LAST,
    "GET /halves HTTP/1.1\r\n" LAST,
    "GET /halves HTTP/1.0\r\n\r\n",
    "HEAD /much HTTP/1.1\r\n" LAST,
    "POST / HTTP/1.1\r\nContent-Length: 4\r\n" LAST "body",
    "POST / HTTP/1.1\r\nContent-Length: 4\r\n" LAST "bo",
    "POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n" LAST,
    "nonsense\r\n\r\n",
};

#define SAID_COUNT (sizeof said / sizeof said[0])

Test(connection_faults, without_memory)
{
    char text[4096];
    for (size_t i = 0; i < SAID_COUNT; i++) {
        int n = 0;
        do {
            faults.calls_left = n++;
            serve(said[i], text, sizeof text);
        } while (faults.calls_left < 0);
        faults.calls_left = -1;
        cr_assert_gt(n, 1, "nothing has failed");
        rp_request_pool_free(&fixture.worker.requests); /* the next begins as cold */
    }
}

Test(connection_faults, without_libuv)
{
    char text[4096];
    faults.descriptor_refused = true;
    for (size_t i = 0; i < SAID_COUNT; i++) serve(said[i], text, sizeof text);
    size_t heard = serve("GET / HTTP/1.1\r\n" LAST, text, sizeof text);
    cr_assert_gt(heard, 0, "it was not needed");
}

/* An answer that the socket takes in two pieces, wherever it is cut. */
Test(connection_faults, in_pieces)
{
    static char whole[4096], text[4096];
    for (size_t i = 0; i < SAID_COUNT; i++) {
        faults.piece_bytes = 0;
        size_t length = serve(said[i], whole, sizeof whole);
        for (size_t piece = 1; piece < length && piece < 200; piece += 7) {
            faults.piece_bytes = piece;
            cr_assert_eq(serve(said[i], text, sizeof text), length, "%s: %s", said[i], text);
        }
    }
}
