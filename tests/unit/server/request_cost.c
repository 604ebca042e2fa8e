/* What a request on a kept connection may cost: no allocation, no timer, no lock, and two system calls beside
 * the poll; and what a connection for one request need not wait for. A worker's loop is run by the test
 * itself, with a connection of its own.
 *
 * Counted is what librp asks of libc and libuv (the linker's --wrap, see CMakeLists.txt), what libuv asks of
 * its allocator, and the system calls that libuv makes for a connection. */
#include "shell/admission.h"
#include "shell/connection.h"
#include "shell/worker.h"

#include "leaks.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <rp/server.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REQUESTS 100
#define WARM     3 /* until everything that stays is there */

/* ---- what is counted ---- */

static struct {
    bool on;
    unsigned allocations, timers, locks;
    unsigned reads, writes, others;
} counts;

static unsigned one(void)
{
    return counts.on ? 1 : 0;
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout_ms, uint64_t repeat_ms);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void __real_uv_mutex_lock(uv_mutex_t *mutex);

void *__wrap_malloc(size_t bytes)
{
    counts.allocations += one();
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    counts.allocations += one();
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    counts.allocations += one();
    return __real_realloc(memory, bytes);
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout_ms, uint64_t repeat_ms)
{
    counts.timers += one();
    return __real_uv_timer_start(timer, callback, timeout_ms, repeat_ms);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    counts.locks += one();
    return __real_pthread_mutex_lock(mutex);
}

void __wrap_uv_mutex_lock(uv_mutex_t *mutex)
{
    counts.locks += one();
    __real_uv_mutex_lock(mutex);
}

/* These stand before libc's for the whole program. */
ssize_t fake_read(int fd, void *bytes, size_t length) __asm__("read");
ssize_t fake_write(int fd, const void *bytes, size_t length) __asm__("write");
ssize_t fake_writev(int fd, const struct iovec *pieces, int count) __asm__("writev");
int fake_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event) __asm__("epoll_ctl");
int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t length) __asm__("setsockopt");

ssize_t fake_read(int fd, void *bytes, size_t length)
{
    counts.reads += one();
    return syscall(SYS_read, fd, bytes, length);
}

ssize_t fake_write(int fd, const void *bytes, size_t length)
{
    counts.writes += one();
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t fake_writev(int fd, const struct iovec *pieces, int count)
{
    counts.writes += one();
    return syscall(SYS_writev, fd, pieces, count);
}

int fake_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    counts.others += one();
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

int fake_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    counts.others += one();
    return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

/* ---- a worker with one connection ---- */

static struct {
    struct rp_admission admission;
    struct rp_service service;
    struct rp_worker_board board;
    struct rp_worker worker;
    int client;
} fixture;

static void answer(struct rp_request *request, void *user)
{
    (void)user;
    rp_response_header(request, "X-Own", "value");
    rp_response_text(request, 200, "%s\n", rp_request_header(request, "X-Asked"));
}

static void add_route(const char *methods, const char *path)
{
    const struct rp_route route = {.handler = answer, .body_bytes_max = 1024};
    cr_assert_eq(rp_routes_add(&fixture.service.routes, methods, path, &route, NULL), 0);
}

/* Both ends of a connection on loopback. */
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

static void *count_malloc(size_t bytes)
{
    counts.allocations += one();
    return __real_malloc(bytes);
}

static void *count_realloc(void *memory, size_t bytes)
{
    counts.allocations += one();
    return __real_realloc(memory, bytes);
}

static void *count_calloc(size_t count, size_t bytes)
{
    counts.allocations += one();
    return __real_calloc(count, bytes);
}

/* The client says this before the worker sees the connection. */
static void begin_with(const char *said)
{
    struct rp_server_config config;
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    int pair[2];
    cr_assert_eq(uv_replace_allocator(count_malloc, count_realloc, count_calloc, free), 0);
    rp_server_config_init(&config);
    fixture.service.limits = config.limits;
    fixture.service.http = (struct rp_http_limits){.head_bytes = 16384, .target_bytes = 8192};
    add_route("GET,POST", "/");
    cr_assert_eq(rp_admission_init(&fixture.admission, 1, 0), 0);
    fixture.service.admission = &fixture.admission;
    cr_assert_eq(rp_worker_init(&fixture.worker, 0, &fixture.service, &fixture.board, NULL), 0);
    connect_pair(pair);
    fixture.client = pair[0];
    cr_assert_eq(rp_admission_enter(&fixture.admission, (struct sockaddr *)&peer), 0);
    cr_assert_eq(send(fixture.client, said, strlen(said), 0), (ssize_t)strlen(said));
    counts.on = true;
    cr_assert_eq(rp_connection_open(&fixture.worker, pair[1], &peer), 0);
    counts.on = false;
}

static void begin(void)
{
    begin_with("");
}

static void end(void)
{
    close(fixture.client);
    while (fixture.worker.connections > 0) uv_run(&fixture.worker.loop, UV_RUN_ONCE);
    rp_worker_abandon(&fixture.worker);
    rp_routes_free(&fixture.service.routes);
    rp_admission_done(&fixture.admission);
    expect_no_leak();
}

static void ask(const char *request, unsigned answers)
{
    char text[8192];
    size_t used = 0;
    cr_assert_eq(send(fixture.client, request, strlen(request), 0), (ssize_t)strlen(request));
    for (unsigned seen = 0; seen < answers;) {
        uv_run(&fixture.worker.loop, UV_RUN_ONCE);
        ssize_t got = recv(fixture.client, text + used, sizeof text - 1 - used, MSG_DONTWAIT);
        if (got < 0) cr_assert_eq(errno, EAGAIN);
        if (got > 0) used += (size_t)got;
        text[used] = '\0';
        seen = 0;
        for (const char *at = text; (at = strstr(at, "asked for\n")) != NULL; at++) seen++;
    }
}

static void ask_often(const char *request, unsigned answers)
{
    for (unsigned i = 0; i < WARM; i++) ask(request, answers);
    memset(&counts, 0, sizeof counts);
    counts.on = true;
    for (unsigned i = 0; i < REQUESTS; i++) ask(request, answers);
    counts.on = false;
    cr_assert_eq(counts.allocations, 0u, "%u allocations", counts.allocations);
    cr_assert_eq(counts.timers, 0u, "%u timers started", counts.timers);
    cr_assert_eq(counts.locks, 0u, "%u locks", counts.locks);
    cr_assert_eq(counts.reads, (unsigned)REQUESTS);
    cr_assert_eq(counts.writes, (unsigned)REQUESTS);
    cr_assert_eq(counts.others, 0u, "%u other system calls", counts.others);
}

#define GET "GET /?a=b HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\nX-Asked: asked for\r\n\r\n"

Test(request_cost, one_request)
{
    begin();
    ask_often(GET, 1);
    end();
}

Test(request_cost, pipelined)
{
    begin();
    ask_often(GET GET GET GET GET GET GET GET, 8);
    end();
}

#define LAST "GET / HTTP/1.1\r\nHost: h\r\nX-Asked: asked for\r\nConnection: close\r\n\r\n"

/* A few turns: whatever is due without the client has been done. */
static void turn(void)
{
    for (unsigned i = 0; i < 5; i++) uv_run(&fixture.worker.loop, UV_RUN_NOWAIT);
}

Test(request_cost, an_announced_end_is_not_waited_for)
{
    begin();
    ask(LAST, 1);
    turn();
    cr_assert_eq(fixture.worker.connections, 0u);
    end();
}

Test(request_cost, what_has_come_with_the_connection_is_answered_at_once)
{
    char text[512];
    begin_with(LAST);
    cr_assert_gt(recv(fixture.client, text, sizeof text, MSG_DONTWAIT), 0);
    cr_assert_eq(counts.others + counts.reads + counts.writes, 0u, "the connection was given to libuv");
    end();
}

Test(request_cost, a_client_that_says_more_is_waited_for)
{
    begin();
    ask(LAST "more", 1);
    turn();
    cr_assert_eq(fixture.worker.connections, 1u);
    end();
}

Test(request_cost, an_end_of_our_own_is_waited_for)
{
    begin();
    fixture.worker.draining = true;
    ask(GET, 1);
    turn();
    cr_assert_eq(fixture.worker.connections, 1u);
    fixture.worker.draining = false;
    end();
}

/* 504 bytes in all with libuv 1.44 on x86-64: the next larger block of glibc would be 16 bytes more. */
Test(request_cost, an_idle_connection_is_small)
{
    cr_assert_leq(sizeof(struct rp_connection) - sizeof(uv_tcp_t), 256);
}
