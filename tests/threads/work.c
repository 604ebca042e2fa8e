/* Work on threads of the pool (rp_request_work): who is called where, what becomes of it when the client goes
 * or the server drains, and its bounds. */
#include "live_server.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct live_gate taken;   /* opened when a handler has handed its work to the pool */
static struct live_gate entered; /* opened by work that begins on a gated path */
static struct live_gate gate;    /* and passed by it then */
static struct live_gate told;    /* opened by each `done` */

static atomic_int has_run, done_good, done_reset, done_cancelled, ended_complete, ended_incomplete;

static void begin(const struct rp_server_config *config)
{
    has_run = done_good = done_reset = done_cancelled = ended_complete = ended_incomplete = 0;
    live_gate_init(&taken);
    live_gate_init(&entered);
    live_gate_init(&gate);
    live_gate_init(&told);
    live_new(config);
}

static void end(void)
{
    live_gate_done(&taken);
    live_gate_done(&entered);
    live_gate_done(&gate);
    live_gate_done(&told);
}

/* ---- handlers ---- */

struct task {
    pthread_t caller;
    const char *path; /* the request's own */
    size_t rounds;
    char result[32];
};

static void do_work(void *data)
{
    struct task *task = data;
    check(!pthread_equal(task->caller, pthread_self()));
    if (strstr(task->path, "gated")) {
        live_gate_open(&entered, 1);
        live_gate_pass(&gate);
    }
    snprintf(task->result, sizeof task->result, "did %s", task->path);
    atomic_fetch_add(&has_run, 1);
}

static void work_done(struct rp_request *request, int status, void *data)
{
    struct task *task = data;
    struct rp_address peer;
    check(pthread_equal(task->caller, pthread_self()));
    check(rp_request_path(request) == task->path);
    rp_request_peer(request, &peer);
    check(rp_address_port(&peer) != 0);
    if (status == 0 && --task->rounds > 0) {
        check(rp_request_work(request, do_work, work_done, task) == 0);
        return;
    }
    if (status != 0) {
        check(rp_response_text(request, 200, "nobody hears this") < 0);
        check(rp_request_work(request, do_work, work_done, task) == -ECANCELED);
    }
    if (status == 0) rp_response_text(request, 200, "%s", task->result);
    check(status == -ECANCELED || task->result[0]);
    atomic_fetch_add(status == 0 ? &done_good : status == -ECONNRESET ? &done_reset : &done_cancelled, 1);
    check(status == 0 || status == -ECONNRESET || status == -ECANCELED);
    free(task);
    live_gate_open(&told, 1);
}

static void give_up(struct rp_request *request, void *state)
{
    (void)state;
    rp_response_text(request, 504, "too slow");
}

static void on_ended(struct rp_request *request, bool complete, void *state)
{
    check(rp_request_work(request, do_work, work_done, state) == -ECANCELED);
    check(rp_request_after(request, 0, give_up, state) == -ECANCELED);
    atomic_fetch_add(complete ? &ended_complete : &ended_incomplete, 1);
}

static const struct rp_request_events watched = {.ended = on_ended};

static void start_work(struct rp_request *request, size_t rounds)
{
    struct task *task = calloc(1, sizeof *task);
    check(task);
    task->caller = pthread_self();
    task->path = rp_request_path(request);
    task->rounds = rounds;
    rp_request_watch(request, &watched, NULL);
    int result = rp_request_work(request, do_work, work_done, task);
    if (result == 0) {
        check(rp_request_work(request, do_work, work_done, task) == -EBUSY);
        live_gate_open(&taken, 1);
        return;
    }
    free(task);
    rp_response_text(request, 503, "%d", result);
}

static void handle_work(struct rp_request *request, void *user)
{
    (void)user;
    start_work(request, 1);
}

static void handle_rounds(struct rp_request *request, void *user)
{
    (void)user;
    start_work(request, 3);
}

static void handle_first_answer(struct rp_request *request, void *user)
{
    (void)user;
    start_work(request, 1);
    check(rp_response_text(request, 200, "at once") == 0);
}

static void handle_with_timeout(struct rp_request *request, void *user)
{
    (void)user;
    start_work(request, 1);
    check(rp_request_after(request, 10, give_up, NULL) == 0);
}

/* ---- the tests ---- */

static void test_answers(void)
{
    struct rp_server_config config;
    live_config(&config);
    begin(&config);
    live_route("GET", "/work/{n}", handle_work);
    live_route("GET", "/rounds", handle_rounds);
    live_start();
    int fd = live_dial();
    live_get(fd, "/work/1");
    check(strstr(live_hear(fd, "did "), "\r\n\r\ndid /work/1"));
    live_say(fd, "GET /work/2 HTTP/1.1\r\nHost: h\r\n\r\nGET /rounds HTTP/1.1\r\nHost: h\r\n\r\n"
                 "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *answers = live_hear(fd, "ok\n");
    check(strstr(strstr(answers, "did /work/2"), "did /rounds"));
    close(fd);
    live_finish();
    check(has_run == 5 && done_good == 3 && ended_complete == 3 && ended_incomplete == 0);
    end();
}

/* Which of two connections is served first nobody knows. */
static void start_running_and_queued(int running, int queued)
{
    live_get(running, "/gated");
    live_gate_pass(&taken);
    live_gate_pass(&entered);
    live_get(queued, "/gated");
    live_gate_pass(&taken);
}

static void test_bounds(void)
{
    struct rp_server_config config;
    live_config(&config);
    config.pool_threads = 1;
    config.limits.jobs_per_worker = 2;
    begin(&config);
    live_route("GET", "/gated", handle_work);
    live_start();
    int running = live_dial(), queued = live_dial();
    start_running_and_queued(running, queued);
    char expected[16];
    snprintf(expected, sizeof expected, "\r\n\r\n%d", -EAGAIN);
    const char *answer = live_ask("/gated");
    check(strstr(answer, "503 ") && strstr(answer, expected));
    live_gate_open(&gate, 2);
    live_hear(running, "did /gated");
    live_hear(queued, "did /gated");
    live_gate_open(&gate, 1);
    check(strstr(live_ask("/gated"), "did /gated"));
    close(running);
    close(queued);
    live_finish();
    check(has_run == 3 && done_good == 3 && ended_complete == 4);
    end();
}

static void test_without_pool(void)
{
    struct rp_server_config config;
    live_config(&config);
    config.pool_threads = 0;
    begin(&config);
    live_route("GET", "/work", handle_work);
    live_start();
    char expected[16];
    snprintf(expected, sizeof expected, "\r\n\r\n%d", -ENOTSUP);
    check(strstr(live_ask("/work"), expected));
    live_finish();
    end();
}

/* One client goes while its work is running, and one while its work waits for the only thread. */
static void test_client_goes(void)
{
    struct rp_server_config config;
    live_config(&config);
    config.pool_threads = 1;
    begin(&config);
    live_route("GET", "/gated", handle_work);
    live_start();
    int running = live_dial(), queued = live_dial();
    start_running_and_queued(running, queued);
    live_reset(queued);
    live_gate_pass(&told);
    check(done_cancelled == 1 && has_run == 0);
    live_reset(running);
    live_ask("/healthz");
    check(done_reset == 0);
    live_gate_open(&gate, 1);
    live_gate_pass(&told);
    live_finish();
    check(has_run == 1 && done_reset == 1 && done_cancelled == 1 && done_good == 0 && ended_incomplete == 2);
    end();
}

static void test_drain_waits(void)
{
    struct rp_server_config config;
    live_config(&config);
    begin(&config);
    live_route("GET", "/gated", handle_work);
    live_start();
    int fd = live_dial();
    live_get(fd, "/gated");
    live_gate_pass(&entered);
    live_stop();
    live_await_log("event=listeners_closed");
    live_gate_open(&gate, 1);
    const char *answer = live_hear(fd, NULL);
    check(strstr(answer, "Connection: close\r\n") && strstr(answer, "did /gated"));
    close(fd);
    check(strstr(live_await_log("event=drained"), "finished=1 cut=0"));
    check(live_join(NULL) == 0);
    check(done_good == 1 && ended_complete == 1);
    end();
}

/* What is running outlives the cut, and is waited for; what waits does not begin any more. */
static void test_drain_cuts(void)
{
    struct rp_server_config config;
    live_config(&config);
    config.pool_threads = 1;
    config.drain_timeout_ms = 50;
    begin(&config);
    live_route("GET", "/gated", handle_work);
    live_start();
    int running = live_dial(), queued = live_dial();
    start_running_and_queued(running, queued);
    live_stop();
    check(strstr(live_await_log("event=work_under_way"), "jobs="));
    check(strstr(live_await_log("event=drained"), " cut=2"));
    live_gate_pass(&told);
    check(done_cancelled == 1 && has_run == 0);
    live_gate_open(&gate, 1);
    check(live_join(NULL) == 0);
    check(has_run == 1 && done_reset == 1 && done_cancelled == 1 && ended_incomplete == 2);
    close(running);
    close(queued);
    end();
}

/* A client that has its answer loses nothing, one that has asked again does. */
static void test_drain_cuts_what_was_answered(void)
{
    struct rp_server_config config;
    live_config(&config);
    config.drain_timeout_ms = 50;
    begin(&config);
    live_route("GET", "/first/gated", handle_first_answer);
    live_start();
    int content = live_dial(), waiting = live_dial();
    live_get(content, "/first/gated");
    live_hear(content, "at once");
    live_get(waiting, "/first/gated");
    live_get(waiting, "/healthz");
    live_hear(waiting, "at once");
    live_ask("/healthz");
    live_stop();
    check(strstr(live_await_log("event=drained"), "finished=1 cut=1"));
    live_gate_open(&gate, 2);
    check(live_join(NULL) == 0);
    close(content);
    close(waiting);
    end();
}

/* A response may be complete before the work is: the next request waits for that. */
static void test_answer_before_the_end(void)
{
    struct rp_server_config config;
    live_config(&config);
    begin(&config);
    live_route("GET", "/first/gated", handle_first_answer);
    live_route("GET", "/timeout/gated", handle_with_timeout);
    live_start();
    int fd = live_dial();
    live_say(fd, "GET /first/gated HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    live_gate_pass(&entered);
    check(!strstr(live_hear(fd, "at once"), "ok\n"));
    check(ended_complete == 0);
    live_gate_open(&gate, 1);
    live_hear(fd, "ok\n");
    check(ended_complete == 1);
    live_get(fd, "/timeout/gated");
    live_gate_pass(&entered);
    check(strstr(live_hear(fd, "too slow"), "504 "));
    live_gate_open(&gate, 1);
    live_get(fd, "/healthz");
    live_hear(fd, "ok\n");
    close(fd);
    fd = live_dial();
    live_say(fd, "GET /first/gated HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    live_gate_pass(&entered);
    check(strstr(live_hear(fd, NULL), "at once")); /* the end of the connection does not wait */
    close(fd);
    live_ask("/healthz");
    live_gate_open(&gate, 1);
    live_finish();
    check(has_run == 3 && done_good == 2 && done_reset == 1);
    check(ended_complete == 3 && ended_incomplete == 0);
    end();
}

/* The request's body is not read, or is no good, while its work is under way. */
static void test_body_is_given_up(void)
{
    struct rp_server_config config;
    live_config(&config);
    config.limits.linger_timeout_ms = PATIENCE_MS;
    begin(&config);
    live_route_streaming("POST", "/first/gated", handle_first_answer);
    live_route_streaming("POST", "/gated", handle_work);
    live_start();
    int fd = live_dial();
    live_say(fd, "POST /first/gated HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    live_gate_pass(&entered);
    check(shutdown(fd, SHUT_WR) == 0);
    check(strstr(live_hear(fd, NULL), "at once"));
    close(fd);
    live_ask("/healthz");
    live_gate_open(&gate, 1);
    live_gate_pass(&told);
    fd = live_dial();
    live_say(fd, "POST /gated HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    check(strstr(live_hear(fd, "malformed"), "400 "));
    live_gate_pass(&entered);
    live_gate_open(&gate, 1);
    live_gate_pass(&told);
    live_hear(fd, NULL);
    close(fd);
    live_finish();
    check(has_run == 2 && done_good == 1 && done_reset == 1);
    check(ended_complete == 2 && ended_incomplete == 0);
    end();
}

/* ---- many at a time ---- */

#define CLIENTS  6
#define REQUESTS 60

static void *client(void *argument)
{
    const unsigned *number = argument;
    for (unsigned i = 0; i < REQUESTS; i++) {
        int fd = live_dial();
        live_get(fd, i % 2 ? "/work/1" : "/rounds");
        if ((i + *number) % 3 == 0) {
            live_reset(fd);
            continue;
        }
        live_hear(fd, "did /");
        close(fd);
    }
    return NULL;
}

static void test_many(void)
{
    struct rp_server_config config;
    pthread_t threads[CLIENTS];
    unsigned numbers[CLIENTS];
    live_config(&config);
    config.workers = 2;
    begin(&config);
    live_route("GET", "/work/{n}", handle_work);
    live_route("GET", "/rounds", handle_rounds);
    live_start();
    for (unsigned i = 0; i < CLIENTS; i++) {
        numbers[i] = i;
        check(pthread_create(&threads[i], NULL, client, &numbers[i]) == 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) check(pthread_join(threads[i], NULL) == 0);
    live_finish();
    check(done_good >= CLIENTS * REQUESTS / 3 * 2);
    check(done_good + done_reset + done_cancelled == ended_complete + ended_incomplete);
    end();
}

int main(void)
{
    test_answers();
    test_bounds();
    test_without_pool();
    test_client_goes();
    test_drain_waits();
    test_drain_cuts();
    test_drain_cuts_what_was_answered();
    test_answer_before_the_end();
    test_body_is_given_up();
    test_many();
    return 0;
}
