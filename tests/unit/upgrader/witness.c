#include "shell/witness.h"
#include "fake_server.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define BAD "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"

static uv_loop_t loop;
static struct fake_server servers[2];
static struct rpctl_witness *witness;
static struct rpctl_witness_figures figures;
static int callbacks;
static unsigned wanted;

static void set_up(void)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
}

TestSuite(witness, .init = set_up, .timeout = 30);

static void on_stopped(const struct rpctl_witness_figures *given, void *data)
{
    cr_assert_eq(data, &figures);
    figures = *given;
    callbacks++;
    for (int i = 0; i < 2; i++)
        if (servers[i].listener.data) fake_server_stop(&servers[i]);
}

static void stop(void)
{
    rpctl_witness_stop(witness, on_stopped, &figures);
    cr_assert_eq(callbacks, 0, "called back before stop has returned");
}

static void stop_when_enough(void *data)
{
    (void)data;
    if (servers[0].requests + servers[1].requests == wanted) stop();
}

static void start_server(int i, const char *answer)
{
    cr_assert(fake_server_start(&servers[i], &loop, "127.0.0.1:0", answer));
    servers[i].on_request = stop_when_enough;
}

static void start(size_t count, enum rpctl_health_kind kind, const char *path, unsigned per_second)
{
    struct rp_address addresses[2] = {servers[0].address, servers[1].address};
    cr_assert_eq(rpctl_witness_start(&loop, addresses, count, kind, path, per_second, &witness), 0);
}

Test(witness, counts_good_requests_on_all_addresses_in_turn)
{
    wanted = 20;
    start_server(0, OK);
    start_server(1, OK);
    start(2, RPCTL_HEALTH_HTTP, "/healthz", 200);
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_eq(figures.requests, servers[0].requests + servers[1].requests);
    cr_assert_geq(figures.requests, 20);
    cr_assert_eq(figures.failed, 0);
    cr_assert_gt(figures.slowest_ns, 0);
    cr_assert_str_empty(figures.first_failure);
    int difference = (int)servers[0].requests - (int)servers[1].requests;
    cr_assert(difference >= -1 && difference <= 1, "%d", difference);
    cr_assert_not_null(strstr(servers[0].request, "GET /healthz "));
}

Test(witness, the_first_request_comes_at_once_and_the_next_in_time)
{
    wanted = 3;
    start_server(0, OK);
    uint64_t begin = uv_hrtime();
    start(1, RPCTL_HEALTH_HTTP, "/", 20);
    expect_loop_empty(&loop);
    cr_assert_geq(uv_hrtime() - begin, 90 * 1000000ull, "three requests at 20/s take 100 ms");
    cr_assert_geq(figures.requests, 3);
}

Test(witness, failures_are_counted_and_the_first_is_told)
{
    char text[128];
    wanted = 10;
    start_server(0, OK);
    start_server(1, BAD);
    start(2, RPCTL_HEALTH_HTTP, "/x", 1000);
    expect_loop_empty(&loop);
    cr_assert_eq(figures.failed, servers[1].requests);
    snprintf(text, sizeof text, "127.0.0.1:%d: GET /x 500", rp_address_port(&servers[1].address));
    cr_assert_str_eq(figures.first_failure, text);
}

static void stop_at_first_failure(uv_timer_t *timer)
{
    if (rpctl_witness_figures(witness)->failed == 0) return;
    uv_close((uv_handle_t *)timer, NULL);
    stop();
}

Test(witness, tcp)
{
    uv_timer_t timer;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rp_error error;
    /* Bound, and nobody listens. */
    cr_assert_eq(rp_address_parse(&servers[0].address, "127.0.0.1:0", &error), 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&servers[0].address.storage, servers[0].address.length), 0);
    cr_assert_eq(rp_address_of_socket(&servers[0].address, fd, &error), 0);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, stop_at_first_failure, 1, 1);
    start(1, RPCTL_HEALTH_TCP, NULL, 5000);
    expect_loop_empty(&loop);
    cr_assert_geq(figures.failed, 1);
    cr_assert_eq(figures.failed, figures.requests);
    cr_assert_not_null(strstr(figures.first_failure, "connection refused"));
    close(fd);
}

Test(witness, stopped_before_its_first_request)
{
    start_server(0, OK);
    start(1, RPCTL_HEALTH_HTTP, "/", 20);
    stop();
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_eq(figures.requests, 0);
}

static void lift_limit_and_stop(uv_timer_t *timer)
{
    const struct rlimit *limit = timer->data;
    setrlimit(RLIMIT_NOFILE, limit);
    uv_close((uv_handle_t *)timer, NULL);
    stop();
}

/* Our own want is not the service's failure. */
Test(witness, requests_without_a_descriptor_do_not_count)
{
    uv_timer_t timer;
    struct rlimit limit, before;
    start_server(0, OK);
    uv_run(&loop, UV_RUN_NOWAIT);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &limit);
    uv_timer_init(&loop, &timer);
    timer.data = &before;
    uv_timer_start(&timer, lift_limit_and_stop, 50, 0);
    start(1, RPCTL_HEALTH_HTTP, "/", 1000);
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_eq(figures.requests, 0);
    cr_assert_eq(figures.failed, 0, "%s", figures.first_failure);
}

/* The server keeps the request under way until the witness has been stopped, then answers. */
static void stop_before_the_answer(void *data)
{
    (void)data;
    if (servers[0].requests == 1) stop();
}

Test(witness, stop_waits_for_the_request_under_way)
{
    start_server(0, BAD);
    servers[0].piece_bytes = 1;
    servers[0].on_request = stop_before_the_answer;
    start(1, RPCTL_HEALTH_HTTP, "/", 1);
    expect_loop_empty(&loop);
    cr_assert_eq(figures.requests, 1);
    cr_assert_eq(figures.failed, 1);
}

static void cancel_it(void *data)
{
    (void)data;
    if (servers[0].requests != 5) return;
    rpctl_witness_stop(witness, on_stopped, &figures);
    rpctl_witness_cancel(witness, NULL, NULL);
    rpctl_witness_cancel(witness, NULL, NULL);
    cr_assert_eq(callbacks, 0);
}

Test(witness, cancel_gives_up_those_under_way_uncounted)
{
    start_server(0, "");
    servers[0].end = FAKE_KEEPS_OPEN;
    servers[0].on_request = cancel_it;
    start(1, RPCTL_HEALTH_HTTP, "/", 1000);
    expect_loop_empty(&loop);
    cr_assert_eq(callbacks, 1);
    cr_assert_eq(figures.requests, 0);
    cr_assert_eq(figures.failed, 0);
}

static void cancel_when_full(uv_timer_t *timer)
{
    /* One tick more than what fills all places, by the schedule. */
    if (servers[0].requests < RPCTL_WITNESS_IN_FLIGHT_MAX) return;
    uv_close((uv_handle_t *)timer, NULL);
    rpctl_witness_cancel(witness, on_stopped, &figures);
}

Test(witness, requests_under_way_are_bounded)
{
    uv_timer_t timer;
    start_server(0, "");
    servers[0].end = FAKE_KEEPS_OPEN;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, cancel_when_full, 400, 1);
    start(1, RPCTL_HEALTH_HTTP, "/", 1000);
    expect_loop_empty(&loop);
    cr_assert_eq(servers[0].requests, RPCTL_WITNESS_IN_FLIGHT_MAX);
    cr_assert_eq(callbacks, 1);
}
