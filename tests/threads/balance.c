/* Workers that hand over connections to each other: how even they become, and that none is lost in a drain.
 */
#include "live_server.h"

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

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        two_are_within_a_tenth_of_evenly();
        a_drain_answers_all(2);
        a_drain_answers_all(5);
    }
    return EXIT_SUCCESS;
}
