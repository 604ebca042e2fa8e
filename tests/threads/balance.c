/* Workers that hand over connections to each other: how even they become, that none is lost in a drain, and
 * that nothing is handed to one that has gone. */
#include "live_server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS 64
#define ROUNDS  40

static unsigned numbers[RP_WORKERS_MAX];

static int on_worker_start(unsigned worker, struct uv_loop_s *loop, void **ret_state, void *user,
                           struct rp_error *error)
{
    (void)loop;
    (void)user;
    (void)error;
    numbers[worker] = worker;
    *ret_state = &numbers[worker];
    return 0;
}

static void answer_worker(struct rp_request *request, void *user)
{
    const unsigned *number = rp_request_worker_state(request);
    (void)user;
    rp_response_text(request, 200, "worker=%u.", *number);
}

static void start(unsigned workers)
{
    static const struct rp_server_hooks hooks = {.worker_start = on_worker_start};
    struct rp_server_config config;
    live_config(&config);
    config.workers = workers;
    rp_server_set_hooks(live_new(&config), &hooks, NULL);
    live_route("GET", "/worker", answer_worker);
    live_start();
}

static unsigned worker_of(int fd)
{
    const char *text = strstr(live_hear(fd, "."), "worker=");
    check(text);
    return (unsigned)atoi(text + strlen("worker="));
}

/* All of them stay. */
static void dial_all(int fds[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = live_dial();
        live_get(fds[i], "/worker");
    }
}

static void close_all(const int fds[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
}

/* One after another: each is counted before the next one comes. */
static void two_are_within_a_tenth_of_evenly(void)
{
    int fds[CLIENTS];
    unsigned counts[2] = {0};
    start(2);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = live_dial();
        live_get(fds[i], "/worker");
        counts[worker_of(fds[i])]++;
    }
    check(counts[0] >= 29 && counts[0] <= 35);
    close_all(fds);
    live_finish();
}

/* Some are in a queue, some between two workers, some read, when the drain begins. */
static void a_drain_answers_all(unsigned workers)
{
    int fds[CLIENTS];
    start(workers);
    dial_all(fds);
    live_stop();
    for (int i = 0; i < CLIENTS; i++) check(worker_of(fds[i]) < workers);
    close_all(fds);
    check(live_join(NULL) == 0);
}

/* ---- a start that fails ---- */

enum { ENDS_FIRST, HELD, FAILS, WORKERS };

static struct live_gate start_of_failing, one_held, hold, first_ended;
static atomic_bool held;

static int start_all_but_one(unsigned worker, struct uv_loop_s *loop, void **ret_state, void *user,
                             struct rp_error *error)
{
    int result = on_worker_start(worker, loop, ret_state, user, error);
    if (worker != FAILS) return result;
    live_gate_pass(&start_of_failing);
    return -EINVAL;
}

static void tell_end(unsigned worker, void *state, void *user)
{
    (void)state;
    (void)user;
    if (worker == ENDS_FIRST) live_gate_open(&first_ended, 1);
}

static void hold_worker(struct rp_request *request, void *user)
{
    const unsigned *number = rp_request_worker_state(request);
    (void)user;
    if (*number == HELD && !atomic_exchange(&held, true)) {
        live_gate_open(&one_held, 1);
        live_gate_pass(&hold);
    }
    rp_response_text(request, 200, "worker=%u.", *number);
}

/* One of those that serve is over when another one, which was busy until then, still accepts: it finds out
 * that there is nobody to hand over to. */
static void a_failed_start_ends_who_serves(void)
{
    static const struct rp_server_hooks hooks = {.worker_start = start_all_but_one, .worker_exit = tell_end};
    struct live_gate *gates[] = {&start_of_failing, &one_held, &hold, &first_ended};
    struct rp_server_config config;
    int fds[CLIENTS];
    for (int i = 0; i < 4; i++) live_gate_init(gates[i]);
    atomic_store(&held, false);
    live_config(&config);
    config.workers = WORKERS;
    rp_server_set_hooks(live_new(&config), &hooks, NULL);
    live_route("GET", "/worker", hold_worker);
    live_run();
    live_await_listening();
    dial_all(fds);
    live_gate_pass(&one_held);
    live_gate_open(&start_of_failing, 1);
    live_gate_pass(&first_ended);
    live_gate_open(&hold, 1);
    check(live_join(NULL) == -EINVAL);
    close_all(fds);
    for (int i = 0; i < 4; i++) live_gate_done(gates[i]);
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        two_are_within_a_tenth_of_evenly();
        a_drain_answers_all(2);
        a_drain_answers_all(5);
        a_failed_start_ends_who_serves();
    }
    return EXIT_SUCCESS;
}
