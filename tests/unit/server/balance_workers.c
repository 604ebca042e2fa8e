/* Two workers that hand over to each other. Their loops are run by the test itself. */
#include "pure/balance.h"
#include "shell/acceptor.h"
#include "shell/admission.h"
#include "shell/balance.h"
#include "shell/connection.h"
#include "shell/worker.h"

#include "leaks.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <rp/server.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MAX 64

static struct {
    struct rp_service service;
    struct rp_admission admission;
    struct rp_worker_board board;
    struct rp_worker workers[2];
    int clients[HELD_MAX];
    unsigned client_count;
} fixture;

static const struct sockaddr_storage peer = {.ss_family = AF_INET};

static void set_up(void)
{
    struct rp_server_config config;
    rp_server_config_init(&config);
    fixture.service.limits = config.limits;
    fixture.service.http = (struct rp_http_limits){.head_bytes = 16384, .target_bytes = 8192};
    cr_assert_eq(rp_admission_init(&fixture.admission, HELD_MAX, 0), 0);
    fixture.service.admission = &fixture.admission;
    fixture.service.workers = fixture.workers;
    fixture.service.worker_count = 2;
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(rp_worker_init(&fixture.workers[i], i, &fixture.service, &fixture.board, NULL), 0);
}

static void tear_down(void)
{
    for (unsigned i = 0; i < fixture.client_count; i++) close(fixture.clients[i]);
    for (unsigned i = 0; i < 2; i++) {
        struct rp_worker *worker = &fixture.workers[i];
        while (worker->connections > 0) uv_run(&worker->loop, UV_RUN_ONCE);
        cr_assert_eq(worker->load, 0, "worker %u still counts %u", i, worker->load);
        rp_worker_abandon(worker);
    }
    cr_assert_eq(fixture.admission.connections, 0);
    rp_admission_done(&fixture.admission);
    expect_no_leak();
}

TestSuite(balance_workers, .init = set_up, .fini = tear_down, .timeout = 30);

/* Worker 0 has accepted a connection; true if it has handed it over. */
static bool accepted(void)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    fixture.clients[fixture.client_count++] = pair[0];
    cr_assert_eq(rp_admission_enter(&fixture.admission, (const struct sockaddr *)&peer), 0);
    if (rp_balance_hand_over(&fixture.workers[0], pair[1], &peer)) return true;
    rp_acceptor_serve(&fixture.workers[0], pair[1], &peer);
    return false;
}

static unsigned accept_some(unsigned count)
{
    unsigned handed_over = 0;
    for (unsigned i = 0; i < count; i++) handed_over += accepted();
    return handed_over;
}

Test(balance_workers, what_was_handed_over_is_served_after_the_wake_up)
{
    rp_balance_join(&fixture.workers[1]);
    unsigned handed_over = accept_some(20);
    cr_assert_eq(handed_over, 9);
    cr_assert_eq(fixture.workers[0].connections, 20 - handed_over);
    cr_assert_eq(fixture.workers[1].connections, 0);
    cr_assert_eq(fixture.workers[1].load, handed_over);
    while (fixture.workers[1].connections < handed_over) uv_run(&fixture.workers[1].loop, UV_RUN_ONCE);
    cr_assert_eq(fixture.workers[1].load, handed_over);
    rp_balance_part(&fixture.workers[1]);
}

Test(balance_workers, what_comes_before_the_drain_is_served_in_it)
{
    rp_balance_join(&fixture.workers[1]);
    unsigned handed_over = accept_some(10);
    cr_assert_gt(handed_over, 0);
    rp_balance_part(&fixture.workers[1]);
    cr_assert_eq(fixture.workers[1].connections, handed_over);
}

Test(balance_workers, one_that_drains_gets_nothing)
{
    rp_balance_join(&fixture.workers[1]);
    rp_balance_part(&fixture.workers[1]);
    cr_assert_eq(accept_some(20), 0);
    cr_assert_eq(fixture.workers[1].load, 0);
}

Test(balance_workers, one_that_has_not_begun_gets_nothing)
{
    cr_assert_eq(accept_some(20), 0);
}

Test(balance_workers, one_that_drains_gives_nothing)
{
    rp_balance_join(&fixture.workers[1]);
    fixture.workers[0].draining = true;
    cr_assert_eq(accept_some(20), 0);
    fixture.workers[0].draining = false;
    rp_balance_part(&fixture.workers[1]);
}

/* A handler may keep it from looking. */
Test(balance_workers, one_that_does_not_look_gets_so_many)
{
    rp_balance_join(&fixture.workers[1]);
    cr_assert_eq(accept_some(HELD_MAX), RP_INBOX_MAX);
    rp_balance_part(&fixture.workers[1]);
    cr_assert_eq(fixture.workers[1].connections, RP_INBOX_MAX);
}

Test(balance_workers, what_has_gone_does_not_count)
{
    rp_balance_join(&fixture.workers[1]);
    rp_balance_join(&fixture.workers[0]);
    accept_some(2);
    for (unsigned i = 0; i < 2; i++) close(fixture.clients[i]);
    while (fixture.workers[0].connections > 0) uv_run(&fixture.workers[0].loop, UV_RUN_ONCE);
    fixture.client_count = 0;
    cr_assert_eq(accept_some(2), 0);
    cr_assert_eq(fixture.workers[0].load, 2);
    rp_balance_part(&fixture.workers[1]);
}

/* And no more at all when it has not looked for a while: what it gets waits with it. */
Test(balance_workers, one_that_is_blocked_gets_what_came_at_first)
{
    rp_balance_join(&fixture.workers[1]);
    unsigned handed_over = accept_some(6);
    cr_assert(handed_over > 0 && handed_over < RP_INBOX_MAX);
    struct rp_inbox *inbox = &fixture.workers[1].inbox;
    cr_assert_geq(rp_worker_now_ms(&fixture.workers[0]), inbox->since_ms);
    inbox->since_ms = rp_worker_now_ms(&fixture.workers[0]) - RP_INBOX_WAIT_MS - 1;
    cr_assert_eq(accept_some(20), 0);
    rp_balance_part(&fixture.workers[1]);
    cr_assert_eq(fixture.workers[1].connections, handed_over);
}
