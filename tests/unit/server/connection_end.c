/* How a connection ends: when its place is free for another, and that a slow client gets its last answer. A
 * worker's loop is run by the test itself; the linker's --wrap shows it each uv_close (see CMakeLists.txt).
 */
#include "shell/admission.h"
#include "shell/connection.h"
#include "shell/worker.h"

#include "leaks.h"

#include <errno.h>
#include <rp/server.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_BYTES (4u << 20) /* more than sockets hold */

static struct {
    struct rp_admission admission;
    struct rp_service service;
    struct rp_worker_board board;
    struct rp_worker worker;
    int client;
    unsigned closed; /* connections */
} fixture;

void __real_uv_close(uv_handle_t *handle, uv_close_cb callback);
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb callback);

/* From here on its client may see the end. */
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb callback)
{
    if (handle->type == UV_TCP) {
        fixture.closed++;
        cr_assert_eq(fixture.admission.connections, 0, "it is closed before its place is free");
        cr_assert_eq(fixture.worker.load, 0);
    }
    __real_uv_close(handle, callback);
}

static void answer_much(struct rp_request *request, void *user)
{
    char *body = calloc(BODY_BYTES, 1);
    (void)user;
    cr_assert_eq(rp_response_send(request, 200, "text/plain", body, BODY_BYTES), 0);
    free(body);
}

static void open_connection(void)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fixture.client = pair[0];
    cr_assert_eq(rp_admission_enter(&fixture.admission, (struct sockaddr *)&peer), 0);
    fixture.worker.load = 1;
    cr_assert_eq(rp_connection_open(&fixture.worker, pair[1], &peer), 0);
}

static void set_up(void)
{
    struct rp_server_config config;
    const struct rp_route route = {.handler = answer_much, .body_bytes_max = 1024};
    rp_server_config_init(&config);
    fixture.service.limits = config.limits;
    fixture.service.limits.linger_timeout_ms = fixture.service.limits.linger_max_ms = 1;
    fixture.service.http = (struct rp_http_limits){.head_bytes = 16384, .target_bytes = 8192};
    cr_assert_eq(rp_routes_add(&fixture.service.routes, "GET", "/", &route, NULL), 0);
    cr_assert_eq(rp_admission_init(&fixture.admission, 1, 0), 0);
    fixture.service.admission = &fixture.admission;
    cr_assert_eq(rp_worker_init(&fixture.worker, 0, &fixture.service, &fixture.board, NULL), 0);
    open_connection();
}

static void tear_down(void)
{
    close(fixture.client);
    while (fixture.worker.connections > 0) uv_run(&fixture.worker.loop, UV_RUN_ONCE);
    cr_assert_eq(fixture.closed, 1);
    rp_worker_abandon(&fixture.worker);
    rp_routes_free(&fixture.service.routes);
    rp_admission_done(&fixture.admission);
    expect_no_leak();
}

TestSuite(connection_end, .init = set_up, .fini = tear_down, .timeout = 60);

static void say(const char *text)
{
    cr_assert_eq(send(fixture.client, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void on_timeout(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void run_for(uint64_t milliseconds)
{
    uv_timer_t timer;
    bool over = false;
    uv_timer_init(&fixture.worker.loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_timeout, milliseconds, 0);
    while (!over) uv_run(&fixture.worker.loop, UV_RUN_ONCE);
    __real_uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&fixture.worker.loop, UV_RUN_NOWAIT);
}

/* Bytes until the end of the stream; the connection is not reset. */
static size_t hear_all(void)
{
    static char bytes[65536];
    size_t heard = 0;
    for (;;) {
        ssize_t got = recv(fixture.client, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got == 0) return heard;
        if (got > 0)
            heard += (size_t)got;
        else {
            cr_assert_eq(errno, EAGAIN);
            uv_run(&fixture.worker.loop, UV_RUN_ONCE);
        }
    }
}

/* Lingering is allowed for a millisecond, but that begins when the whole answer is out. */
Test(connection_end, a_slow_client_gets_all_of_its_last_answer)
{
    say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    run_for(50);
    cr_assert_gt(fixture.worker.connections, 0, "closed with its answer");
    cr_assert_gt(hear_all(), BODY_BYTES);
}

/* The same, when the client is not done either. */
Test(connection_end, and_one_that_has_sent_more)
{
    say("GET / HTTP/1.0\r\n\r\nmore");
    run_for(50);
    cr_assert_gt(fixture.worker.connections, 0, "closed with its answer");
    cr_assert_gt(hear_all(), BODY_BYTES);
}

Test(connection_end, of_a_client_that_goes)
{
    close(fixture.client);
    fixture.client = -1;
    while (fixture.worker.connections > 0) uv_run(&fixture.worker.loop, UV_RUN_ONCE);
}

Test(connection_end, refused)
{
    say("nonsense\r\n\r\n");
    cr_assert_gt(hear_all(), 0);
}
